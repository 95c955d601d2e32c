"""`parse_example` and its like: serialized examples as tensors, by what each feature should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.data.dataset import elements as el
from nacre.data.dataset.ragged import Ragged
from nacre.data.dataset.spec import dtype_name, host_dtype
from nacre.data.files.example import parsed_example, parsed_sequence_example
from nacre.data.files.records import as_bytes


class FixedLenFeature(NamedTuple):
    """A feature that has one shape in every example.

    Args:
        shape: The shape, such as `[]` for one number.
        dtype: 'float32', 'int64' or 'string'.
        default_value: What stands where an example does not have it: one value, or as many as the
            shape holds. Without it such an example is an error.

    Example:
        >>> from nacre.data import Example
        >>> data = Example({"size": [1.0, 2.0]}).SerializeToString()
        >>> parse_single_example(data, {"size": FixedLenFeature([2], "float32")})["size"].tolist()
        [1.0, 2.0]
    """

    shape: Any
    dtype: Any
    default_value: Any = None


class VarLenFeature(NamedTuple):
    """A feature with any number of values, none where an example does not have it.

    One example gives a tensor of one axis, which `ragged_batch` and `padded_batch` put together;
    `parse_example` gives a `Ragged` for all of them; the steps of a sequence are one too. `fit`
    pads it and masks. tf.io gives its SparseTensor in these places.

    Args:
        dtype: 'float32', 'int64' or 'string'.

    Example:
        >>> from nacre.data import Example
        >>> data = [Example({"words": w}).SerializeToString() for w in (["a", "b"], ["c"])]
        >>> parse_example(data, {"words": VarLenFeature("string")})["words"].to_list()
        [[b'a', b'b'], [b'c']]
    """

    dtype: Any


class FixedLenSequenceFeature(NamedTuple):
    """A feature with any number of steps of one shape: a tensor (steps, *shape).

    Args:
        shape: The shape of a step.
        dtype: 'float32', 'int64' or 'string'.
        allow_missing: Whether an example without it has no steps; else that is an error. Outside of
            sequence examples it must be True, as in tf.io.
        default_value: What `parse_example` fills up shorter ones with; 0 or b"".

    Example:
        >>> from nacre.data import Example
        >>> data = [Example({"n": n}).SerializeToString() for n in ([1, 2], [3])]
        >>> steps = FixedLenSequenceFeature([], "int64", allow_missing=True, default_value=-1)
        >>> parse_example(data, {"n": steps})["n"].tolist()
        [[1, 2], [3, -1]]
    """

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


Feature: TypeAlias = FixedLenFeature | VarLenFeature | FixedLenSequenceFeature


def parse_single_example(
    serialized: Any, features: Mapping[str, Any], example_names: Any = None, name: str | None = None
) -> dict[str, Any]:
    """The tensors of one serialized `Example`.

    Args:
        serialized: Its bytes, as `TFRecordDataset` gives them.
        features: Name -> `FixedLenFeature`, `VarLenFeature` or `FixedLenSequenceFeature`.
        example_names: What errors call it.
        name: Accepted for compatibility.

    Raises:
        DataError: It is no example; a feature is missing, or has another kind or number of values.
        ArgumentError: `features` is something else.
    Source:
        tf.io.parse_single_example of TensorFlow 2.21. Differs: see `VarLenFeature`; a single
        default fills any shape; all that `dtype` may be is known when it is called.
    Example:
        >>> from nacre.data import Example
        >>> data = Example({"label": 3}).SerializeToString()
        >>> int(parse_single_example(data, {"label": FixedLenFeature([], "int64")})["label"])
        3
    """
    who = _who("parse_single_example", example_names)
    found = parsed_example(as_bytes(serialized, who), who)
    return {n: _single(found, n, f, who) for n, f in _features(features, who).items()}


def parse_example(
    serialized: Any, features: Mapping[str, Any], example_names: Any = None, name: str | None = None
) -> dict[str, Any]:
    """The tensors of a batch of serialized `Example`s; see `parse_single_example`.

    Args:
        serialized: An array or list of bytes, as `TFRecordDataset(...).batch(32)` gives it; of a
            single one the result is that of `parse_single_example`.
        features: Name -> what it should be.
        example_names: What errors call each.
        name: Accepted for compatibility.

    Shapes:
        FixedLenFeature          (batch, *shape)
        VarLenFeature            a `Ragged`, (batch, None)
        FixedLenSequenceFeature  (batch, longest, *shape), filled up

    Example:
        >>> from nacre.data import Example
        >>> data = [Example({"x": [n, n]}).SerializeToString() for n in (1.0, 2.0)]
        >>> parse_example(data, {"x": FixedLenFeature([2], "float32")})["x"].tolist()
        [[1.0, 1.0], [2.0, 2.0]]
    """
    who = "parse_example"
    if hasattr(serialized, "numpy"):
        serialized = serialized.numpy()
    if isinstance(serialized, bytes | str) or np.shape(serialized) == ():
        return parse_single_example(serialized, features, example_names, name)
    wanted = _features(features, who)
    items = np.asarray(serialized, object).ravel().tolist()
    columns: dict[str, list[Any]] = {key: [] for key in wanted}
    for index, item in enumerate(items):
        label = index if example_names is None else np.ravel(example_names)[index]
        which = f"{who}, example {label}"
        found = parsed_example(as_bytes(item, which), which)
        for key, feature in wanted.items():
            columns[key].append(_single(found, key, feature, which))
    return {key: _together(columns[key], feature, who) for key, feature in wanted.items()}


def parse_single_sequence_example(
    serialized: Any,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tensors of one serialized `SequenceExample`: (context, sequences).

    Args:
        serialized: Its bytes.
        context_features: Name -> what it should be, as for `parse_single_example`.
        sequence_features: Name -> `FixedLenSequenceFeature`, a tensor (steps, *shape), or
            `VarLenFeature`, a `Ragged` with a row for each step.
        example_name: What errors call it.
        name: Accepted for compatibility.

    Raises:
        DataError: It is none; a feature is missing, or has another kind or number of values.
    Example:
        >>> from nacre.data import SequenceExample
        >>> data = SequenceExample({"id": 7}, {"n": [[1], [2]]}).SerializeToString()
        >>> context, steps = parse_single_sequence_example(
        ...     data, {"id": FixedLenFeature([], "int64")},
        ...     {"n": FixedLenSequenceFeature([], "int64")})
        >>> int(context["id"]), steps["n"].tolist()
        (7, [1, 2])
    """
    who = _who("parse_single_sequence_example", example_name)
    context, lists = parsed_sequence_example(as_bytes(serialized, who), who)
    wanted = _features(context_features or {}, who)
    sequences = _features(sequence_features or {}, who)
    return (
        {key: _single(context, key, feature, who) for key, feature in wanted.items()},
        {key: _steps(lists, key, feature, who) for key, feature in sequences.items()},
    )


