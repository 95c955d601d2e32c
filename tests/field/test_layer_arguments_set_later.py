"""Arguments of layers that are set as attributes later hold from then on, or a warning says that
they decided when the layer or its weights were made."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers

DRAW = np.random.default_rng(0)
VECTORS = DRAW.normal(size=(4, 6)).astype("float32")
STEPS = DRAW.normal(size=(2, 6, 4)).astype("float32")
IMAGES = DRAW.normal(size=(2, 6, 6, 4)).astype("float32")
IDS = np.arange(12).reshape(3, 4) % 5

Arguments = dict[str, Any]
# Layer, arguments, inputs, and what is set later.
HELD: list[tuple[Any, Arguments, Any, Arguments]] = [
    (layers.Conv1D, {"filters": 4, "kernel_size": 3}, STEPS, {"padding": "same", "strides": 2}),
    (layers.Conv2D, {"filters": 4, "kernel_size": 3}, IMAGES, {"strides": 2, "padding": "same"}),
    (layers.MaxPooling2D, {}, IMAGES, {"strides": 1, "data_format": "channels_first"}),
    (layers.GlobalAveragePooling2D, {}, IMAGES, {"keepdims": True}),
    (layers.BatchNormalization, {}, VECTORS, {"epsilon": 1.0, "momentum": 0.1}),
    (layers.LayerNormalization, {}, STEPS, {"epsilon": 1.0}),
    (layers.GroupNormalization, {"groups": 2}, STEPS, {"groups": 4, "epsilon": 1.0}),
    (layers.RMSNormalization, {}, STEPS, {"epsilon": 1.0}),
    (layers.Dropout, {"rate": 0.5, "seed": 1}, VECTORS, {"rate": 0.1, "noise_shape": (4, 1)}),
    (layers.GaussianNoise, {"stddev": 0.5, "seed": 1}, VECTORS, {"stddev": 0.1}),
    (layers.AlphaDropout, {"rate": 0.5, "seed": 1}, VECTORS, {"rate": 0.1}),
    (layers.ActivityRegularization, {"l1": 0.1}, VECTORS, {"l1": 0.5, "l2": 0.5}),
    (layers.LSTM, {"units": 3}, STEPS, {"return_sequences": True, "go_backwards": True}),
    (layers.ReLU, {}, VECTORS, {"max_value": 0.1, "negative_slope": 0.5, "threshold": 0.3}),
    (layers.Softmax, {}, STEPS, {"axis": 1}),
    (layers.Reshape, {"target_shape": (3, 2)}, VECTORS, {"target_shape": (2, 3)}),
    (layers.ZeroPadding1D, {}, STEPS, {"padding": 2}),
    (layers.ZeroPadding2D, {}, IMAGES, {"padding": ((1, 0), (0, 2))}),
    (layers.Cropping1D, {}, STEPS, {"cropping": (2, 1)}),
    (layers.Cropping2D, {}, IMAGES, {"cropping": 1, "data_format": "channels_last"}),
    (layers.Rescaling, {"scale": 2.0}, VECTORS, {"scale": 3.0, "offset": 1.0}),
    (layers.Resizing, {"height": 3, "width": 3}, IMAGES, {"height": 5}),
    (layers.RandomZoom, {"height_factor": 0.2, "seed": 1}, IMAGES, {"height_factor": 0.5}),
    (
        layers.RandomTranslation,
        {"height_factor": 0.2, "width_factor": 0.1, "seed": 1},
        IMAGES,
        {"height_factor": (0.3, 0.9), "width_factor": 0.5},
    ),
    (layers.Concatenate, {}, [STEPS, STEPS], {"axis": 1}),
    (layers.Dot, {"axes": 1}, [VECTORS, VECTORS], {"normalize": True}),
]
WITHOUT_EFFECT = {("Cropping2D", "data_format")}

WARNED: list[tuple[Any, Arguments, Any, Arguments]] = [
    (layers.Dense, {"units": 4}, VECTORS, {"units": 3, "use_bias": False}),
    (layers.Dense, {"units": 4}, VECTORS, {"kernel_initializer": "ones"}),
    (layers.Embedding, {"input_dim": 5, "output_dim": 3}, IDS, {"input_dim": 9, "output_dim": 2}),
    (layers.Conv1D, {"filters": 4, "kernel_size": 3}, STEPS, {"filters": 2, "groups": 2}),
    (layers.Conv1DTranspose, {"filters": 4, "kernel_size": 3}, STEPS, {"kernel_size": 2}),
    (layers.DepthwiseConv1D, {"kernel_size": 3}, STEPS, {"depth_multiplier": 2}),
    (layers.SeparableConv1D, {"filters": 2, "kernel_size": 3}, STEPS, {"filters": 4}),
    (layers.BatchNormalization, {}, VECTORS, {"axis": 0, "center": False, "scale": False}),
    (layers.GroupNormalization, {"groups": 2}, STEPS, {"axis": 1}),
    (layers.PReLU, {}, STEPS, {"shared_axes": [1], "alpha_initializer": "ones"}),
    (layers.Attention, {}, [STEPS, STEPS], {"use_scale": True}),
    (layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}, STEPS, {"num_heads": 1}),
    (layers.Dropout, {"rate": 0.5, "seed": 1}, VECTORS, {"seed": 5}),
]


def each(table: list[tuple[Any, Arguments, Any, Arguments]]) -> list[Any]:
    return [
        pytest.param(kind, given, inputs, name, value, id=f"{kind.__name__}-{name}")
        for kind, given, inputs, later in table
        for name, value in later.items()
    ]


def made(kind: Any, given: Arguments) -> Any:
    nacre.utils.set_random_seed(3)
    return kind(**given)


def found(layer: Any, inputs: Any) -> list[np.ndarray]:
    """What a call gives, adds to the loss and leaves in the weights."""
    takes = "training" in inspect.signature(layer.call).parameters
    pair = (inputs, inputs) if isinstance(layer, layers.MultiHeadAttention) else (inputs,)
    outputs = layer(*pair, training=True) if takes else layer(*pair)
    return [np.asarray(x) for x in (outputs, *layer.losses, *layer.get_weights())]


def are_same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(map(np.array_equal, a, b))


@pytest.mark.parametrize(("kind", "given", "inputs", "name", "value"), each(HELD))
def test_what_is_set_later_is_what_is_computed(
    kind: Callable[..., Any], given: Arguments, inputs: Any, name: str, value: Any
) -> None:
    expected = found(made(kind, {**given, name: value}), inputs)
    if (kind.__name__, name) not in WITHOUT_EFFECT:
        assert not are_same(expected, found(made(kind, given), inputs))
    later = made(kind, given)
    setattr(later, name, value)
    assert are_same(found(later, inputs), expected)
    called, again = made(kind, given), made(kind, {**given, name: value})
    found(called, inputs)
    found(again, inputs)
    setattr(called, name, value)
    if not called.weights:  # else the first call left others
        assert are_same(found(called, inputs), found(again, inputs))


@pytest.mark.parametrize(("kind", "given", "inputs", "name", "value"), each(WARNED))
def test_what_changes_nothing_any_more_is_told(
    kind: Callable[..., Any], given: Arguments, inputs: Any, name: str, value: Any
) -> None:
    layer = made(kind, given)
    found(layer, inputs)
    match = rf"{name} decides when .* is made|{name} decides when .* are made"
    with pytest.warns(UserWarning, match=match) as told:
        setattr(layer, name, value)
    assert len(told) == 1 and "Make another layer" in str(told[0].message)


def test_what_decides_the_weights_holds_before_they_are_made() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dense = layers.Dense(4)
        dense.units, dense.use_bias = 3, False
        assert dense(VECTORS).shape == (4, 3) and len(dense.weights) == 1
        dense.units, dense.use_bias = 3, False  # what they are
        copy = layers.Dense.from_config(dense.get_config())
    assert copy(VECTORS).shape == (4, 3)


def test_a_layer_of_the_users_sets_its_own_seed_and_units_in_silence() -> None:
    class Own(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.seed, self.units = 1, 4

        def call(self, inputs: Any) -> Any:
            return inputs * self.seed

    layer = Own()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in (2, 3):
            layer.seed = layer.units = seed
            np.testing.assert_array_equal(layer(VECTORS), VECTORS * seed)
