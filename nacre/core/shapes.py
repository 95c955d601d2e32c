"""Whether shapes match, where some sizes are unknown: those match any."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import ShapeError, message


def differ(size: Any, wanted: Any) -> bool:
    """Whether two sizes are known to be different; None and symbolic ones are not known.

    Example:
        >>> differ(2, 3), differ(None, 3), differ(3, 3)
        (True, False, False)
    """
    return isinstance(size, int) and isinstance(wanted, int) and size != wanted


def fits_leading_axes(shape: Any, wanted: Any) -> bool:
    """Whether a shape, such as a mask's, matches the leading axes of another, or is 1 there.

    Example:
        >>> fits_leading_axes((2, 1), (2, 5, 7)), fits_leading_axes((5,), (2, 5))
        (True, False)
    """
    return len(shape) <= len(wanted) and not any(
        size != 1 and differ(size, other) for size, other in zip(shape, wanted, strict=False)
    )


def broadcasts(shape: Any, wanted: Any) -> bool:
    """Whether a shape may broadcast to another: its axes are the last ones of it, or 1.

    Example:
        >>> broadcasts((5,), (2, 5)), broadcasts((2, 1), (2, 5, 7))
        (True, False)
    """
    return fits_leading_axes(tuple(shape)[::-1], tuple(wanted)[::-1])


def check_broadcasts(who: str, name: str, shape: Any, wanted: Any) -> None:
    """Refuse a shape that does not broadcast to another.

    Raises:
        ShapeError: It has more axes, or an axis of another size that is not 1.
    """
    if not broadcasts(shape, wanted):
        raise ShapeError(
            message(who, f"{name} must broadcast to the shape {tuple(wanted)}", f"{tuple(shape)}")
        )


__all__ = ["broadcasts", "check_broadcasts", "differ", "fits_leading_axes"]
