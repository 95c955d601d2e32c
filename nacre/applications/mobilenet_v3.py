"""MobileNetV3: the blocks of MobileNetV2, found by search, with channels weighed within them.

    y = x + bn(conv1x1(weighed(act(bn(depthwise(act(bn(conv1x1(x)))))))))
    weighed(x) = x · relu6(conv1x1(relu(conv1x1(mean(x)))) + 3) / 6

`act` is relu in the first blocks and hard swish, x · relu6(x + 3) / 6, in the others. Minimalistic
networks have relu alone, kernels of 3 and no weighing: what every phone computes fast.

Source: Howard et al. 2019, arXiv:1905.02244, tables 1 and 2. Differs: numbers of filters are
rounded to multiples of 8, as in the authors' code, and those within a block are rounded multiples
of its inputs'; preprocessing stands inside, unless it is told not to. The top looks at means and
takes pictures of any size. Names and order are Keras 3.15's.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from nacre.applications._mobile import check_alpha, normalized
from nacre.applications._preprocessing import none as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Activation,
    Add,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Multiply,
    ReLU,
    Rescaling,
)
from nacre.models import Functional

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

# (filters, width inside / width of the inputs, kernel size, strides, weighed or not, hard or not).
_SMALL = (
    (16, 1, 3, 2, True, False), (24, 4.5, 3, 2, False, False), (24, 88 / 24, 3, 1, False, False),
    (40, 4, 5, 2, True, True), (40, 6, 5, 1, True, True), (40, 6, 5, 1, True, True),
    (48, 3, 5, 1, True, True), (48, 3, 5, 1, True, True), (96, 6, 5, 2, True, True),
    (96, 6, 5, 1, True, True), (96, 6, 5, 1, True, True),
)  # fmt: skip
_LARGE = (
    (16, 1, 3, 1, False, False), (24, 4, 3, 2, False, False), (24, 3, 3, 1, False, False),
    (40, 3, 5, 2, True, False), (40, 3, 5, 1, True, False), (40, 3, 5, 1, True, False),
    (80, 6, 3, 2, False, True), (80, 2.5, 3, 1, False, True), (80, 2.3, 3, 1, False, True),
    (80, 2.3, 3, 1, False, True), (112, 6, 3, 1, True, True), (112, 6, 3, 1, True, True),
    (160, 6, 5, 2, True, True), (160, 6, 5, 1, True, True), (160, 6, 5, 1, True, True),
)  # fmt: skip
# Name of the files, blocks, filters before the classifier.
_MEMBERS = {
    "MobileNetV3Small": ("small", _SMALL, 1024),
    "MobileNetV3Large": ("large", _LARGE, 1280),
}
# What was published, with MD5 digests: with the top, without.
_HASHES = {
    "small_224_0.75": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0": (
        "99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4",
    ),
    "large_224_0.75": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0": (
        "675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class _Variant:
    """What a call asks for beyond the arguments of all networks.

    Args:
        alpha: Factor of all numbers of filters.
        minimalistic: Whether it does without large kernels, hard swish and weighing.
        dropout_rate: Rate before the classifier.
        include_preprocessing: Whether values 0…255 are scaled inside.
    """

    alpha: float
    minimalistic: bool
    dropout_rate: float
    include_preprocessing: bool


def _active(x: KerasTensor, is_hard: bool) -> KerasTensor:
    return Activation("hard_silu")(x) if is_hard else ReLU()(x)


def _conv(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)
    return normalized(x, f"{name}_bn")


def _weighed(x: KerasTensor, name: str) -> KerasTensor:
    channels = x.shape[channels_axis()]
    y = GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(x)
    y = Conv2D(filters_of(channels / 4), 1, padding="same", name=f"{name}_conv")(y)
    y = ReLU(name=f"{name}_relu")(y)
    y = Conv2D(channels, 1, padding="same", name=f"{name}_conv_1")(y)
    y = ReLU(6.0)(y + 3.0) * (1 / 6)
    return Multiply(name=f"{name}_mul")([x, y])


def _block(
    x: KerasTensor, row: tuple[int, float, int, int, bool, bool], variant: _Variant, number: int
) -> KerasTensor:
    filters, widening, kernel_size, strides, is_weighed, is_hard = row
    if variant.minimalistic:
        kernel_size, is_weighed, is_hard = 3, False, False
    filters = filters_of(filters * variant.alpha)
    name = f"expanded_conv_{number}" if number else "expanded_conv"
    channels, y = x.shape[channels_axis()], x
    if number:
        y = _active(_conv(y, filters_of(channels * widening), f"{name}_expand"), is_hard)
    if strides > 1:
        y = padded(y, kernel_size, f"{name}_depthwise_pad")
    y = DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        name=f"{name}_depthwise",
    )(y)
    y = _active(normalized(y, f"{name}_depthwise_bn"), is_hard)
    if is_weighed:
        y = _weighed(y, f"{name}_squeeze_excite")
    y = _conv(y, filters, f"{name}_project")
    if strides == 1 and channels == filters:
        return Add(name=f"{name}_add")([x, y])
    return y


def _features(x: KerasTensor, who: str, variant: _Variant) -> KerasTensor:
    x = Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = _active(normalized(x, "conv_bn"), not variant.minimalistic)
    for number, row in enumerate(_MEMBERS[who][1]):
        x = _block(x, row, variant, number)
    x = _conv(x, filters_of(6 * x.shape[channels_axis()]), "conv_1")
    return _active(x, not variant.minimalistic)


def _classified(x: KerasTensor, arguments: Arguments, variant: _Variant) -> KerasTensor:
    last = _MEMBERS[arguments.who][2]
    if variant.alpha > 1:
        last = filters_of(last * variant.alpha)
    x = GlobalAveragePooling2D(keepdims=True)(x)
    x = Conv2D(last, 1, padding="same", name="conv_2")(x)
    x = _active(x, not variant.minimalistic)
    if variant.dropout_rate != 0:
        x = Dropout(variant.dropout_rate)(x)
    x = Flatten()(Conv2D(arguments.classes, 1, padding="same", name="logits")(x))
    return Activation(arguments.classifier_activation, name="predictions")(x)


def _file(arguments: Arguments, variant: _Variant) -> WeightFile:
    kind = _MEMBERS[arguments.who][0] + ("_minimalistic" if variant.minimalistic else "")
    key = f"{kind}_224_{float(variant.alpha)}"
    if arguments.is_imagenet and key not in _HASHES:
        alphas = "1" if variant.minimalistic else "0.75 or 1"
        of = " of a minimalistic network" if variant.minimalistic else ""
        rule = f"alpha must be {alphas} for weights='imagenet'{of}"
        raise arguments.error(rule, str(variant.alpha))
    end = "" if arguments.include_top else "_no_top_v2"
    path = f"{FOLDER}/mobilenet_v3/weights_mobilenet_v3_{key}_float{end}.h5"
    hashes = _HASHES.get(key, (None, None))
    return WeightFile(path, hashes[0 if arguments.include_top else 1])


def _mobilenet(arguments: Arguments, variant: _Variant) -> Functional:
    check_alpha(arguments, variant.alpha)
    file = _file(arguments, variant)
    image = begin(arguments, default_size=224, min_size=32, any_size=True)
    x = Rescaling(1 / 127.5, offset=-1.0)(image) if variant.include_preprocessing else image
    x = _features(x, arguments.who, variant)
    if arguments.include_top:
        x = _classified(x, arguments, variant)
    else:
        x = pooled(x, arguments.pooling, named=True)
    return finish(arguments, image, x, file)


def MobileNetV3Small(
    input_shape: InputShape = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    classes: int = 1000,
    pooling: Pooling = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "MobileNetV3Small",
) -> Functional:
    """The small network: 2.5 million numbers.

    Args:
        input_shape: Shape of one picture, `(None, None, 3)` if None.
        alpha: Factor of all numbers of filters.
        minimalistic: Whether it does without large kernels, hard swish and weighing of channels.
        include_top: Whether the classifier stands at the end.
        weights: 'imagenet' for what ImageNet taught it (alpha 0.75 or 1; minimalistic 1 alone), a
            path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        classes: Outputs of the classifier; nothing without the top.
        pooling: Without the top: 'avg' or 'max' over all places.
        dropout_rate: Rate before the classifier; for 0 there is no layer.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            values -1…1.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   any size, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> MobileNetV3Small((96, 96, 3), weights=None, include_top=False).output_shape
        (None, 3, 3, 576)
    """
    return _mobilenet(
        Arguments(
            "MobileNetV3Small", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        _Variant(alpha, minimalistic, dropout_rate, include_preprocessing),
    )  # fmt: skip


def MobileNetV3Large(
    input_shape: InputShape = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    classes: int = 1000,
    pooling: Pooling = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "MobileNetV3Large",
) -> Functional:
    """The large network: 5.5 million numbers.

    Args:
        input_shape: Shape of one picture, `(None, None, 3)` if None.
        alpha: Factor of all numbers of filters.
        minimalistic: Whether it does without large kernels, hard swish and weighing of channels.
        include_top: Whether the classifier stands at the end.
        weights: 'imagenet' for what ImageNet taught it (alpha 0.75 or 1; minimalistic 1 alone), a
            path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        classes: Outputs of the classifier; nothing without the top.
        pooling: Without the top: 'avg' or 'max' over all places.
        dropout_rate: Rate before the classifier; for 0 there is no layer.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            values -1…1.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   any size, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _mobilenet(
        Arguments(
            "MobileNetV3Large", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        _Variant(alpha, minimalistic, dropout_rate, include_preprocessing),
    )  # fmt: skip
