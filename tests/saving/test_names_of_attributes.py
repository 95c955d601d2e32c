"""Weights are kept whatever the attributes are called that hold their layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

NAMES = ("_layers", "inputs", "outputs", "loss", "_functional", "_call_plan", "net")


def model_of(name: str, as_list: bool) -> nacre.Sequential:
    class Holds(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            inner = layers.Dense(2)
            setattr(self, name, [inner] if as_list else inner)

        def call(self, x: Any) -> Any:
            inner = getattr(self, name)
            return (inner[0] if as_list else inner)(x)

    return nacre.Sequential([nacre.Input((3,)), Holds()])


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_saved_under_any_name_its_holder_gives_it(name, as_list, tmp_path) -> None:
    model, other = model_of(name, as_list), model_of(name, as_list)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(X), model(X))


@nacre.saving.register_keras_serializable("tests")
class MakesInBuild(nacre.Model):
    """Its `build` makes layers, and leaves it to the first call to build them."""

    def __init__(self, count: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def build(self, input_shape: Any) -> None:
        self.steps = [layers.Dense(5) for _ in range(self.count)]
        self.norms = [layers.LayerNormalization() for _ in range(self.count)]
        self.last = layers.Dense(1)

    def call(self, x: Any) -> Any:
        for step, norm in zip(self.steps, self.norms, strict=True):
            x = norm(step(x))
        return self.last(x)

    def get_config(self) -> dict[str, Any]:
        return {"count": self.count}


def test_layers_that_build_only_makes_are_built_when_a_file_is_opened(tmp_path) -> None:
    model = MakesInBuild(3)
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], verbose=0)
    model.save(tmp_path / "model.keras")
    opened = nacre.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(opened.predict(X, verbose=0), model.predict(X, verbose=0))
