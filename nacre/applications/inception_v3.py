"""Inception v3: convolutions of several sizes beside one another, the larger ones split in two.

Source: Szegedy et al. 2015, arXiv:1512.00567, table 1 and figures 5 (35×35), 6 (17×17), 7 (8×8) and
10 (halving). Differs: no side classifier. A convolution is followed by a normalization without
scale and relu. Names and order are Keras 3.15's: `mixed0` to `mixed10`, all else automatic.
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
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    MaxPooling2D,
)
from nacre.models import Functional

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

# Filters behind the pooling of each block of 35×35; inner filters of each block of 17×17.
_POOLED = (32, 64, 64)
_INNER = (128, 160, 160, 192)
# MD5 digests: with the top, without.
_HASHES = ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63")


def _conv(
    x: KerasTensor,
    filters: int,
    size: int | tuple[int, int],
    strides: int = 1,
    padding: str = "same",
) -> KerasTensor:
    x = Conv2D(filters, size, strides=strides, padding=padding, use_bias=False)(x)
    return Activation("relu")(BatchNormalization(axis=channels_axis(), scale=False)(x))


def _halved(x: KerasTensor, filters: int) -> KerasTensor:
    return _conv(x, filters, 3, strides=2, padding="valid")


def _joined(branches: list[KerasTensor], name: str | None = None) -> KerasTensor:
    return Concatenate(axis=channels_axis(), name=name)(branches)


def _average(x: KerasTensor) -> KerasTensor:
    return AveragePooling2D(3, strides=1, padding="same")(x)


def _squares(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """35×35: 1×1, 5×5, two 3×3, a pooling."""
    one = _conv(x, 64, 1)
    five = _conv(_conv(x, 48, 1), 64, 5)
    three = _conv(_conv(_conv(x, 64, 1), 96, 3), 96, 3)
    return _joined([one, five, three, _conv(_average(x), filters, 1)], name)


def _lines(x: KerasTensor, inner: int, name: str) -> KerasTensor:
    """17×17: 1×1, 7×7 as a row and a column, that twice, a pooling."""
    one = _conv(x, 192, 1)
    seven = _conv(_conv(_conv(x, inner, 1), inner, (1, 7)), 192, (7, 1))
    twice = _conv(_conv(_conv(x, inner, 1), inner, (7, 1)), inner, (1, 7))
    twice = _conv(_conv(twice, inner, (7, 1)), 192, (1, 7))
    return _joined([one, seven, twice, _conv(_average(x), 192, 1)], name)


def _fans(x: KerasTensor, number: int) -> KerasTensor:
    """8×8: 1×1, a row beside a column, that behind 3×3, a pooling."""
    one = _conv(x, 320, 1)
    fan = _conv(x, 384, 1)
    fan = _joined([_conv(fan, 384, (1, 3)), _conv(fan, 384, (3, 1))], f"mixed9_{number}")
    far = _conv(_conv(x, 448, 1), 384, 3)
    far = _joined([_conv(far, 384, (1, 3)), _conv(far, 384, (3, 1))])
    return _joined([one, fan, far, _conv(_average(x), 192, 1)], f"mixed{9 + number}")


def _features(x: KerasTensor) -> KerasTensor:
    x = _conv(_halved(x, 32), 32, 3, padding="valid")
    x = MaxPooling2D(3, strides=2)(_conv(x, 64, 3))
    x = _conv(_conv(x, 80, 1, padding="valid"), 192, 3, padding="valid")
    x = MaxPooling2D(3, strides=2)(x)
    for number, filters in enumerate(_POOLED):
        x = _squares(x, filters, f"mixed{number}")
    three = _halved(x, 384)
    twice = _halved(_conv(_conv(x, 64, 1), 96, 3), 96)
    x = _joined([three, twice, MaxPooling2D(3, strides=2)(x)], "mixed3")
    for number, inner in enumerate(_INNER, start=4):
        x = _lines(x, inner, f"mixed{number}")
    three = _halved(_conv(x, 192, 1), 320)
    seven = _halved(_conv(_conv(_conv(x, 192, 1), 192, (1, 7)), 192, (7, 1)), 192)
    x = _joined([three, seven, MaxPooling2D(3, strides=2)(x)], "mixed8")
    return _fans(_fans(x, 0), 1)


def _inception(arguments: Arguments) -> Functional:
    image = begin(arguments, default_size=299, min_size=75)
    x = _features(image)
    x = classified(x, arguments, named=False)
    file = kernels("inception_v3", "inception_v3", arguments.include_top, _HASHES)
    return finish(arguments, image, x, file)


def InceptionV3(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "inception_v3",
) -> Functional:
    """11 blocks of convolutions beside one another: 24 million numbers.

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
        input    (batch, height, width, 3)   299×299 by default, at least 75
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> InceptionV3(weights=None, include_top=False, pooling="avg").output_shape
        (None, 2048)
    """
    return _inception(
        Arguments(
            "InceptionV3", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
