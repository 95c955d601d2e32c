"""NASNet: cells that a search found, each given what the last two before it gave.

A normal cell keeps height and width, a reduction cell halves them; both join sums of convolutions
and poolings of their two inputs.

Source: Zoph et al. 2017, arXiv:1707.07012, figure 4 (the cells of NASNet-A), appendix A.2 (two
reduction cells at the beginning; "NASNet-A (N @ P)" has N cells between reductions and P channels
at the end). Differs: no side classifier and no dropped paths. Names and order are Keras 3.15's:
what a cell has is named after its number, relus and the halving of an input automatically; paths of
variables are without Keras 3's scopes. Pictures of unknown size are refused: how a cell pads
depends on whether sizes are even, and for them Keras makes a network that cannot be called.
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
from nacre.applications._efficient import padded
from nacre.applications._preprocessing import tf as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SeparableConv2D,
    ZeroPadding2D,
)
from nacre.models import Functional

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]


@dataclass(frozen=True)
class _Member:
    """One network.

    Args:
        size: Height and width of ImageNet's pictures.
        stem: Filters of the first convolution.
        cells: N, normal cells between two reductions.
        channels: P, channels at the end.
        skips: Whether the cell behind a reduction is given the second input of that one, instead
            of its first.
        kind: What the names of its files end with.
        hashes: MD5 digests, with the top and without.
    """

    size: int
    stem: int
    cells: int
    channels: int
    skips: bool
    kind: str
    hashes: tuple[str, str]


_MEMBERS = {
    "NASNetMobile": _Member(
        224, 32, 4, 1056, False, "mobile",
        ("020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63"),
    ),
    "NASNetLarge": _Member(
        331, 96, 6, 4032, True, "large",
        ("11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5"),
    ),
}  # fmt: skip


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return BatchNormalization(axis=channels_axis(-1), momentum=0.9997, epsilon=1e-3, name=name)(x)


def _relu(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return Activation("relu", name=name)(x)


def _conv(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    return Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def _joined(tensors: list[KerasTensor], name: str | None = None) -> KerasTensor:
    return Concatenate(axis=channels_axis(-1), name=name)(tensors)


def _separable(
    x: KerasTensor, filters: int, size: int, name: str, *, halves: bool = False
) -> KerasTensor:
    """Relu, convolution of each channel and then of each place, normalization: twice."""
    x = _relu(x)
    if halves:
        x = padded(x, size, f"separable_conv_1_pad_{name}")
    x = SeparableConv2D(
        filters,
        size,
        strides=2 if halves else 1,
        padding="valid" if halves else "same",
        use_bias=False,
        name=f"separable_conv_1_{name}",
    )(x)
    x = _relu(_normalized(x, f"separable_conv_1_bn_{name}"))
    x = SeparableConv2D(
        filters, size, padding="same", use_bias=False, name=f"separable_conv_2_{name}"
    )(x)  # fmt: skip
    return _normalized(x, f"separable_conv_2_bn_{name}")


def _sizes(x: KerasTensor) -> tuple[int | None, ...]:
    return tuple(x.shape[2:] if channels_axis() == 1 else x.shape[1:3])


def _fitted(earlier: KerasTensor, x: KerasTensor, filters: int, cell: str) -> KerasTensor:
    """The input before the last, with height and width of the last, and so many channels."""
    if _sizes(earlier) != _sizes(x):
        return _halved(_relu(earlier, f"adjust_relu_1_{cell}"), filters, cell)
    if earlier.shape[channels_axis()] != filters:
        y = _conv(_relu(earlier), filters, f"adjust_conv_projection_{cell}")
        return _normalized(y, f"adjust_bn_{cell}")
    return earlier


def _halved(x: KerasTensor, filters: int, cell: str) -> KerasTensor:
    """Every second place beside the one below it at its right: half the channels of each."""
    first = AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_1_{cell}")(x)
    first = _conv(first, filters // 2, f"adjust_conv_1_{cell}")
    second = ZeroPadding2D(((0, 1), (0, 1)))(x)
    second = Cropping2D(((1, 0), (1, 0)))(second)
    second = AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_2_{cell}")(second)
    second = _conv(second, filters // 2, f"adjust_conv_2_{cell}")
    return _normalized(_joined([first, second]), f"adjust_bn_{cell}")


def _squeezed(x: KerasTensor, filters: int, kind: str, cell: str) -> KerasTensor:
    x = _conv(_relu(x), filters, f"{kind}_conv_1_{cell}")
    return _normalized(x, f"{kind}_bn_1_{cell}")


def _normal(x: KerasTensor, earlier: KerasTensor, filters: int, cell: str) -> KerasTensor:
    def separable(y: KerasTensor, size: int, part: str) -> KerasTensor:
        return _separable(y, filters, size, f"normal_{part}_{cell}")

    def average(y: KerasTensor, part: str) -> KerasTensor:
        return AveragePooling2D(3, strides=1, padding="same", name=f"normal_{part}_{cell}")(y)

    p = _fitted(earlier, x, filters, cell)
    h = _squeezed(x, filters, "normal", cell)
    pairs = (
        [separable(h, 5, "left1"), separable(p, 3, "right1")],
        [separable(p, 5, "left2"), separable(p, 3, "right2")],
        [average(h, "left3"), p],
        [average(p, "left4"), average(p, "right4")],
        [separable(h, 3, "left5"), h],
    )
    sums = [Add(name=f"normal_add_{i}_{cell}")(pair) for i, pair in enumerate(pairs, start=1)]
    return _joined([p, *sums], f"normal_concat_{cell}")


def _reduction(x: KerasTensor, earlier: KerasTensor | None, filters: int, cell: str) -> KerasTensor:
    """Half the height and width; without an earlier input the last one stands for it."""

    def separable(y: KerasTensor, size: int, part: str, *, halves: bool = True) -> KerasTensor:
        return _separable(y, filters, size, f"reduction_{part}_{cell}", halves=halves)

    def add(pair: list[KerasTensor], part: str) -> KerasTensor:
        return Add(name=f"reduction_{part}_{cell}")(pair)

    p = x if earlier is None else _fitted(earlier, x, filters, cell)
    h = _squeezed(x, filters, "reduction", cell)
    around = padded(h, 3, f"reduction_pad_1_{cell}")
    one = add([separable(h, 5, "left1"), separable(p, 7, "right1")], "add_1")
    largest = MaxPooling2D(3, strides=2, name=f"reduction_left2_{cell}")(around)
    two = add([largest, separable(p, 7, "right2")], "add_2")
    mean = AveragePooling2D(3, strides=2, name=f"reduction_left3_{cell}")(around)
    three = add([mean, separable(p, 5, "right3")], "add3")
    mean = AveragePooling2D(3, strides=1, padding="same", name=f"reduction_left4_{cell}")(one)
    four = Add()([two, mean])
    last = separable(one, 3, "left4", halves=False)
    largest = MaxPooling2D(3, strides=2, name=f"reduction_right5_{cell}")(around)
    five = add([last, largest], "add4")
    return _joined([two, three, four, five], f"reduction_concat_{cell}")


def _features(image: KerasTensor, member: _Member) -> KerasTensor:
    filters = member.channels // 24  # at the end each of six sums has four times as many
    x = Conv2D(
        member.stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1"
    )(image)
    x = _normalized(x, "stem_bn1")
    earlier, x = x, _reduction(x, None, filters // 4, "stem_1")
    earlier, x = x, _reduction(x, earlier, filters // 2, "stem_2")
    for stage in range(3):
        first = stage * member.cells
        if stage > 0:
            given = earlier if member.skips else x
            x = _reduction(x, earlier, filters * 2**stage, f"reduce_{first}")
            earlier, first = given, first + 1
        for number in range(first, first + member.cells):
            earlier, x = x, _normal(x, earlier, filters * 2**stage, str(number))
    return _relu(x)


def _file(member: _Member, include_top: bool) -> WeightFile:
    end = "" if include_top else "-no-top"
    return WeightFile(
        f"{FOLDER}/nasnet/NASNet-{member.kind}{end}.h5",
        member.hashes[0 if include_top else 1],
        cached=f"nasnet_{member.kind}{end.replace('-', '_')}.h5",
    )


def _nasnet(arguments: Arguments) -> Functional:
    member = _MEMBERS[arguments.who]
    image = begin(arguments, member.size, min_size=32, known_size=True)
    x = _features(image, member)
    if arguments.include_top:
        x = GlobalAveragePooling2D()(x)
        activation = arguments.classifier_activation
        x = Dense(arguments.classes, activation=activation, name="predictions")(x)
    else:
        x = pooled(x, arguments.pooling, named=False)
    return finish(arguments, image, x, _file(member, arguments.include_top))


def NASNetMobile(
    input_shape: InputShape = None,
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "nasnet_mobile",
) -> Functional:
    """NASNet-A (4 @ 1056): 5 million numbers, for small machines.

    Args:
        input_shape: Shape of one picture, `(224, 224, 3)` if None.
        include_top: Whether the classifier stands at the end.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32, never unknown
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> NASNetMobile((32, 32, 3), weights=None, include_top=False).output_shape
        (None, 1, 1, 1056)
    """
    return _nasnet(
        Arguments(
            "NASNetMobile", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip


def NASNetLarge(
    input_shape: InputShape = None,
    include_top: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "nasnet_large",
) -> Functional:
    """NASNet-A (6 @ 4032): 89 million numbers.

    Args:
        input_shape: Shape of one picture, `(331, 331, 3)` if None.
        include_top: Whether the classifier stands at the end.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model.
    Shapes:
        input    (batch, height, width, 3)   331×331 by default, at least 32, never unknown
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _nasnet(
        Arguments(
            "NASNetLarge", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        )
    )  # fmt: skip
