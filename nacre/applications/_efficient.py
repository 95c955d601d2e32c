"""What EfficientNet, EfficientNetV2, the later MobileNets and ResNet-RS are made of alike."""

from __future__ import annotations

from nacre.applications._arguments import Arguments, channels_axis, pooled
from nacre.core.symbolic import KerasTensor
from nacre.initializers import VarianceScaling
from nacre.layers import (
    Conv2D,
    Dense,
    Dropout,
    GlobalAveragePooling2D,
    Multiply,
    Reshape,
    ZeroPadding2D,
)

# How often the last block is left out in training; the first one never is.
LAST_DROP = 0.2


def nearest_eight(number: float) -> int:
    """The nearest multiple of 8, at least 8; it may be far below.

    Example:
        >>> nearest_eight(11), nearest_eight(12)
        (8, 16)
    """
    return max(8, int(number + 4) // 8 * 8)


def filters_of(number: float) -> int:
    """The nearest multiple of 8 that is not below 9 tenths of it, at least 8.

    Example:
        >>> filters_of(11), filters_of(17)
        (16, 16)
    """
    rounded = nearest_eight(number)
    return rounded + 8 if rounded < 0.9 * number else rounded


def kernels() -> VarianceScaling:
    """First values of convolutions, with a seed of their own each."""
    return VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")


def padded(x: KerasTensor, kernel_size: int, name: str) -> KerasTensor:
    """Half the kernel on all sides; one less above and at the left where the size is even."""
    height, width = x.shape[2:] if channels_axis() == 1 else x.shape[1:3]
    half = kernel_size // 2
    top, left = (half - 1 if size is None or size % 2 == 0 else half for size in (height, width))
    return ZeroPadding2D(((top, half), (left, half)), name=name)(x)


def weighed(x: KerasTensor, squeezed: int, name: str, activation: str = "silu") -> KerasTensor:
    """Each channel times a number of 0…1 that is computed from the means of all.

    Args:
        x: Features, (batch, height, width, channels).
        squeezed: Channels in between.
        name: What the names of its layers begin with.
        activation: Activation in between.
    """
    channels = x.shape[channels_axis()]
    y = GlobalAveragePooling2D(name=f"{name}_squeeze")(x)
    shape = (channels, 1, 1) if channels_axis() == 1 else (1, 1, channels)
    y = Reshape(shape, name=f"{name}_reshape")(y)
    for filters, function, part in (
        (squeezed, activation, "reduce"),
        (channels, "sigmoid", "expand"),
    ):
        y = Conv2D(
            filters,
            1,
            padding="same",
            activation=function,
            kernel_initializer=kernels(),
            name=f"{name}_{part}",
        )(y)
    return Multiply(name=f"{name}_excite")([x, y])


def classified(x: KerasTensor, arguments: Arguments, dropout: float) -> KerasTensor:
    """The classifier behind dropout, or the end without the top.

    Args:
        x: Features, (batch, height, width, channels).
        arguments: Those of the call.
        dropout: Rate before the classifier.
    """
    if not arguments.include_top:
        return pooled(x, arguments.pooling, named=True)
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    x = Dropout(dropout, name="top_dropout")(x)
    return Dense(
        arguments.classes,
        activation=arguments.classifier_activation,
        kernel_initializer=VarianceScaling(1 / 3, mode="fan_out", distribution="uniform"),
        name="predictions",
    )(x)
