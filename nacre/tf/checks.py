"""`tf.debugging`: checks of values, in a compiled function each time it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message
from nacre.core.run_checks import check_in_program
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.sizes import plain
from nacre.tf.values import same, tensor


def compared(who: str, holds: Callable[[Any, Any], Any], x: Any, y: Any, told: Any) -> None:
    """Raise unless a comparison holds of all elements; in a compiled function when it runs."""
    first, second = same(x, y)
    if isinstance(first, KerasTensor) or isinstance(second, KerasTensor):
        return
    rule = f"it must hold of all elements{'' if told is None else f' ({told})'}"

    def failure(a: Any, b: Any, at: list[int]) -> Exception:
        return ArgumentError(message(f"tf.debugging.{who}", rule, f"{a} and {b} at {at}"))

    if is_tracer(first) or is_tracer(second):
        a, b = jnp.broadcast_arrays(jnp.asarray(first), jnp.asarray(second))
        truths = getattr(jnp, holds.__name__, holds)(a, b)
        if a.size == 0:
            return
        place = jnp.argmin(truths.ravel())  # the first that is false
        shape = a.shape
        check_in_program(
            jnp.all(truths),
            lambda a, b, at: failure(a, b, [int(n) for n in np.unravel_index(at, shape)]),
            a.ravel()[place],
            b.ravel()[place],
            place,
        )
        return
    a, b = np.broadcast_arrays(np.atleast_1d(np.asarray(first)), np.atleast_1d(np.asarray(second)))
    truths = holds(a, b)
    if not np.all(truths):
        at = np.argwhere(~truths)[0].tolist()
        raise failure(a[tuple(at)], b[tuple(at)], at)


def assert_true(condition: Any, data: Any, told: Any = None) -> None:
    """Raise unless a condition holds; in a compiled function when it runs."""
    found = tensor(condition)
    if isinstance(found, KerasTensor):
        return
    parts = list(data) if isinstance(data, list | tuple) else [data]
    values = [part for part in parts if isinstance(part, jax.Array)]

    def failure(*values: Any) -> Exception:
        left = iter(values)
        shown = [next(left) if isinstance(part, jax.Array) else part for part in parts]
        text = " ".join(map(_told, shown))
        return ArgumentError(message("tf.debugging.Assert", "the condition must hold", text))

    if is_tracer(found):
        check_in_program(jnp.all(found), failure, *values)
    elif not np.all(np.asarray(found)):
        raise failure(*map(np.asarray, values))


def _told(value: Any) -> str:
    return value if isinstance(value, str) else str(np.asarray(value))


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
    """The tensor, if it has no NaN and no infinity; in a compiled function when it runs."""
    x = tensor(x)

    def failure(count: Any) -> Exception:
        rule = f"numbers must be finite ({told})"
        got = f"{int(count)} that are not"
        return ArgumentError(message("tf.debugging.check_numerics", rule, got))

    if is_tracer(x):
        count = jnp.sum(~jnp.isfinite(x))
        check_in_program(count == 0, failure, count)
    elif not isinstance(x, KerasTensor) and not np.all(np.isfinite(np.asarray(x))):
        raise failure(np.sum(~np.isfinite(np.asarray(x))))
    return x


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
