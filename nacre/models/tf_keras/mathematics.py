"""Functions of `tf.keras.backend` that compute element by element, reduce and reshape.

Each takes arrays or symbolic tensors and does what tf.keras 2.15 does under its name; where the
function of Keras 3 of that name differs, `nacre.ops` has that one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre import ops
from nacre.core import config
from nacre.core.errors import ArgumentError, ShapeError, message


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> Any:
    """Numbers from `start` to below `stop`, or from 0 to below `start`."""
    return ops.arange(start, stop, step, dtype)


def argmax(x: Any, axis: int = -1) -> Any:
    """Where the largest entry along an axis is."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Where the smallest entry along an axis is."""
    return ops.argmin(x, axis)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """The products of the samples of two batches, summed over one axis of each.

    Args:
        x, y: (batch, ...).
        axes: The axis of each, or one for both; by default the last of `x` and the last but one of
            `y`, the last where it has two.

    Example:
        >>> batch_dot(np.ones((2, 3, 4)), np.ones((2, 4, 5))).shape
        (2, 3, 5)
        >>> batch_dot(np.ones((2, 4)), np.ones((2, 4)), axes=1).shape
        (2, 1)
    """
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    x_rank, y_rank = len(x.shape), len(y.shape)
    if x_rank < 2 or y_rank < 2:
        rule = "both must have a batch axis and one more"
        raise ShapeError(message("batch_dot", rule, f"shapes {x.shape} and {y.shape}"))
    if axes is None:
        axes = (x_rank - 1, max(y_rank - 2, 1))
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % x_rank, second % y_rank
    if not first or not second:
        rule = "axes must not be the batch axis"
        raise ArgumentError(message("batch_dot", rule, f"{axes}"))
    x_letters = ["a", *(chr(ord("b") + i) for i in range(x_rank - 1))]
    y_letters = ["a", *(chr(ord("n") + i) for i in range(y_rank - 1))]
    y_letters[second] = x_letters[first]
    kept = [c for i, c in enumerate(x_letters) if i != first]
    kept += [c for i, c in enumerate(y_letters) if i not in (0, second)]
    found = ops.einsum(f"{''.join(x_letters)},{''.join(y_letters)}->{''.join(kept)}", x, y)
    return found if len(kept) > 1 else ops.expand_dims(found, 1)


def batch_flatten(x: Any) -> Any:
    """Each sample as one row: (batch, ...) becomes (batch, entries)."""
    x = ops.convert_to_tensor(x)
    return ops.reshape(x, (-1, math.prod(x.shape[1:])))


def cast_to_floatx(x: Any) -> Any:
    """An array in the default float dtype, in NumPy; symbolic tensors stay symbolic."""
    if ops.is_tensor(x):
        return ops.cast(x, config.floatx())
    return np.asarray(x, dtype=config.floatx())


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Entries between two bounds, None for no bound."""
    x = ops.convert_to_tensor(x)
    x = x if min_value is None else ops.maximum(x, ops.cast(min_value, x.dtype))
    if max_value is None:
        return x
    bound = max_value if min_value is None else ops.maximum(max_value, min_value)
    return ops.minimum(x, ops.cast(bound, x.dtype))


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Any:
    """Tensors one after the other."""
    return ops.concatenate(tensors, axis)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """A tensor, of `shape` filled with `value` where one is given; floats in `floatx()`."""
    found = np.asarray(value, dtype or config.floatx())
    return ops.convert_to_tensor(found if shape is None else np.broadcast_to(found, shape))


def count_params(x: Any) -> int:
    """The number of entries."""
    return math.prod(x.shape)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Products of all entries up to each along an axis."""
    return ops.cumprod(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Sums of all entries up to each along an axis."""
    return ops.cumsum(x, axis)


def dot(x: Any, y: Any) -> Any:
    """The product of matrices: the last axis of `x` with the last but one of `y`."""
    return ops.dot(x, y)


def equal(x: Any, y: Any) -> Any:
    """Whether entries are equal."""
    return ops.equal(x, y)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A further axis of size 1."""
    return ops.expand_dims(x, axis)


def eye(size: Any, dtype: Any = None, name: str | None = None) -> Any:
    """The identity matrix of a size, or of two."""
    rows, columns = (size, size) if isinstance(size, int) else size
    return ops.eye(rows, columns, dtype=dtype or config.floatx())


def flatten(x: Any) -> Any:
    """All entries in one row, the batch too; `batch_flatten` keeps it."""
    return ops.reshape(x, (-1,))


def gather(reference: Any, indices: Any) -> Any:
    """The entries of the first axis at some indices."""
    return ops.take(reference, indices, axis=0)


def greater(x: Any, y: Any) -> Any:
    """Whether entries of `x` are larger."""
    return ops.greater(x, y)


def greater_equal(x: Any, y: Any) -> Any:
    """Whether entries of `x` are larger or equal."""
    return ops.greater_equal(x, y)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The sizes, None where not known."""
    return tuple(np.shape(x) if not hasattr(x, "shape") else x.shape)


def is_sparse(tensor: Any) -> bool:
    """False: tensors are dense here."""
    return False


def less(x: Any, y: Any) -> Any:
    """Whether entries of `x` are smaller."""
    return ops.less(x, y)


def less_equal(x: Any, y: Any) -> Any:
    """Whether entries of `x` are smaller or equal."""
    return ops.less_equal(x, y)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, entry by entry."""
    return ops.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, entry by entry."""
    return ops.minimum(x, y)


def not_equal(x: Any, y: Any) -> Any:
    """Whether entries differ."""
    return ops.not_equal(x, y)


def one_hot(indices: Any, num_classes: int) -> Any:
    """Class indices as vectors with a one at the class; zeros for one that is not there."""
    return ops.one_hot(indices, num_classes)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A tensor of ones; tf.keras makes a variable, for which `variable(ones(...))` is."""
    return ops.ones(shape, dtype or config.floatx())


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of a tensor's shape."""
    return ops.ones_like(x, dtype)


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """The axes in another order."""
    return ops.transpose(x, pattern)


def pow(x: Any, a: Any) -> Any:
    """Entries to the power of `a`."""
    return ops.power(x, a)


def repeat(x: Any, n: int) -> Any:
    """Each row n times: (batch, features) becomes (batch, n, features)."""
    return ops.tile(ops.expand_dims(x, 1), (1, n, 1))


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each entry of an axis `rep` times after the other."""
    return ops.repeat(x, rep, axis)


def reshape(x: Any, shape: Any) -> Any:
    """The same entries in another shape."""
    return ops.reshape(x, shape)


def reverse(x: Any, axes: Any) -> Any:
    """The entries of axes in reverse order."""
    return ops.flip(x, axes)


def sqrt(x: Any) -> Any:
    """Square roots; negative entries count as 0, as in tf.keras 2."""
    x = ops.convert_to_tensor(x)
    return ops.sqrt(ops.maximum(x, ops.zeros_like(x)))


def squeeze(x: Any, axis: int) -> Any:
    """Without an axis of size 1."""
    return ops.squeeze(x, axis)


def tile(x: Any, n: Any) -> Any:
    """A tensor several times side by side."""
    return ops.tile(x, n)


def to_dense(tensor: Any) -> Any:
    """The tensor itself: tensors are dense here."""
    return tensor


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A tensor of zeros; tf.keras makes a variable, for which `variable(zeros(...))` is."""
    return ops.zeros(shape, dtype or config.floatx())


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of a tensor's shape."""
    return ops.zeros_like(x, dtype)
