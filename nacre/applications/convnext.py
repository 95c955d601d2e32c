"""ConvNeXt: convolutions put together as transformers are, without attention.

    y = x + gamma · dense(gelu(dense(layernorm(depthwise7x7(x)))))

Between stages features are normalized and halved in height and width by 2×2 convolutions.

Source: Liu et al. 2022, arXiv:2201.03545, figure 4 and appendix C. Differs: preprocessing stands
inside, unless it is told not to; no block is left out in training. Names and order are Keras
3.15's; as there, channels come last alone.
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
    finish,
    pooled,
)
from nacre.applications._convnext_layers import LayerScale as LayerScale
from nacre.applications._convnext_layers import StochasticDepth as StochasticDepth
from nacre.applications._preprocessing import none as preprocess_input
from nacre.applications._weights import FOLDER, WeightFile
from nacre.applications.imagenet_utils import DEVIATION, MEAN
from nacre.applications.imagenet_utils import decode_predictions as decode_predictions
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Activation,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    LayerNormalization,
    Normalization,
)
from nacre.models import Functional, Sequential

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "LayerScale",
    "StochasticDepth",
    "decode_predictions",
    "preprocess_input",
]

# Name of the file, blocks of each stage, filters of the first one; each other has twice as many.
_MEMBERS = {
    "ConvNeXtTiny": ("convnext_tiny", (3, 3, 9, 3), 96),
    "ConvNeXtSmall": ("convnext_small", (3, 3, 27, 3), 96),
    "ConvNeXtBase": ("convnext_base", (3, 3, 27, 3), 128),
    "ConvNeXtLarge": ("convnext_large", (3, 3, 27, 3), 192),
    "ConvNeXtXLarge": ("convnext_xlarge", (3, 3, 27, 3), 256),
}
_EPSILON = 1e-6
# What the scales of all blocks begin with.
_FIRST_SCALE = 1e-6
# SHA-256 digests: with the top, without.
_HASHES = {
    "ConvNeXtTiny": (
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
    "ConvNeXtSmall": (
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
    ),
    "ConvNeXtBase": (
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
    ),
    "ConvNeXtLarge": (
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
    ),
    "ConvNeXtXLarge": (
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
    ),
}


def _normalization(name: str | None = None) -> LayerNormalization:
    return LayerNormalization(epsilon=_EPSILON, name=name)


def _block(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    y = Conv2D(filters, 7, padding="same", groups=filters, name=f"{name}_depthwise_conv")(x)
    y = _normalization(f"{name}_layernorm")(y)
    y = Dense(4 * filters, name=f"{name}_pointwise_conv_1")(y)
    y = Activation("gelu", name=f"{name}_gelu")(y)
    y = Dense(filters, name=f"{name}_pointwise_conv_2")(y)
    y = LayerScale(_FIRST_SCALE, filters, name=f"{name}_layer_scale")(y)
    return x + Activation("linear", name=f"{name}_identity")(y)


def _features(x: KerasTensor, blocks: tuple[int, ...], filters: int, name: str) -> KerasTensor:
    for stage, depth in enumerate(blocks):
        if stage == 0:
            conv = Conv2D(filters, 4, strides=4, name=f"{name}_stem_conv")
            parts, part = [conv, _normalization(f"{name}_stem_layernorm")], "stem"
        else:
            filters, part = 2 * filters, f"downsampling_block_{stage - 1}"
            norm = _normalization(f"{name}_downsampling_layernorm_{stage - 1}")
            conv = Conv2D(filters, 2, strides=2, name=f"{name}_downsampling_conv_{stage - 1}")
            parts = [norm, conv]
        x = Sequential(parts, name=f"{name}_{part}")(x)
        for i in range(depth):
            x = _block(x, filters, f"{name}_stage_{stage}_block_{i}")
    return x


def _scaled(x: KerasTensor, name: str) -> KerasTensor:
    """Colors scaled by ImageNet's mean and deviation; other channels stay as they are."""
    if x.shape[-1] != 3:
        return x
    return Normalization(
        mean=[255 * mean for mean in MEAN],
        variance=[(255 * deviation) ** 2 for deviation in DEVIATION],
        name=f"{name}_prestem_normalization",
    )(x)


