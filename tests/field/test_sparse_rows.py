"""Sparse arrays, numbers of other machines and plain rows of numbers, through every door."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from jax.experimental import sparse as jax_sparse
from scipy import sparse

import nacre as keras
from nacre import layers
from nacre.core.errors import DataError

rng = np.random.default_rng(0)
ROWS = (rng.normal(size=(24, 4)) * (rng.random((24, 4)) < 0.5)).astype("float32")
SUMS = ROWS.sum(axis=1)


def summing(size: int = 4) -> Any:
    """A model that adds up its columns and does not move."""
    dense = layers.Dense(1, kernel_initializer="ones", use_bias=False)
    model = keras.Sequential([keras.Input((size,)), dense])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "a dict of entries": sparse.dok_array,
    "BCOO": jax_sparse.BCOO.fromdense,  # compiles
    "BCSR": jax_sparse.BCSR.fromdense,
    "the other order of bytes": lambda rows: rows.astype(">f4"),
    "long doubles": lambda rows: rows.astype(np.longdouble),
    "a view of memory": memoryview,
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_in_other_forms_go_through_every_door(form: str) -> None:
    model, x = summing(), FORMS[form](ROWS)
    logs = model.fit(x, SUMS, validation_data=(x, SUMS), batch_size=8, verbose=0).history
    assert logs["loss"][0] + logs["val_loss"][0] < 1e-9
    held = model.fit(x, 0 * SUMS, validation_split=0.25, batch_size=8, verbose=0).history
    assert held["val_loss"][0] == pytest.approx(np.square(SUMS[18:]).mean(), rel=1e-5)
    np.testing.assert_allclose(model.predict(x, verbose=0)[:, 0], SUMS, rtol=1e-5)
    assert model.evaluate(x, SUMS, verbose=0) < 1e-9
    assert model.train_on_batch(x, SUMS) < 1e-9
    if form not in ("a dict of entries", "a view of memory"):  # in a call they are a structure
        np.testing.assert_allclose(np.ravel(model(x)), SUMS, rtol=1e-5)
    layer = layers.Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(np.ravel(layer.mean), ROWS.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("y", [range(24), array.array("d", range(24)), memoryview(np.arange(24.0))])
def test_targets_may_be_plain_rows_of_numbers(y: Any) -> None:
    model = summing()
    expected = np.square(SUMS - np.arange(24)).mean()
    assert model.evaluate(ROWS, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.fit(ROWS, y, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", [sparse.csr_array, jax_sparse.BCOO.fromdense])
def test_targets_may_be_sparse(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nacre.training.weights._NUMBERS_AT_ONCE", 30)
    labels = np.eye(3, dtype="float32")[np.arange(24) % 3]
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.SGD(0.0), "categorical_crossentropy", ["accuracy"])
    expected = model.evaluate(ROWS, labels, verbose=0)
    y = form(labels)
    assert model.evaluate(ROWS, y, verbose=0) == pytest.approx(expected)
    assert model.fit(ROWS, y, batch_size=8, verbose=0).history["loss"][0] == pytest.approx(
        expected[0]
    )
    weights = {0: 1.0, 1: 0.0, 2: 2.0}
    assert model.fit(ROWS, y, class_weight=weights, verbose=0).history["loss"][0] == pytest.approx(
        model.fit(ROWS, labels, class_weight=weights, verbose=0).history["loss"][0]
    )


def test_counts_in_a_sparse_matrix_feed_inputs_of_floats() -> None:
    counts = sparse.csr_matrix(np.array([[5_000_000_000, 0, 1, 0]]))
    assert summing().predict(counts, verbose=0).tolist() == [[5e9]]


def test_a_tensor_without_values_is_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(
        DataError, match="x: a tensor must have values. Got one on the device 'meta'"
    ):
        summing().predict(torch.empty(3, 4, device="meta"), verbose=0)


def test_losses_and_metrics_read_the_other_order_of_bytes_and_refuse_a_mask() -> None:
    for dtype in (">f4", ">i4", np.longdouble):
        y = np.arange(4).astype(dtype)
        assert float(keras.losses.MeanSquaredError()(y, np.zeros(4, ">f8"))) == 3.5
        assert float(keras.metrics.MeanAbsoluteError()(y, np.zeros(4, ">f8"))) == 1.5
    hidden = np.ma.masked_greater(np.arange(4.0), 1)
    with pytest.raises(DataError, match="a loss or metric: a masked array.*2 masked"):
        keras.losses.MeanSquaredError()(hidden, np.zeros(4))
