"""Choosing elements by index, condition or rank, and writing to places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ArgumentError, DTypeError, message
from nacre.core.indices import outside_as
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import DType, Shape, Tensor, array, operands
from nacre.ops._define import Family, composite

op = Family("numpy")


@op(name="get_item", tensors=("x", "key"), class_name="GetItem", masks=masks.get_item)
def _get_item(x: Tensor, key: Any) -> jax.Array:
    return array(x)[_plain_key(key)]


@op.function(calls=_get_item)
def get_item(x: Tensor, key: Any) -> jax.Array:
    """`x[key]`."""
    # In a config a tuple is a list, so a list that picks several entries stands in a tuple there.
    return _get_item(x, (key,) if isinstance(key, list) else key)


def _plain_key(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(_plain_key(part) for part in key)
    if isinstance(key, list):
        return array(key)
    return key.value if isinstance(key, Variable) else key


@op(composite=True, masks=masks.take)
def take(x: Tensor, indices: Tensor, axis: int | None = None) -> jax.Array:
    """The elements at `indices` along `axis`; negative indices count from the end."""
    x, indices = array(x), _whole_index("take", indices)
    if jnp.iinfo(indices.dtype).bits < 32 or jnp.issubdtype(indices.dtype, jnp.unsignedinteger):
        indices = indices.astype("int32")  # no size above 255 fits into a uint8
    # Two turns of a negative index would make a place of one that is out of range.
    size = x.size if axis is None else x.shape[axis]
    indices = jnp.where((indices < 0) & (indices >= -size), indices + size, indices)
    indices = jnp.where(indices < 0, size, indices)
    return jnp.take(x, indices, axis=axis)


@op(composite=True, masks=masks.along())
def take_along_axis(x: Tensor, indices: Tensor, axis: int | None = None) -> jax.Array:
    """The elements at `indices`, which have the shape of `x` but along `axis`."""
    return jnp.take_along_axis(array(x), _whole_index("take_along_axis", indices), axis=axis)


def _whole_index(who: str, indices: Tensor) -> jax.Array:
    """Indices that are whole numbers; an empty list is none at all."""
    indices = array(indices)
    if jnp.issubdtype(indices.dtype, jnp.floating) and indices.size:
        raise DTypeError(
            message(
                who,
                "indices must be whole numbers",
                f"dtype {indices.dtype}",
                "Pass cast(indices, 'int32'), which drops the fractions.",
            )
        )
    return _index(indices)


def _index(indices: Tensor) -> jax.Array:
    indices = array(indices)
    return indices if jnp.issubdtype(indices.dtype, jnp.integer) else indices.astype("int32")


@op(composite=True, masks=masks.of("indices"), is_listed=False)
def embed(table: Tensor, indices: Tensor) -> jax.Array:
    """The rows of `table` at `indices`; NaN for an index outside it, negative ones included.

    Shapes:
        table    (vocab, features)
        indices  any shape; floats are cut to ints
        returns  (*indices.shape, features)
    """
    table = array(table)
    return jnp.take(table, outside_as(array(indices), table.shape[0]), axis=0, mode="fill")


def _place_shapes(x: Any) -> tuple[KerasTensor, ...]:
    """One index a place and axis; how many places there are, values alone tell."""
    return tuple(KerasTensor((None,), "int32") for _ in x.shape)


def _where_shapes(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    return _place_shapes(condition) if x1 is None and x2 is None else None


@op(masks=masks.elementwise, shape_rule=_where_shapes)
def where(condition: Tensor, x1: Tensor = None, x2: Tensor = None) -> Any:
    """`x1` where the condition holds, else `x2`; with a condition alone, where it holds."""
    condition = array(condition)
    if (x1 is None) != (x2 is None):
        raise ArgumentError(
            message("where", "x1 and x2 must both be given or both be left out", "one of them")
        )
    if x1 is None:
        return tuple(i.astype("int32") for i in jnp.nonzero(condition))
    if condition.dtype != bool:
        condition = condition != 0
    return jnp.where(condition, *operands(x1, x2))


@op(masks=masks.FLATTENS, shape_rule=_place_shapes)
def nonzero(x: Tensor) -> tuple[jax.Array, ...]:
    """The indices, per axis, of elements that are not zero (not inside a traced function)."""
    return tuple(i.astype("int32") for i in jnp.nonzero(array(x)))


@op(masks=masks.elementwise)
def select(condlist: Sequence[Tensor], choicelist: Sequence[Tensor], default: Tensor = 0) -> Any:
    """From the first choice whose condition holds, element by element."""
    conditions = [array(c) for c in condlist]
    *choices, otherwise = operands(*choicelist, default)
    return jnp.select(conditions, [array(c) for c in choices], default=otherwise)


@op(keras="math", masks=masks.last_axis)
def top_k(x: Tensor, k: int, sorted: bool = True) -> tuple[jax.Array, jax.Array]:
    """The `k` largest elements of the last axis and their indices, largest first."""
    values, indices = _top_k(array(x), k=k)
    return values, indices


@composite(name="top_k")
def _top_k(x: Tensor, k: int) -> tuple[jax.Array, jax.Array]:
    values, indices = jax.lax.top_k(array(x), k)
    return values, indices.astype("int32")


@op(keras="core", masks=masks.FLATTENS)
def scatter(indices: Tensor, values: Tensor, shape: Shape) -> jax.Array:
    """Zeros of `shape` with `values` added at `indices` (last axis: one index per axis)."""
    indices, values = array(indices), array(values)
    zeros = jnp.zeros(tuple(shape), values.dtype)
    return zeros.at[tuple(jnp.moveaxis(indices, -1, 0))].add(values)


_REDUCTIONS = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}


@op(keras="core", masks=masks.of("inputs"))
def scatter_update(
    inputs: Tensor, indices: Tensor, updates: Tensor, reduction: str | None = None
) -> jax.Array:
    """`inputs` with `updates` written at `indices` (last axis: one index per axis).

    Args:
        reduction: None writes; 'add', 'max', 'min' and 'mul' join the old value with the new.
    """
    inputs, indices = array(inputs), array(indices)
    if reduction not in _REDUCTIONS:
        raise ArgumentError(
            message(
                "scatter_update", f"reduction must be one of {list(_REDUCTIONS)}", repr(reduction)
            )
        )
    places = inputs.at[tuple(jnp.moveaxis(indices, -1, 0))]
    return getattr(places, _REDUCTIONS[reduction])(array(updates).astype(inputs.dtype))


@op(keras="core", masks=masks.slice_block)
def slice(inputs: Tensor, start_indices: Tensor, shape: Shape) -> jax.Array:
    """The block of `shape` that begins at `start_indices`; -1 is all that is left of an axis."""
    inputs, sizes = array(inputs), tuple(shape)
    if any(isinstance(size, int) and size == -1 for size in sizes):
        begins = [int(start) for start in start_indices]
        sizes = tuple(
            left - begin if size == -1 else size
            for size, left, begin in zip(sizes, inputs.shape, begins, strict=True)
        )
    return jax.lax.dynamic_slice(inputs, _starts(start_indices), sizes)


@op(keras="core", masks=masks.of("inputs"))
def slice_update(inputs: Tensor, start_indices: Tensor, updates: Tensor) -> jax.Array:
    """`inputs` with the block `updates` written from `start_indices` on."""
    inputs = array(inputs)
    updates = array(updates).astype(inputs.dtype)
    return jax.lax.dynamic_update_slice(inputs, updates, _starts(start_indices))


def _starts(start_indices: Any) -> tuple[Any, ...]:
    """Start indices as a tuple of scalars."""
    if isinstance(start_indices, list | tuple):
        return tuple(array(i) for i in start_indices)
    return tuple(array(start_indices))


@op(keras="nn", masks=masks.one_hot)
def one_hot(
    x: Tensor, num_classes: int, axis: int = -1, dtype: DType = None, sparse: bool = False
) -> jax.Array:
    """1 at the class and 0 elsewhere, along a new axis; all 0 for a class out of range.

    Example:
        >>> one_hot([0, 2], 3).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return _one_hot(x, num_classes=int(num_classes), axis=axis, dtype=_name(dtype))


