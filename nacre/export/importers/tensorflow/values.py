"""What flows between the nodes of a graph: arrays, lists of tensors, handles.

An array of NumPy is known while a program is traced, so that shapes can be made of it; strings are
arrays of `bytes` objects. An array of JAX is computed, in a compiled program not known before it
runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.tracing import is_tracer
from nacre.core.wire.tensorflow.dtypes import STRING, dtype_of, name_of

_LARGEST = 1 << 33  # bytes of an array whose size a file or an input tells


class NotKnownError(ValueError):
    """A value is needed while a program is traced, and only known when it runs."""


class GraphError(ValueError):
    """A node that cannot be computed: what is wrong, in words."""


@dataclass(eq=False)
class Handle:
    """A variable, a table or another thing that nodes share by its name.

    Attributes:
        kind: `variable`, `table` or `array`.
        key: Name of its array in the checkpoint, where it was restored.
        held: The table, or the elements of an array.
    """

    kind: str
    name: str
    dtype: int = 0
    shape: tuple[int | None, ...] | None = None
    key: str | None = None
    held: Any = None  # Any: of the kind


class Restored(np.ndarray[Any, Any]):
    """An array of a checkpoint, which knows its name there."""

    key: str | None = None


@jax.tree_util.register_pytree_node_class
@dataclass
class TensorList:
    """A list of tensors of one shape, stacked: `TensorListReserve` and its kin.

    Attributes:
        stacked: [size, *element shape]; None before the shape of an element is known.
        size: Of a list whose elements have no shape yet.
        shape: What is known of an element's shape.
        dtype: TensorFlow's number.
    """

    stacked: Any
    size: int
    shape: tuple[int | None, ...] | None
    dtype: int

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return (self.stacked,), (self.size, self.shape, self.dtype)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], parts: tuple[Any, ...]) -> TensorList:
        return cls(parts[0], *static)

    def __len__(self) -> int:
        return self.size if self.stacked is None else int(self.stacked.shape[0])


@dataclass
class Ragged:
    """A ragged tensor within a variant: splits from the outermost on, and flat values."""

    splits: list[Any]
    values: Any


@dataclass
class Table:
    """A lookup table.

    Attributes:
        entries: Keys are `bytes` or whole numbers.
        default: What a key that is not there gives.
    """

    key_dtype: int
    value_dtype: int
    entries: dict[Any, Any] = field(default_factory=dict)
    default: Any = None
    value_shape: tuple[int, ...] = ()


class Dead:
    """What a branch that is not taken gives (`Switch` of TensorFlow 1)."""


DEAD = Dead()


def is_known(value: Any) -> bool:
    """Whether a value is an array of NumPy, known while a program is traced."""
    return isinstance(value, np.ndarray | np.generic)


def numbers(*values: Any) -> Any:
    """The module that computes with these: NumPy where all are known, else `jax.numpy`.

    Any: a module whose functions both have; NumPy's types are of NumPy's arrays alone.
    """
    known = all(is_known(value) or isinstance(value, int | float | bool) for value in values)
    module: ModuleType = np if known else jnp
    return module


def known(value: Any) -> np.ndarray[Any, Any]:
    """The value as an array of NumPy.

    Raises:
        NotKnownError: It is computed by the program that is being traced.
    """
    if is_tracer(value):
        raise NotKnownError(f"a value of shape {value.shape}")
    return np.asarray(value)


def ints(value: Any) -> tuple[int, ...]:
    """Whole numbers that must be known, such as axes."""
    return tuple(int(item) for item in known(value).ravel())


def _sizes(value: Any) -> tuple[Any, ...]:
    """Sizes that must be known, or have names."""
    items = known(value).ravel()
    return tuple(item if jax.export.is_symbolic_dim(item) else int(item) for item in items)


def integer(value: Any) -> int:
    """A whole number that must be known, such as an axis."""
    return int(known(value).reshape(()))


def shape(value: Any, dtype: Any = np.float32) -> tuple[int, ...]:
    """Sizes of an array that is made now: known, and not absurd.

    Raises:
        GraphError: No array has them, or none that fits into memory.
        SerializationError: A file is being opened, and it is out of proportion to that.
    """
    sizes = _sizes(value)
    told = [size for size in sizes if isinstance(size, int)]
    size_bytes = math.prod(told) * np.dtype(dtype).itemsize
    if any(size < 0 for size in told) or size_bytes > _LARGEST:
        raise GraphError(f"an array of shape {sizes} is asked for")
    safety.reserve(size_bytes, "TensorFlow graph")
    return sizes


def fits(sizes: tuple[int | None, ...] | None, value: Any) -> bool:
    """Whether an array has a shape, in which None is any size or any number of them."""
    found = np.shape(value)
    if sizes is None:
        return True
    return len(sizes) == len(found) and all(
        size is None or size == n for size, n in zip(sizes, found, strict=True)
    )


def dtype(number: int) -> np.dtype[Any]:
    """NumPy's dtype for TensorFlow's number.

    Raises:
        GraphError: There is none.
    """
    found = np.dtype(object) if number == STRING else dtype_of(number)
    if found is None:
        raise GraphError(f"values of {name_of(number)}")
    return found


def strings(value: Any) -> np.ndarray[Any, Any]:
    """An array of strings, as `bytes` objects, whatever strings it was made of."""
    array = np.asarray(value)
    if array.dtype.kind in "US" and not isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value, object)  # NumPy's own kind drops zero bytes at their ends
    if array.dtype.kind == "O":
        if all(isinstance(item, bytes) for item in array.flat):
            return array
        items: Iterable[Any] = array.flat
    elif array.dtype.kind in "US":
        items = array.flat
    else:
        raise GraphError(f"strings are needed, not {array.dtype}")
    found = np.empty(array.size, object)
    for index, item in enumerate(items):
        if not isinstance(item, str | bytes):
            raise GraphError(f"strings are needed, not {type(item).__name__}")
        found[index] = item.encode() if isinstance(item, str) else bytes(item)
    return found.reshape(array.shape)


def of_bytes(items: Iterable[bytes], sizes: tuple[int, ...] | None = None) -> np.ndarray[Any, Any]:
    """An array of strings of a shape; by default one axis."""
    found_items = list(items)
    found = np.empty(len(found_items), object)
    found[:] = found_items
    return found if sizes is None else found.reshape(sizes)


__all__ = [
    "DEAD",
    "Dead",
    "GraphError",
    "Handle",
    "NotKnownError",
    "Ragged",
    "Restored",
    "Table",
    "TensorList",
    "dtype",
    "fits",
    "integer",
    "ints",
    "is_known",
    "known",
    "numbers",
    "of_bytes",
    "shape",
    "strings",
]
