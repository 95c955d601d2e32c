"""What scripts ask a `tf.RaggedTensor` for, lent to `nacre.data.Ragged` by `methods.py`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nacre.core.errors import ArgumentError, PositionError, message
from nacre.data import Ragged
from nacre.data.dataset.elements import sealed
from nacre.tf.dtypes import as_dtype
from nacre.tf.ragged_calls import flat_of, of_values
from nacre.tf.shapes import of_sizes
from nacre.tf.sizes import plain
from nacre.tf.values import landed, tensor


def _lengths(self: Ragged) -> np.ndarray:
    return np.diff(self.row_splits.view(np.ndarray))


def _nrows(self: Ragged, out_type: Any = None, name: Any = None) -> Any:
    """How many rows."""
    return sealed(np.asarray(len(self), self.row_splits.dtype))


def _row_lengths(self: Ragged, axis: int = 1, name: Any = None) -> Any:
    """How long each row is."""
    if axis != 1:
        if not 1 <= axis <= self.ragged_rank:
            rule = f"lengths of rows are those of axes 1 to {self.ragged_rank}"
            raise ArgumentError(message("RaggedTensor.row_lengths", rule, f"axis={axis}"))
        found = _row_lengths(self.values, axis - 1)
        return Ragged(found, self.row_splits)
    return sealed(_lengths(self))


def _row_starts(self: Ragged, name: Any = None) -> Any:
    """Where each row begins."""
    return sealed(self.row_splits.view(np.ndarray)[:-1].copy())


def _row_limits(self: Ragged, name: Any = None) -> Any:
    """Where each row ends."""
    return sealed(self.row_splits.view(np.ndarray)[1:].copy())


def _value_rowids(self: Ragged, name: Any = None) -> Any:
    """The row of each value."""
    lengths = _lengths(self)
    return sealed(np.repeat(np.arange(len(lengths), dtype=lengths.dtype), lengths))


def _bounding_shape(self: Ragged, axis: Any = None, name: Any = None, out_type: Any = None) -> Any:
    """The shape of what `to_tensor` gives."""
    sizes, rows = [len(self)], self
    while True:
        sizes.append(int(_lengths(rows).max(initial=0)))
        if not isinstance(rows.values, Ragged):
            break
        rows = rows.values
    sizes += rows.values.shape[1:]
    found = np.asarray(sizes, self.row_splits.dtype)
    return sealed(found if axis is None else found[axis])


def _numpy(self: Ragged) -> np.ndarray:
    """Rows as arrays in an array of objects; one array where they are equally long."""
    rows = [_numpy(row) if isinstance(row, Ragged) else np.array(row) for row in self]
    if rows and len({row.shape for row in rows}) == 1 and rows[0].dtype != object:
        return np.stack(rows)
    found = np.empty(len(rows), object)
    found[:] = rows
    return found


def _to_tensor(default: Callable[..., Any]) -> Callable[..., Any]:
    def to_tensor(
        self: Ragged, default_value: Any = None, name: Any = None, shape: Any = None
    ) -> Any:
        """One tensor, rows filled up to the longest, or filled and cut to a shape.

        Args:
            default_value: What to fill in; 0 or the empty text, where it is left out.
            name: Accepted for compatibility.
            shape: Sizes, None for those of the longest.
        """
        if default_value is None:
            default_value = b"" if self.dtype.kind == "O" else 0
        fill = np.asarray(tensor(default_value)).item()
        if isinstance(self.flat_values, jax.Array) and shape is None:
            return _filled_on_device(self, fill)
        found = np.asarray(default(self, fill))
        if shape is not None:
            found = _of_sizes(found, plain(shape), fill)
        return sealed(found)

    return to_tensor


def _filled_on_device(self: Ragged, fill: Any) -> Any:
    """The same of values that a tape may watch: each place picks its value, or what fills up."""
    flat = flat_of(self)
    places = np.arange(len(flat), dtype=np.int32) + 1
    index = np.asarray(of_values(self, places).to_tensor(0))
    index = index.reshape(index.shape[: self.ragged_rank + 1])
    padding = _made("", "fill")([1, *flat.shape[1:]], tensor(fill, flat.dtype.name))
    return _made("", "gather")(_made("", "concat")([padding, flat], 0), index)


def _of_sizes(array: np.ndarray, shape: Any, fill: Any) -> np.ndarray:
    sizes = [n if size is None else size for n, size in zip(array.shape, shape)]
    sizes += array.shape[len(sizes) :]
    found = np.full(sizes, fill, array.dtype)
    common = tuple(slice(min(a, b)) for a, b in zip(sizes, array.shape))
    found[common] = array[common]
    return found


def _with_values(self: Ragged, new_values: Any) -> Ragged:
    """Rows as these, of other values."""
    if isinstance(new_values, Ragged):
        return Ragged(new_values, self.row_splits)
    like = Ragged(np.empty(0), self.row_splits)
    return of_values(like, tensor(new_values))


def _with_flat_values(self: Ragged, new_values: Any) -> Ragged:
    """Rows as these, of other innermost values."""
    return of_values(self, tensor(new_values))


def _merge_dims(self: Ragged, outer_axis: int, inner_axis: int) -> Any:
    """Axes joined into one.

    Args:
        outer_axis, inner_axis: The first of them, and the last.
    """
    rank = len(self.shape)
    first, last = outer_axis % rank, inner_axis % rank
    if first >= last:
        rule = "outer_axis must come before inner_axis"
        got = f"{outer_axis} and {inner_axis}"
        raise ArgumentError(message("RaggedTensor.merge_dims", rule, got))
    if first > 1:  # axes of the rows themselves
        inner = self.values
        if isinstance(inner, Ragged):
            return Ragged(_merge_dims(inner, first - 1, last - 1), self.row_splits)
        sizes = inner.shape
        joined = np.asarray(inner).reshape((*sizes[: first - 1], -1, *sizes[last:]))
        return Ragged(joined, self.row_splits)
    if first == 1:  # rows of rows as one row: they begin where their first one does
        values, splits = self.values, np.asarray(self.row_splits)
        for _ in range(last - first):
            if isinstance(values, Ragged):
                splits, values = np.asarray(values.row_splits)[splits], values.values
            else:
                splits = splits * values.shape[1]
                values = np.asarray(values).reshape(-1, *values.shape[2:])
        return Ragged(values, splits)
    values = self.values
    for _ in range(last - 1):
        if isinstance(values, Ragged):
            values = values.values
        else:
            values = np.asarray(values).reshape(-1, *values.shape[2:])
    return values if isinstance(values, Ragged) else landed(np.asarray(values))


def _host(values: Any) -> Any:
    return values if isinstance(values, Ragged) else np.asarray(tensor(values))


def _indexed(get: Callable[..., Any]) -> Callable[[Ragged, Any], Any]:
    """Rows, places and cuts: `x[2]`, `x[2, 1]`, `x[1:3]`, `x[:, :2]`."""

    def getitem(self: Ragged, key: Any) -> Any:
        if not isinstance(key, tuple):
            return _row(self, get, key)
        if not key:
            return self
        first, rest = key[0], key[1:]
        if first is Ellipsis:
            first, rest = slice(None), (slice(None),) * (len(self.shape) - len(rest) - 1) + rest
        if isinstance(first, slice):
            rows = get(self, first)
            return rows if not rest else _stacked([row[rest] for row in rows], rows)
        row = _row(self, get, first)
        return row[rest] if rest else row

    return getitem


def _row(self: Ragged, get: Callable[..., Any], key: Any) -> Any:
    if isinstance(key, slice):
        return get(self, key)
    place = int(np.asarray(key))
    if not -len(self) <= place < len(self):
        rule = f"a row must be from {-len(self)} to {len(self) - 1}"
        raise PositionError(message("RaggedTensor", rule, str(place)))
    found = get(self, place)
    return found if isinstance(found, Ragged | jax.Array) else landed(np.asarray(found))


def _stacked(rows: list[Any], like: Ragged) -> Any:
    """What was taken of each row: rows of different lengths, or numbers."""
    if not rows:
        return like
    if all(not isinstance(row, Ragged) and row.ndim == 0 for row in rows):
        return _made("", "stack")(rows)
    return _made("", "concat")([_of_one(row, like) for row in rows], 0)


def _of_one(row: Any, like: Ragged) -> Ragged:
    """One row, which is ragged where those of the others are."""
    if like.ragged_rank > 1 and not isinstance(row, Ragged):
        row = Ragged(np.asarray(row), np.asarray([0, len(row)]))
    splits = np.asarray([0, len(row)], like.row_splits.dtype)
    return (
        of_values(Ragged(np.empty(len(row)), splits), row)
        if not isinstance(row, Ragged)
        else Ragged(row, splits)
    )


def _operator(name: str, swaps: bool = False) -> Callable[[Ragged, Any], Any]:
    def operate(self: Ragged, other: Any) -> Any:
        if not hasattr(other, "dtype"):
            other = tensor(other, self.dtype) if self.dtype.kind != "O" else tensor(other)
        return _face(name)(other, self) if swaps else _face(name)(self, other)

    return operate


@functools.cache
def _made(module: str, name: str) -> Callable[..., Any]:
    from nacre.tf.rows import made

    face: Callable[..., Any] = made(module, name)
    return face


def _face(name: str) -> Callable[..., Any]:
    return _made("math", name)


def _negative(self: Ragged) -> Ragged:
    return _face("negative")(self)


def _from_row_lengths(
    cls: Any, values: Any, row_lengths: Any, name: Any = None, validate: bool = True
) -> Ragged:
    """Rows of these lengths."""
    lengths = np.asarray(tensor(row_lengths))
    splits = np.concatenate([np.zeros(1, lengths.dtype), np.cumsum(lengths, dtype=lengths.dtype)])
    return _checked_rows(values, splits)


def _from_row_splits(
    cls: Any, values: Any, row_splits: Any, name: Any = None, validate: bool = True
) -> Ragged:
    """Rows that begin and end at these places."""
    return _checked_rows(values, np.asarray(tensor(row_splits)))


def _from_row_starts(
    cls: Any, values: Any, row_starts: Any, name: Any = None, validate: bool = True
) -> Ragged:
    """Rows that begin at these places."""
    starts = np.asarray(tensor(row_starts))
    return _checked_rows(values, np.append(starts, np.asarray(len(_host(values)), starts.dtype)))


def _from_row_limits(
    cls: Any, values: Any, row_limits: Any, name: Any = None, validate: bool = True
) -> Ragged:
    """Rows that end at these places."""
    limits = np.asarray(tensor(row_limits))
    return _checked_rows(values, np.append(np.zeros(1, limits.dtype), limits))


def _from_uniform_row_length(
    cls: Any, values: Any, uniform_row_length: Any, nrows: Any = None, validate: bool = True,
    name: Any = None,
) -> Ragged:  # fmt: skip
    """Rows that are all so long."""
    count, size = len(_host(values)), int(np.asarray(plain(uniform_row_length)))
    rows = int(np.asarray(nrows)) if nrows is not None else count // size if size else 0
    if rows * size != count:
        rule, got = "the values must make up whole rows", f"{count} values, rows of {size}"
        raise ArgumentError(message("RaggedTensor.from_uniform_row_length", rule, got))
    return _checked_rows(values, np.arange(rows + 1, dtype=np.int64) * size)


def _from_nested(each: str) -> Callable[..., Ragged]:
    def made(cls: Any, flat_values: Any, nested: Any) -> Ragged:
        """Rows of rows: what says where those of each level lie, the outermost first."""
        for one in list(nested)[::-1]:
            flat_values = getattr(cls, each)(flat_values, one)
        return flat_values

    return made


def _from_nested_row_splits(
    cls: Any, flat_values: Any, nested_row_splits: Any, name: Any = None, validate: bool = True
) -> Ragged:
    """Rows of rows, of where those of each level begin and end."""
    return _from_nested("from_row_splits")(cls, flat_values, nested_row_splits)


def _from_nested_row_lengths(
    cls: Any, flat_values: Any, nested_row_lengths: Any, name: Any = None, validate: bool = True
) -> Ragged:
    """Rows of rows, of how long those of each level are."""
    return _from_nested("from_row_lengths")(cls, flat_values, nested_row_lengths)


def _from_nested_value_rowids(
    cls: Any,
    flat_values: Any,
    nested_value_rowids: Any,
    nested_nrows: Any = None,
    name: Any = None,
    validate: bool = True,
) -> Ragged:
    """Rows of rows, of the row in which each value of each level is."""
    ids = list(nested_value_rowids)
    counts = [None] * len(ids) if nested_nrows is None else list(nested_nrows)
    for row_ids, count in list(zip(ids, counts, strict=True))[::-1]:
        flat_values = cls.from_value_rowids(flat_values, row_ids, count)
    return flat_values


def _from_sparse(
    cls: Any, st_input: Any, name: Any = None, row_splits_dtype: Any = "int64"
) -> Ragged:
    """The values of a sparse matrix row by row, which must begin each row without gaps."""
    places, shape = np.asarray(st_input.indices), np.asarray(st_input.dense_shape)
    if len(shape) != 2:
        rule = "the sparse tensor must have two axes"
        raise ArgumentError(message("RaggedTensor.from_sparse", rule, f"{len(shape)}"))
    lengths = np.bincount(places[:, 0], minlength=int(shape[0]))
    full = np.concatenate([np.arange(n) for n in lengths]) if len(lengths) else np.empty(0)
    if not np.array_equal(places[:, 1], full) or np.any(np.diff(places[:, 0]) < 0):
        rule, fix = "the values must begin each row, without gaps", "Use tf.sparse.to_dense."
        raise ArgumentError(message("RaggedTensor.from_sparse", rule, "others", fix))
    kind = as_dtype(row_splits_dtype)._dtype
    return cls.from_row_splits(
        st_input.values, np.concatenate([[0], np.cumsum(lengths)]).astype(kind)
    )


def _nested(of: Callable[[Ragged], Any]) -> Callable[[Ragged], tuple[Any, ...]]:
    def nested(self: Ragged) -> tuple[Any, ...]:
        """Of each level, the outermost first."""
        inner = nested(self.values) if isinstance(self.values, Ragged) else ()
        return (of(self), *inner)

    return nested


def _with_row_splits_dtype(self: Ragged, dtype: Any) -> Ragged:
    """The same rows, told of by whole numbers of this dtype."""
    kind = as_dtype(dtype)._dtype
    inner = self.values
    if isinstance(inner, Ragged):
        inner = _with_row_splits_dtype(inner, dtype)
    return Ragged(inner, np.asarray(self.row_splits).astype(kind))


def _to_sparse(self: Ragged, name: Any = None) -> Any:
    """The values and their places."""
    from nacre.tf.sparse_tensors import SparseTensor

    if np.asarray(self.flat_values).ndim > 1:
        rule = "values must be numbers or strings, no rows of one size"
        raise ArgumentError(message("RaggedTensor.to_sparse", rule, f"shape {self.shape}"))
    places = np.argwhere(self.mask()).astype(np.int64)
    sizes = np.asarray(_bounding_shape(self)).astype(np.int64)
    return SparseTensor(places, np.asarray(self.flat_values), sizes)


def _from_value_rowids(
    cls: Any, values: Any, value_rowids: Any, nrows: Any = None, name: Any = None,
    validate: bool = True,
) -> Ragged:  # fmt: skip
    """Rows by the row of each value."""
    rows = np.asarray(tensor(value_rowids))
    if np.any(np.diff(rows) < 0):
        rule = "rows of values must be in order"
        raise ArgumentError(message("RaggedTensor.from_value_rowids", rule, str(rows.tolist())))
    least = int(rows[-1]) + 1 if rows.size else 0
    count = least if nrows is None else int(np.asarray(nrows))
    return _from_row_lengths(cls, values, np.bincount(rows, minlength=count))


def _from_tensor(
    cls: Any, tensor: Any, lengths: Any = None, padding: Any = None, ragged_rank: int = 1,
    name: Any = None, row_splits_dtype: Any = "int64",
) -> Ragged:  # fmt: skip
    """The rows of a tensor, cut to lengths, or where nothing but padding follows."""
    array = np.asarray(tensor)
    if ragged_rank != 1 or array.ndim < 2:
        rule = "rows are those of axis 1 of a tensor of two axes or more"
        got = f"shape {array.shape}, ragged_rank={ragged_rank}"
        raise ArgumentError(message("RaggedTensor.from_tensor", rule, got))
    counts = np.full(len(array), array.shape[1])
    if lengths is not None:
        counts = np.asarray(lengths)
    elif padding is not None:
        fill = padding.encode() if isinstance(padding, str) else padding
        is_value = (array != fill).reshape(*array.shape[:2], -1).any(-1)
        places = np.arange(1, array.shape[1] + 1)
        counts = np.max(np.where(is_value, places, 0), axis=1, initial=0)
    places = np.arange(array.shape[1]) < counts[:, None]
    return _from_row_lengths(cls, array[places], counts.astype(np.dtype(str(row_splits_dtype))))


def _checked_rows(values: Any, splits: np.ndarray) -> Ragged:
    found = _host(values)
    fits = (
        splits.ndim == 1 and len(splits) > 0 and splits[0] == 0 and not np.any(np.diff(splits) < 0)
    )
    if not fits or splits[-1] != len(found):
        rule = f"row splits must rise from 0 to {len(found)}, how many values there are"
        raise ArgumentError(message("RaggedTensor", rule, str(splits.tolist())))
    return Ragged(found, splits)


def _text(self: Ragged) -> str:
    with np.printoptions(formatter={"all": _part}):
        return f"<tf.RaggedTensor {_part(_numpy(self))}>"


def _part(value: Any) -> str:
    """A row with commas, in lines as NumPy breaks them, or a value."""
    if not isinstance(value, np.ndarray):
        return str(value)
    return np.array2string(value, separator=", ") if value.size else repr(value.tolist())


_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "truediv",
    "floordiv": "floordiv", "mod": "floormod", "pow": "pow",
}  # fmt: skip
_COMPARED = {
    "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal", "ne": "not_equal",
    "eq": "equal",
}  # fmt: skip

RAGGED: dict[str, Any] = {
    "nrows": _nrows,
    "row_lengths": _row_lengths,
    "row_starts": _row_starts,
    "row_limits": _row_limits,
    "value_rowids": _value_rowids,
    "bounding_shape": _bounding_shape,
    "numpy": _numpy,
    "shape": property(lambda self: of_sizes((len(self), None, *self.values.shape[1:]))),
    "get_shape": lambda self: self.shape,
    "to_tensor": _to_tensor(Ragged.to_tensor),
    "with_values": _with_values,
    "with_flat_values": _with_flat_values,
    "merge_dims": _merge_dims,
    "from_row_lengths": classmethod(_from_row_lengths),
    "from_row_splits": classmethod(_from_row_splits),
    "from_value_rowids": classmethod(_from_value_rowids),
    "from_tensor": classmethod(_from_tensor),
    "from_row_starts": classmethod(_from_row_starts),
    "from_row_limits": classmethod(_from_row_limits),
    "from_uniform_row_length": classmethod(_from_uniform_row_length),
    "from_nested_row_splits": classmethod(_from_nested_row_splits),
    "from_nested_row_lengths": classmethod(_from_nested_row_lengths),
    "from_nested_value_rowids": classmethod(_from_nested_value_rowids),
    "from_sparse": classmethod(_from_sparse),
    "nested_row_splits": property(_nested(lambda rows: rows.row_splits)),
    "nested_row_lengths": _nested(_row_lengths),
    "nested_value_rowids": _nested(_value_rowids),
    "with_row_splits_dtype": _with_row_splits_dtype,
    "uniform_row_length": None,  # rows are not told of as equally long
    "to_sparse": _to_sparse,
    # What `tf.io.parse_example` gives for a VarLenFeature is asked for these.
    "indices": property(lambda self: _to_sparse(self).indices),
    "dense_shape": property(lambda self: _to_sparse(self).dense_shape),
    "__getitem__": _indexed(Ragged.__getitem__),
    "__neg__": _negative,
    "__repr__": _text,
    "__hash__": object.__hash__,
    **{f"__{sign}__": _operator(name) for sign, name in (_BINARY | _COMPARED).items()},
    **{f"__r{sign}__": _operator(name, swaps=True) for sign, name in _BINARY.items()},
}

__all__ = ["RAGGED"]
