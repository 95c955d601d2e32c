"""MobileNetV2: blocks that widen, look at each channel by itself, and become narrow again.

    y = x + bn(conv1x1(relu6(bn(depthwise3x3(relu6(bn(conv1x1(x))))))))

Source: Sandler et al. 2018, arXiv:1801.04381, tables 1 and 2. Differs: numbers of filters are
rounded to multiples of 8, as in the authors' code. Names and order are Keras 3.15's.
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
from nacre.applications._efficient import filters_of, padded
from nacre.applications._mobile import check_alpha, normalized, published_size, sizes_of
from nacre.applications._preprocessing import tf as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Add,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    ReLU,
)
from nacre.models import Functional

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# (filters, blocks, strides of the first one, how much wider inside): table 2 of the paper.
_STAGES = (
    (16, 1, 1, 1), (24, 2, 2, 6), (32, 3, 2, 6), (64, 4, 2, 6), (96, 3, 1, 6), (160, 3, 2, 6),
    (320, 1, 1, 6),
)  # fmt: skip
# What was published: these factors, for pictures of these sizes.
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_SIZES = (96, 128, 160, 192, 224)


def _block(x: KerasTensor, filters: int, strides: int, widening: int, number: int) -> KerasTensor:
    name = f"block_{number}" if number else "expanded_conv"
    channels, y = x.shape[channels_axis()], x
    if number:
        y = Conv2D(
            widening * channels, 1, padding="same", use_bias=False, name=f"{name}_expand"
        )(y)  # fmt: skip
        y = ReLU(6.0, name=f"{name}_expand_relu")(normalized(y, f"{name}_expand_BN"))
    if strides > 1:
        y = padded(y, 3, f"{name}_pad")
    y = DepthwiseConv2D(
        3,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        name=f"{name}_depthwise",
    )(y)
    y = ReLU(6.0, name=f"{name}_depthwise_relu")(normalized(y, f"{name}_depthwise_BN"))
    y = Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project")(y)
    y = normalized(y, f"{name}_project_BN")
    if strides == 1 and channels == filters:
        return Add(name=f"{name}_add")([x, y])
    return y


def _features(x: KerasTensor, alpha: float) -> KerasTensor:
    x = Conv2D(
        filters_of(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1"
    )(x)  # fmt: skip
    x = ReLU(6.0, name="Conv1_relu")(normalized(x, "bn_Conv1"))
    number = 0
    for filters, blocks, strides, widening in _STAGES:
        for i in range(blocks):
            first = strides if i == 0 else 1
            x = _block(x, filters_of(int(filters * alpha)), first, widening, number)
            number += 1
    last = filters_of(1280 * alpha) if alpha > 1 else 1280
    x = Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    return ReLU(6.0, name="out_relu")(normalized(x, "Conv_1_bn"))


def MobileNetV2(
    input_shape: InputShape = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Functional:
    """The network of 17 blocks: 3.5 million numbers for alpha 1.

    Args:
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        alpha: Factor of the number of filters; 0.35, 0.5, 0.75, 1, 1.3 and 1.4 were trained on
            ImageNet.
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values. Weights
            for pictures of 224 are taken where there are none for the size of `input_shape`.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model; `mobilenetv2_1.00_224` after alpha and size if None.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> MobileNetV2((96, 96, 3), alpha=0.35, weights=None, include_top=False).output_shape
        (None, 3, 3, 1280)
    """
    arguments = Arguments(
        "MobileNetV2", include_top, weights, input_tensor, input_shape, pooling, classes,
        classifier_activation, name,
    )  # fmt: skip
    check_alpha(arguments, alpha)
    if arguments.is_imagenet and alpha not in _ALPHAS:
        rule = "alpha must be 0.35, 0.5, 0.75, 1, 1.3 or 1.4 for weights='imagenet'"
        raise arguments.error(rule, str(alpha))
    sizes = sizes_of(arguments, of_tensor=include_top)
    if name is None:
        arguments = replace(arguments, name=f"mobilenetv2_{alpha:.2f}_{sizes[0]}")
    size = published_size(sizes, _SIZES)
    image = begin(arguments, default_size=size, min_size=32)
    x = _features(image, alpha)
    if include_top:
        x = GlobalAveragePooling2D()(x)
        x = Dense(classes, activation=classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, pooling, named=False)
    end = f"{float(alpha)}_{size}{'' if include_top else '_no_top'}.h5"
    stem = f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{end}"
    return finish(arguments, image, x, WeightFile(f"{FOLDER}/{stem}", None))
