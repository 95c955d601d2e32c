"""Inception-ResNet v2: what Inception's branches find is added to what they were given.

    x <- relu(x + scale · conv1x1(concat(branches(x))))

Source: Szegedy et al. 2016, arXiv:1602.07261, figures 15 (whole), 16 (35×35), 17 (17×17) and 19
(8×8), section 3.3 (scales). Differs: it begins as Inception v3 does, with one more Inception block
for 35×35, and the last block is added in full and without relu. Names and order are Keras 3.15's:
blocks have names, the convolutions in them automatic ones.
"""

from __future__ import annotations

from typing import Any, Unpack

import jax

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
from nacre.applications._inception import average, beginning, conv, halved, joined, pooled
from nacre.applications._preprocessing import tf as preprocess_input
from nacre.applications._weights import kernels
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.registry import register
from nacre.core.symbolic import KerasTensor
from nacre.layers import Activation, Conv2D
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.models import Functional

__all__ = ["CustomScaleLayer", "InceptionResNetV2", "decode_predictions", "preprocess_input"]

# Number of blocks of each kind, and how much of what they find is added.
_SQUARES, _SQUARES_SCALE = 10, 0.17
_LINES, _LINES_SCALE = 20, 0.1
_ENDS, _ENDS_SCALE = 9, 0.2
# MD5 digests: with the top, without.
_HASHES = ("e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4")


@register("CustomScaleLayer", module="keras.src.applications.inception_resnet_v2")
class CustomScaleLayer(Layer):
    """What a block was given, and a part of what it found.

    Args:
        scale: The part.
    Formula:
        y = inputs[0] + scale · inputs[1]
    """

    _config_registered_name = "CustomScaleLayer"

    def __init__(self, scale: float, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: list[jax.Array]) -> jax.Array:
        """The sum."""
        given, found = inputs
        return given + found * self.scale


def _added(
    x: KerasTensor, branches: list[KerasTensor], scale: float, name: str, *, relu: bool = True
) -> KerasTensor:
    found = joined(branches, f"{name}_mixed")
    found = Conv2D(x.shape[channels_axis()], 1, padding="same", name=f"{name}_conv")(found)
    x = CustomScaleLayer(scale)([x, found])
    return Activation("relu", name=f"{name}_ac")(x) if relu else x


def _squares(x: KerasTensor, name: str) -> KerasTensor:
    """35×35: 1×1, 3×3, two 3×3."""
    one = conv(x, 32, 1)
    three = conv(conv(x, 32, 1), 32, 3)
    twice = conv(conv(conv(x, 32, 1), 48, 3), 64, 3)
    return _added(x, [one, three, twice], _SQUARES_SCALE, name)


def _lines(x: KerasTensor, name: str) -> KerasTensor:
    """17×17: 1×1, 7×7 as a row and a column."""
    one = conv(x, 192, 1)
    seven = conv(conv(conv(x, 128, 1), 160, (1, 7)), 192, (7, 1))
    return _added(x, [one, seven], _LINES_SCALE, name)


def _ends(x: KerasTensor, scale: float, name: str, *, relu: bool = True) -> KerasTensor:
    """8×8: 1×1, 3×3 as a row and a column."""
    one = conv(x, 192, 1)
    three = conv(conv(conv(x, 192, 1), 224, (1, 3)), 256, (3, 1))
    return _added(x, [one, three], scale, name, relu=relu)


def _features(x: KerasTensor) -> KerasTensor:
    x = beginning(x)
    one = conv(x, 96, 1)
    five = conv(conv(x, 48, 1), 64, 5)
    three = conv(conv(conv(x, 64, 1), 96, 3), 96, 3)
    x = joined([one, five, three, conv(average(x), 64, 1)], "mixed_5b")
    for number in range(1, _SQUARES + 1):
        x = _squares(x, f"block35_{number}")
    three = halved(x, 384)
    twice = halved(conv(conv(x, 256, 1), 256, 3), 384)
    x = joined([three, twice, pooled(x)], "mixed_6a")
    for number in range(1, _LINES + 1):
        x = _lines(x, f"block17_{number}")
    three = halved(conv(x, 256, 1), 384)
    other = halved(conv(x, 256, 1), 288)
    twice = halved(conv(conv(x, 256, 1), 288, 3), 320)
    x = joined([three, other, twice, pooled(x)], "mixed_7a")
    for number in range(1, _ENDS + 1):
        x = _ends(x, _ENDS_SCALE, f"block8_{number}")
    x = _ends(x, 1.0, f"block8_{_ENDS + 1}", relu=False)
    return conv(x, 1536, 1, name="conv_7b")


def _inception_resnet(arguments: Arguments) -> Functional:
    image = begin(arguments, default_size=299, min_size=75)
    x = _features(image)
    x = classified(x, arguments, named=False)
    stem = "inception_resnet_v2"
    file = kernels(stem, stem, arguments.include_top, _HASHES)
    return finish(arguments, image, x, file)


def InceptionResNetV2(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "inception_resnet_v2",
) -> Functional:
    """43 blocks of convolutions beside one another: 56 million numbers.

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
        >>> InceptionResNetV2(weights=None, include_top=False, pooling="avg").output_shape
        (None, 1536)
    """
    return _inception_resnet(
        Arguments(
            "InceptionResNetV2", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
