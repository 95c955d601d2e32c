"""Indices into a table: one rule for what lies outside it, reported with row and value.

In embeddings, encodings and labels an index below 0 or beyond the table is an error where its value
is on the host, and NaN where it is traced. (`take` and `gather` wrap negative ones as NumPy does;
`one_hot` gives zeros.)
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import DataError, DTypeError, NacreError, message
from nacre.core.scope import absent_positions
from nacre.core.tracing import is_tracer


def refuse_outside(
    who: str,
    values: Any,
    size: int,
    *,
    counts: Any = None,
    what: str = "indices",
    size_argument: str = "",
    kind: type[NacreError] = DataError,
) -> None:
    """Raise when a value on the host is no index into a table of `size`; traced ones pass.

    Floats are cut to whole numbers first, as layers do.

    Args:
        who: Name for the message.
        values: Indices of any number dtype.
        size: Size of the table.
        counts: Where a value is looked at, of the same shape; everywhere by default.
        what: What the values are called in the message.
        size_argument: Name of the argument that says the size.
        kind: Class of the error.

    Raises:
        NacreError: Of class `kind`, naming the first wrong value and its row.
    Example:
        >>> refuse_outside("Embedding 'e'", np.array([0, 9]), 10)
    """
    if is_tracer(values) or is_tracer(counts) or is_tracer(size):
        return
    values = np.asarray(values)
    if values.size == 0 or values.dtype.kind not in "iuf":
        return
    low, high = values.min(), values.max()
    if low > -1 and high < size:
        return
    wrong = ~((values > -1) & (values < size))  # NaN is wrong too
    if counts is not None:
        wrong &= np.broadcast_to(np.asarray(counts), wrong.shape)
    count = int(np.count_nonzero(wrong))
    if not count:
        return
    got = first_in(values, wrong)
    if values.ndim > 1:
        got += f", at {tuple(int(i) for i in np.argwhere(wrong)[0])}"
    got += f" ({count} of {values.size} are outside)" if values.size > 1 else ""
    rule = f"{what} must be from 0 to {size - 1}"
    raise kind(message(who, rule, got, _fix(values, size, what, size_argument)))


def _fix(values: np.ndarray, size: int, what: str, argument: str) -> str:
    low, high = values.min(), values.max()
    if low == 1 and high == size:
        larger = f" Else pass {argument}={int(high) + 1}." if argument else ""
        return f"{what.capitalize()} that start at 1 need x - 1.{larger}"
    if not low > -1:
        if np.isnan(low):
            return "Replace missing values first."
        return "Padding needs an index of its own: add 1 to all, and let 0 be the padding."
    return f"Pass {argument}={int(high) + 1}, or correct the data." if argument else ""


def outside_as(values: Any, size: int) -> Any:
    """Indices as int32 in which what lies outside is `size`, which fills with NaN when taken."""
    values = jnp.asarray(values)
    if jnp.issubdtype(values.dtype, jnp.floating):
        values = jnp.where((values > -1) & (values < size), values, size)
    values = values.astype("int32")
    return jnp.where(values < 0, size, values)


def without_absent_indices(indices: Any, size: int) -> Any:
    """Indices with 0 for those outside a table of `size` at absent positions; see `Absent`."""
    absent = absent_positions(indices.shape)
    if absent is None:
        return indices
    absent = jnp.expand_dims(absent, tuple(range(absent.ndim, len(indices.shape))))
    outside = ~((indices > -1) & (indices < size))
    return jnp.where(absent & outside, jnp.zeros((), indices.dtype), indices)


def first_in(values: np.ndarray, chosen: np.ndarray) -> str:
    """The first of the chosen values and its row, for messages.

    Example:
        >>> first_in(np.array([4, -1, -2]), np.array([False, True, True]))
        '-1 in row 1'
    """
    place = tuple(np.argwhere(chosen)[0])
    value = values[place]
    text = f"{value}" if values.dtype.kind in "iu" else f"{value:.10g}"
    return text + (f" in row {place[0]}" if place else "")


def fits(values: np.ndarray, dtype: np.dtype) -> bool:
    """Whether an integer dtype holds the values: no NaN, and none beyond its limits.

    Example:
        >>> fits(np.array([1 << 40]), np.dtype("int32")), fits(np.array([1.5]), np.dtype("int32"))
        (False, True)
    """
    if dtype.kind not in "iu" or values.dtype == dtype:
        return True
    if values.dtype.kind not in "iuf" or not values.size:
        return True
    limits = np.iinfo(dtype)
    if values.dtype.kind != "f":
        own = np.iinfo(values.dtype)
        if own.min >= limits.min and own.max <= limits.max:
            return True
    return bool(values.min() >= limits.min and values.max() <= limits.max)


def check_width(who: str, values: np.ndarray, dtype: np.dtype) -> None:
    """Refuse whole numbers of the host that do not fit into the dtype they get on the device.

    Raises:
        DTypeError: One does not fit, named with its row.
    Example:
        >>> check_width("Dense 'd'", np.array([1, 2]), np.dtype("int32"))
    """
    if fits(values, dtype):
        return
    limits = np.iinfo(dtype)
    got = first_in(values, ~((values >= limits.min) & (values <= limits.max)))
    fix = (
        "Convert quantities to float32, subtract an offset from times; map large identifiers with "
        "Hashing, or with IntegerLookup before the model."
    )
    raise DTypeError(
        message(who, f"whole numbers must fit into {dtype}", f"{got}, {values.dtype}", fix)
    )


__all__ = [
    "check_width",
    "first_in",
    "fits",
    "outside_as",
    "refuse_outside",
    "without_absent_indices",
]
