"""VGG: stages of 3×3 convolutions, each halved by a pooling, and two wide layers before the end.

Source: Simonyan & Zisserman 2014, arXiv:1409.1556, table 1, columns D (16 layers with weights) and
E (19). Differs: no dropout between the wide layers. Names and order are Keras 3.15's.
"""

from __future__ import annotations

from typing import Any

from nacre.applications._arguments import (
    Arguments,
    InputShape,
    Pooling,
    Weights,
    begin,
    finish,
    pooled,
)
from nacre.applications._weights import kernels
from nacre.core.symbolic import KerasTensor
from nacre.layers import Conv2D, Dense, Flatten, MaxPooling2D
from nacre.models import Functional

# (filters, convolutions) of each stage.
_STAGES = {
    "VGG16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    "VGG19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
}
# MD5 digests: with the top, without.
_HASHES = {
    "VGG16": ("64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    "VGG19": ("cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
}


def _features(x: KerasTensor, stages: tuple[tuple[int, int], ...]) -> KerasTensor:
    for stage, (filters, depth) in enumerate(stages, start=1):
        for i in range(1, depth + 1):
            name = f"block{stage}_conv{i}"
            x = Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = MaxPooling2D(2, strides=2, name=f"block{stage}_pool")(x)
    return x


def _vgg(arguments: Arguments) -> Functional:
    image = begin(arguments, default_size=224, min_size=32)
    x = _features(image, _STAGES[arguments.who])
    if arguments.include_top:
        x = Flatten(name="flatten")(x)
        x = Dense(4096, activation="relu", name="fc1")(x)
        x = Dense(4096, activation="relu", name="fc2")(x)
        activation = arguments.classifier_activation
        x = Dense(arguments.classes, activation=activation, name="predictions")(x)
    else:
        x = pooled(x, arguments.pooling, named=False)
    stem = arguments.who.lower()
    file = kernels(stem, stem, arguments.include_top, _HASHES[arguments.who])
    return finish(arguments, image, x, file)


def VGG16(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg16",
) -> Functional:
    """The network with 16 layers that have weights: 138 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> VGG16(weights=None, include_top=False, pooling="avg").output_shape
        (None, 512)
    """
    return _vgg(
        Arguments(
            "VGG16", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def VGG19(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "vgg19",
) -> Functional:
    """The network with 19 layers that have weights: 144 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _vgg(
        Arguments(
            "VGG19", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
