"""RegNet: a family of residual networks whose widths and depths follow one line.

    y = relu(shortcut(x) + bn(conv1x1(f(relu(bn(conv3x3(relu(bn(conv1x1(x)))))))))
    f(z) = z for X; z times a number of 0…1 for each channel for Y

The 3×3 convolution is one of groups, and each stage begins with one of every second place.

Source: Radosavovic et al. 2020, arXiv:2003.13678, tables 8 and 9 ("RegNetX-200MF" is `RegNetX002`),
appendix for the stem and the head. Names and order are those of tf.keras 2.15, which Keras 3 left
out; of sums, products and the head those of the first network in a process. Differs from it: the
classifier has the activation that `classifier_activation` says, where 2.15 passes over it and
gives logits: pass None for its numbers.
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
    finish,
    pooled,
)
from nacre.applications._preprocessing import none as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    Multiply,
    ReLU,
    Rescaling,
)
from nacre.models import Functional

__all__ = [
    "RegNetX002",
    "RegNetX004",
    "RegNetX006",
    "RegNetX008",
    "RegNetX016",
    "RegNetX032",
    "RegNetX040",
    "RegNetX064",
    "RegNetX080",
    "RegNetX120",
    "RegNetX160",
    "RegNetX320",
    "RegNetY002",
    "RegNetY004",
    "RegNetY006",
    "RegNetY008",
    "RegNetY016",
    "RegNetY032",
    "RegNetY040",
    "RegNetY064",
    "RegNetY080",
    "RegNetY120",
    "RegNetY160",
    "RegNetY320",
    "decode_predictions",
    "preprocess_input",
]


@dataclass(frozen=True)
class _Member:
    """One network.

    Args:
        depths: Blocks of each stage.
        widths: Channels of each stage.
        group: Channels of each group; of all channels where a stage has fewer.
        hashes: SHA-256 digests, with the top and without.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    group: int
    hashes: tuple[str, str]


