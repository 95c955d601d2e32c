"""What flows between the nodes of a graph: arrays, lists of arrays.

An array of NumPy is known while a program is traced, so that shapes can be made of it; one of
objects holds sizes that are symbols, or strings. An array of JAX is computed, in a compiled program
not known before it runs. A sequence is a list, an optional that is empty is `EMPTY`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from nacre.core import safety
from nacre.core.tracing import is_tracer
from nacre.export.importers.wide_work import afresh, note_constant

_LARGEST = 1 << 33  # bytes of an array whose size a file or an input tells


class GraphError(ValueError):
    """A node that cannot be computed: what is wrong, in words."""


class NotKnownError(GraphError):
    """A value is needed while a program is traced, and only known when it runs.

    Attributes:
        node: Which node needs it; '' before that is known.
    """

    node = ""

    def __str__(self) -> str:
        return f"{self.node}: {super().__str__()}" if self.node else super().__str__()


class Empty:
    """An optional without a value."""


EMPTY = Empty()


def is_known(value: Any) -> bool:
    """Whether a value is an array of NumPy, known while a program is traced."""
    return isinstance(value, np.ndarray)


def is_text(value: Any) -> bool:
    """Whether an array holds strings."""
    if not is_known(value) or value.dtype != object:
        return False
    return not value.size or isinstance(value.flat[0], str)


def has_symbols(value: Any) -> bool:
    """Whether an array holds sizes that are symbols."""
    return is_known(value) and value.dtype == object and not is_text(value)


def numbers(*values: Any) -> ModuleType | Any:
    """The module that computes with these: NumPy where all are known, else `jax.numpy`."""
    return np if all(is_known(v) for v in values if v is not None) else jnp


def numbers_of_sizes(sizes: Sequence[Any], *values: Any) -> ModuleType | Any:
    """The module that makes arrays of these sizes out of these: NumPy has no open sizes."""
    return numbers(*values) if all(isinstance(n, int | np.integer) for n in sizes) else jnp


def dtype_of(name: str) -> np.dtype[Any]:
    """NumPy's dtype of a name that ONNX has for one; objects for strings."""
    if name == "string":
        return np.dtype(object)
    found: Any = getattr(ml_dtypes, name, None)
    return np.dtype(name if found is None else found)


def computed(dtype: Any) -> np.dtype[Any]:
    """The dtype in which JAX computes what is of another."""
    return np.dtype(jax.dtypes.canonicalize_dtype(dtype))


def lifted(value: Any) -> Any:
    """A value as an array of JAX.

    Raises:
        GraphError: It holds strings, or whole numbers that 32 bits do not.
    """
    if isinstance(value, list):
        return [lifted(item) for item in value]
    if not is_known(value):
        return value
    if value.dtype == object:
        if is_text(value):
            raise GraphError("strings where numbers are needed")
        parts = [jnp.asarray(size) for size in value.ravel().tolist()]
        return jnp.stack(parts).reshape(value.shape)
    note_constant(value)
    dtype = computed(value.dtype)
    if dtype != value.dtype:
        if value.dtype.kind in "iu" and value.size:
            limits = np.iinfo(dtype)
            if value.min() < limits.min or value.max() > limits.max:
                raise GraphError("constants that need 64 bits, in a model that computes in 32")
        if value.dtype.kind == "f":  # finite numbers stay finite, as in masks
            with np.errstate(over="ignore"):
                narrow = value.astype(dtype)
            largest = np.finfo(dtype).max
            outside = np.isinf(narrow) & np.isfinite(value)
            value = np.where(outside, np.copysign(largest, narrow), narrow)
    return jnp.asarray(afresh(value))


def known(value: Any) -> np.ndarray[Any, Any]:
    """The value as an array of NumPy.

    Raises:
        NotKnownError: It is computed by the program that is being traced.
    """
    if is_tracer(value):
        raise NotKnownError(
            "a value that decides a shape or a branch is only known when the program runs"
        )
    return np.asarray(value)


def ints(value: Any) -> tuple[Any, ...]:
    """Whole numbers that must be known, such as axes; or sizes that are symbols."""
    return tuple(
        int(item) if isinstance(item, int | np.integer | float) else item
        for item in known(value).ravel().tolist()
    )


def integer(value: Any) -> int:
    """A whole number that must be known, such as an axis."""
    found = known(value).ravel()
    if found.size != 1:
        raise GraphError(f"one whole number is needed, {found.size} are given")
    return found.item()


def sizes_array(sizes: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Sizes as a known array, of objects where one of them is a symbol."""
    if all(isinstance(size, int | np.integer) for size in sizes):
        return np.asarray(sizes, np.int64)
    found = np.empty(len(sizes), object)
    found[:] = list(sizes)
    return found


def checked_shape(sizes: Sequence[Any], itemsize: int = 4) -> tuple[Any, ...]:
    """Sizes of an array that is made now: not absurd.

    Raises:
        GraphError: No array has them, or none that fits into memory.
    """
    plain = [size for size in sizes if isinstance(size, int)]
    size_bytes = math.prod(plain) * itemsize
    if any(size < 0 for size in plain) or size_bytes > _LARGEST:
        raise GraphError(f"an array of shape {tuple(map(str, sizes))} is asked for")
    if len(plain) == len(sizes):
        safety.reserve(size_bytes, "ONNX graph")
    return tuple(sizes)


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        GraphError: There is no such axis.
    """
    if not -max(rank, 1) <= axis < max(rank, 1):
        raise GraphError(f"there is no axis {axis} among {rank}")
    return axis % max(rank, 1)


def cast(value: Any, dtype: Any) -> Any:
    """An array in another dtype; JAX's of 32 bits where 64 are not at hand."""
    return value.astype(dtype if is_known(value) else computed(dtype))


__all__ = [
    "EMPTY",
    "Empty",
    "GraphError",
    "NotKnownError",
    "axis_of",
    "cast",
    "checked_shape",
    "computed",
    "dtype_of",
    "has_symbols",
    "integer",
    "ints",
    "is_known",
    "is_text",
    "known",
    "lifted",
    "numbers",
    "numbers_of_sizes",
    "sizes_array",
]
