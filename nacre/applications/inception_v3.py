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
    classified,
    finish,
)
from nacre.applications._inception import average, beginning, conv, halved, joined, pooled
from nacre.applications._preprocessing import tf as preprocess_input
from nacre.applications._weights import kernels
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.models import Functional

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

# Filters behind the pooling of each block of 35×35; inner filters of each block of 17×17.
_POOLED = (32, 64, 64)
_INNER = (128, 160, 160, 192)
# MD5 digests: with the top, without.
_HASHES = ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63")


def _squares(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """35×35: 1×1, 5×5, two 3×3, a pooling."""
    one = conv(x, 64, 1)
    five = conv(conv(x, 48, 1), 64, 5)
    three = conv(conv(conv(x, 64, 1), 96, 3), 96, 3)
    return joined([one, five, three, conv(average(x), filters, 1)], name)


def _lines(x: KerasTensor, inner: int, name: str) -> KerasTensor:
    """17×17: 1×1, 7×7 as a row and a column, that twice, a pooling."""
    one = conv(x, 192, 1)
    seven = conv(conv(conv(x, inner, 1), inner, (1, 7)), 192, (7, 1))
    twice = conv(conv(conv(x, inner, 1), inner, (7, 1)), inner, (1, 7))
    twice = conv(conv(twice, inner, (7, 1)), 192, (1, 7))
    return joined([one, seven, twice, conv(average(x), 192, 1)], name)


def _fans(x: KerasTensor, number: int) -> KerasTensor:
    """8×8: 1×1, a row beside a column, that behind 3×3, a pooling."""
    one = conv(x, 320, 1)
    fan = conv(x, 384, 1)
    fan = joined([conv(fan, 384, (1, 3)), conv(fan, 384, (3, 1))], f"mixed9_{number}")
    far = conv(conv(x, 448, 1), 384, 3)
    far = joined([conv(far, 384, (1, 3)), conv(far, 384, (3, 1))])
    return joined([one, fan, far, conv(average(x), 192, 1)], f"mixed{9 + number}")


def _features(x: KerasTensor) -> KerasTensor:
    x = beginning(x)
    for number, filters in enumerate(_POOLED):
        x = _squares(x, filters, f"mixed{number}")
    three = halved(x, 384)
    twice = halved(conv(conv(x, 64, 1), 96, 3), 96)
    x = joined([three, twice, pooled(x)], "mixed3")
    for number, inner in enumerate(_INNER, start=4):
        x = _lines(x, inner, f"mixed{number}")
    three = halved(conv(x, 192, 1), 320)
    seven = halved(conv(conv(conv(x, 192, 1), 192, (1, 7)), 192, (7, 1)), 192)
    x = joined([three, seven, pooled(x)], "mixed8")
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
