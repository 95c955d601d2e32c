"""`tf.SparseTensor`, `tf.sparse` and `tf.sets`: tensors that are mostly zeros, on the host."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, TracedValueError, message
from nacre.core.tracing import is_tracer
from nacre.data import HostTensor, Ragged
from nacre.data.dataset.sparse import SparseEntries
from nacre.data.dataset.spec import SparseSpec
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.shapes import TensorShape
from nacre.tf.sizes import plain
from nacre.tf.values import are_wide, landed, tensor


class SparseTensor(SparseEntries):
    """A tensor by the places and values of what is not zero.

    Where things are is known on the host; values may be computed by a compiled function.

    Args:
        indices: Places, (count, rank).
        values: Their values, (count,).
        dense_shape: The shape.

    Raises:
        ShapeError: These do not fit one another.
    Source:
        TensorFlow 2.15, tf.sparse.SparseTensor. Differs: places outside of the shape are refused
        at once.
    Example:
        >>> import nacre.tf as tf
        >>> x = SparseTensor([[0, 1], [1, 0]], [5.0, 7.0], [2, 2])
        >>> np.asarray(to_dense(x)).tolist()
        [[0.0, 5.0], [7.0, 0.0]]
    """

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        if is_tracer(indices):
            raise TracedValueError(
                message(
                    "tf.SparseTensor",
                    "places must be known when a function is compiled",
                    f"a traced tensor of shape {tuple(indices.shape)}",
                    "Make it outside, or work with dense tensors.",
                )
            )
        sizes = [int(n) for n in plain(dense_shape)]
        places = np.asarray(tensor(indices), np.int64)
        places = (
            places.reshape(len(places), len(sizes))
            if places.size or not sizes
            else (np.zeros((0, len(sizes)), np.int64))
        )
        self.values = tensor(values)
        if self.values.ndim != 1 or len(places) != self.values.shape[0]:
            rule = "there must be one value for each place"
            got = f"{len(places)} places, values of shape {tuple(self.values.shape)}"
            raise ShapeError(message("tf.SparseTensor", rule, got))
        outside = (places < 0) | (places >= np.asarray(sizes, np.int64))
        if outside.any():
            rule = f"places must lie within the shape {tuple(sizes)}"
            got = str(tuple(places[outside.any(1)][0].tolist()))
            raise ShapeError(message("tf.SparseTensor", rule, got))
        self.indices, self.dense_shape = landed(places), landed(np.asarray(sizes, np.int64))
        self._by_row = None

    @property
    def op(self) -> Any:
        """None: there are no graphs."""
        return None

    def consumers(self) -> list[Any]:
        """None: there are no graphs."""
        return []

    @property
    def shape(self) -> TensorShape:
        """The shape."""
        return TensorShape(np.asarray(self.dense_shape).tolist())

    def get_shape(self) -> TensorShape:
        """The shape."""
        return self.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return dtype_of(self.values)

    @property
    def rank(self) -> int:
        """How many axes there are."""
        return len(self.dense_shape)

    @classmethod
    def from_value(cls, value: Any) -> SparseTensor:
        """One of another, or of what has the same three attributes."""
        return cls(value.indices, value.values, value.dense_shape)

    def with_values(self, new_values: Any) -> SparseTensor:
        """The same places with other values."""
        return SparseTensor(self.indices, new_values, self.dense_shape)

    def __mul__(self, other: Any) -> SparseTensor:
        return _at_places(self, other, lambda a, b: a * b)

    def __truediv__(self, other: Any) -> SparseTensor:
        return _at_places(self, other, lambda a, b: a / b)

    def __neg__(self) -> SparseTensor:
        return self.with_values(-self.values)

    def __repr__(self) -> str:
        return (
            f"SparseTensor(indices={self.indices!s}, values={self.values!s}, "
            f"dense_shape={self.dense_shape!s})"
        )


class SparseTensorSpec(SparseSpec):
    """What is known of a sparse tensor.

    Args:
        shape: The sizes, None for those that vary; None for any.
        dtype: The dtype of the values.

    Example:
        >>> SparseTensorSpec([None, 3], "int32").is_compatible_with(eye(2, 3, "int32"))
        True
    """

    kind = SparseTensor

    @property
    def value_type(self) -> Any:
        """`tf.SparseTensor`."""
        return SparseTensor

    @classmethod
    def from_value(cls, value: Any) -> SparseTensorSpec:
        """That of a sparse tensor.

        Args:
            value: The tensor.
        """
        return cls(tuple(value.shape), as_dtype(value.dtype).name)

    def is_compatible_with(self, spec_or_value: Any) -> bool:
        """Whether a sparse tensor, or another spec, is one of these.

        Args:
            spec_or_value: The tensor or the spec.
        """
        other = spec_or_value
        if not isinstance(other, SparseTensor | SparseTensorSpec):
            return False
        if as_dtype(other.dtype) != as_dtype(self.dtype):
            return False
        sizes = self.shape if other.shape is None else other.shape
        both = zip(sizes or (), self.shape or sizes or (), strict=False)
        return sizes is None or (
            self.shape is None
            or (len(sizes) == len(self.shape) and all(a == b or None in (a, b) for a, b in both))
        )

    def __repr__(self) -> str:
        shape = "None" if self.shape is None else repr(TensorShape(self.shape))
        return f"SparseTensorSpec({shape}, tf.{as_dtype(self.dtype).name})"


SparseTensor.spec_class = SparseTensorSpec


def _places(x: SparseTensor) -> np.ndarray:
    return np.asarray(x.indices)


def _sizes(x: SparseTensor) -> tuple[int, ...]:
    return tuple(np.asarray(x.dense_shape).tolist())


def _at_places(x: SparseTensor, other: Any, function: Callable[[Any, Any], Any]) -> SparseTensor:
    dense = np.broadcast_to(np.asarray(tensor(other)), _sizes(x))
    there = landed(dense[tuple(_places(x).T)])
    return x.with_values(function(x.values, there))


def _require(who: str, x: Any) -> SparseTensor:
    if not isinstance(x, SparseTensor):
        rule, fix = "it takes a tf.SparseTensor", "tf.sparse.from_dense(x)."
        raise ArgumentError(message(f"tf.sparse.{who}", rule, type(x).__name__, fix))
    return x


def _order(places: np.ndarray) -> np.ndarray:
    return np.lexsort(places.T[::-1]) if places.shape[1] else np.arange(len(places))


def _taken(values: Any, at: np.ndarray) -> Any:
    return landed(values[at]) if isinstance(values, np.ndarray) else jnp.take(values, at, axis=0)


def from_dense(x: Any) -> SparseTensor:
    """A dense tensor by what in it is not zero."""
    dense = tensor(x)
    if is_tracer(dense):
        return SparseTensor(dense, [], [0])  # which says why not
    array = np.asarray(dense)
    places = np.argwhere(array != (b"" if array.dtype == object else 0))
    return SparseTensor(places, landed(array[tuple(places.T)]), array.shape)


def to_dense(sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: Any = None) -> Any:  # noqa: E501  # fmt: skip
    """The dense tensor.

    Args:
        sp_input: The sparse one; or what `tf.io.parse_example` gives for a `VarLenFeature`, of
            one example as it is, rows of several filled up.
        default_value: What stands in all other places.
        validate_indices: Whether places must be in order, and none twice.
        name: Accepted for compatibility.
    """
    if isinstance(sp_input, Ragged):
        fill = (b"" if sp_input.dtype == object else 0) if default_value is None else default_value
        return landed(np.asarray(sp_input.to_tensor(fill)))
    if isinstance(sp_input, HostTensor | jax.Array) and sp_input.ndim == 1:
        return sp_input
    x = _require("to_dense", sp_input)
    places, sizes = _places(x), _sizes(x)
    if validate_indices:
        rows = [tuple(row) for row in places.tolist()]
        wrong = next((b for a, b in itertools.pairwise(rows) if a >= b), None)
        if wrong is not None:
            rule = "places must be in order, and none twice"
            raise ArgumentError(
                message("tf.sparse.to_dense", rule, str(wrong), "Call tf.sparse.reorder before.")
            )
    if isinstance(x.values, np.ndarray):
        values = np.asarray(x.values)
        empty = (b"" if values.dtype == object else 0) if default_value is None else default_value
        dense = np.full(sizes, np.asarray(tensor(empty)).item(), values.dtype)
        dense[tuple(places.T)] = values
        return landed(dense)
    dense = jnp.full(sizes, 0 if default_value is None else default_value, x.values.dtype)
    return dense.at[tuple(places.T)].set(x.values)


def reorder(sp_input: Any, name: Any = None) -> SparseTensor:
    """The same, with places in order."""
    x = _require("reorder", sp_input)
    order = _order(_places(x))
    return SparseTensor(_places(x)[order], _taken(x.values, order), x.dense_shape)


def reshape(sp_input: Any, shape: Any, name: Any = None) -> SparseTensor:
    """The same values in another shape."""
    x = _require("reshape", sp_input)
    sizes, total = list(plain(shape)), int(np.prod(_sizes(x)))
    if -1 in sizes:
        sizes[sizes.index(-1)] = total // max(1, -int(np.prod(sizes)))
    if int(np.prod(sizes)) != total:
        rule = f"the shape must hold {total} places"
        raise ShapeError(message("tf.sparse.reshape", rule, str(tuple(sizes))))
    flat = np.ravel_multi_index(tuple(_places(x).T), _sizes(x))
    return SparseTensor(np.stack(np.unravel_index(flat, sizes), 1), x.values, sizes)


def transpose(sp_input: Any, perm: Any = None, name: Any = None) -> SparseTensor:
    """The same with its axes in another order."""
    x = _require("transpose", sp_input)
    axes = list(range(x.rank))[::-1] if perm is None else list(plain(perm))
    found = SparseTensor(_places(x)[:, axes], x.values, np.asarray(_sizes(x))[axes])
    return reorder(found)


def slice(sp_input: Any, start: Any, size: Any, name: Any = None) -> SparseTensor:
    """A part, which ends where the tensor does."""
    x = _require("slice", sp_input)
    first, extent = np.asarray(plain(start)), np.asarray(plain(size))
    last = np.minimum(first + extent, _sizes(x))
    is_in = ((_places(x) >= first) & (_places(x) < last)).all(1).nonzero()[0]
    places = _places(x)[is_in] - first
    return SparseTensor(places, _taken(x.values, is_in), np.maximum(last - first, 0))


def concat(axis: Any, sp_inputs: Any, expand_nonconcat_dims: bool = False, name: Any = None) -> SparseTensor:  # noqa: E501  # fmt: skip
    """Tensors one after another along an axis."""
    parts = [_require("concat", x) for x in sp_inputs]
    axis = int(plain(axis)) % parts[0].rank
    shapes = np.asarray([_sizes(x) for x in parts])
    largest = shapes.max(0)
    others = np.delete(shapes, axis, 1)
    if not expand_nonconcat_dims and (others != others[0]).any():
        rule = "all other sizes must be equal"
        fix = "Pass expand_nonconcat_dims=True."
        raise ShapeError(message("tf.sparse.concat", rule, str(shapes.tolist()), fix))
    offsets = np.concatenate([[0], np.cumsum(shapes[:, axis])])
    places = [_places(x).copy() for x in parts]
    for moved, offset in zip(places, offsets, strict=False):
        moved[:, axis] += offset
    largest[axis] = offsets[-1]
    values = _joined([x.values for x in parts])
    return reorder(SparseTensor(np.concatenate(places), values, largest))


def _joined(values: list[Any]) -> Any:
    kinds = {dtype_of(v).name for v in values}
    if len(kinds) > 1:
        rule = "tensors must have one dtype"
        raise DTypeError(message("tf.sparse", rule, " and ".join(sorted(kinds))))
    if all(isinstance(v, np.ndarray) for v in values):
        return landed(np.concatenate(values))
    return jnp.concatenate([jnp.asarray(v) for v in values])


def add(a: Any, b: Any, threshold: Any = 0) -> Any:
    """The sum: sparse of two sparse tensors, dense of one and a dense one."""
    if not (isinstance(a, SparseTensor) and isinstance(b, SparseTensor)):
        first, second = (to_dense(reorder(x)) if isinstance(x, SparseTensor) else tensor(x) for x in (a, b))  # noqa: E501  # fmt: skip
        return first + second
    if _sizes(a) != _sizes(b):
        raise ShapeError(
            message("tf.sparse.add", "shapes must be equal", f"{_sizes(a)} and {_sizes(b)}")
        )
    places = np.concatenate([_places(a), _places(b)])
    values = _joined([a.values, b.values])
    unique, where = np.unique(places, axis=0, return_inverse=True)
    if are_wide(values):
        sums: Any = np.zeros(len(unique), values.dtype)
        np.add.at(sums, where.reshape(-1), np.asarray(values))
        sums = landed(sums)
    else:
        values = jnp.asarray(values)
        sums = jnp.zeros(len(unique), values.dtype).at[where.reshape(-1)].add(values)
    found = SparseTensor(unique, sums, a.dense_shape)
    if not plain(threshold):
        return found
    return retain(found, np.abs(np.asarray(sums)) >= plain(threshold))


def retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """The places where a mask is true."""
    x = _require("retain", sp_input)
    kept = np.asarray(tensor(to_retain)).nonzero()[0]
    return SparseTensor(_places(x)[kept], _taken(x.values, kept), x.dense_shape)


def sparse_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: Any = None
) -> Any:
    """The product of a sparse matrix with a dense one, or of a dense one with a sparse one."""
    if isinstance(b, SparseTensor):
        found = sparse_dense_matmul(b, sp_a, not adjoint_b, not adjoint_a)
        return jnp.swapaxes(found, 0, 1)
    x, dense = _require("sparse_dense_matmul", sp_a), jnp.asarray(tensor(b))
    dense = jnp.swapaxes(dense, 0, 1) if adjoint_b else dense
    rows, columns = _places(x).T[:: -1 if adjoint_a else 1]
    height, inner = _sizes(x)[:: -1 if adjoint_a else 1]
    # A size that is a symbol is known when the layer that multiplies is called with values.
    is_other = dense.ndim == 2 and isinstance(dense.shape[0], int) and dense.shape[0] != inner
    if dense.ndim != 2 or is_other:
        rule = f"the dense matrix must have {inner} rows"
        raise ShapeError(message("tf.sparse.sparse_dense_matmul", rule, str(tuple(dense.shape))))
    parts = jnp.asarray(x.values)[:, None] * dense[columns]
    return jnp.zeros((height, dense.shape[1]), parts.dtype).at[rows].add(parts)


def reduce(kind: str, x: Any, axis: Any, keepdims: Any, is_sparse: bool) -> Any:
    """Sums or maxima along axes, of what is there alone."""
    x = _require(f"reduce_{kind}", x)
    axes = range(x.rank) if axis is None else [a % x.rank for a in np.atleast_1d(plain(axis))]
    kept = [a for a in range(x.rank) if a not in axes]
    places = _places(x)[:, kept]
    unique, where = np.unique(places, axis=0, return_inverse=True)
    values = jnp.asarray(x.values)
    where = where.reshape(-1)
    if kind == "sum":
        found = jnp.zeros(len(unique), values.dtype).at[where].add(values)
    else:
        low = jnp.iinfo(values.dtype).min if values.dtype.kind == "i" else -jnp.inf
        found = jnp.full(len(unique), low, values.dtype).at[where].max(values)
    sizes = [_sizes(x)[a] for a in kept]
    if not kept:
        found = found if len(unique) else jnp.zeros(1, values.dtype)
        unique = np.zeros((1, 0), np.int64)
        if not keepdims and not is_sparse:
            return found[0]
    if keepdims:
        wide = np.zeros((len(unique), x.rank), np.int64)
        wide[:, kept] = unique
        unique, sizes = wide, [1 if a in axes else n for a, n in enumerate(_sizes(x))]
    made = SparseTensor(unique, found, sizes)
    return made if is_sparse else to_dense(made)


def expand_dims(sp_input: Any, axis: Any = None, name: Any = None) -> SparseTensor:
    """The same with an axis of size 1 more."""
    x = _require("expand_dims", sp_input)
    at = (-1 if axis is None else plain(axis)) % (x.rank + 1)
    places = np.insert(_places(x), at, 0, axis=1)
    return SparseTensor(places, x.values, np.insert(_sizes(x), at, 1))


def eye(num_rows: Any, num_columns: Any = None, dtype: Any = "float32", name: Any = None) -> SparseTensor:  # noqa: E501  # fmt: skip
    """Ones on the diagonal."""
    rows = plain(num_rows)
    columns = rows if num_columns is None else plain(num_columns)
    at = np.arange(min(rows, columns))
    values = landed(np.ones(len(at), as_dtype(dtype)._dtype))
    return SparseTensor(np.stack([at, at], 1), values, [rows, columns])


def map_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> SparseTensor:
    """A function of the values of sparse tensors that have the same places."""
    first = next(x for x in (*args, *kwargs.values()) if isinstance(x, SparseTensor))
    for other in (*args, *kwargs.values()):
        if isinstance(other, SparseTensor) and not np.array_equal(_places(other), _places(first)):
            rule = "sparse tensors must have the same places"
            raise ArgumentError(message("tf.sparse.map_values", rule, "others"))

    def values(x: Any) -> Any:
        return x.values if isinstance(x, SparseTensor) else x

    found = op(*map(values, args), **{k: values(v) for k, v in kwargs.items()})
    return first.with_values(found)


def to_indicator(sp_input: Any, vocab_size: Any, name: Any = None) -> Any:
    """True at the numbers that are the values, along a new last axis in place of the old one."""
    x = _require("to_indicator", sp_input)
    numbers, size = np.asarray(x.values), plain(vocab_size)
    found = np.zeros((*_sizes(x)[:-1], size), bool)
    if ((numbers < 0) | (numbers >= size)).any():
        rule = f"values must be from 0 to {size - 1}"
        raise ArgumentError(message("tf.sparse.to_indicator", rule, str(numbers.max())))
    found[(*_places(x).T[:-1], numbers)] = True
    return landed(found)


def maximum(sp_a: Any, sp_b: Any, name: Any = None) -> SparseTensor:
    """The larger number of two sparse tensors at each place; 0 where one has none.

    Args:
        sp_a, sp_b: Sparse tensors of one shape.
        name: Accepted for compatibility.
    """
    return _of_two("tf.sparse.maximum", np.maximum, sp_a, sp_b)


def minimum(sp_a: Any, sp_b: Any, name: Any = None) -> SparseTensor:
    """The smaller one.

    Args:
        sp_a, sp_b: Sparse tensors of one shape.
        name: Accepted for compatibility.
    """
    return _of_two("tf.sparse.minimum", np.minimum, sp_a, sp_b)


def _of_two(who: str, function: Callable[[Any, Any], Any], a: Any, b: Any) -> SparseTensor:
    a, b = _require(who, a), _require(who, b)
    if _sizes(a) != _sizes(b):
        raise ShapeError(message(who, "shapes must be equal", f"{_sizes(a)} and {_sizes(b)}"))
    places = np.unique(np.concatenate([_places(a), _places(b)]), axis=0)
    at = tuple(places.T)
    dense = [np.asarray(to_dense(reorder(x))) for x in (a, b)]
    return SparseTensor(places, tensor(function(dense[0][at], dense[1][at])), a.dense_shape)


def softmax(sp_input: Any, name: Any = None) -> SparseTensor:
    """The softmax of each row, of what is there alone."""
    x = _require("softmax", sp_input)
    rows = np.unique(_places(x)[:, :-1], axis=0, return_inverse=True)[1].reshape(-1)
    count, values = int(rows.max(initial=-1)) + 1, jnp.asarray(x.values)
    top = jnp.full(count, -jnp.inf, values.dtype).at[rows].max(values)
    powers = jnp.exp(values - top[rows])
    sums = jnp.zeros(count, values.dtype).at[rows].add(powers)
    return x.with_values(powers / sums[rows])


# ------------------------------------------------------------------ sets


def _rows(x: Any) -> tuple[dict[tuple[int, ...], list[Any]], tuple[int, ...], Any]:
    """The sets along the last axis, by the places of the others; their sizes; the dtype."""
    sparse = x if isinstance(x, SparseTensor) else None
    if sparse is None:
        dense = np.asarray(tensor(x))
        places, values, sizes = np.argwhere(np.ones(dense.shape, bool)), dense.ravel(), dense.shape
    else:
        places, values, sizes = _places(sparse), np.asarray(sparse.values), _sizes(sparse)
    found: dict[tuple[int, ...], list[Any]] = {}
    for place, value in zip(places.tolist(), values.tolist(), strict=True):
        found.setdefault(tuple(place[:-1]), []).append(value)
    return found, sizes, values.dtype


def combined(who: str, a: Any, b: Any) -> SparseTensor:
    """Sets along the last axis, put together row by row; values in order."""
    (first, sizes, kind), (second, others, other_kind) = _rows(a), _rows(b)
    if sizes[:-1] != others[:-1]:
        rule = "all sizes but the last must be equal"
        raise ShapeError(message(f"tf.sets.{who}", rule, f"{sizes} and {others}"))
    if kind != other_kind:
        rule = "sets must have one dtype"
        raise DTypeError(message(f"tf.sets.{who}", rule, f"{kind} and {other_kind}"))
    join = {
        "intersection": set.intersection,
        "union": set.union,
        "difference": set.difference,
    }[who]
    places: list[tuple[int, ...]] = []
    values: list[Any] = []
    for row in sorted({*first, *second}):
        for at, value in enumerate(sorted(join(set(first.get(row, ())), set(second.get(row, ()))))):
            places.append((*row, at))
            values.append(value)
    widest = max((place[-1] + 1 for place in places), default=0)
    array = np.empty(len(values), kind)
    array[:] = values
    shaped = np.asarray(places, np.int64).reshape(-1, len(sizes))
    return SparseTensor(shaped, landed(array), (*sizes[:-1], widest))


def set_difference(a: Any, b: Any, aminusb: bool) -> SparseTensor:
    """What is in one set and not in the other."""
    return combined("difference", *((a, b) if aminusb else (b, a)))


def set_size(a: Any) -> Any:
    """How many values each set has."""
    found, sizes, _ = _rows(_require("size", a))
    counts = np.zeros(sizes[:-1], np.int32)
    for row, values in found.items():
        counts[row] = len(set(values))
    return landed(counts)
