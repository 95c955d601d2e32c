"""ResNet-RS: ResNet with the pieces and the training that were found since.

    y = relu(shortcut(x) + f(bn(conv1x1(relu(bn(conv3x3(relu(bn(conv1x1(x))))))))))
    f(z) = z times a number of 0…1 for each channel; left out now and then in training

Source: Bello et al. 2021, arXiv:2103.07579, table 7 (depths), section 4 and figure 3 (ResNet-D:
four convolutions at the beginning, means before a shortcut's convolution; weighing of channels).
Names and order are those of tf.keras 2.15, which Keras 3 left out; of the stem those of the first
network in a process. As there, statistics of normalizations have momentum 0: in training they
become those of the last batch.

Some networks were published for several sizes of pictures; `weights="imagenet-i224"` asks for that
of 224, and `"imagenet"` for the one of the largest. Differs: for a size without a file, and for
`"imagenet"` with a word behind it, there is an error with the sizes that there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

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
from nacre.applications._efficient import kernels, weighed
from nacre.applications._preprocessing import none as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import DEVIATION, MEAN
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dropout,
    Normalization,
    Rescaling,
    ZeroPadding2D,
)
from nacre.models import Functional

__all__ = [
    "ResNetRS50",
    "ResNetRS101",
    "ResNetRS152",
    "ResNetRS200",
    "ResNetRS270",
    "ResNetRS350",
    "ResNetRS420",
    "decode_predictions",
    "preprocess_input",
]


@dataclass(frozen=True)
class _Member:
    """One network.

    Args:
        blocks: Blocks of each stage.
        drop: How often the last block is left out in training; the first one a fifth of that.
        dropout: Rate before the classifier.
        files: Height and width of the pictures that a file was trained on, the largest last, and
            its MD5 digests, with the top and without.
    """

    blocks: tuple[int, ...]
    drop: float
    dropout: float
    files: dict[int, tuple[str, str]]


_MEMBERS = {
    "ResNetRS50": _Member(
        (3, 4, 6, 3), 0.0, 0.25,
        {
            160: ("69d9d925319f00a8bdd4af23c04e4102", "90daa68cd26c95aa6c5d25451e095529"),
        },
    ),
    "ResNetRS101": _Member(
        (3, 4, 23, 3), 0.0, 0.25,
        {
            160: ("544b3434d00efc199d66e9058c7f3379", "82d5b90c5ce9d710da639d6216d0f979"),
            192: ("eb285be29ab42cf4835ff20a5e3b5d23", "f9a0f6b85faa9c3db2b6e233c4eebb5b"),
        },
    ),
    "ResNetRS152": _Member(
        (3, 8, 36, 3), 0.0, 0.25,
        {
            192: ("8d72a301ed8a6f11a47c4ced4396e338", "5fbf7ac2155cb4d5a6180ee9e3aa8704"),
            224: ("31a46a92ab21b84193d0d71dd8c3d03b", "dc8b2cba2005552eafa3167f00dc2133"),
            256: ("ba6271b99bdeb4e7a9b15c05964ef4ad", "fa79794252dbe47c89130f65349d654a"),
        },
    ),
    "ResNetRS200": _Member(
        (3, 24, 36, 3), 0.1, 0.25,
        {
            256: ("a76930b741884e09ce90fa7450747d5f", "bbdb3994718dfc0d1cd45d7eff3f3d9c"),
        },
    ),
    "ResNetRS270": _Member(
        (4, 29, 53, 4), 0.1, 0.25,
        {
            256: ("20d575825ba26176b03cb51012a367a8", "2c42ecb22e35f3e23d2f70babce0a2aa"),
        },
    ),
    "ResNetRS350": _Member(
        (4, 36, 72, 4), 0.1, 0.4,
        {
            256: ("f4a039dc3c421321b7fc240494574a68", "6e44b55025bbdff8f51692a023143d66"),
            320: ("7ccb858cc738305e8ceb3c0140bee393", "ab0c1f9079d2f85a9facbd2c88aa6079"),
        },
    ),
    "ResNetRS420": _Member(
        (4, 44, 87, 4), 0.1, 0.4,
        {
            320: ("ae0eb9bed39e64fc8d7e0db4018dc7e8", "fe6217c32be8305b1889657172b98884"),
        },
    ),
}  # fmt: skip
_FILTERS = (64, 128, 256, 512)
_SQUEEZE = 0.25  # channels within the weighing of channels, of those that are weighed


def _conv(x: KerasTensor, filters: int, size: int, name: str, strides: int = 1) -> KerasTensor:
    """A convolution that pads alike on both sides; "same" would not for every second place."""
    if strides > 1:
        x = ZeroPadding2D((size - 1) // 2)(x)
    return Conv2D(
        filters,
        size,
        strides=strides,
        padding="valid" if strides > 1 else "same",
        use_bias=False,
        kernel_initializer=kernels(),
        name=name,
    )(x)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return BatchNormalization(axis=channels_axis(), momentum=0.0, epsilon=1e-5, name=name)(x)


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return Activation("relu", name=name)(x)


def _stem(x: KerasTensor) -> KerasTensor:
    for i, (filters, strides) in enumerate(((32, 2), (32, 1), (64, 1), (64, 2)), start=1):
        x = _conv(x, filters, 3, f"stem_1_stem_conv_{i}", strides)
        x = _relu(_normalized(x, f"stem_1_stem_batch_norm_{i}"), f"stem_1_stem_act_{i}")
    return x


def _shortcut(x: KerasTensor, filters: int, strides: int, name: str) -> KerasTensor:
    if strides > 1:
        x = AveragePooling2D(2, strides=2, padding="same", name=f"{name}_projection_pooling")(x)
    x = _conv(x, filters, 1, f"{name}_projection_conv")
    return _normalized(x, f"{name}_projection_batch_norm")


def _block(
    x: KerasTensor, filters: int, strides: int, is_first: bool, drop: float, number: str
) -> KerasTensor:
    name, wide = f"{number}_", 4 * filters
    shortcut = _shortcut(x, wide, strides, name) if is_first else x
    y = _conv(x, filters, 1, f"{name}_conv_1")
    y = _relu(_normalized(y, f"{name}batch_norm_1"), f"{name}_act_1")
    y = _conv(y, filters, 3, f"{name}_conv_2", strides)
    y = _relu(_normalized(y, f"{name}_batch_norm_2"), f"{name}_act_2")
    y = _normalized(_conv(y, wide, 1, f"{name}_conv_3"), f"{name}_batch_norm_3")
    y = weighed(y, int(wide * _SQUEEZE), f"{name}_se_se", activation="relu")
    if drop > 0:
        y = Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(y)
    return _relu(Add()([y, shortcut]), f"{name}_output_act")


def _features(x: KerasTensor, member: _Member) -> KerasTensor:
    x = _stem(x)
    for group, (filters, depth) in enumerate(zip(_FILTERS, member.blocks), start=2):
        drop = member.drop * group / 5
        for i in range(depth):
            strides = 2 if i == 0 and group > 2 else 1
            x = _block(x, filters, strides, i == 0, drop, f"BlockGroup{group}__block_{i}")
    return x


def _resnet_rs(arguments: Arguments, include_preprocessing: bool) -> Functional:
    member = _MEMBERS[arguments.who]
    image = x = begin(arguments, default_size=224, min_size=32)
    if include_preprocessing:
        x = Rescaling(1 / 255)(x)
        if x.shape[channels_axis()] == 3:
            variance = [deviation**2 for deviation in DEVIATION]
            x = Normalization(axis=channels_axis(), mean=list(MEAN), variance=variance)(x)
    x = _features(x, member)
    x = classified(x, arguments, named=True, dropout=member.dropout)
    end = "" if arguments.include_top else "_notop"
    size = _published(member).get(str(arguments.weights), max(member.files))
    file = f"{FOLDER}/resnet_rs/{arguments.name}-i{size}{end}.h5"
    return finish(arguments, image, x, WeightFile(file, member.files[size][1 if end else 0]))


def _published(member: _Member) -> dict[str, int]:
    """The size of each word for `weights`."""
    return {"imagenet": max(member.files), **{f"imagenet-i{size}": size for size in member.files}}


def _sizes(member: _Member) -> str:
    """The sizes of its files, for the docstring."""
    *others, largest = sorted(member.files)
    words = "".join(f", or 'imagenet-i{size}'" for size in others)
    return f"pictures of {largest}×{largest}{words}"


class _Network(Protocol):
    """What each of the networks' functions takes."""

    def __call__(
        self,
        include_top: bool = ...,
        weights: Weights = ...,
        classes: int = ...,
        input_shape: InputShape = ...,
        input_tensor: KerasTensor | None = ...,
        pooling: Pooling = ...,
        classifier_activation: Any = ...,
        include_preprocessing: bool = ...,
    ) -> Functional: ...


