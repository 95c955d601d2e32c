"""Convolution layers: what is special to them."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, ShapeError


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_grayscale_batch_without_channels_is_told_to_add_an_axis():
    with pytest.raises(ShapeError, match=r"Conv2D '.*': the input must have 4 axes.*\(8, 28, 28\)"):
        nacre.layers.Conv2D(4, 3)(random(8, 28, 28))
    with pytest.raises(ShapeError, match=r"x\[\.\.\., None\]"):
        nacre.layers.Conv2D(4, 3)(random(8, 28, 28))


def test_other_number_of_channels_is_refused_with_both_numbers():
    layer = nacre.layers.Conv2D(4, 3)
    layer(random(1, 8, 8, 3))
    with pytest.raises(ShapeError, match=r"last axis must be 3.*\(1, 8, 8, 1\)"):
        layer(random(1, 8, 8, 1))


def test_window_larger_than_the_input_is_refused():
    with pytest.raises(ShapeError, match=r"must fit in the input.*padding='same'"):
        nacre.layers.Conv2D(4, 7)(random(1, 6, 6, 3))
    with pytest.raises(ShapeError, match="window"):
        nacre.layers.MaxPooling2D(7)(random(1, 6, 6, 3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filters": 0, "kernel_size": 3}, "filters must be a positive int"),
        ({"filters": 3, "kernel_size": 3, "groups": 2}, "multiple of groups"),
        ({"filters": "a", "kernel_size": 3}, "filters must be a positive int.*'a'"),
        ({"filters": float("nan"), "kernel_size": 3}, "filters must be a positive int"),
        ({"filters": 4, "kernel_size": 3, "groups": [2]}, r"groups must be a positive int.*\[2\]"),
        ({"filters": 4, "kernel_size": "33"}, "kernel_size must be one int or 2 of them.*'33'"),
        ({"filters": 4, "kernel_size": 3, "strides": None}, "strides must be one int or 2"),
        ({"filters": 4, "kernel_size": (3, 0)}, "kernel_size must be one int or 2 of them"),
        ({"filters": 4, "kernel_size": (3, 3, 3)}, "kernel_size must be one int or 2 of them"),
        ({"filters": 4, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, "must not both"),
        ({"filters": 4, "kernel_size": 3, "padding": "causal"}, "one-dimensional"),
        ({"filters": 4, "kernel_size": 3, "padding": np.array([1, 2])}, "padding must be 'valid'"),
        ({"filters": 4, "kernel_size": 3, "padding": "full"}, "padding must be 'valid' or 'same'"),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        nacre.layers.Conv2D(**arguments)


def test_whole_numbers_take_the_dtype_of_the_kernel():
    images = np.ones((1, 3, 3, 1), "uint8")
    for name in ("Conv2D", "Conv2DTranspose", "SeparableConv2D"):
        layer = getattr(nacre.layers, name)(2, 3, dtype="mixed_bfloat16")
        assert layer(images).dtype == "bfloat16", name
    assert nacre.layers.DepthwiseConv2D(3)(images).dtype == "float32"


def test_output_padding_must_be_below_the_stride():
    with pytest.raises(ArgumentError, match="output_padding must be below the stride"):
        nacre.layers.Conv2DTranspose(4, 3, strides=2, output_padding=2)


@pytest.mark.parametrize("name", ["Conv1D", "DepthwiseConv1D", "SeparableConv1D"])
def test_causal_padding_hides_later_steps(name):
    arguments = {} if name == "DepthwiseConv1D" else {"filters": 3}
    layer = getattr(nacre.layers, name)(kernel_size=3, padding="causal", **arguments)
    x = random(1, 10, 2)
    before = np.asarray(layer(x))
    x[:, 6:] += 1.0
    after = np.asarray(layer(x))
    assert before.shape == (1, 10, before.shape[-1])
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert np.abs(before[:, 6:] - after[:, 6:]).max() > 1e-3


def test_channels_first_is_channels_last_turned_around():
    first = nacre.layers.Conv2D(4, 3, padding="same", data_format="channels_first")
    last = nacre.layers.Conv2D(4, 3, padding="same")
    x = random(2, 3, 6, 5)
    y = np.asarray(first(x))
    last.build((None, 6, 5, 3))
    last.set_weights(first.get_weights())
    np.testing.assert_allclose(
        np.moveaxis(y, 1, -1), last(np.moveaxis(x, 1, -1)), rtol=1e-5, atol=1e-5
    )


def test_sizes_may_be_unknown_in_a_graph():
    images = nacre.layers.Input((None, None, 3))
    assert nacre.layers.Conv2D(4, 3)(images).shape == (None, None, None, 4)
    steps = nacre.layers.Input((None, 3))
    assert nacre.layers.Conv1D(4, 3, padding="causal")(steps).shape == (None, None, 4)


def test_old_spellings_are_the_same_classes():
    assert nacre.layers.Convolution2D is nacre.layers.Conv2D
    assert nacre.layers.MaxPool2D is nacre.layers.MaxPooling2D
    assert nacre.layers.GlobalAvgPool1D is nacre.layers.GlobalAveragePooling1D


def test_subclass_may_change_the_convolution():
    class Standardized(nacre.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel * 0.0)

    assert np.asarray(Standardized(2, 3)(random(1, 5, 5, 2))).max() == 0.0


def test_low_rank_adaptation_starts_as_the_same_layer_and_trains_only_the_change():
    layer = nacre.layers.Conv2D(4, 3)
    x = random(1, 6, 6, 2)
    before = np.asarray(layer(x))
    layer.enable_lora(2)
    np.testing.assert_allclose(before, layer(x), rtol=1e-5, atol=1e-5)
    trained = {w.path.split("/")[-1] for w in layer.trainable_weights}
    assert trained == {"bias", "lora_kernel_a", "lora_kernel_b"}
    layer.trainable_weights[-1].assign(random(2, 4))
    assert np.abs(before - np.asarray(layer(x))).max() > 1e-3
