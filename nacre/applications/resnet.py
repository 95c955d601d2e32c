"""ResNet: blocks that add what they find to what they were given.

    y = relu(shortcut(x) + bn(conv1x1(relu(bn(conv3x3(relu(bn(conv1x1(x)))))))))

Source: He et al. 2015, arXiv:1512.03385, table 1 and figure 5 (right). Differs: convolutions have a
bias, and the stride of a stage stands in the first 1×1 convolution of its first block, as there,
not in the 3×3 one as torchvision has it. Names and order are Keras 3.15's.
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
from nacre.applications._preprocessing import caffe as preprocess_input
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

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

# Blocks of each stage.
_BLOCKS = {"ResNet50": (3, 4, 6, 3), "ResNet101": (3, 4, 23, 3), "ResNet152": (3, 8, 36, 3)}
_FILTERS = (64, 128, 256, 512)
_EPSILON = 1.001e-5
# MD5 digests: with the top, without.
_HASHES = {
    "ResNet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "ResNet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "ResNet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
}


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return BatchNormalization(axis=channels_axis(), epsilon=_EPSILON, name=f"{name}_bn")(x)


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return Activation("relu", name=name)(x)


def _block(x: KerasTensor, filters: int, strides: int, is_first: bool, name: str) -> KerasTensor:
    shortcut = x
    if is_first:
        shortcut = Conv2D(4 * filters, 1, strides=strides, name=f"{name}_0_conv")(x)
        shortcut = _normalized(shortcut, f"{name}_0")
    x = Conv2D(filters, 1, strides=strides, name=f"{name}_1_conv")(x)
    x = _relu(_normalized(x, f"{name}_1"), f"{name}_1_relu")
    x = Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = _relu(_normalized(x, f"{name}_2"), f"{name}_2_relu")
    x = Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    x = Add(name=f"{name}_add")([shortcut, _normalized(x, f"{name}_3")])
    return _relu(x, f"{name}_out")


def _features(x: KerasTensor, blocks: tuple[int, ...]) -> KerasTensor:
    x = ZeroPadding2D(3, name="conv1_pad")(x)
    x = Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    x = _relu(_normalized(x, "conv1"), "conv1_relu")
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    x = MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (filters, depth) in enumerate(zip(_FILTERS, blocks), start=2):
        for i in range(1, depth + 1):
            strides = 2 if i == 1 and stage > 2 else 1
            x = _block(x, filters, strides, i == 1, f"conv{stage}_block{i}")
    return x


def _resnet(arguments: Arguments) -> Functional:
    image = begin(arguments, default_size=224, min_size=32)
    x = _features(image, _BLOCKS[arguments.who])
    x = classified(x, arguments, named=True)
    stem = arguments.who.lower()
    file = kernels("resnet", stem, arguments.include_top, _HASHES[arguments.who])
    return finish(arguments, image, x, file)


def ResNet50(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet50",
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
        >>> ResNet50(weights=None, include_top=False, pooling="avg").output_shape
        (None, 2048)
    """
    return _resnet(
        Arguments(
            "ResNet50", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def ResNet101(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet101",
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
            "ResNet101", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def ResNet152(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet152",
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
            "ResNet152", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