# ------------------------------------------------------------------------ one feature


def _who(function: str, name: Any) -> str:
    return function if name is None else f"{function}, example {name}"


def _features(features: Any, who: str) -> dict[str, Feature]:
    """What is wanted, with dtypes by name and shapes as tuples; TensorFlow's own are taken too."""
    if not isinstance(features, Mapping):
        raise ArgumentError(
            message(
                who, "features must map names to FixedLenFeature and its like",
                type(features).__name__,
            )
        )  # fmt: skip
    return {key: _feature(key, value, who) for key, value in features.items()}


def _feature(key: str, given: Any, who: str) -> Feature:
    kind = type(given).__name__
    made = _KINDS.get(kind)
    if made is None:
        rule = "a feature must be FixedLenFeature, VarLenFeature or FixedLenSequenceFeature"
        raise ArgumentError(message(f"{who}, feature {key!r}", rule, kind))
    values: dict[str, Any] = {name: getattr(given, name) for name in made._fields}
    values["dtype"] = dtype_name(values["dtype"])
    if values["dtype"] not in ("float32", "int64", "string"):
        raise ArgumentError(
            message(
                f"{who}, feature {key!r}",
                "dtype must be 'float32', 'int64' or 'string', which is all that examples hold",
                repr(values["dtype"]),
                "Convert what was read: value.astype('int32').",
            )
        )
    if "shape" in values:
        shape = values["shape"]
        sizes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        if any(size is None or int(size) < 0 for size in sizes):
            rule = "every size of its shape must be known"
            fix = "Take VarLenFeature, or FixedLenSequenceFeature for a first axis that varies."
            raise ArgumentError(message(f"{who}, feature {key!r}", rule, str(sizes), fix))
        values["shape"] = tuple(int(size) for size in sizes)
    return made(**values)


_KINDS: dict[str, Any] = {
    kind.__name__: kind for kind in (FixedLenFeature, VarLenFeature, FixedLenSequenceFeature)
}


