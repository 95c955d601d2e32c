"""States of optimizers as real Kerases write them, and what real Kerases open of nacre's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nacre
from nacre.saving.optimizer_state import fit_state
from tests.saving.helpers import small

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


def trained(optimizer: Any) -> Any:
    model = small()
    model.compile(optimizer, "mse")
    model.fit(X, np.ones((4, 2)), verbose=0)
    return model


def test_a_state_of_tf_keras_holds_nothing_where_adafactor_keeps_nothing() -> None:
    """Read off a file of 2.15.1: its biases have neither rows nor columns, and no learning rate."""
    optimizer = trained("adafactor").optimizer
    kernels, biases = [(3, 4), (4, 2)], [(4,), (2,)]
    shapes: list[Any] = [()]
    for kernel, bias in zip(kernels, biases, strict=True):
        shapes += [kernel[:1], kernel[1:], kernel, bias]
    order = fit_state(optimizer, shapes)
    assert order is not None
    found = [source for source in order if isinstance(source, int)]
    assert found == list(range(len(shapes)))
    for variable, source in zip(optimizer.variables, order, strict=True):
        assert not isinstance(source, int) or variable.shape == shapes[source]
    assert fit_state(optimizer, shapes[:-1]) is None
    assert fit_state(optimizer, [*shapes, (2,)]) is None


@pytest.mark.parametrize(("optimizer", "is_known"), [("lamb", False), ("adam", True)])
def test_keras_opens_h5_files_of_optimizers_that_it_does_not_know(
    optimizer: str, is_known: bool, tmp_path: Path
) -> None:
    """Keras 3.15.1 has no Lamb in the list by which it reads `.h5`: such a file did not open."""
    model = trained(optimizer)
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert ("training_config" in file.attrs) == is_known
        assert "optimizer_weights" not in file
    other = nacre.saving.load_model(tmp_path / "m.h5")
    assert type(other.optimizer) is type(model.optimizer)
    for a, b in zip(other.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
