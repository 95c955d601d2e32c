"""Sparse tensors as bytes, and those that serialized examples hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from nacre.core.errors import ArgumentError, DataError, ShapeError, message
from nacre.data import HostTensor, Ragged
from nacre.data.files import parsing
from nacre.tf.bytes_of_tensors import parse_tensor, serialize_tensor
from nacre.tf.dtypes import as_dtype
from nacre.tf.sizes import plain
from nacre.tf.sparse_tensors import SparseTensor
from nacre.tf.values import tensor


def _required(who: str, x: Any) -> SparseTensor:
    if not isinstance(x, SparseTensor):
        rule, fix = "it takes a tf.SparseTensor", "tf.sparse.from_dense(x)."
        raise ArgumentError(message(f"tf.io.{who}", rule, type(x).__name__, fix))
    return x


def serialize_sparse(sp_input: Any, out_type: Any = "string", name: Any = None) -> Any:
    """A sparse tensor as three texts: its places, values and shape.

    Args:
        sp_input: The tensor.
        out_type: Strings alone.
        name: Accepted for compatibility.

    Source:
        TensorFlow 2.15: each is a TensorProto, as of `tf.io.serialize_tensor`.
    """
    _require_strings("serialize_sparse", out_type)
    return tensor(_texts(_required("serialize_sparse", sp_input).on_host()), "string")


def serialize_many_sparse(sp_input: Any, out_type: Any = "string", name: Any = None) -> Any:
    """Each row of a sparse tensor as three texts: shape (rows, 3).

    Args:
        sp_input: The tensor, of two axes or more.
        out_type: Strings alone.
        name: Accepted for compatibility.

    Raises:
        ShapeError: It has one axis.
    """
    who = "serialize_many_sparse"
    _require_strings(who, out_type)
    x = _required(who, sp_input).on_host()
    if len(x.shape) < 2:
        rule, fix = "it takes rows, two axes or more", "Take tf.io.serialize_sparse."
        raise ShapeError(message(f"tf.io.{who}", rule, f"shape {tuple(x.shape)}", fix))
    rows = [_texts(x.row(index)) for index in range(x.shape[0])]
    return tensor(np.array(rows, object).reshape(-1, 3), "string")


def _texts(x: SparseTensor) -> list[bytes]:
    return [
        np.asarray(serialize_tensor(part)).item() for part in (x.indices, x.values, x.dense_shape)
    ]


def _require_strings(who: str, out_type: Any) -> None:
    if as_dtype(out_type).name != "string":
        rule = "out_type must be tf.string"
        raise ArgumentError(message(f"tf.io.{who}", rule, str(out_type), "Leave it out."))


def deserialize_many_sparse(
    serialized_sparse: Any, dtype: Any, rank: Any = None, name: Any = None
) -> SparseTensor:
    """Sparse tensors of texts, as one with an axis more in front.

    Args:
        serialized_sparse: What `serialize_sparse` gives, one below another: (count, 3).
        dtype: The dtype of their values.
        rank: How many axes each has, to be checked.
        name: Accepted for compatibility.

    Raises:
        ShapeError: The texts are not three for each; or the number of axes is another.
    """
    who = "tf.io.deserialize_many_sparse"
    texts = np.asarray(tensor(serialized_sparse))
    if texts.ndim != 2 or texts.shape[1] != 3:
        rule, fix = "there must be three texts for each, (count, 3)", "tf.stack([serialized])."
        raise ShapeError(message(who, rule, f"shape {texts.shape}", fix))
    kinds = ("int64", as_dtype(dtype), "int64")
    items = [
        SparseTensor(*[parse_tensor(text, kind) for text, kind in zip(row, kinds, strict=True)])
        for row in texts.tolist()
    ]
    for item in items:
        # TensorFlow's own words mean the axes of each, its code those of the result.
        if rank is not None and plain(rank) not in (len(item.shape), len(item.shape) + 1):
            rule = f"each must have {plain(rank)} axes"
            raise ShapeError(message(who, rule, f"{len(item.shape)}"))
    if not items:
        axes = 1 + (0 if rank is None else int(plain(rank)))
        values = np.empty(0, object if kinds[1].name == "string" else kinds[1].as_numpy_dtype)
        return SparseTensor(np.empty((0, axes), np.int64), values, [0] * axes)
    return SparseTensor.stacked(items, who)


# ------------------------------------------------------------------ of examples


class SparseFeature(NamedTuple):
    """A feature whose values and whose places are features of their own.

    Args:
        index_key: The feature of the places; a list of them, one for each axis.
        value_key: The feature of the values.
        dtype: 'float32', 'int64' or 'string'.
        size: How many places there are; a list, one number for each axis.
        already_sorted: Whether places stand in order, which saves sorting them.

    Example:
        >>> from nacre.data import Example
        >>> data = Example({"at": [2, 0], "x": [7, 8]}).SerializeToString()
        >>> wanted = {"x": SparseFeature("at", "x", "int64", 4)}
        >>> found = parse_single_example(data, wanted)["x"]
        >>> found.indices.tolist(), found.values.tolist()
        ([[0], [2]], [8, 7])
    """

    index_key: Any
    value_key: str
    dtype: Any
    size: Any
    already_sorted: bool = False


class RaggedFeature(NamedTuple):
    """A feature with any number of values: a tensor of one example, ragged rows of several.

    Args:
        dtype: 'float32', 'int64' or 'string'.
        value_key: The feature's name; by default that under which it is asked for.
        partitions: None: values that other features part into rows are not here.
        row_splits_dtype: The dtype of the row splits.
        validate: Accepted for compatibility.

    Example:
        >>> from nacre.data import Example
        >>> data = [Example({"n": n}).SerializeToString() for n in ([1, 2], [3])]
        >>> parse_example(data, {"n": RaggedFeature("int64")})["n"].to_list()
        [[1, 2], [3]]
    """

    dtype: Any
    value_key: str | None = None
    partitions: Any = ()
    row_splits_dtype: Any = "int32"
    validate: bool = False


def parse_single_example(
    serialized: Any, features: Mapping[str, Any], example_names: Any = None, name: Any = None
) -> dict[str, Any]:
    """The tensors of one serialized example; a `VarLenFeature` is a sparse one.

    Args:
        serialized, features, example_names, name: See `nacre.data.parse_single_example`.
    """
    return _read(lambda f: parsing.parse_single_example(serialized, f, example_names), features)


def parse_example(
    serialized: Any, features: Mapping[str, Any], example_names: Any = None, name: Any = None
) -> dict[str, Any]:
    """The tensors of a batch of serialized examples; a `VarLenFeature` is a sparse one.

    Args:
        serialized, features, example_names, name: See `nacre.data.parse_example`.
    """
    return _read(lambda f: parsing.parse_example(serialized, f, example_names), features)


def parse_single_sequence_example(
    serialized: Any,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_name: Any = None,
    name: Any = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tensors of one sequence; a `VarLenFeature` is a sparse one.

    Args:
        serialized, context_features, sequence_features, example_name, name: See
            `nacre.data.parse_single_sequence_example`.
    """

    def context(features: Mapping[str, Any]) -> dict[str, Any]:
        return parsing.parse_single_sequence_example(serialized, features, {}, example_name)[0]

    def steps(features: Mapping[str, Any]) -> dict[str, Any]:
        return parsing.parse_single_sequence_example(serialized, {}, features, example_name)[1]

    return _read(context, context_features or {}), _read(steps, sequence_features or {})


