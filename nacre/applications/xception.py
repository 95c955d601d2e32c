"""Xception: Inception's end, convolutions of each channel by itself and then of each place.

Source: Chollet 2016, arXiv:1610.02357, figure 5: entry flow (blocks 1 to 4), eight equal modules of
the middle flow (5 to 12), exit flow (13 and 14). Names and order are Keras 3.15's.
"""

from __future__ import annotations

from typing import Any

from nacre.applications._arguments import (
    Arguments,
    InputShape,
    Pooling,
    Weights,
    begin,
    channels_axis,
    classified,
    finish,
)
from nacre.applications._preprocessing import tf as preprocess_input
from nacre.applications._weights import kernels
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    MaxPooling2D,
    SeparableConv2D,
)
from nacre.models import Functional

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

# Blocks that halve height and width: number, filters of their two convolutions.
_ENTRY = ((2, 128, 128), (3, 256, 256), (4, 728, 728))
_MIDDLE = range(5, 13)
_MIDDLE_FILTERS = 728
_EXIT = (13, 728, 1024)
# MD5 digests: with the top, without.
_HASHES = ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97")


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return Activation("relu", name=f"{name}_act")(x)


def _normalized(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return BatchNormalization(axis=channels_axis(-1), name=name)(x)


def _separable(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, f"{name}_bn")


def _halving(x: KerasTensor, block: int, first: int, second: int) -> KerasTensor:
    """Two convolutions and a pooling, beside a 1×1 convolution of every second place."""
    name = f"block{block}"
    shortcut = Conv2D(second, 1, strides=2, padding="same", use_bias=False)(x)
    shortcut = _normalized(shortcut)
    if block > 2:  # before block 2 a relu stands already
        x = _relu(x, f"{name}_sepconv1")
    x = _separable(x, first, f"{name}_sepconv1")
    x = _separable(_relu(x, f"{name}_sepconv2"), second, f"{name}_sepconv2")
    x = MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return Add()([x, shortcut])


def _features(x: KerasTensor) -> KerasTensor:
    for i, (filters, strides) in enumerate(((32, 2), (64, 1)), start=1):
        name = f"block1_conv{i}"
        x = Conv2D(filters, 3, strides=strides, use_bias=False, name=name)(x)
        x = _relu(_normalized(x, f"{name}_bn"), name)
    for block, first, second in _ENTRY:
        x = _halving(x, block, first, second)
    for block in _MIDDLE:
        y = x
        for name in (f"block{block}_sepconv{i}" for i in (1, 2, 3)):
            y = _separable(_relu(y, name), _MIDDLE_FILTERS, name)
        x = Add()([y, x])
    x = _halving(x, *_EXIT)
    for i, filters in enumerate((1536, 2048), start=1):
        name = f"block14_sepconv{i}"
        x = _relu(_separable(x, filters, name), name)
    return x


def _xception(arguments: Arguments) -> Functional:
    image = begin(arguments, default_size=299, min_size=71)
    x = _features(image)
    x = classified(x, arguments, named=False)
    file = kernels("xception", "xception", arguments.include_top, _HASHES)
    return finish(arguments, image, x, file)


def Xception(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "xception",
) -> Functional:
    """36 convolutions in 14 modules: 23 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(299, 299, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   299×299 by default, at least 71
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> Xception(weights=None, include_top=False, pooling="avg").output_shape
        (None, 2048)
    """
    return _xception(
        Arguments(
            "Xception", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