_MEMBERS = {
    "RegNetX002": _Member(
        (1, 1, 4, 7), (24, 56, 152, 368), 8,
        (
            "49fb46e56cde07fdaf57bffd851461a86548f6a3a4baef234dd37290b826c0b8",
            "5445b66cd50445eb7ecab094c1e78d4d3d29375439d1a7798861c4af15ffff21",
        ),
    ),
    "RegNetX004": _Member(
        (1, 2, 7, 12), (32, 64, 160, 384), 16,
        (
            "3523c7f5ac0dbbcc2fd6d83b3570e7540f7449d3301cc22c29547302114e4088",
            "de139bf07a66c9256f2277bf5c1b6dd2d5a3a891a5f8a925a10c8a0a113fd6f3",
        ),
    ),
    "RegNetX006": _Member(
        (1, 3, 5, 7), (48, 96, 240, 528), 24,
        (
            "340216ef334a7bae30daac9f414e693c136fac9ab868704bbfcc9ce6a5ec74bb",
            "a43ec97ad62f86b2a96a783bfdc63a5a54de02eef54f26379ea05e1bf90a9505",
        ),
    ),
    "RegNetX008": _Member(
        (1, 3, 7, 5), (64, 128, 288, 672), 16,
        (
            "8f145d6a5fae6da62677bb8d26eb92d0b9dfe143ec1ebf68b24a57ae50a2763d",
            "3c7e4b0917359304dc18e644475c5c1f5e88d795542b676439c4a3acd63b7207",
        ),
    ),
    "RegNetX016": _Member(
        (2, 4, 10, 2), (72, 168, 408, 912), 24,
        (
            "31c386f4c7bfef4c021a583099aa79c1b3928057ba1b7d182f174674c5ef3510",
            "1b8e3d545d190271204a7b2165936a227d26b79bb7922bac5ee4d303091bf17a",
        ),
    ),
    "RegNetX032": _Member(
        (2, 6, 15, 2), (96, 192, 432, 1008), 48,
        (
            "6c025df1409e5ea846375bc9dfa240956cca87ef57384d93fef7d6fa90ca8c7f",
            "9cd4522806c0fcca01b37874188b2bd394d7c419956d77472a4e072b01d99041",
        ),
    ),
    "RegNetX040": _Member(
        (2, 5, 14, 2), (80, 240, 560, 1360), 40,
        (
            "ba128046c588a26dbd3b3a011b26cb7fa3cf8f269c184c132372cb20b6eb54c1",
            "b4ed0ca0b9a98e789e05000e830403a7ade4d8afa01c73491c44610195198afe",
        ),
    ),
    "RegNetX064": _Member(
        (2, 4, 10, 1), (168, 392, 784, 1624), 56,
        (
            "0f4489c3cd3ad979bd6b0324213998bcb36dc861d178f977997ebfe53c3ba564",
            "3e706fa416a18dfda14c713423eba8041ae2509db3e0a611d5f599b5268a46c4",
        ),
    ),
    "RegNetX080": _Member(
        (2, 5, 15, 1), (80, 240, 720, 1920), 120,
        (
            "76320e43272719df648db37271a247c22eb6e810fe469c37a5db7e2cb696d162",
            "7b1ce8e29ceefec10a6569640ee329dba7fbc98b5d0f6346aabade058b66cf29",
        ),
    ),
    "RegNetX120": _Member(
        (2, 5, 11, 1), (224, 448, 896, 2240), 112,
        (
            "5cafc461b78897d5e4f24e68cb406d18e75f31105ef620e7682b611bb355eb3a",
            "36174ddd0299db04a42631d028abcb1cc7afec2b705e42bd28fcd325e5d596bf",
        ),
    ),
    "RegNetX160": _Member(
        (2, 6, 13, 1), (256, 512, 896, 2048), 128,
        (
            "8093f57a5824b181fb734ea21ae34b1f7ee42c5298e63cf6d587c290973195d2",
            "9d1485050bdf19531ffa1ed7827c75850e0f2972118a996b91aa9264b088fd43",
        ),
    ),
    "RegNetX320": _Member(
        (2, 7, 13, 1), (336, 672, 1344, 2520), 168,
        (
            "91fb3e6f4e9e44b3687e80977f7f4412ee9937c0c704232664fc83e4322ea01e",
            "9db7eacc37b85c98184070e1a172e6104c00846f44bcd4e727da9e50d9692398",
        ),
    ),
    "RegNetY002": _Member(
        (1, 1, 4, 7), (24, 56, 152, 368), 8,
        (
            "1e8091c674532b1a61c04f6393a9c570113e0197f22bd1b98cc4c4fe800c6465",
            "f63221f63d625b8e201221499682587bfe29d33f50a4c4f4d53be00f66c0f12c",
        ),
    ),
    "RegNetY004": _Member(
        (1, 3, 6, 6), (48, 104, 208, 440), 8,
        (
            "752fdbad21c78911bf1dcb8c513e5a0e14697b068e5d9e73525dbaa416d18d8e",
            "45e6ba8309a17a77e67afc05228454b2e0ee6be0dae65edc0f31f1da10cc066b",
        ),
    ),
    "RegNetY006": _Member(
        (1, 3, 7, 4), (48, 112, 256, 608), 16,
        (
            "98942e07b273da500ff9699a1f88aca78dfad4375faabb0bab784bb0dace80a9",
            "b70261cba4e60013c99d130cc098d2fce629ff978a445663b6fa4f8fc099a2be",
        ),
    ),
    "RegNetY008": _Member(
        (1, 3, 8, 2), (64, 128, 320, 768), 16,
        (
            "1b099377cc9a4fb183159a6f9b24bc998e5659d25a449f40c90cbffcbcfdcae4",
            "b11f5432a216ee640fe9be6e32939defa8d08b8d136349bf3690715a98752ca1",
        ),
    ),
    "RegNetY016": _Member(
        (2, 6, 17, 2), (48, 120, 336, 888), 24,
        (
            "b7ce1f5e223f0941c960602de922bcf846288ce7a4c33b2a4f2e4ac4b480045b",
            "d7404f50205e82d793e219afb9eb2bfeb781b6b2d316a6128c6d7d7dacab7f57",
        ),
    ),
    "RegNetY032": _Member(
        (2, 5, 13, 1), (72, 216, 576, 1512), 24,
        (
            "6a6a545cf3549973554c9b94f0cd40e25f229fffb1e7f7ac779a59dcbee612bd",
            "eb3ac1c45ec60f4f031c3f5180573422b1cf7bebc26c004637517372f68f8937",
        ),
    ),
    "RegNetY040": _Member(
        (2, 6, 12, 2), (128, 192, 512, 1088), 64,
        (
            "98d00118b335162bbffe8f1329e54e5c8e75ee09b2a5414f97b0ddfc56e796f6",
            "b5be2a5e5f072ecdd9c0b8a437cd896df0efa1f6a1f77e41caa8719b7dfcb05d",
        ),
    ),
    "RegNetY064": _Member(
        (2, 7, 14, 2), (144, 288, 576, 1296), 72,
        (
            "65c948c7a18aaecaad2d1bd4fd978987425604ba6669ef55a1faa0069a2804b7",
            "885c4b7ed7ea339daca7dafa1a62cb7d41b1068897ef90a5a3d71b4a2e2db31a",
        ),
    ),
    "RegNetY080": _Member(
        (2, 4, 10, 1), (168, 448, 896, 2016), 56,
        (
            "7a2c62da2982e369a4984d3c7c3b32d6f8d3748a71cb37a31156c436c37f3e95",
            "3d119577e1e3bf8d153b895e8ea9e4ec150ff2d92abdca711b6e949c3fd7115d",
        ),
    ),
    "RegNetY120": _Member(
        (2, 5, 11, 1), (224, 448, 896, 2240), 112,
        (
            "a96ab0d27d3ae35a422ee7df0d789069b3e3217a99334e0ce861a96595bc5986",
            "4a6fa387108380b730b71feea2ad80b5224b5ea9dc21dc156c93fe3c6186485c",
        ),
    ),
    "RegNetY160": _Member(
        (2, 4, 11, 1), (224, 448, 1232, 3024), 112,
        (
            "45067240ffbc7ca2591313fee2f80dbdda6d66ec1a7451446f9a6d00d8f7ac6e",
            "ead1e6b568be8f34447ec8941299a9df4368736ba9a8205de5427fa20a1fb316",
        ),
    ),
    "RegNetY320": _Member(
        (2, 5, 12, 1), (232, 696, 1392, 3712), 232,
        (
            "b05e173e4ae635cfa22d06392ee3741284d17dadfee68f2aa6fd8cb2b7561112",
            "cad78f74a586e24c61d38be17f3ae53bb9674380174d2585da1a526b8c20e1fd",
        ),
    ),
}  # fmt: skip
_STEM = 32  # filters
_SQUEEZE = 0.25  # channels within the weighing of channels, of those that the block is given