def _read(
    read: Callable[[Mapping[str, Any]], dict[str, Any]], features: Mapping[str, Any]
) -> dict[str, Any]:
    """The tensors of features, the parts of sparse ones read by themselves."""
    if not isinstance(features, Mapping):
        return read(features)  # which is refused there
    sparse = {k: f for k, f in features.items() if isinstance(f, SparseFeature | RaggedFeature)}
    found = read({key: f for key, f in features.items() if key not in sparse})
    made: dict[str, Any] = {}
    for key, feature in features.items():
        if isinstance(feature, RaggedFeature):
            made[key] = _ragged(key, feature, read)
        elif key in sparse:
            parts = dict.fromkeys(_index_keys(feature), parsing.VarLenFeature("int64"))
            columns = read(parts)
            values = read({feature.value_key: parsing.VarLenFeature(feature.dtype)})
            made[key] = _placed(key, feature, list(columns.values()), *values.values())
        else:
            is_sparse = type(feature).__name__ == "VarLenFeature"
            made[key] = _sparse(found[key]) if is_sparse else found[key]
    return made


def _ragged(
    key: str, feature: RaggedFeature, read: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Any:
    if feature.partitions:
        rule = "partitions must be left out: values are parted by their examples alone"
        raise ArgumentError(message(f"tf.io.RaggedFeature, feature {key!r}", rule, "some"))
    name = feature.value_key or key
    found = read({name: parsing.VarLenFeature(feature.dtype)})[name]
    if not isinstance(found, Ragged):
        return found
    splits = np.asarray(found.row_splits).astype(as_dtype(feature.row_splits_dtype).as_numpy_dtype)
    return Ragged(found.values, splits)


def _index_keys(feature: SparseFeature) -> list[str]:
    keys = feature.index_key
    return [keys] if isinstance(keys, str) else list(keys)


def _placed(key: str, feature: SparseFeature, columns: list[Any], values: Any) -> SparseTensor:
    """Values at the places that other features tell."""
    sizes = [int(n) for n in np.reshape(plain(feature.size), -1)]
    who = f"tf.io.SparseFeature, feature {key!r}"
    if len(sizes) != len(columns):
        rule = "there must be a size for each axis"
        raise ArgumentError(message(who, rule, f"{len(columns)} axes and {len(sizes)} sizes"))
    if isinstance(values, Ragged):
        lengths = [part.row_lengths() for part in (values, *columns)]
        first = [np.repeat(np.arange(len(values)), lengths[0])]
        sizes, columns = [len(values), *sizes], [part.values for part in columns]
        values = values.values
    else:
        lengths, first = [np.asarray([len(part)]) for part in (values, *columns)], []
    if any(not np.array_equal(length, lengths[0]) for length in lengths):
        rule = "an example must have a place for each value"
        got = ", ".join(str(length.tolist()) for length in lengths)
        raise DataError(message(who, rule, f"{got} of them"))
    places = np.stack([*first, *map(np.asarray, columns)], 1).astype(np.int64)
    outside = (places < 0) | (places >= np.asarray(sizes))
    if outside.any():
        rule, got = f"places must lie within {tuple(sizes)}", places[outside.any(1)][0].tolist()
        raise DataError(message(who, rule, str(got)))
    order = slice(None) if feature.already_sorted else np.lexsort(places.T[::-1])
    return SparseTensor.of_parts(places[order], np.asarray(values)[order], sizes)


def _sparse(rows: Any) -> SparseTensor:
    """Values of one axis, or rows of them, each at its place."""
    if isinstance(rows, Ragged):
        rows = rows.on_host()
        lengths = rows.row_lengths()
        numbers = [np.arange(length) for length in lengths.tolist()]
        columns = np.concatenate([*numbers, np.empty(0, np.int64)]).astype(np.int64)
        places = np.stack([np.repeat(np.arange(len(rows)), lengths), columns], 1)
        sizes = [len(rows), int(lengths.max(initial=0))]
        return SparseTensor.of_parts(places, rows.values, sizes)
    values = np.asarray(rows).view(HostTensor)
    return SparseTensor.of_parts(np.arange(len(values))[:, None], values, [len(values)])


__all__ = [
    "RaggedFeature", "SparseFeature", "deserialize_many_sparse", "parse_example",
    "parse_single_example", "parse_single_sequence_example", "serialize_many_sparse",
    "serialize_sparse",
]  # fmt: skip
