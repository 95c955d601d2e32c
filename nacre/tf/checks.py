"""`tf.debugging`: checks of values where they are known; compiled functions make none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.running import static_value
from nacre.tf.sizes import plain
from nacre.tf.values import same, tensor


def compared(who: str, holds: Callable[[Any, Any], Any], x: Any, y: Any, told: Any) -> None:
    """Raise unless a comparison holds of all elements."""
    a, b = map(static_value, same(x, y))
    if a is None or b is None or np.all(holds(a, b)):
        return
    at = np.argwhere(~np.atleast_1d(holds(a, b)))[0].tolist()
    first, second = np.broadcast_arrays(np.atleast_1d(a), np.atleast_1d(b))
    got = f"{first[tuple(at)]} and {second[tuple(at)]} at {at}"
    rule = f"it must hold of all elements{'' if told is None else f' ({told})'}"
    raise ArgumentError(message(f"tf.debugging.{who}", rule, got))


def assert_true(condition: Any, data: Any, told: Any = None) -> None:
    """Raise unless a condition holds."""
    found = static_value(tensor(condition))
    if found is not None and not np.all(found):
        raise ArgumentError(message("tf.debugging.Assert", "the condition must hold", str(data)))


def assert_rank(x: Any, rank: Any, told: Any = None) -> None:
    """Raise unless there are so many axes, or as many as one of several numbers."""
    ranks = plain(rank)
    ranks = ranks if isinstance(ranks, tuple) else (ranks,)
    if tensor(x).ndim not in ranks:
        rule = f"there must be {' or '.join(map(str, ranks))} axes"
        got = f"{tensor(x).ndim}{'' if told is None else f' ({told})'}"
        raise ShapeError(message("tf.debugging.assert_rank", rule, got))


def assert_rank_at_least(x: Any, rank: Any, told: Any = None) -> None:
    """Raise unless there are so many axes or more."""
    if tensor(x).ndim < plain(rank):
        rule = f"there must be {rank} axes or more"
        raise ShapeError(message("tf.debugging.assert_rank_at_least", rule, f"{tensor(x).ndim}"))


def assert_type(x: Any, kind: Any, told: Any = None) -> None:
    """Raise unless the dtype is this one."""
    if dtype_of(tensor(x)) is not as_dtype(kind):
        rule = f"the dtype must be {as_dtype(kind).name}"
        raise DTypeError(message("tf.debugging.assert_type", rule, dtype_of(tensor(x)).name))


def assert_integer(x: Any, told: Any = None) -> None:
    """Raise unless the numbers are whole."""
    if not dtype_of(tensor(x)).is_integer:
        rule = "numbers must be whole"
        raise DTypeError(message("tf.debugging.assert_integer", rule, dtype_of(tensor(x)).name))


def check_numerics(x: Any, told: Any) -> Any:
    """The tensor, if it has no NaN and no infinity."""
    found = static_value(tensor(x))
    if found is not None and not np.all(np.isfinite(found)):
        count = int(np.sum(~np.isfinite(found)))
        rule = f"numbers must be finite ({told})"
        raise ArgumentError(message("tf.debugging.check_numerics", rule, f"{count} that are not"))
    return tensor(x)


def assert_shapes(shapes: Any, told: Any = None) -> None:
    """Raise unless shapes fit, the same letter standing for the same size.

    Args:
        shapes: Pairs (tensor, sizes), or a dict of them; a size is a number, a letter or None.
    """
    known: dict[str, int] = {}
    for x, sizes in shapes.items() if isinstance(shapes, dict) else shapes:
        found = tuple(tensor(x).shape)
        wanted = tuple(sizes) if isinstance(sizes, list | tuple | str) else (sizes,)
        fits = len(found) == len(wanted)
        for size, name in zip(found, wanted, strict=False):
            if isinstance(name, str) and not name.isdecimal():
                fits = fits and known.setdefault(name, size) == size
            else:
                fits = fits and name in (None, size)
        if not fits:
            got = f"{found}, where {known}" if known else f"{found}"
            raise ShapeError(message("tf.debugging.assert_shapes", f"{wanted}", got))