_DOCSTRING = """The network with {depth} layers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values. Files of
            'imagenet': {sizes}.
        classes: Outputs of the classifier; nothing without the top.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        pooling: Without the top: 'avg' or 'max' over all places.
        classifier_activation: Activation of the classifier; None for logits.
        include_preprocessing: Whether the network scales pictures of values 0…255 itself.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """


def _network(who: str) -> _Network:
    """The function of a member: all differ in the table alone."""
    depth = who.removeprefix("ResNetRS")

    def network(
        include_top: bool = True,
        weights: Weights = "imagenet",
        classes: int = 1000,
        input_shape: InputShape = None,
        input_tensor: KerasTensor | None = None,
        pooling: Pooling = None,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
    ) -> Functional:
        arguments = Arguments(
            who, include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, f"resnet-rs-{depth}", tuple(_published(_MEMBERS[who])),
        )  # fmt: skip
        return _resnet_rs(arguments, include_preprocessing)

    network.__name__ = network.__qualname__ = who
    network.__doc__ = _DOCSTRING.format(depth=depth, sizes=_sizes(_MEMBERS[who]))
    return network


ResNetRS50 = _network("ResNetRS50")
ResNetRS101 = _network("ResNetRS101")
ResNetRS152 = _network("ResNetRS152")
ResNetRS200 = _network("ResNetRS200")
ResNetRS270 = _network("ResNetRS270")
ResNetRS350 = _network("ResNetRS350")
ResNetRS420 = _network("ResNetRS420")
