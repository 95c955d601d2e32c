"""Axes as users give them: one or several, counted from the front or from the back."""

from __future__ import annotations

from typing import Any

from nacre.core.errors import ArgumentError, NacreError, message
from nacre.core.kinds import is_list
from nacre.core.numbers import as_whole


def axis_numbers(who: str, axis: Any, name: str = "axis", least: int = 1) -> tuple[int, ...]:
    """An axis, or several in a list or tuple, as ints.

    Args:
        least: How many there must be.

    Raises:
        ArgumentError: They are none.
    Example:
        >>> axis_numbers("Softmax", [-1, 2]), axis_numbers("Softmax", -1)
        ((-1, 2), (-1,))
    """
    given = axis if is_list(axis) else (axis,)
    found = tuple(number for each in given if (number := as_whole(each)) is not None)
    if len(found) < max(len(given), least):
        raise ArgumentError(message(who, f"{name} must be an int or several", f"{name}={axis!r}"))
    return found


def axis_number(who: str, axis: Any, name: str = "axis") -> int:
    """An axis as an int.

    Raises:
        ArgumentError: It is none.
    """
    found = as_whole(axis)
    if found is None:
        raise ArgumentError(message(who, f"{name} must be an int", f"{name}={axis!r}"))
    return found


def counted_axes(
    who: str,
    axis: Any,
    ndim: int,
    name: str = "axis",
    of: str = "",
    error: type[NacreError] = ArgumentError,
    fix: str = "",
) -> tuple[int, ...]:
    """One or several axes of an array, each once, in their order and counted from the front.

    Args:
        who: Whose argument it is.
        axis: The axis, or a list or tuple of them.
        ndim: How many axes there are.
        of: What has them, for the message, such as "for predictions of shape (2, 3)".

    Raises:
        ArgumentError, or what `error` names: There is none of that number, or one comes twice.
    Example:
        >>> counted_axes("Softmax", (-1, 1), 3)
        (2, 1)
    """
    axes = axis_numbers(who, axis, name, least=0)
    within = f"from {-ndim} to {ndim - 1} {of}".rstrip()
    got = f"{name}={axes[0] if len(axes) == 1 else axis!r}"
    if any(not -ndim <= each < ndim for each in axes):
        raise error(message(who, f"{name} must be {within}", got, fix))
    found = tuple(each % ndim for each in axes)
    if not found or len(set(found)) < len(found):
        rule = f"{name} must be one int or several different ones, {within}"
        raise error(message(who, rule, got, fix))
    return found


def counted_axis(
    who: str,
    axis: Any,
    ndim: int,
    name: str = "axis",
    of: str = "",
    error: type[NacreError] = ArgumentError,
) -> int:
    """One axis of an array, counted from the front; see `counted_axes`."""
    return counted_axes(who, axis_number(who, axis, name), ndim, name, of, error)[0]


__all__ = ["axis_number", "axis_numbers", "counted_axes", "counted_axis"]
