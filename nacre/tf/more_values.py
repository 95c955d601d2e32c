"""Classes beside tensors that scripts ask for, and small functions of the package."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.data import DatasetSpec, Ragged, RaggedSpec, TensorSpec
from nacre.data.dataset.sparse import SparseEntries
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.running import is_tensor
from nacre.tf.shapes import TensorShape
from nacre.tf.values import tensor


class IndexedSlices:
    """Some rows of a tensor. Gradients here are never this: those of tables are whole.

    Args:
        values: The rows.
        indices: Which ones they are.
        dense_shape: The shape of all.
    """

    def __init__(self, values: Any, indices: Any, dense_shape: Any = None) -> None:
        self.values, self.indices = tensor(values), tensor(indices)
        self.dense_shape = dense_shape

    @property
    def dtype(self) -> Any:
        """The dtype of the rows."""
        return self.values.dtype


class _SpecKind(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, TensorSpec | DatasetSpec)


class TypeSpec(metaclass=_SpecKind):
    """What `isinstance(x, tf.TypeSpec)` asks for: specs of tensors, rows and data sets."""


class _RaggedSpecKind(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, RaggedSpec)

    def __call__(
        cls,
        shape: Any = None,
        dtype: Any = "float32",
        ragged_rank: int | None = None,
        row_splits_dtype: Any = "int64",
        flat_values_spec: Any = None,
    ) -> RaggedSpec:
        return RaggedSpec(shape, dtype, row_splits_dtype)


class RaggedTensorSpec(metaclass=_RaggedSpecKind):
    """What is known of rows of different lengths.

    Args:
        shape: The sizes, None for the lengths of rows.
        dtype: The dtype of the values.
        ragged_rank, flat_values_spec: Accepted for compatibility.
        row_splits_dtype: The dtype of the row splits.
    """


def type_spec_from_value(value: Any) -> TensorSpec:
    """What is known of a tensor: its shape and dtype.

    Args:
        value: A tensor, a ragged tensor, or what can be one.
    """
    own = getattr(type(value), "Spec", None) or getattr(type(value), "spec_class", None)
    return type_spec_of(value) if own is None else own.from_value(value)


def type_spec_of(value: Any) -> TensorSpec:
    """The same of a tensor, a ragged one, or what can be one.

    Args:
        value: The tensor.
    """
    if isinstance(value, Ragged):
        return RaggedSpec(value.shape, value.dtype, value.row_splits.dtype)
    if isinstance(value, SparseEntries):
        return value.spec_class(tuple(value.shape), as_dtype(value.dtype).name)
    found = tensor(value)
    return TensorSpec(tuple(found.shape), dtype_of(found).name)


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape of what an operator gives for tensors of two shapes.

    Args:
        shape_x, shape_y: The shapes.

    Raises:
        ShapeError: They do not go together.
    """
    one, other = (list(TensorShape(s)) for s in (shape_x, shape_y))
    count = max(len(one), len(other))
    one, other = ([1] * (count - len(s)) + s for s in (one, other))
    out: list[int | None] = []
    for a, b in zip(one, other, strict=True):
        if a == 1 or b == 1:
            out.append(b if a == 1 else a)
        elif a is None or b is None or a == b:
            out.append(b if a is None else a)
        else:
            got = f"{tuple(one)} and {tuple(other)}"
            raise ShapeError(message("tf.broadcast_static_shape", "sizes must be equal or 1", got))
    return TensorShape(out)


def timestamp() -> Any:
    """The seconds since 1970."""
    return tensor(time.time(), "float64")


def together(tensors: Sequence[Any], control_inputs: Any = None) -> list[Any]:
    """The tensors: what was called has run."""
    return [None if x is None else tensor(x) for x in tensors]


def assert_same_structure(one: Any, other: Any, check_types: bool = True) -> None:
    """Raise unless two structures are nested alike.

    Args:
        one, other: The structures.
        check_types: Whether lists and tuples are different.
    """
    who = "tf.nest.assert_same_structure"
    if not is_nested(one) and not is_nested(other):
        return
    a, b = (sorted(x.items()) if isinstance(x, dict) else None for x in (one, other))
    alike = is_nested(one) and is_nested(other) and len(one) == len(other)
    alike = alike and (not check_types or type(one) is type(other))
    alike = alike and (a is None) == (b is None)
    if alike and a is not None and b is not None:
        alike = [key for key, _ in a] == [key for key, _ in b]
    if not alike:
        got = f"{_outline(one)} and {_outline(other)}"
        kind = TypeError if check_types and type(one) is not type(other) else ValueError
        raise kind(message(who, "structures must be nested alike", got))
    left, right = ([v for _, v in a], [v for _, v in b]) if a and b else (one, other)
    for first, second in zip(left, right, strict=True):
        assert_same_structure(first, second, check_types)


