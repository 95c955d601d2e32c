"""Values of Python as SavedModels describe them, and the tensors in them in an order.

Source: tensorflow/core/protobuf/struct.proto; tensors stand in the order of `tf.nest`: lists and
tuples by place, dicts by their sorted keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nacre.core.wire.tensorflow.objects import StructuredValue
from nacre.core.wire.tensorflow.tensors import shape_of

_MOST = 100_000


@dataclass(frozen=True)
class TensorSpec:
    """A tensor: its dtype by TensorFlow's number, and its shape where it is known."""

    name: str
    dtype: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class OtherSpec:
    """A value that consists of several tensors, such as a sparse or a ragged one."""

    kind: int
    name: str
    parts: int
    state: Any = None


@dataclass(frozen=True)
class Named:
    """A named tuple: its fields in their order."""

    name: str
    fields: tuple[tuple[str, Any], ...]


def decoded(value: StructuredValue | None) -> Any:
    """The value of Python."""
    if value is None:
        return None
    for name, read in _READ.items():
        found = getattr(value, name)
        if found is not None:
            return read(found)
    return None


_READ: dict[str, Any] = {
    "none_value": lambda v: None,
    "float64_value": float,
    "int64_value": int,
    "string_value": str,
    "bool_value": bool,
    "tensor_shape_value": shape_of,
    "tensor_dtype_value": int,
    "tensor_spec_value": lambda v: TensorSpec(v.name, v.dtype, shape_of(v.shape)),
    "bounded_tensor_spec_value": lambda v: TensorSpec(v.name, v.dtype, shape_of(v.shape)),
    "type_spec_value": lambda v: OtherSpec(
        v.type_spec_class, v.type_spec_class_name, v.num_flat_components, decoded(v.type_state)
    ),
    "list_value": lambda v: [decoded(item) for item in v.values],
    "tuple_value": lambda v: tuple(decoded(item) for item in v.values),
    "dict_value": lambda v: {key: decoded(item) for key, item in v.fields.items()},
    "named_tuple_value": lambda v: Named(
        v.name, tuple((pair.key, decoded(pair.value)) for pair in v.values)
    ),
}


def flattened(structure: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of a leaf of a structure and what stands in its place in a value.

    Raises:
        ValueError: The value has another form.
    """
    if isinstance(structure, dict):
        if not isinstance(value, dict) or set(value) != set(structure):
            keys = sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__
            raise ValueError(f"a dict of {sorted(structure)} is needed, not {keys}")
        for key in sorted(structure):
            yield from flattened(structure[key], value[key])
    elif isinstance(structure, list | tuple):
        if not isinstance(value, list | tuple) or len(value) != len(structure):
            raise ValueError(f"{len(structure)} values in a list or tuple are needed")
        for inner, item in zip(structure, value, strict=True):
            yield from flattened(inner, item)
    elif isinstance(structure, Named):
        if not isinstance(value, tuple) or len(value) != len(structure.fields):
            raise ValueError(f"a named tuple of {len(structure.fields)} fields is needed")
        for (_, inner), item in zip(structure.fields, value, strict=True):
            yield from flattened(inner, item)
    else:
        yield structure, value


def packed(structure: Any, values: Iterator[Any]) -> Any:
    """A structure with values in the place of its tensors, taken one after the other."""
    if isinstance(structure, dict):
        found = {key: packed(structure[key], values) for key in sorted(structure)}
        return {key: found[key] for key in structure}
    if isinstance(structure, list):
        return [packed(inner, values) for inner in structure]
    if isinstance(structure, tuple):
        return tuple(packed(inner, values) for inner in structure)
    if isinstance(structure, Named):
        return {name: packed(inner, values) for name, inner in structure.fields}
    if isinstance(structure, TensorSpec):
        return next(values)
    if isinstance(structure, OtherSpec):
        return tuple(next(values) for _ in range(structure.parts or 1))
    return structure


__all__ = ["Named", "OtherSpec", "TensorSpec", "decoded", "flattened", "packed"]