def _single(found: Mapping[str, np.ndarray], key: str, feature: Feature, who: str) -> Any:
    """A feature of one example."""
    values, where = found.get(key), f"{who}, feature {key!r}"
    if isinstance(feature, VarLenFeature):
        return el.sealed(_empty(feature) if values is None else _checked(values, feature, where))
    if isinstance(feature, FixedLenSequenceFeature):
        if not feature.allow_missing:
            rule = "FixedLenSequenceFeature needs allow_missing=True outside of sequence examples"
            raise ArgumentError(message(where, rule, "allow_missing=False"))
        values = _empty(feature) if values is None else _checked(values, feature, where)
        size = int(np.prod(feature.shape))
        if size == 0 or len(values) % size:
            rule = f"the number of values must be a multiple of {size}, for steps {feature.shape}"
            raise DataError(message(where, rule, f"{len(values)}"))
        return el.sealed(values.reshape(-1, *feature.shape))
    if values is None:
        return el.sealed(_default(feature, where, found))
    return _shaped(values, feature, where)


def _shaped(values: np.ndarray, feature: Any, where: str) -> Any:
    values = _checked(values, feature, where)
    if len(values) != int(np.prod(feature.shape)):
        raise DataError(
            message(
                where,
                f"the number of values must be that of shape {feature.shape}",
                f"{len(values)}",
                "Take VarLenFeature where the number varies.",
            )
        )
    return el.sealed(values.reshape(feature.shape))


def _steps(lists: Mapping[str, Any], key: str, feature: Feature, who: str) -> Any:
    """A feature of a sequence."""
    steps, where = lists.get(key), f"{who}, sequence {key!r}"
    if isinstance(feature, VarLenFeature):
        rows = [_empty(feature) if s is None else _checked(s, feature, where) for s in steps or []]
        return Ragged.of_rows(rows, np.int64, who) if rows else Ragged(_empty(feature), [0])
    if isinstance(feature, FixedLenFeature):
        rule = "a sequence must be FixedLenSequenceFeature or VarLenFeature"
        raise ArgumentError(message(where, rule, "FixedLenFeature"))
    if steps is None and not feature.allow_missing:
        raise _missing(where, lists, "Pass allow_missing=True.")
    items = [
        _shaped(_empty(feature) if step is None else step, feature, f"{where}, step {index}")
        for index, step in enumerate(steps or [])
    ]
    if not items:
        return el.sealed(_empty(feature).reshape(0, *feature.shape))
    return el.stack_leaves(items, where, "")


def _empty(feature: Feature) -> np.ndarray:
    return np.empty(0, host_dtype(feature.dtype))


def _checked(values: np.ndarray, feature: Feature, where: str) -> np.ndarray:
    dtype = host_dtype(feature.dtype)
    if values.dtype != dtype:
        got = f"{'string' if values.dtype.kind == 'O' else values.dtype} in the file"
        raise DataError(message(where, f"its values must be of dtype {feature.dtype}", got))
    return values


def _default(feature: FixedLenFeature, where: str, found: Mapping[str, Any]) -> np.ndarray:
    if feature.default_value is None:
        raise _missing(where, found, "Give it a default_value.")
    return _filled(feature.default_value, feature, where)


def _filled(value: Any, feature: Any, where: str) -> np.ndarray:
    given = el.to_element(value, where).view(np.ndarray)
    dtype = host_dtype(feature.dtype)
    is_right = (given.dtype.kind == "O") == (dtype.kind == "O")
    if not is_right or given.size not in (1, int(np.prod(feature.shape))):
        raise ArgumentError(
            message(
                where,
                f"default_value must be {feature.dtype}, one value or as shape {feature.shape}",
                repr(value)[:60],
            )
        )
    flat = given.reshape(-1).astype(dtype)
    if flat.size == 1:
        return np.full(feature.shape, flat[0], dtype)
    return flat.reshape(feature.shape)


def _missing(where: str, found: Mapping[str, Any], fix: str) -> DataError:
    names = ", ".join(list(found)[:10]) or "nothing"
    return DataError(message(where, "the example must hold it", f"one with {names}", fix))


def _together(items: Sequence[Any], feature: Feature, who: str) -> Any:
    """A feature of many examples."""
    if isinstance(feature, VarLenFeature):
        return Ragged.of_rows(items, np.int64, who) if items else Ragged(_empty(feature), [0])
    if not items:
        axes = (0, 0) if isinstance(feature, FixedLenSequenceFeature) else (0,)
        return el.sealed(_empty(feature).reshape(*axes, *feature.shape))
    if isinstance(feature, FixedLenFeature):
        return el.stack_leaves(items, who, "")
    dtype = host_dtype(feature.dtype)
    fill = (
        (b"" if dtype.kind == "O" else 0)
        if feature.default_value is None
        else (el.to_element(feature.default_value, who).item())
    )
    longest = max(len(item) for item in items)
    out = np.full((len(items), longest, *feature.shape), fill, dtype)
    for row, item in zip(out, items, strict=True):
        row[: len(item)] = item
    return el.sealed(out)


__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "VarLenFeature", "parse_example",
    "parse_single_example", "parse_single_sequence_example",
]  # fmt: skip