def _conv(x: KerasTensor, filters: int, size: int, name: str, **arguments: Any) -> KerasTensor:
    return Conv2D(
        filters,
        size,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
        **arguments,
    )(x)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return BatchNormalization(axis=channels_axis(), momentum=0.9, epsilon=1e-5, name=name)(x)


def _active(x: KerasTensor, name: str) -> KerasTensor:
    return ReLU(name=f"{name}_relu")(_normalized(x, f"{name}_bn"))


def _weighed(x: KerasTensor, squeezed: int, name: str) -> KerasTensor:
    """Each channel times a number of 0…1 that is computed from the means of all."""
    y = GlobalAveragePooling2D(keepdims=True, name=f"{name}_gap")(x)
    for filters, activation, part in (
        (squeezed, "relu", "squeeze"),
        (x.shape[channels_axis()], "sigmoid", "excite"),
    ):
        y = Conv2D(
            filters,
            1,
            activation=activation,
            kernel_initializer="he_normal",
            name=f"{name}_{part}",
        )(y)
    return Multiply()([y, x])


def _block(
    x: KerasTensor, filters: int, group: int, is_first: bool, weighs: bool, name: str
) -> KerasTensor:
    channels, strides, shortcut = x.shape[channels_axis()], 2 if is_first else 1, x
    if is_first:
        shortcut = _conv(x, filters, 1, f"{name}_skip_1x1", strides=2)
        shortcut = _normalized(shortcut, f"{name}_skip_bn")
    y = _active(_conv(x, filters, 1, f"{name}_conv_1x1_1"), f"{name}_conv_1x1_1")
    groups = filters // min(group, filters)
    three = f"{name}_conv_3x3"
    y = _conv(y, filters, 3, three, strides=strides, groups=groups, padding="same")
    y = _active(y, three)
    if weighs:
        y = _weighed(y, int(channels * _SQUEEZE), f"{name}_squeeze_and_excite")
    y = _normalized(_conv(y, filters, 1, f"{name}_conv_1x1_2"), f"{name}_conv_1x1_2_bn")
    return ReLU(name=f"{name}_exit_relu")(Add()([y, shortcut]))