def _convnext(arguments: Arguments, include_preprocessing: bool) -> Functional:
    if channels_axis() == 1:
        rule = "pictures must have their channels last (nacre.config.image_data_format())"
        fix = "Call nacre.config.set_image_data_format('channels_last') before."
        raise arguments.error(rule, "'channels_first'", fix)
    file_name, blocks, filters = _MEMBERS[arguments.who]
    name = arguments.name or file_name
    image = begin(arguments, default_size=224, min_size=32)
    x = _scaled(image, name) if include_preprocessing else image
    x = _features(x, blocks, filters, name)
    if arguments.include_top:
        x = GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
        x = _normalization(f"{name}_head_layernorm")(x)
        activation = arguments.classifier_activation
        x = Dense(arguments.classes, activation=activation, name=f"{name}_head_dense")(x)
    else:
        x = _normalization()(pooled(x, arguments.pooling, named=False))
    end = "" if arguments.include_top else "_notop"
    digest = _HASHES[arguments.who][0 if arguments.include_top else 1]
    file = WeightFile(f"{FOLDER}/convnext/{file_name}{end}.h5", digest)
    return finish(arguments, image, x, file)


def ConvNeXtTiny(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "convnext_tiny",
) -> Functional:
    """The smallest network: 29 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model, and what the names of its layers begin with.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    Example:
        >>> ConvNeXtTiny(weights=None, include_top=False, pooling="avg").output_shape
        (None, 768)
    """
    return _convnext(
        Arguments(
            "ConvNeXtTiny", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def ConvNeXtSmall(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "convnext_small",
) -> Functional:
    """The network of Tiny's width with three times as many blocks in the third stage: 50 million.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model, and what the names of its layers begin with.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _convnext(
        Arguments(
            "ConvNeXtSmall", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def ConvNeXtBase(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "convnext_base",
) -> Functional:
    """The network of Small's depth with 128 filters in the first stage: 89 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model, and what the names of its layers begin with.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _convnext(
        Arguments(
            "ConvNeXtBase", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def ConvNeXtLarge(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "convnext_large",
) -> Functional:
    """The network of Small's depth with 192 filters in the first stage: 198 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model, and what the names of its layers begin with.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _convnext(
        Arguments(
            "ConvNeXtLarge", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip


def ConvNeXtXLarge(
    include_top: bool = True,
    include_preprocessing: bool = True,
    weights: Weights = "imagenet",
    input_tensor: KerasTensor | None = None,
    input_shape: InputShape = None,
    pooling: Pooling = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "convnext_xlarge",
) -> Functional:
    """The network of Small's depth with 256 filters in the first stage: 350 million numbers.

    Args:
        include_top: Whether the classifier stands at the end; pictures then have one size.
        include_preprocessing: Whether the network scales values 0…255 itself; if not, it wants
            colors scaled by ImageNet's mean and deviation.
        weights: 'imagenet' for what ImageNet taught it, a path, or None for first values.
        input_tensor: A symbolic tensor to begin with, instead of a new `Input`.
        input_shape: Shape of one picture, `(224, 224, 3)` with the top if None.
        pooling: Without the top: 'avg' or 'max' over all places.
        classes: Outputs of the classifier; nothing without the top.
        classifier_activation: Activation of the classifier; None for logits.
        name: Name of the model, and what the names of its layers begin with.
    Shapes:
        input    (batch, height, width, 3)   224×224 by default, at least 32
        returns  a model: (batch, classes); without the top features, pooled or at each place
    Raises:
        ArgumentError, ShapeError: An argument breaks its rule.
        DownloadError: The file of 'imagenet' is not in the cache and could not be fetched.
    """
    return _convnext(
        Arguments(
            "ConvNeXtXLarge", include_top, weights, input_tensor, input_shape, pooling, classes,
            classifier_activation, name,
        ),
        include_preprocessing,
    )  # fmt: skip
