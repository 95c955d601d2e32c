"""Changing shapes: reshape, transpose, join, split, repeat, pad, roll, sort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import (
    Axis,
    DType,
    Shape,
    Tensor,
    array,
    axes_of,
    dtype_of,
    operand,
    together,
)
from nacre.ops._define import Family
from nacre.ops._padding import REPEATING, pad_repeating

op = Family("numpy")


def _sizes(shape: Shape) -> tuple[Any, ...]:
    """A shape as a tuple; None stands for the one size to be worked out."""
    if isinstance(shape, int) or not hasattr(shape, "__iter__"):
        shape = (shape,)
    return tuple(-1 if size is None else size for size in shape)


@op(masks=masks.reshape)
def reshape(x: Tensor, newshape: Shape) -> jax.Array:
    """The same elements in another shape; one size may be -1.

    Example:
        >>> reshape([[1, 2], [3, 4]], (-1,)).tolist()
        [1, 2, 3, 4]
    """
    return jnp.reshape(array(x), _sizes(newshape))


@op(masks=masks.transpose)
def transpose(x: Tensor, axes: Sequence[int] | None = None) -> jax.Array:
    """The axes in the order `axes`, by default reversed."""
    return jnp.transpose(array(x), axes=axes)


@op(masks=masks.expand_dims)
def expand_dims(x: Tensor, axis: Axis) -> jax.Array:
    """New axes of size 1 at `axis`."""
    return jnp.expand_dims(array(x), cast("int | tuple[int, ...]", axes_of(axis)))


@op(masks=masks.squeeze)
def squeeze(x: Tensor, axis: Axis = None) -> jax.Array:
    """Without the axes of size 1, or without those given."""
    return jnp.squeeze(array(x), axis=axes_of(axis))


@op(masks=masks.FLATTENS)
def ravel(x: Tensor) -> jax.Array:
    """All elements on one axis."""
    return jnp.ravel(array(x))


@op(masks=masks.moveaxis)
def moveaxis(x: Tensor, source: Axis, destination: Axis) -> jax.Array:
    """Axes moved to other places, the others keep their order."""
    before, after = (cast("int | tuple[int, ...]", axes_of(a)) for a in (source, destination))
    return jnp.moveaxis(array(x), before, after)


@op(masks=masks.swapaxes)
def swapaxes(x: Tensor, axis1: int, axis2: int) -> jax.Array:
    """Two axes exchanged."""
    return jnp.swapaxes(array(x), axis1, axis2)


@op(masks=masks.elementwise)
def broadcast_to(x: Tensor, shape: Shape) -> jax.Array:
    """Repeated, without copying, to `shape`."""
    return jnp.broadcast_to(array(x), tuple(shape))


@op(masks=masks.concatenate)
def concatenate(xs: Sequence[Tensor], axis: int = 0) -> jax.Array:
    """Tensors joined along an axis they have.

    Example:
        >>> concatenate([[1, 2], [3]]).tolist()
        [1, 2, 3]
    """
    return jnp.concatenate([array(x) for x in xs], axis=axis)


@op(masks=masks.stack)
def stack(x: Sequence[Tensor], axis: int = 0) -> jax.Array:
    """Tensors of one shape joined along a new axis."""
    return jnp.stack([array(item) for item in x], axis=axis)


@op(masks=masks.concatenated_along(1))
def hstack(xs: Sequence[Tensor]) -> jax.Array:
    """Joined along the second axis (the first of vectors)."""
    return jnp.hstack([array(x) for x in xs])


@op(masks=masks.concatenated_along(0))
def vstack(xs: Sequence[Tensor]) -> jax.Array:
    """Joined along the first axis; vectors become rows."""
    return jnp.vstack([array(x) for x in xs])


@op(masks=masks.concatenated_along(2))
def dstack(xs: Sequence[Tensor]) -> jax.Array:
    """Joined along the third axis."""
    return jnp.dstack([array(x) for x in xs])


@op(masks=masks.concatenate)
def append(x1: Tensor, x2: Tensor, axis: int | None = None) -> jax.Array:
    """`x2` after `x1` along `axis` (both flat for None)."""
    return jnp.append(*together(x1, x2), axis=axis)


@op(keras="core", masks=masks.unstack)
def unstack(x: Tensor, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """The slices along `axis`, as a list."""
    x = array(x)
    count = x.shape[axis] if num is None else num
    if jax.export.is_symbolic_dim(count):
        raise ArgumentError(
            message("unstack", "the size of the axis must be known", f"axis {axis} of None",
                    "Pass num=.")
        )  # fmt: skip
    return [jax.lax.index_in_dim(x, i, axis, keepdims=False) for i in range(count)]


def _sections(indices_or_sections: Any) -> Any:
    if isinstance(indices_or_sections, int | np.integer):
        safety.reserve_steps(int(indices_or_sections), "split")
        return int(indices_or_sections)
    return tuple(int(i) for i in indices_or_sections)


@op(masks=masks.split_along())
def split(x: Tensor, indices_or_sections: Any, axis: int = 0) -> list[jax.Array]:
    """Parts along `axis`: so many equal ones, or cut at the indices."""
    return list(jnp.split(array(x), _sections(indices_or_sections), axis=axis))


@op(masks=masks.split_along())
def array_split(x: Tensor, indices_or_sections: Any, axis: int = 0) -> list[jax.Array]:
    """Parts along `axis`; they need not be equal."""
    return list(jnp.array_split(array(x), _sections(indices_or_sections), axis=axis))


@op(masks=masks.split_along(1))
def hsplit(x: Tensor, indices_or_sections: Any) -> list[jax.Array]:
    """Parts along the second axis (the first of vectors)."""
    return list(jnp.hsplit(array(x), _sections(indices_or_sections)))


@op(masks=masks.split_along(0))
def vsplit(x: Tensor, indices_or_sections: Any) -> list[jax.Array]:
    """Parts along the first axis."""
    return list(jnp.vsplit(array(x), _sections(indices_or_sections)))


@op(masks=masks.split_along(2))
def dsplit(x: Tensor, indices_or_sections: Any) -> list[jax.Array]:
    """Parts along the third axis."""
    return list(jnp.dsplit(array(x), _sections(indices_or_sections)))


@op(masks=masks.moved_by(jnp.repeat, "repeats"))
def repeat(x: Tensor, repeats: Any, axis: int | None = None) -> jax.Array:
    """Each element repeated in place, `repeats` times."""
    if isinstance(repeats, list | tuple):
        repeats = np.asarray(repeats)
    return jnp.repeat(array(x), repeats, axis=axis)


@op(masks=masks.tile)
def tile(x: Tensor, repeats: Any) -> jax.Array:
    """The whole repeated along each axis."""
    return jnp.tile(array(x), repeats)


@op(masks=masks.flip)
def flip(x: Tensor, axis: Axis = None) -> jax.Array:
    """The order along `axis` reversed."""
    return jnp.flip(array(x), axis=axes_of(axis))


@op(masks=masks.flipped_along(1))
def fliplr(x: Tensor) -> jax.Array:
    """The second axis reversed."""
    return jnp.fliplr(array(x))


@op(masks=masks.flipped_along(0))
def flipud(x: Tensor) -> jax.Array:
    """The first axis reversed."""
    return jnp.flipud(array(x))


@op(masks=masks.POSITIONS_CHANGE)
def rot90(array: Tensor, k: int = 1, axes: tuple[int, int] = (0, 1)) -> jax.Array:
    """Turned by `k` quarter turns in the plane of `axes`, from the first to the second."""
    first, second = axes
    return jnp.rot90(jnp.asarray(operand(array)), k=k, axes=(first, second))


@op(masks=masks.moved_by(jnp.roll, "shift"))
def roll(x: Tensor, shift: Any, axis: Axis = None) -> jax.Array:
    """Moved along `axis`; what leaves at the end comes in at the start."""
    return jnp.roll(array(x), shift, axis=axes_of(axis))


@op(composite=True, masks=masks.pad)
def pad(
    x: Tensor, pad_width: Any, mode: str = "constant", constant_values: Tensor = None
) -> jax.Array:
    """More elements before and after along each axis.

    Args:
        pad_width: (before, after) per axis, one such pair for all, or one int.
        mode: 'constant', 'reflect', 'symmetric', 'edge', 'wrap' and the other modes of NumPy.
        constant_values: The value for 'constant', 0 by default.
    """
    if isinstance(pad_width, list):
        pad_width = tuple(tuple(p) if isinstance(p, list) else p for p in pad_width)
    if constant_values is None:
        # Reflections are written out, as often as the array is shorter than what is added.
        safety.reserve_steps(int(np.max(np.asarray(pad_width, "int64"), initial=0)) // 8, "pad")
        if mode in REPEATING:
            return pad_repeating(array(x), pad_width, mode)
        return jnp.pad(array(x), pad_width, mode=mode)
    return jnp.pad(array(x), pad_width, mode=mode, constant_values=operand(constant_values))


@op(composite=True, masks=masks.along())
def sort(x: Tensor, axis: int | None = -1) -> jax.Array:
    """In rising order along `axis`."""
    return jnp.sort(array(x), axis=axis)


@op(composite=True, masks=masks.along())
def argsort(x: Tensor, axis: int | None = -1) -> jax.Array:
    """The indices that would sort along `axis`."""
    return jnp.argsort(array(x), axis=axis).astype("int32")


@op(masks=masks.along())
def argpartition(x: Tensor, kth: int, axis: int | None = -1) -> jax.Array:
    """Indices that bring the element of rank `kth` to its place, smaller ones before it."""
    x = array(x)
    return jnp.argpartition(x, kth, axis=-1 if axis is None else axis).astype("int32")


@op(masks=masks.along())
def diff(a: Tensor, n: int = 1, axis: int = -1) -> jax.Array:
    """Differences of neighbours along `axis`, taken `n` times."""
    safety.reserve_steps(n, "diff")
    return jnp.diff(array(a), n=n, axis=axis)


@op(masks=masks.ON_MATRICES)
def diag(x: Tensor, k: int = 0) -> jax.Array:
    """A matrix with `x` on its k-th diagonal, or the k-th diagonal of a matrix."""
    return jnp.diag(array(x), k=k)


@op(masks=masks.ON_MATRICES)
def diagflat(x: Tensor, k: int = 0) -> jax.Array:
    """A matrix with all elements of `x` on its k-th diagonal."""
    return jnp.diagflat(array(x), k=k)


@op(masks=masks.ON_MATRICES)
def diagonal(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """The diagonals in the plane of two axes."""
    return jnp.diagonal(array(x), offset, axis1, axis2)


@op(masks=masks.POSITIONS_CHANGE)
def tril(x: Tensor, k: int = 0) -> jax.Array:
    """Zeros above the k-th diagonal."""
    return jnp.tril(array(x), k=k)


@op(masks=masks.POSITIONS_CHANGE)
def triu(x: Tensor, k: int = 0) -> jax.Array:
    """Zeros below the k-th diagonal."""
    return jnp.triu(array(x), k=k)


@op(masks=masks.FLATTENS)
def unravel_index(indices: Tensor, shape: Shape) -> tuple[jax.Array, ...]:
    """The place in each axis of flat indices into an array of `shape`."""
    return tuple(jnp.unravel_index(array(indices), tuple(shape)))


def _unique_shapes(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    if size is not None:
        return None
    shape: tuple[int | None, ...] = (None,)
    inverse = x.shape
    if axis is not None:
        at = axis % x.ndim
        shape, inverse = (*x.shape[:at], None, *x.shape[at + 1 :]), (x.shape[at],)
    outputs = [KerasTensor(shape, x.dtype)]
    outputs += [KerasTensor((None,), "int32")] if return_index else []
    outputs += [KerasTensor(inverse, "int32")] if return_inverse else []
    outputs += [KerasTensor((None,), "int32")] if return_counts else []
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


@op(shape_rule=_unique_shapes, masks=masks.FLATTENS)
def unique(
    x: Tensor,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different elements in rising order.

    Inside a traced function `size` must be given: the result is cut or filled to it.
    """
    return jnp.unique(
        array(x),
        return_index=return_index,
        return_inverse=return_inverse,
        return_counts=return_counts,
        axis=axis,
        size=size,
        fill_value=fill_value,
    )


@op(masks=masks.elementwise)
def copy(x: Tensor) -> jax.Array:
    """A copy."""
    return jnp.array(array(x), copy=True)


@op(masks=masks.elementwise)
def view(x: Tensor, dtype: DType = None) -> jax.Array:
    """The same bytes read as another dtype."""
    return array(x).view(dtype_of(dtype))


@op(name="size", masks=masks.FLATTENS)
def _size(x: Tensor) -> jax.Array:
    return jnp.asarray(array(x).size, "int32")


@op.function
def size(x: Tensor) -> Any:
    """The number of elements; a symbolic tensor itself where a size is not known."""
    if isinstance(x, KerasTensor) and x.size is None:
        return _size(x)
    return x.size if hasattr(x, "size") and not callable(x.size) else array(x).size


@op.function
def ndim(x: Tensor) -> int:
    """The number of axes."""
    return x.ndim if hasattr(x, "ndim") else array(x).ndim


__all__, __dir__ = op.shown()
