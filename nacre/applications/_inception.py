"""What the networks of Inception are made of alike.

Source: Szegedy et al. 2015, arXiv:1512.00567, table 1 (its first seven rows are the beginning).
"""

from __future__ import annotations

from nacre.applications._arguments import channels_axis
from nacre.core.symbolic import KerasTensor
from nacre.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    MaxPooling2D,
)


def conv(
    x: KerasTensor,
    filters: int,
    size: int | tuple[int, int],
    strides: int = 1,
    padding: str = "same",
    name: str | None = None,
) -> KerasTensor:
    """A convolution without bias, a normalization without scale, relu."""
    x = Conv2D(filters, size, strides=strides, padding=padding, use_bias=False, name=name)(x)
    normalized = name and f"{name}_bn"
    x = BatchNormalization(axis=channels_axis(), scale=False, name=normalized)(x)
    return Activation("relu", name=name and f"{name}_ac")(x)


def halved(x: KerasTensor, filters: int) -> KerasTensor:
    """A 3×3 convolution of every second place, without padding."""
    return conv(x, filters, 3, strides=2, padding="valid")


def pooled(x: KerasTensor) -> KerasTensor:
    """The largest of 3×3 at every second place, without padding."""
    return MaxPooling2D(3, strides=2)(x)


def average(x: KerasTensor) -> KerasTensor:
    """The mean of 3×3 around each place."""
    return AveragePooling2D(3, strides=1, padding="same")(x)


def joined(branches: list[KerasTensor], name: str | None = None) -> KerasTensor:
    """The channels of all, one behind the other."""
    return Concatenate(axis=channels_axis(), name=name)(branches)


def beginning(x: KerasTensor) -> KerasTensor:
    """299×299 pictures become 35×35 places of 192 channels."""
    x = conv(halved(x, 32), 32, 3, padding="valid")
    x = pooled(conv(x, 64, 3))
    x = conv(conv(x, 80, 1, padding="valid"), 192, 3, padding="valid")
    return pooled(x)