@composite(name="one_hot")
def _one_hot(x: Tensor, num_classes: int, axis: int, dtype: str) -> jax.Array:
    x = _index(x)
    if axis in (-1, x.ndim):
        classes = jnp.arange(num_classes, dtype=x.dtype)
        return (x[..., None] == classes).astype(dtype)
    return jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtype)


@op(keras="nn", masks=masks.FLATTENS)
def multi_hot(
    inputs: Tensor,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DType = None,
    sparse: bool = False,
    **kwargs: Any,
) -> jax.Array:
    """1 at every class that occurs along the last axis of `inputs`, 0 elsewhere."""
    num_classes = kwargs.pop("num_tokens", num_classes)
    if num_classes is None:
        raise ArgumentError(message("multi_hot", "num_classes must be given", "None"))
    return _multi_hot(inputs, num_classes=int(num_classes), axis=axis, dtype=_name(dtype))


@composite(name="multi_hot")
def _multi_hot(inputs: Tensor, num_classes: int, axis: int, dtype: str) -> jax.Array:
    x = _index(inputs)
    reduced = 1 if x.ndim >= 2 else 0
    hot = jax.nn.one_hot(x, num_classes, axis=axis, dtype=dtype)
    return jnp.max(hot, axis=reduced)


def _name(dtype: DType) -> str:
    return standardize_dtype(dtype)


__all__, __dir__ = op.shown()
