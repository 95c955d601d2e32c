"""What stands where rows of different lengths are filled up, until a model makes masks of it.

A program takes arrays, and no word beside them on where their rows end. So they are filled up with
a number that no row holds: the lowest of its dtype.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import DataError, ShapeError, UnsupportedError, message

_LOWEST_INT = int(np.iinfo(np.int32).min)  # numbers of 64 bits become 32 on the device


def can_mark(dtype: str) -> bool:
    """Whether rows of a dtype may be of different lengths."""
    return dtype in ("int32", "int64") or (dtype != "float64" and "float" in dtype)


def mark_of(dtype: Any) -> Any:
    """What fills rows of a dtype up."""
    found = jnp.dtype(dtype)
    return _LOWEST_INT if found.kind == "i" else cast("Any", jnp.finfo(found)).min


def filled_up(rows: Any, dtype: str, who: str) -> np.ndarray:
    """Rows of different lengths as one array, marked where it is filled up.

    Args:
        rows: They, with `to_tensor`, `flat_values` and `on_host`.
        dtype: The dtype of the input they go to.
        who: Who asks, for messages.

    Raises:
        DataError: They hold what fills them up.
    """
    rows = rows.on_host()
    values = np.asarray(rows.flat_values)
    kind = jnp.dtype(dtype)
    if values.dtype.kind not in "iufb" or (kind.kind == "i" and values.dtype.kind == "f"):
        rule = f"rows must be numbers of dtype {dtype}"
        raise DataError(message(who, rule, f"{values.dtype}"))
    mark = mark_of(kind)
    if kind.kind != "i":
        made = rows.to_tensor(np.nan) if values.dtype.kind == "f" else rows.to_tensor(0)
        found = np.asarray(made).astype(kind)
        if values.size and bool((values.astype(kind) == mark).any()):
            raise DataError(message(who, f"rows must not hold the lowest {dtype}", str(mark)))
        found[~rows.mask()] = mark  # of leading axes, which pick whole vectors
        return found
    found = np.asarray(rows.to_tensor(0)).astype(np.int64)
    if values.size and bool((values == mark).any()):
        raise DataError(message(who, f"rows must not hold {mark}", str(mark)))
    found[~rows.mask()] = mark
    return found


def mask_of(x: Any, num_axes: int) -> Any:
    """Which places of a marked array are of its rows: bool over the batch and so many axes more."""
    is_filled = x == jnp.asarray(mark_of(x.dtype), x.dtype)
    rest = tuple(range(1 + num_axes, x.ndim))
    return ~(is_filled.all(rest) if rest else is_filled)


def unmarked(x: Any) -> Any:
    """A marked array with zeros where it was filled up."""
    is_filled: Any = x == mark_of(x.dtype)
    if isinstance(x, jax.Array):
        return jnp.where(is_filled, jnp.zeros((), x.dtype), x)
    found = np.array(x)
    found[is_filled] = 0
    return found


_is_refused: ContextVar[bool] = ContextVar("ragged_refused", default=False)


@contextmanager
def refused() -> Generator[None]:
    """A block in which a program for others is made, who know nothing of what fills rows up."""
    token = _is_refused.set(True)
    try:
        yield
    finally:
        _is_refused.reset(token)


def require_allowed(who: str) -> None:
    """Raise in a block of `refused`.

    Args:
        who: The input.
    """
    if _is_refused.get():
        rule = "rows of different lengths have no form in a file of another framework"
        fix = "Save it as .keras; or give the model Input((None,)) and Embedding(mask_zero=True)."
        raise UnsupportedError(message(who, rule, "Input(ragged=True)", fix))


def lost(who: str, why: str) -> ShapeError:
    """The error where a mask of such rows is lost."""
    return ShapeError(
        message(
            who,
            "it must tell rows of different lengths from what fills them up",
            f"the mask of Input(ragged=True) is lost: {why}",
            "Take layers that pass masks on, or x.to_tensor() before the model.",
        )
    )


__all__ = [
    "can_mark", "filled_up", "lost", "mark_of", "mask_of", "refused", "require_allowed", "unmarked",
]  # fmt: skip
