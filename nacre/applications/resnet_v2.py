"""ResNet V2: normalization and relu stand before each convolution, and the sum stays as it is.

    y = shortcut + conv1x1(relu(bn(conv3x3(relu(bn(conv1x1(relu(bn(x)))))))))

The shortcut is x, in the first block of a stage a 1×1 convolution of relu(bn(x)).

Source: He et al. 2016, arXiv:1603.05027, figure 1 (b). Differs: the stride of a stage stands in the
3×3 convolution of its last block, whose shortcut is every second place of x. Names and order are
Keras 3.15's.
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
    ZeroPadding2D,
)
from nacre.models import Functional

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]

# Blocks of each stage.
_BLOCKS = {"ResNet50V2": (3, 4, 6, 3), "ResNet101V2": (3, 4, 23, 3), "ResNet152V2": (3, 8, 36, 3)}
_FILTERS = (64, 128, 256, 512)
_EPSILON = 1.001e-5
# MD5 digests: with the top, without.
_HASHES = {
    "ResNet50V2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "ResNet101V2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "ResNet152V2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
}


def _active(x: KerasTensor, name: str) -> KerasTensor:
    x = BatchNormalization(axis=channels_axis(), epsilon=_EPSILON, name=f"{name}_bn")(x)
    return Activation("relu", name=f"{name}_relu")(x)


def _block(x: KerasTensor, filters: int, strides: int, is_first: bool, name: str) -> KerasTensor:
    active = _active(x, f"{name}_preact")
    if is_first:
        shortcut = Conv2D(4 * filters, 1, strides=strides, name=f"{name}_0_conv")(active)
    else:
        shortcut = MaxPooling2D(1, strides=strides)(x) if strides > 1 else x
    x = Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(active)
    x = ZeroPadding2D(1, name=f"{name}_2_pad")(_active(x, f"{name}_1"))
    x = Conv2D(filters, 3, strides=strides, use_bias=False, name=f"{name}_2_conv")(x)
    x = Conv2D(4 * filters, 1, name=f"{name}_3_conv")(_active(x, f"{name}_2"))
    return Add(name=f"{name}_out")([shortcut, x])


def _features(x: KerasTensor, blocks: tuple[int, ...]) -> KerasTensor:
    x = ZeroPadding2D(3, name="conv1_pad")(x)
    x = Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    x = MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (filters, depth) in enumerate(zip(_FILTERS, blocks), start=2):
        for i in range(1, depth + 1):
            strides = 2 if i == depth and stage < 5 else 1
            x = _block(x, filters, strides, i == 1, f"conv{stage}_block{i}")
    return _active(x, "post")


def _resnet(arguments: Arguments) -> Functional:
    image = begin(arguments, default_size=224, min_size=32)
    x = _features(image, _BLOCKS[arguments.who])
    x = classified(x, arguments, named=True)
    stem = arguments.who.lower()
    file = kernels("resnet", stem, arguments.include_top, _HASHES[arguments.who])
    return finish(arguments, image, x, file)


def ResNet50V2(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet50v2",
) -> Functional:
    """The network with 50 layers.

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
        >>> ResNet50V2(weights=None, include_top=False, pooling="avg").output_shape
        (None, 2048)
    """
    return _resnet(
        Arguments(
            "ResNet50V2", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def ResNet101V2(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet101v2",
) -> Functional:
    """The network with 101 layers.

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
    return _resnet(
        Arguments(
            "ResNet101V2", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def ResNet152V2(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet152v2",
) -> Functional:
    """The network with 152 layers.

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
    return _resnet(
        Arguments(
            "ResNet152V2", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
