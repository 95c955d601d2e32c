"""Checks of shapes that several families of layers make."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import ShapeError, message


def check_broadcasts(who: str, name: str, shape: Any, wanted: Any) -> None:
    """Refuse a shape that does not broadcast to another; sizes not known yet fit.

    Raises:
        ShapeError: It has more axes, or an axis of another size that is not 1.
    """
    pairs = zip(reversed(shape), reversed(wanted), strict=False)
    fits = len(shape) <= len(wanted) and not any(
        isinstance(size, int) and isinstance(other, int) and size not in (1, other)
        for size, other in pairs
    )
    if not fits:
        raise ShapeError(
            message(who, f"{name} must broadcast to the shape {tuple(wanted)}", f"{tuple(shape)}")
        )