def is_nested(structure: Any) -> bool:
    """Whether something is a list, a tuple or a dict."""
    return isinstance(structure, list | tuple | dict)


def _outline(structure: Any) -> str:
    if not is_nested(structure):
        return "*"
    keys = f" {sorted(structure)}" if isinstance(structure, dict) else ""
    return f"a {type(structure).__name__} of {len(structure)}{keys}"


def assert_proper_iterable(values: Any) -> None:
    """Raise unless something is a list or the like, no tensor and no text."""
    if is_tensor(values) or isinstance(values, str | bytes | np.ndarray):
        rule = "there must be a list or the like"
        raise TypeError(message("tf.debugging.assert_proper_iterable", rule, type(values).__name__))
    iter(values)


def same_float_dtype(tensors: Any = None, dtype: Any = None) -> Any:
    """The dtype of floats, float32 where none is told.

    Args:
        tensors: Tensors, which must be of it.
        dtype: The dtype.
    """
    kinds = {dtype_of(tensor(x)) for x in tensors or () if x is not None}
    kinds |= set() if dtype is None else {as_dtype(dtype)}
    if len(kinds) > 1 or any(not kind.is_floating for kind in kinds):
        got = ", ".join(sorted(kind.name for kind in kinds))
        who = "tf.debugging.assert_same_float_dtype"
        raise ArgumentError(message(who, "there must be one dtype of floats", got))
    return next(iter(kinds), as_dtype("float32"))


def is_numeric_tensor(tensor: Any) -> bool:
    """Whether something is a tensor of numbers."""
    return is_tensor(tensor) and dtype_of(tensor).name not in ("bool", "string")


def path_to_str(path: Any) -> Any:
    """A path as a text; anything else as it is."""
    return path.__fspath__() if hasattr(path, "__fspath__") else path


def make_tensor_proto(
    values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False,
    allow_broadcast: bool = False,
) -> TensorProto:  # fmt: skip
    """The values, as servers of models take them; their bytes are TensorFlow's.

    Args:
        values: Numbers or strings.
        dtype: Their dtype.
        shape: Their shape.
        verify_shape, allow_broadcast: Accepted for compatibility.
    """
    from nacre.tf.making import constant

    return TensorProto(constant(values, dtype, shape))


def make_ndarray(tensor: TensorProto) -> np.ndarray:
    """The values of what `make_tensor_proto` gave.

    Args:
        tensor: It.
    """
    return np.array(tensor.value)


class TensorProto:
    """Values as a message.

    Args:
        value: A tensor.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    @classmethod
    def FromString(cls, data: bytes) -> TensorProto:
        """The tensor that bytes hold."""
        from nacre.core.wire.tensorflow.graph import TensorProto as Message
        from nacre.core.wire.tensorflow.tensors import to_array

        return cls(tensor(to_array(Message.read(data))))

    def SerializeToString(self) -> bytes:
        """Its bytes, as TensorFlow's TensorProto has them."""
        from nacre.tf.bytes_of_tensors import serialize_tensor

        return serialize_tensor(self.value).item()


def edit_distance(hypothesis: Any, truth: Any, normalize: bool = True, name: Any = None) -> Any:
    """How many insertions, removals and changes lead from one sequence to another.

    Args:
        hypothesis, truth: Sparse tensors, sequences along the last axis.
        normalize: Whether the number is divided by the length of the truth.
        name: Accepted for compatibility.
    """
    sizes = np.maximum(np.asarray(hypothesis.dense_shape), np.asarray(truth.dense_shape))[:-1]
    found = np.zeros(sizes, np.float32)
    rows, others = _sequences(hypothesis), _sequences(truth)
    for at in np.ndindex(*sizes):
        a, b = rows.get(at, []), others.get(at, [])
        count = float(_distance(a, b))
        if normalize:
            count = count / len(b) if b else (float("inf") if a else 0.0)
        found[at] = count
    return tensor(found)


def _sequences(sparse: Any) -> dict[tuple[int, ...], list[Any]]:
    found: dict[tuple[int, ...], list[Any]] = {}
    places, values = np.asarray(sparse.indices), np.asarray(sparse.values).tolist()
    for place, value in zip(places.tolist(), values, strict=True):
        found.setdefault(tuple(place[:-1]), []).append(value)
    return found


def _distance(a: list[Any], b: list[Any]) -> int:
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


__all__ = [
    "IndexedSlices", "RaggedTensorSpec", "TensorProto", "TypeSpec", "assert_proper_iterable",
    "assert_same_structure", "broadcast_static_shape",
    "edit_distance", "is_nested", "is_numeric_tensor", "make_ndarray", "make_tensor_proto",
    "path_to_str", "same_float_dtype", "timestamp", "together", "type_spec_from_value",
    "type_spec_of",
]  # fmt: skip
