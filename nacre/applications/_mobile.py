"""What small networks have alike: a factor of filters, normalization, which weights are taken."""

from __future__ import annotations

import math

from nacre.applications._arguments import Arguments, channels_axis
from nacre.core.numbers import as_number
from nacre.core.symbolic import KerasTensor
from nacre.layers import BatchNormalization

DEFAULT_SIZE = 224


def check_alpha(arguments: Arguments, alpha: float) -> None:
    """Refuse a factor of filters that is no positive number.

    Raises:
        ArgumentError: It is none.
    """
    if not 0 < as_number(alpha) < math.inf:
        raise arguments.error("alpha must be a positive number", repr(alpha))


def normalized(x: KerasTensor, name: str) -> KerasTensor:
    """A normalization with the numbers of MobileNetV2 and V3."""
    return BatchNormalization(axis=channels_axis(-1), epsilon=1e-3, momentum=0.999, name=name)(x)


def sizes_of(arguments: Arguments, *, of_tensor: bool = False) -> tuple[int | None, int | None]:
    """Height and width of the pictures, as far as the call says; the default with the top.

    Args:
        arguments: Those of the call.
        of_tensor: Whether `input_tensor` says so too.
    """
    shape = arguments.input_shape
    if shape is None and of_tensor and arguments.input_tensor is not None:
        shape = tuple(arguments.input_tensor.shape[1:])
    if shape is not None and len(shape) == 3:
        height, width = shape[1:] if channels_axis() == 1 else shape[:2]
        return height, width
    return (DEFAULT_SIZE, DEFAULT_SIZE) if arguments.include_top else (None, None)


def published_size(sizes: tuple[int | None, int | None], published: tuple[int, ...]) -> int:
    """The size if there are weights for it, else that of the largest pictures.

    Example:
        >>> published_size((96, 96), (96, 224)), published_size((100, 100), (96, 224))
        (96, 224)
    """
    height, width = sizes
    return height if height is not None and height == width in published else DEFAULT_SIZE
