"""Indices into a table: one rule for what lies outside it, told by row and value.

In embeddings, encodings and labels an index below 0 or beyond the table is an error where its value
is on the host, and NaN where it is traced. (`take` and `gather` wrap negative ones as NumPy does;
`one_hot` gives zeros.)
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import DataError, DTypeError, NacreError, message
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
    places = np.argwhere(wrong)
    if not len(places):
        return
    place = tuple(int(i) for i in places[0])
    got = f"{values[place]:.10g}" + (f" in row {place[0]}" if place else "")
    got += f", at {place}" if len(place) > 1 else ""
    got += f" ({len(places)} of {values.size} are outside)" if values.size > 1 else ""
    rule = f"{what} must be from 0 to {size - 1}"
    raise kind(message(who, rule, got, _fix(values, wrong, size, what, size_argument)))


def _fix(values: np.ndarray, wrong: np.ndarray, size: int, what: str, argument: str) -> str:
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


def check_width(who: str, values: np.ndarray, dtype: np.dtype) -> None:
    """Refuse whole numbers of the host that do not fit into the dtype they get on the device.

    Raises:
        DTypeError: One does not fit, named with its row.
    Example:
        >>> check_width("Dense 'd'", np.array([1, 2]), np.dtype("int32"))
    """
    if values.dtype.kind not in "iu" or dtype.kind not in "iu":
        return
    if values.dtype.itemsize <= dtype.itemsize or values.size == 0:
        return
    limits = np.iinfo(dtype)
    if values.min() >= limits.min and values.max() <= limits.max:
        return
    places = np.argwhere((values < limits.min) | (values > limits.max))
    place = tuple(int(i) for i in places[0])
    got = f"{values[place]}" + (f" in row {place[0]}" if place else "") + f", {values.dtype}"
    fix = (
        "Convert quantities to float32, subtract an offset from times; map large identifiers with "
        "Hashing, or with IntegerLookup before the model."
    )
    raise DTypeError(message(who, f"whole numbers must fit into {dtype}", got, fix))


__all__ = ["check_width", "outside_as", "refuse_outside"]
