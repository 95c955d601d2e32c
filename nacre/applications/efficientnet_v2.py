"""EfficientNetV2: its first stages convolve once where EfficientNet widens and looks apart.

    early:  y = shortcut + bn(conv1x1(swish(bn(conv3x3(x)))))
    late:   a block of EfficientNet

Source: Tan and Le 2021, arXiv:2104.00298, table 4 and figure 2. Differs: preprocessing stands
inside, unless it is told not to; in training whole blocks are left out at random as in
EfficientNet. B0 to B3 are the small ones of the authors' code. Names and order are Keras 3.15's.
"""

from __future__ import annotations

import math
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
    kernels,
    nearest_eight,
    weighed,
)
from nacre.applications._preprocessing import none as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import DEVIATION, MEAN
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
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
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]

# (early or not, blocks, filters, how much wider inside, strides of the first one).
_SMALL = (
    (True, 1, 16, 1, 1), (True, 2, 32, 4, 2), (True, 2, 48, 4, 2), (False, 3, 96, 4, 2),
    (False, 5, 112, 6, 1), (False, 8, 192, 6, 2),
)  # fmt: skip
_S = (
    (True, 2, 24, 1, 1), (True, 4, 48, 4, 2), (True, 4, 64, 4, 2), (False, 6, 128, 4, 2),
    (False, 9, 160, 6, 1), (False, 15, 256, 6, 2),
)  # fmt: skip
_M = (
    (True, 3, 24, 1, 1), (True, 5, 48, 4, 2), (True, 5, 80, 4, 2), (False, 7, 160, 4, 2),
    (False, 14, 176, 6, 1), (False, 18, 304, 6, 2), (False, 5, 512, 6, 1),
)  # fmt: skip
_L = (
    (True, 4, 32, 1, 1), (True, 7, 64, 4, 2), (True, 7, 96, 4, 2), (False, 10, 192, 4, 2),
    (False, 19, 224, 6, 1), (False, 25, 384, 6, 2), (False, 7, 640, 6, 1),
)  # fmt: skip
# Name of the file, height of pictures, filters of the stem, factors of filters and blocks, stages.
_MEMBERS = {
    "EfficientNetV2B0": ("efficientnetv2-b0", 224, 32, 1.0, 1.0, _SMALL),
    "EfficientNetV2B1": ("efficientnetv2-b1", 240, 32, 1.0, 1.1, _SMALL),
    "EfficientNetV2B2": ("efficientnetv2-b2", 260, 32, 1.1, 1.2, _SMALL),
    "EfficientNetV2B3": ("efficientnetv2-b3", 300, 32, 1.2, 1.4, _SMALL),
    "EfficientNetV2S": ("efficientnetv2-s", 384, 24, 1.0, 1.0, _S),
    "EfficientNetV2M": ("efficientnetv2-m", 480, 24, 1.0, 1.0, _M),
    "EfficientNetV2L": ("efficientnetv2-l", 480, 32, 1.0, 1.0, _L),
}
# MD5 digests: with the top, without.
_HASHES = {
    "EfficientNetV2B0": ("21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"),
    "EfficientNetV2B1": ("069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"),
    "EfficientNetV2B2": ("424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"),
    "EfficientNetV2B3": ("1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"),
    "EfficientNetV2S": ("e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"),
    "EfficientNetV2M": ("a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"),
    "EfficientNetV2L": ("27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"),
}


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return BatchNormalization(axis=channels_axis(), momentum=0.9, name=name)(x)


def _active(x: KerasTensor, name: str) -> KerasTensor:
    return Activation("silu", name=f"{name}_activation")(_normalized(x, f"{name}_bn"))


def _conv(
    x: KerasTensor, filters: int, name: str, kernel_size: int = 1, strides: int = 1
) -> KerasTensor:
    return Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=kernels(),
        name=name,
    )(x)


def _early(x: KerasTensor, filters: int, widening: int, strides: int, name: str) -> KerasTensor:
    if widening == 1:
        x = _conv(x, filters, f"{name}_project_conv", 3, strides)
        return _active(x, f"{name}_project")
    x = _conv(x, x.shape[channels_axis()] * widening, f"{name}_expand_conv", 3, strides)
    x = _conv(_active(x, f"{name}_expand"), filters, f"{name}_project_conv")
    return _normalized(x, f"{name}_project_bn")