def _features(x: KerasTensor, member: _Member, weighs: bool, name: str) -> KerasTensor:
    x = _conv(x, _STEM, 3, f"{name}_stem_conv", strides=2, padding="same")
    x = _active(x, f"{name}_stem")
    kind = "Y" if weighs else "X"
    for stage, (depth, filters) in enumerate(zip(member.depths, member.widths)):
        for i in range(depth):
            block = f"{name}_Stage_{stage}_{kind}Block_{i}"
            x = _block(x, filters, member.group, i == 0, weighs, block)
    return x


def _regnet(arguments: Arguments, include_preprocessing: bool) -> Functional:
    member, name = _MEMBERS[arguments.who], arguments.name
    image = x = begin(arguments, default_size=224, min_size=32)
    if include_preprocessing:
        x = Rescaling(1 / 255, name=f"{name}_prestem_rescaling")(x)
    x = _features(x, member, arguments.who.startswith("RegNetY"), f"{name}")
    if arguments.include_top:
        x = GlobalAveragePooling2D(name="1_head_gap")(x)
        activation = arguments.classifier_activation
        x = Dense(arguments.classes, activation=activation, name="1head_dense")(x)
    else:
        x = pooled(x, arguments.pooling, named=False)
    end = "" if arguments.include_top else "_notop"
    file = f"{FOLDER}/regnet/{arguments.who.lower()}{end}.h5"
    return finish(arguments, image, x, WeightFile(file, member.hashes[0 if not end else 1]))


class _Network(Protocol):
    """What each of the networks' functions takes."""

    def __call__(
        self,
        model_name: str = ...,
        include_top: bool = ...,
        include_preprocessing: bool = ...,
        weights: Weights = ...,
        input_tensor: KerasTensor | None = ...,
        input_shape: InputShape = ...,
        pooling: Pooling = ...,
        classes: int = ...,
        classifier_activation: Any = ...,
    ) -> Functional: ...


_DOCSTRING = """The network of {flops}, {kind}.

    Args:
        model_name: Name of the model, and what the names of its layers begin with.
        include_top: Whether the classifier stands at the end; pictures then have one size.
        include_preprocessing: Whether the network scales pictures of values 0…255 itself.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits, which tf.keras 2.15
            always gives.
    Shapes:
        input    (batch, height, width, 3)   values 0…255, 224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """


def _network(who: str) -> _Network:
    """The function of a member: all differ in the table alone."""

    def network(
        model_name: str = who.lower(),
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: Weights = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: InputShape = None,
        pooling: Pooling = None,
        classes: int = 1000,
        classifier_activation: Any = "softmax",
    ) -> Functional:
        arguments = Arguments(
            who, include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, model_name,
        )  # fmt: skip
        return _regnet(arguments, include_preprocessing)

    network.__name__ = network.__qualname__ = who
    millions = int(who[-3:]) * 100
    flops = f"{millions} million" if millions < 1000 else f"{millions / 1000} thousand million"
    kind = "which weighs channels" if who.startswith("RegNetY") else "which weighs no channels"
    network.__doc__ = _DOCSTRING.format(flops=f"{flops} multiplications for a picture", kind=kind)
    return network


RegNetX002 = _network("RegNetX002")
RegNetX004 = _network("RegNetX004")
RegNetX006 = _network("RegNetX006")
RegNetX008 = _network("RegNetX008")
RegNetX016 = _network("RegNetX016")
RegNetX032 = _network("RegNetX032")
RegNetX040 = _network("RegNetX040")
RegNetX064 = _network("RegNetX064")
RegNetX080 = _network("RegNetX080")
RegNetX120 = _network("RegNetX120")
RegNetX160 = _network("RegNetX160")
RegNetX320 = _network("RegNetX320")
RegNetY002 = _network("RegNetY002")
RegNetY004 = _network("RegNetY004")
RegNetY006 = _network("RegNetY006")
RegNetY008 = _network("RegNetY008")
RegNetY016 = _network("RegNetY016")
RegNetY032 = _network("RegNetY032")
RegNetY040 = _network("RegNetY040")
RegNetY064 = _network("RegNetY064")
RegNetY080 = _network("RegNetY080")
RegNetY120 = _network("RegNetY120")
RegNetY160 = _network("RegNetY160")
RegNetY320 = _network("RegNetY320")
