"""MobileNet: convolutions of each channel by itself, then of each place by itself.

    y = relu6(bn(conv1x1(relu6(bn(depthwise3x3(x))))))

Source: Howard et al. 2017, arXiv:1704.04861, table 1. Differs: relu stops at 6, and the classifier
is a 1×1 convolution behind a dropout. Names and order are Keras 3.15's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nacre.applications._arguments import (
    Arguments,
    InputShape,
    Pooling,
    Weights,
    begin,
    channels_axis,
    finish,
    pooled,
)
from nacre.applications._mobile import check_alpha, published_size, sizes_of
from nacre.applications._preprocessing import tf as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    ReLU,
    Reshape,
    ZeroPadding2D,
)
from nacre.models import Functional

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

# (filters, strides) of each block, for alpha 1.
_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip
# What was published: alpha -> how files call it, for pictures of these sizes.
_PUBLISHED = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
_SIZES = (128, 160, 192, 224)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    x = BatchNormalization(axis=channels_axis(-1), name=f"{name}_bn")(x)
    return ReLU(6.0, name=f"{name}_relu")(x)


def _block(
    x: KerasTensor, filters: int, depth_multiplier: int, strides: int, number: int
) -> KerasTensor:
    if strides > 1:  # below and at the right, where "same" would put it for even sizes
        x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = DepthwiseConv2D(
        3,
        padding="valid" if strides > 1 else "same",
        depth_multiplier=depth_multiplier,
        strides=strides,
        use_bias=False,
        name=f"conv_dw_{number}",
    )(x)
    x = _normalized(x, f"conv_dw_{number}")
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return _normalized(x, f"conv_pw_{number}")


def _top(x: KerasTensor, arguments: Arguments, dropout: float) -> KerasTensor:
    x = GlobalAveragePooling2D(keepdims=True)(x)
    x = Dropout(dropout, name="dropout")(x)
    x = Conv2D(arguments.classes, 1, padding="same", name="conv_preds")(x)
    x = Reshape((arguments.classes,), name="reshape_2")(x)
    return Activation(arguments.classifier_activation, name="predictions")(x)


def MobileNet(
    input_shape: InputShape = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 0.001,
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Functional:
    """The network of 13 blocks: 4 million numbers for alpha 1, half a million for alpha 0.25.

    Args:
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        alpha: Factor of the number of filters; 0.25, 0.5, 0.75 and 1 were trained on ImageNet.
        depth_multiplier: Filters for each channel in the convolutions of channels.
        dropout: Rate of the dropout before the classifier.
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model; `mobilenet_1.00_224` after alpha and size if None.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> MobileNet(alpha=0.25, weights=None, include_top=False, pooling="avg").output_shape
        (None, 256)
    """
    arguments = Arguments(
        "MobileNet", include_top, weights, input_tensor, input_shape, pooling, classes,
        classifier_activation, name,
    )  # fmt: skip
    check_alpha(arguments, alpha)
    if arguments.is_imagenet and (alpha not in _PUBLISHED or depth_multiplier != 1):
        rule = "alpha must be 0.25, 0.5, 0.75 or 1 and depth_multiplier 1 for weights='imagenet'"
        raise arguments.error(rule, f"alpha={alpha}, depth_multiplier={depth_multiplier}")
    sizes = sizes_of(arguments)
    if name is None:
        arguments = replace(arguments, name=f"mobilenet_{alpha:.2f}_{sizes[0]}")
    size = published_size(sizes, _SIZES)
    image = begin(arguments, default_size=size, min_size=32)
    x = Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(image)
    x = _normalized(x, "conv1")
    for number, (filters, strides) in enumerate(_BLOCKS, start=1):
        x = _block(x, int(filters * alpha), depth_multiplier, strides, number)
    x = _top(x, arguments, dropout) if include_top else pooled(x, pooling, named=False)
    file = f"mobilenet_{_PUBLISHED.get(alpha)}_{size}_tf{'' if include_top else '_no_top'}.h5"
    return finish(arguments, image, x, WeightFile(f"{FOLDER}/mobilenet/{file}", None))
