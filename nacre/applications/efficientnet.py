"""EfficientNet: blocks of MobileNet that weigh channels, grown in depth, width and size at once.

    x = swish(bn(depthwise(swish(bn(conv1x1(x))))))
    y = shortcut + bn(conv1x1(x * sigmoid(conv1x1(swish(conv1x1(mean over all places of x))))))

Source: Tan and Le 2019, arXiv:1905.11946, tables 1 and 8. Differs: preprocessing stands inside, and
of the weights of ImageNet there is a second scaling, by the root of each deviation, as they were
trained with it. In training whole blocks are left out at random (Huang et al. 2016,
arXiv:1603.09382), deeper ones more often. Names and order are Keras 3.15's.

That second scaling has no weights: what a network of `weights="imagenet"` learnt, kept in a file of
weights, is wrong in one built with None or a path, and nothing about it tells. Save whole models
(`.keras`), or build both alike. For ImageNet's own file given by its path there is a warning.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from nacre.applications._arguments import (
    Arguments,
    InputShape,
    Pooling,
    Weights,
    begin,
    channels_axis,
    finish,
)
from nacre.applications._efficient import (
    LAST_DROP,
    classified,
    filters_of,
    kernels,
    padded,
    weighed,
)
from nacre.applications._preprocessing import none as preprocess_input
from nacre.applications._weights import WeightFile
from nacre.applications.imagenet_utils import DEVIATION
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core import config
from nacre.core.errors import message
from nacre.core.symbolic import KerasTensor
from nacre.core.warning import warn
from nacre.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    Normalization,
    Rescaling,
)
from nacre.models import Functional

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]

# Height of pictures, factors of filters and of blocks, rate of dropout before the classifier.
_MEMBERS = {
    "EfficientNetB0": (224, 1.0, 1.0, 0.2),
    "EfficientNetB1": (240, 1.0, 1.1, 0.2),
    "EfficientNetB2": (260, 1.1, 1.2, 0.3),
    "EfficientNetB3": (300, 1.2, 1.4, 0.3),
    "EfficientNetB4": (380, 1.4, 1.8, 0.4),
    "EfficientNetB5": (456, 1.6, 2.2, 0.4),
    "EfficientNetB6": (528, 1.8, 2.6, 0.5),
    "EfficientNetB7": (600, 2.0, 3.1, 0.5),
}
# (size of the kernel, blocks, filters, how much wider inside, strides of the first one): table 1.
_STAGES = (
    (3, 1, 16, 1, 1), (3, 2, 24, 6, 2), (5, 2, 40, 6, 2), (3, 3, 80, 6, 2), (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2), (3, 1, 320, 6, 1),
)  # fmt: skip
# MD5 digests: with the top, without.
_HASHES = {
    "EfficientNetB0": ("902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"),
    "EfficientNetB1": ("1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"),
    "EfficientNetB2": ("b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    "EfficientNetB3": ("ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"),
    "EfficientNetB4": ("18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    "EfficientNetB5": ("ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"),
    "EfficientNetB6": ("165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"),
    "EfficientNetB7": ("8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
}


def _linear(x: KerasTensor, filters: int, conv: str, normalization: str) -> KerasTensor:
    x = Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer=kernels(), name=conv
    )(x)  # fmt: skip
    return BatchNormalization(axis=channels_axis(), name=normalization)(x)


def _block(
    x: KerasTensor,
    filters: int,
    kernel_size: int,
    strides: int,
    widening: int,
    drop: float,
    name: str,
) -> KerasTensor:
    channels, y = x.shape[channels_axis()], x
    if widening != 1:
        y = _linear(y, channels * widening, f"{name}_expand_conv", f"{name}_expand_bn")
        y = Activation("silu", name=f"{name}_expand_activation")(y)
    if strides > 1:
        y = padded(y, kernel_size, f"{name}_dwconv_pad")
    y = DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="valid" if strides > 1 else "same",
        use_bias=False,
        depthwise_initializer=kernels(),
        name=f"{name}_dwconv",
    )(y)
    y = BatchNormalization(axis=channels_axis(), name=f"{name}_bn")(y)
    y = Activation("silu", name=f"{name}_activation")(y)
    y = weighed(y, max(1, channels // 4), f"{name}_se")
    y = _linear(y, filters, f"{name}_project_conv", f"{name}_project_bn")
    if strides > 1 or channels != filters:
        return y
    if drop > 0:
        y = Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    return Add(name=f"{name}_add")([y, x])


def _features(x: KerasTensor, width: float, depth: float, is_imagenet: bool) -> KerasTensor:
    x = Normalization(axis=channels_axis())(Rescaling(1 / 255)(x))
    if is_imagenet:
        scale = [1 / math.sqrt(deviation) for deviation in DEVIATION]
        x = Rescaling(scale)(x)
    x = Conv2D(
        filters_of(32 * width),
        3,
        strides=2,
        use_bias=False,
        kernel_initializer=kernels(),
        name="stem_conv",
    )(padded(x, 3, "stem_conv_pad"))
    x = BatchNormalization(axis=channels_axis(), name="stem_bn")(x)
    x = Activation("silu", name="stem_activation")(x)
    total, number = sum(math.ceil(row[1] * depth) for row in _STAGES), 0
    for stage, (kernel_size, blocks, filters, widening, strides) in enumerate(_STAGES, start=1):
        for i in range(math.ceil(blocks * depth)):
            drop = LAST_DROP * number / total
            x = _block(
                x,
                filters_of(filters * width),
                kernel_size,
                strides if i == 0 else 1,
                widening,
                drop,
                f"block{stage}{chr(ord('a') + i)}",
            )
            number += 1
    x = _linear(x, filters_of(1280 * width), "top_conv", "top_bn")
    return Activation("silu", name="top_activation")(x)


def _warn_of_imagenets_file(arguments: Arguments, name: str) -> None:
    if arguments.weights is None or arguments.is_imagenet or Path(arguments.weights).name != name:
        return
    warn(
        message(
            arguments.who,
            "weights of ImageNet go with a second scaling of colors, which a path does not ask for",
            repr(str(arguments.weights)),
            f"Put the file at {config.keras_home() / 'models' / name} and pass weights='imagenet'.",
        )
    )


def _efficientnet(arguments: Arguments) -> Functional:
    size, width, depth, dropout = _MEMBERS[arguments.who]
    image = begin(arguments, default_size=size, min_size=32)
    x = _features(image, width, depth, arguments.is_imagenet)
    x = classified(x, arguments, dropout)
    end = "" if arguments.include_top else "_notop"
    _warn_of_imagenets_file(arguments, f"{arguments.who.lower()}{end}.h5")
    digest = _HASHES[arguments.who][0 if arguments.include_top else 1]
    file = WeightFile(f"keras-applications/{arguments.who.lower()}{end}.h5", digest)
    return finish(arguments, image, x, file)


def EfficientNetB0(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb0",
) -> Functional:
    """The network that the others are grown from.

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
        input    (batch, height, width, 3)   values 0…255, 224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> EfficientNetB0(weights=None, include_top=False, pooling="avg").output_shape
        (None, 1280)
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB0", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def EfficientNetB1(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb1",
) -> Functional:
    """The network with 1 times the filters and 1.1 times the blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(240, 240, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 240×240 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB1", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def EfficientNetB2(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb2",
) -> Functional:
    """The network with 1.1 times the filters and 1.2 times the blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(260, 260, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 260×260 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB2", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def EfficientNetB3(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb3",
) -> Functional:
    """The network with 1.2 times the filters and 1.4 times the blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(300, 300, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 300×300 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB3", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def EfficientNetB4(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb4",
) -> Functional:
    """The network with 1.4 times the filters and 1.8 times the blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(380, 380, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 380×380 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB4", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def EfficientNetB5(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb5",
) -> Functional:
    """The network with 1.6 times the filters and 2.2 times the blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(456, 456, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 456×456 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB5", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def EfficientNetB6(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb6",
) -> Functional:
    """The network with 1.8 times the filters and 2.6 times the blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(528, 528, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 528×528 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB6", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def EfficientNetB7(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "efficientnetb7",
) -> Functional:
    """The network with 2 times the filters and 3.1 times the blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(600, 600, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 600×600 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetB7", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
