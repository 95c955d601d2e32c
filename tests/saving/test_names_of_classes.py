"""A class of a person's own is not opened as the built-in one whose name it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import SerializationError


class Adam(nacre.optimizers.Adam):
    """One with another default."""

    def __init__(self, learning_rate: float = 0.25, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)


class MeanSquaredError(nacre.losses.Loss):
    """Seven times the built-in one."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return 7 * nacre.ops.mean((y_true - y_pred) ** 2, -1)


class Dropout(nacre.layers.Layer):
    """A layer that drops nothing."""

    def __init__(self, rate: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs: Any) -> Any:
        return inputs * 5


def _model(kind: type) -> Any:
    layers = [nacre.Input((2,)), nacre.layers.Dense(1)]
    model = nacre.Sequential([*layers, Dropout()] if kind is Dropout else layers)
    loss = MeanSquaredError() if kind is MeanSquaredError else "mse"
    model.compile(Adam() if kind is Adam else "sgd", loss)
    return model


def _part(model: Any, kind: type) -> Any:
    return {Adam: model.optimizer, MeanSquaredError: model.loss}.get(kind, model.layers[-1])


@pytest.mark.parametrize("path", ["m.keras", "m.h5"])
@pytest.mark.parametrize("kind", [Adam, MeanSquaredError, Dropout])
def test_a_class_that_has_the_name_of_a_built_in_one_is_asked_for(
    tmp_path: Path, kind: type, path: str
) -> None:
    file = tmp_path / path
    _model(kind).save(file)
    with pytest.raises(SerializationError, match=f"'{kind.__name__}' of module"):
        nacre.saving.load_model(file)
    loaded = nacre.saving.load_model(file, custom_objects={kind.__name__: kind})
    assert type(_part(loaded, kind)) is kind


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Adam, MeanSquaredError, Dropout])
def test_a_folder_opens_no_class_of_the_same_name(tmp_path: Path, kind: type) -> None:
    model = _model(kind)
    model.save(tmp_path / "m")
    x = np.ones((3, 2), "float32")
    with pytest.warns(UserWarning, match=f"Got class '{kind.__name__}'"):
        loaded = nacre.saving.load_model(tmp_path / "m")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), 1e-6)
    if kind is not Dropout:  # a layer is computed by its function
        assert not getattr(loaded, "compiled", False)
    named = nacre.saving.load_model(tmp_path / "m", custom_objects={kind.__name__: kind})
    assert type(_part(named, kind)) is kind