def _late(x: KerasTensor, filters: int, widening: int, strides: int, name: str) -> KerasTensor:
    channels = x.shape[channels_axis()]
    x = _active(_conv(x, channels * widening, f"{name}_expand_conv"), f"{name}_expand")
    x = DepthwiseConv2D(
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=kernels(),
        name=f"{name}_dwconv2",
    )(x)
    x = weighed(_active(x, name), max(1, channels // 4), f"{name}_se")
    return _normalized(_conv(x, filters, f"{name}_project_conv"), f"{name}_project_bn")


def _added(x: KerasTensor, y: KerasTensor, drop: float, name: str) -> KerasTensor:
    if drop > 0:
        y = Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    return Add(name=f"{name}_add")([y, x])


def _scaled(x: KerasTensor, who: str) -> KerasTensor:
    """B0 to B3 scale colors as EfficientNet does, all else is scaled to -1…1."""
    if who[-2] != "B" or x.shape[channels_axis()] != 3:
        return Rescaling(1 / 128, offset=-1)(x)
    variance = [deviation**2 for deviation in DEVIATION]
    x = Rescaling(1 / 255)(x)
    return Normalization(axis=channels_axis(), mean=list(MEAN), variance=variance)(x)


def _features(x: KerasTensor, who: str) -> KerasTensor:
    _, _, stem, width, depth, stages = _MEMBERS[who]
    x = _active(_conv(x, nearest_eight(stem * width), "stem_conv", 3, 2), "stem")
    # As in Keras, depth does not count: the last blocks of B1, B2 and B3 are left out more often.
    total, number = sum(row[1] for row in stages), 0
    for stage, (is_early, blocks, filters, widening, strides) in enumerate(stages, start=1):
        for i in range(math.ceil(blocks * depth)):
            name = f"block{stage}{chr(ord('a') + i)}"
            block, step = _early if is_early else _late, strides if i == 0 else 1
            y = block(x, nearest_eight(filters * width), widening, step, name)
            if y.shape == x.shape and step == 1:
                y = _added(x, y, LAST_DROP * number / total, name)
            x, number = y, number + 1
    return _active(_conv(x, nearest_eight(1280 * width), "top_conv"), "top")


def _efficientnet(arguments: Arguments, include_preprocessing: bool) -> Functional:
    stem, size = _MEMBERS[arguments.who][:2]
    image = begin(arguments, default_size=size, min_size=32)
    x = _scaled(image, arguments.who) if include_preprocessing else image
    x = _features(x, arguments.who)
    x = classified(x, arguments, 0.2)
    end = "" if arguments.include_top else "_notop"
    digest = _HASHES[arguments.who][0 if arguments.include_top else 1]
    file = WeightFile(f"{FOLDER}/efficientnet_v2/{stem}{end}.h5", digest)
    return finish(arguments, image, x, file)


def EfficientNetV2B0(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2-b0",
) -> Functional:
    """The smallest network: 7 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> EfficientNetV2B0(weights=None, include_top=False, pooling="avg").output_shape
        (None, 1280)
    """
    return _efficientnet(
        Arguments(
            "EfficientNetV2B0", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def EfficientNetV2B1(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2-b1",
) -> Functional:
    """The network of B0's stages with a tenth more blocks.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(240, 240, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   240×240 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetV2B1", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def EfficientNetV2B2(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2-b2",
) -> Functional:
    """The network of B0's stages, 1.1 times as wide and 1.2 times as deep.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(260, 260, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   260×260 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetV2B2", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def EfficientNetV2B3(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2-b3",
) -> Functional:
    """The network of B0's stages, 1.2 times as wide and 1.4 times as deep.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(300, 300, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   300×300 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetV2B3", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def EfficientNetV2S(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2-s",
) -> Functional:
    """The small network of the paper: 22 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(384, 384, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            values -1…1.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   384×384 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetV2S", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def EfficientNetV2M(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2-m",
) -> Functional:
    """The middle network of the paper: 54 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(480, 480, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            values -1…1.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   480×480 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetV2M", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def EfficientNetV2L(
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str = "efficientnetv2-l",
) -> Functional:
    """The large network of the paper: 119 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(480, 480, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            values -1…1.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   480×480 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _efficientnet(
        Arguments(
            "EfficientNetV2L", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip
