"""Models that are not built yet are built for what a file of weights holds."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest

import nacre
from nacre import layers, saving
from nacre.core.errors import NotBuiltError, WeightsMismatchError
from nacre.saving.building import KEY

X = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 12)


def stack(inputs: Any = None) -> Any:
    first = [] if inputs is None else [nacre.Input(inputs)]
    parts = [layers.Dense(4, activation="relu"), layers.BatchNormalization(), layers.Dense(2)]
    return nacre.Sequential([*first, *parts])


@saving.register_keras_serializable("building")
class MakesInBuild(nacre.Model):
    """Makes its layers once it knows its inputs."""

    def build(self, input_shape: Any) -> None:
        self.inner = layers.Dense(input_shape[-1] // 2)
        self.inner.build(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


FILES = ["m.weights.h5", "m.h5", "whole.keras", "whole.h5"]


@pytest.mark.parametrize("name", FILES)
def test_a_stack_without_input_is_built_from_the_file(name: str, tmp_path: Any) -> None:
    model, again = stack((12,)), stack()
    if name.startswith("whole"):
        model.save(tmp_path / name)
    else:
        model.save_weights(tmp_path / name)
    again.load_weights(tmp_path / name)
    assert again.input_shape == (None, 12)
    np.testing.assert_array_equal(again(X), model(X))


@pytest.mark.parametrize("name", FILES[:3])
def test_layers_made_in_build_are_built_from_the_file(name: str, tmp_path: Any) -> None:
    model, again = MakesInBuild(), MakesInBuild()
    model(X)
    if name.startswith("whole"):
        model.save(tmp_path / name)
    else:
        model.save_weights(tmp_path / name)
    again.load_weights(tmp_path / name)
    np.testing.assert_array_equal(again(X), model(X))


def without_note(path: Any) -> None:
    """As Keras writes it."""
    with h5py.File(path, "r+") as file:
        del file.attrs[KEY], file.attrs["nacre_checksums"]


def recurrent(inputs: Any = None) -> Any:
    first = [] if inputs is None else [nacre.Input(inputs)]
    return nacre.Sequential([*first, layers.LSTM(3), layers.Dense(2)])


def convolved(inputs: Any = None) -> Any:
    first = [] if inputs is None else [nacre.Input(inputs)]
    parts = [layers.Conv2D(2, 3), layers.GlobalMaxPooling2D(), layers.Dense(2)]
    return nacre.Sequential([*first, *parts])


def embedded(inputs: Any = None) -> Any:
    first = [] if inputs is None else [nacre.Input(inputs)]
    return nacre.Sequential([*first, layers.Embedding(9, 3), layers.LayerNormalization()])


@pytest.mark.parametrize(
    ("build", "x"),
    [
        (stack, X),
        (recurrent, X.reshape(2, 4, 3)),
        (convolved, X.reshape(2, 3, 4, 1)),
        (embedded, np.arange(4).reshape(2, 2)),
    ],
)
def test_a_stack_is_built_by_the_arrays_of_a_file_of_keras(
    build: Any, x: np.ndarray[Any, Any], tmp_path: Any
) -> None:
    model, again = build(x.shape[1:]), build()
    model.save_weights(tmp_path / "m.weights.h5")
    without_note(tmp_path / "m.weights.h5")
    again.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6)
    again.compile("sgd", "mse")
    again.fit(x, np.zeros(again(x).shape), verbose=0)
    np.testing.assert_allclose(again.predict(x, verbose=0), again(x), rtol=1e-5, atol=1e-6)


def test_a_stack_that_needs_more_sizes_than_the_arrays_tell_is_left_as_it_was(
    tmp_path: Any,
) -> None:
    def build(*first: Any) -> Any:
        return nacre.Sequential([*first, layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])

    model, again = build(nacre.Input((3, 4, 1))), build()
    model.save_weights(tmp_path / "m.weights.h5")
    without_note(tmp_path / "m.weights.h5")
    with pytest.raises(NotBuiltError, match="must be built"):
        again.load_weights(tmp_path / "m.weights.h5")
    again.build((None, 3, 4, 1))
    again.load_weights(tmp_path / "m.weights.h5")
    x = X.reshape(2, 3, 4, 1)
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6)


def test_where_the_file_does_not_tell_the_model_must_be_built(tmp_path: Any) -> None:
    model = MakesInBuild()
    model(X)
    model.save_weights(tmp_path / "m.weights.h5")
    without_note(tmp_path / "m.weights.h5")
    with pytest.raises(NotBuiltError, match="must be built"):
        MakesInBuild().load_weights(tmp_path / "m.weights.h5")


def test_a_note_of_sizes_that_the_file_cannot_hold_takes_no_memory(tmp_path: Any) -> None:
    model = stack((12,))
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        del file.attrs["nacre_checksums"]
        file.attrs[KEY] = '{"input_shape": [null, 1099511627776]}'
    with pytest.raises(WeightsMismatchError, match=r"file \(12, 4\)"):
        stack().load_weights(tmp_path / "m.weights.h5")
