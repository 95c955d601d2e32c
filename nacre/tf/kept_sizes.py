"""Functions of sizes that are symbols, whose results are sizes: `tf.cast(tf.shape(x)[0], "int64")`.

What is computed by a program is no size of a tensor in it. So sums, products and lists of sizes are
made where they are written, and stay sizes.
"""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.export
import numpy as np

from nacre.core.symbolic import KerasTensor
from nacre.tf.dtypes import as_dtype
from nacre.tf.sizes import Sizes

NOT_KEPT = object()  # what is computed by the program


def kept_sizes(path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a function makes of sizes, as sizes; `NOT_KEPT` where it is none.

    Args:
        path: The function, one of `KEEPING`.
        args, kwargs: Its arguments.
    """
    options = {key: value for key, value in kwargs.items() if key != "name"}
    try:
        return _FUNCTIONS[path](*args, **options)
    except TypeError:  # other arguments, which the function itself is asked for
        return NOT_KEPT


# Nodes of a model that is described, by the sizes that they give when it runs.
_SIZES: dict[int, Any] = {}  # by the tensor's id: `==` of symbolic tensors is a node


def standing_for(sizes: Any, tensor: KerasTensor) -> KerasTensor:
    """The tensor, remembered as one that gives these sizes."""
    _SIZES[id(tensor)] = sizes
    weakref.finalize(tensor, _SIZES.pop, id(tensor), None)
    return tensor


def with_sizes(value: Any) -> Any:
    """Arguments in which sizes stand for the tensors that give them."""
    if isinstance(value, KerasTensor):
        return _SIZES.get(id(value), value)
    if type(value) in (list, tuple):
        return type(value)(map(with_sizes, value))
    if type(value) is dict:
        return {key: with_sizes(item) for key, item in value.items()}
    return value


def _number(value: Any) -> Any:
    """A size or a whole number of Python's, None for all else."""
    if jax.export.is_symbolic_dim(value):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.ndim == 0 and value.dtype.kind in "iu":
        return int(value)
    return value if type(value) is int else None


def _row(values: Any) -> list[Any] | None:
    """Sizes and numbers side by side, None for all else."""
    if isinstance(values, np.ndarray) and (values.ndim != 1 or values.dtype.kind not in "iu"):
        return None
    if not isinstance(values, list | tuple | np.ndarray):
        return None
    found = [_number(value) for value in values]
    return None if any(n is None for n in found) else found


def _are_open(values: list[Any]) -> bool:
    return any(map(jax.export.is_symbolic_dim, values))


def _same(value: Any, dtype: Any = None, dtype_hint: Any = None) -> Any:
    if dtype is not None and as_dtype(dtype).name not in ("int32", "int64"):
        return NOT_KEPT
    if jax.export.is_symbolic_dim(value):
        return value
    return _stacked(value)


def _of_two(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def call(x: Any, y: Any) -> Any:
        pair = _row([x, y])
        return function(*pair) if pair and _are_open(pair) else NOT_KEPT

    return call


def _stacked(values: Any, axis: Any = 0) -> Any:
    row = _row(values) if axis in (0, -1) else None
    return Sizes(row) if row and _are_open(row) else NOT_KEPT


def _joined(values: Any, axis: Any) -> Any:
    if axis not in (0, -1) or not isinstance(values, list | tuple):
        return NOT_KEPT
    flat: list[Any] = []
    for value in values:
        if (row := _row(value)) is None:
            return NOT_KEPT
        flat += row
    return Sizes(flat) if _are_open(flat) else NOT_KEPT


def _parts(value: Any, num: Any = None, axis: Any = 0) -> Any:
    row = _row(value) if axis in (0, -1) and num in (None, len(value)) else None
    return row if row and _are_open(row) else NOT_KEPT


def _product(input_tensor: Any, axis: Any = None, keepdims: Any = False) -> Any:
    row = _row(input_tensor) if axis in (None, 0, -1) and not keepdims else None
    return math.prod(row) if row and _are_open(row) else NOT_KEPT


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "tf.cast": _same, "tf.convert_to_tensor": _same, "tf.identity": _same,
    "tf.math.add": _of_two(operator.add), "tf.math.subtract": _of_two(operator.sub),
    "tf.math.multiply": _of_two(operator.mul), "tf.math.floordiv": _of_two(operator.floordiv),
    "tf.math.floormod": _of_two(operator.mod), "tf.math.mod": _of_two(operator.mod),
    "tf.math.maximum": _of_two(jax.core.max_dim), "tf.math.minimum": _of_two(jax.core.min_dim),
    "tf.stack": _stacked, "tf.concat": _joined, "tf.unstack": _parts,
    "tf.math.reduce_prod": _product,
}  # fmt: skip
KEEPING = frozenset(_FUNCTIONS)

__all__ = ["KEEPING", "NOT_KEPT", "kept_sizes"]
