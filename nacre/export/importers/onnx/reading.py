"""Arrays and graphs of the messages of a file.

Source: onnx/onnx.proto of ONNX 1.23. Sizes are compared with what the file has before memory is
taken; data beside the file lie in its folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from nacre.core import safety
from nacre.core.links import foreign
from nacre.core.wire import onnx as wire
from nacre.export.importers.onnx.registry import Node
from nacre.export.importers.onnx.values import GraphError, dtype_of

OWN = ("", "ai.onnx")  # names of the first domain
OLDEST, NEWEST = 7, 28  # operator sets that are read
_MOST_NODES = 500_000  # with functions in the place of their calls
_DEEPEST = 40  # graphs within one another
KEPT_APART = ":weight"  # where the elements of a tensor lie that a program has as a weight
_PACKED = {"uint4": 4, "int4": 4, "float4_e2m1fn": 4, "uint2": 2, "int2": 2}
_BITS = {"float16": np.uint16, "bfloat16": np.uint16}  # written as whole numbers of 32 bits


@dataclass
class Graph:
    """Nodes in order, with what they are given.

    Attributes:
        inputs: Name, and what is said of its type.
        constants: Arrays by name.
        sparse: Names of those that were stored sparse.
        reads: Values of graphs around it.
    """

    name: str
    inputs: list[tuple[str, wire.TypeProto | None]]
    outputs: list[str]
    nodes: list[Node]
    constants: dict[str, np.ndarray[Any, Any]]
    types: dict[str, wire.TypeProto] = field(default_factory=dict)
    reads: frozenset[str] = field(default_factory=frozenset)


# --- tensors --------------------------------------------------------------------------------------


class External:
    """Files of data beside a model.

    Args:
        folder: Where they lie; None where the model is bytes alone.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.read_bytes = 0

    def data(self, tensor: wire.TensorProto) -> memoryview:
        """The bytes of a tensor.

        Raises:
            GraphError: The file is not there, not in the folder, or shorter than that.
        """
        entries = {entry.key: entry.value for entry in tensor.external_data}
        path = self._path(entries.get("location", ""), tensor.name)
        size = path.stat().st_size
        try:
            offset = int(entries.get("offset") or 0)
            length = int(entries["length"]) if "length" in entries else size - offset
        except ValueError:
            raise GraphError(f"tensor '{tensor.name}' has no place in '{path.name}'") from None
        if offset < 0 or length < 0 or offset + length > size:
            raise GraphError(f"tensor '{tensor.name}' lies beyond the end of '{path.name}'")
        if not length:
            return memoryview(b"")
        self.read_bytes += length
        mapped: Any = np.memmap(path, np.uint8, "r", offset, (length,))
        return memoryview(mapped)

    def _path(self, location: str, name: str) -> Path:
        parts = location.replace("\\", "/").split("/")
        plain = [part for part in parts if part != "."]
        if not all(plain) or any(part == ".." or ":" in part or "\0" in part for part in plain):
            raise GraphError(
                f"data of tensor '{name}' must lie in the model's folder: {location!r}"
            )
        if self._folder is None:
            raise GraphError(f"data lie in '{location}' beside the file, and bytes alone are given")
        path = self._folder.joinpath(*plain)
        folder = self._folder
        for part in plain:
            folder = folder / part
            if (wrong := foreign(folder)) is not None:
                raise GraphError(f"data must lie in the model's folder: {wrong}")
        if not path.is_file():
            raise GraphError(f"data lie in '{location}' beside the file, which is not there")
        return path


def array_of(tensor: wire.TensorProto, external: External) -> np.ndarray[Any, Any]:
    """The elements of a tensor, in its shape.

    Raises:
        GraphError: It does not hold as many as its shape tells, or is of no known dtype.
    """
    name = wire.NAMES.get(tensor.data_type)
    shape = tuple(tensor.dims)
    if name is None:
        raise GraphError(f"tensor '{tensor.name}' has the unknown dtype {tensor.data_type}")
    if any(size < 0 for size in shape):
        raise GraphError(f"tensor '{tensor.name}' has the shape {shape}")
    count = math.prod(shape)
    dtype = dtype_of(name)
    if name == "string":
        found = _strings(tensor)
    elif any(e.key == "location" and e.value == KEPT_APART for e in tensor.external_data):
        # Weights that were taken out: one number in the place of all.
        return np.broadcast_to(np.zeros((), dtype), shape)
    elif tensor.data_location == wire.EXTERNAL:
        found = _of_raw(external.data(tensor), name, count)
    elif len(tensor.raw_data):
        found = _of_raw(memoryview(tensor.raw_data), name, count)
    else:
        found = _of_fields(tensor, name, count)
    if found.size != count:
        text = f"{found.size} elements for the shape {shape}"
        raise GraphError(f"tensor '{tensor.name}' has {text}")
    return found.reshape(shape)


def _strings(tensor: wire.TensorProto) -> np.ndarray[Any, Any]:
    found = np.empty(len(tensor.string_data), object)
    found[:] = [data.decode("utf-8", "replace") for data in tensor.string_data]
    return found


def _of_raw(data: memoryview, name: str, count: int) -> np.ndarray[Any, Any]:
    if name in _PACKED:
        return _unpacked(np.frombuffer(data, np.uint8), name, count)
    dtype = dtype_of(name)
    if len(data) != count * dtype.itemsize:
        raise GraphError(f"{len(data)} bytes for {count} numbers of {name}")
    found = np.frombuffer(data, np.uint8 if name == "bool" else dtype)
    return found != 0 if name == "bool" else found


def _unpacked(data: np.ndarray[Any, Any], name: str, count: int) -> np.ndarray[Any, Any]:
    """Numbers of 4 or 2 bits, the lowest first."""
    bits = _PACKED[name]
    each = 8 // bits
    if len(data) != -(-count // each):
        raise GraphError(f"{len(data)} bytes for {count} numbers of {name}")
    parts = (data[:, None] >> (np.arange(each, dtype=np.uint8) * bits)) & ((1 << bits) - 1)
    values = parts.reshape(-1)[:count].astype(np.uint8)
    if name.startswith("int"):
        values = ((values ^ (1 << bits - 1)).astype(np.int8) - (1 << bits - 1)).astype(np.int8)
        return values.astype(dtype_of(name))
    return (
        values.view(dtype_of(name)) if name.startswith("float") else values.astype(dtype_of(name))
    )


def _of_fields(tensor: wire.TensorProto, name: str, count: int) -> np.ndarray[Any, Any]:
    """Elements that stand one by one, in the field that their dtype has."""
    if name in ("float32", "complex64"):
        return np.asarray(tensor.float_data, np.float32).view(name)
    if name in ("float64", "complex128"):
        return np.asarray(tensor.double_data, np.float64).view(name)
    if name == "int64":
        return np.asarray(tensor.int64_data, np.int64)
    if name in ("uint32", "uint64"):
        return np.asarray(tensor.uint64_data, np.uint64).astype(name)
    values = np.asarray(tensor.int32_data, np.int64)
    if name in _PACKED:
        return _unpacked(values.astype(np.uint8), name, count)
    if name in _BITS:
        return values.astype(_BITS[name]).view(dtype_of(name))
    if name.startswith("float8"):
        return values.astype(np.uint8).view(dtype_of(name))
    return values != 0 if name == "bool" else values.astype(name)


def dense(sparse: wire.SparseTensorProto, external: External) -> np.ndarray[Any, Any]:
    """A sparse tensor, whole.

    Raises:
        GraphError: An index lies outside.
    """
    shape = tuple(sparse.dims)
    if sparse.values is None or any(size < 0 for size in shape):
        raise GraphError(f"a sparse tensor of shape {shape}")
    values = array_of(sparse.values, external).ravel()
    no_places = np.zeros(0, np.int64)
    places = no_places if sparse.indices is None else array_of(sparse.indices, external)
    count = math.prod(shape)
    safety.reserve(count * values.dtype.itemsize, "a sparse tensor")
    if places.ndim == 2:
        if places.shape[1] != len(shape):
            raise GraphError(f"indices of shape {places.shape} for the shape {shape}")
        if places.size and ((places < 0) | (places >= np.array(shape))).any():
            raise GraphError("an index of a sparse tensor lies outside of it")
        places = np.ravel_multi_index(tuple(places.T), shape) if places.size else no_places
    if places.ndim != 1 or len(places) != len(values):
        raise GraphError(f"{places.shape} indices for {len(values)} values")
    if places.size and not 0 <= places.min() <= places.max() < count:
        raise GraphError("an index of a sparse tensor lies outside of it")
    found = np.zeros(count, values.dtype)
    found[places] = values
    return found.reshape(shape)


# --- graphs ---------------------------------------------------------------------------------------


class Reader:
    """Makes graphs of a model's messages.

    Args:
        model: The file.
        external: Data beside it.
    """

    def __init__(self, model: wire.ModelProto, external: External) -> None:
        self.external = external
        self._functions = {(f.domain, f.name, f.overload): f for f in model.functions}
        self._versions = _versions(model.opset_import)
        self._left = _MOST_NODES

    def graph(
        self,
        proto: wire.GraphProto,
        versions: dict[str, int] | None = None,
        given: dict[str, Any] | None = None,
        within: tuple[Any, ...] = (),
    ) -> Graph:
        """A graph, with what it reads from around it."""
        if len(within) > _DEEPEST:
            raise GraphError(f"graphs and functions within one another, more than {_DEEPEST} deep")
        versions = self._versions if versions is None else versions
        constants = {t.name: array_of(t, self.external) for t in proto.initializer}
        for sparse in proto.sparse_initializer:
            if sparse.values is not None:
                constants[sparse.values.name] = dense(sparse, self.external)
        nodes = [self._node(node, versions, given, within) for node in proto.node]
        inputs = [(value.name, value.type) for value in proto.input]
        types = {v.name: v.type for v in proto.output if v.type is not None}
        outputs = [value.name for value in proto.output]
        made = Graph(proto.name, inputs, outputs, nodes, constants, types)
        made.reads = _free(made)
        return made

    def _node(
        self,
        proto: wire.NodeProto,
        versions: dict[str, int],
        given: dict[str, Any] | None,
        within: tuple[Any, ...],
    ) -> Node:
        self._left -= 1
        if self._left < 0:
            raise GraphError(f"more than {_MOST_NODES} nodes")
        attributes: dict[str, Any] = {}
        for attribute in proto.attribute:
            if attribute.ref_attr_name:
                if given is None:
                    raise GraphError(f"'{proto.name}' refers to an attribute outside a function")
                if attribute.ref_attr_name in given:
                    attributes[attribute.name] = given[attribute.ref_attr_name]
                continue
            attributes[attribute.name] = self._value(attribute, versions, given, within)
        domain = "" if proto.domain in OWN else proto.domain
        key = (proto.domain, proto.op_type, proto.overload)
        reads = frozenset[str]()
        for value in attributes.values():
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, Graph):
                    reads |= inner.reads
        node = Node(
            proto.op_type,
            domain,
            proto.name or f"{proto.op_type} for '{next(iter(proto.output), '')}'",
            versions.get(domain, 1),
            attributes,
            list(proto.input),
            list(proto.output),
            reads=reads,
        )
        if key in self._functions:
            node.body = self._body(self._functions[key], key, node, within)
        return node

    def _body(
        self, function: wire.FunctionProto, key: Any, node: Node, within: tuple[Any, ...]
    ) -> Graph:
        """A function's nodes, with the attributes of a call."""
        if key in within:
            raise GraphError(f"the function '{function.name}' calls itself")
        versions = _versions(function.opset_import)
        given = {
            a.name: self._value(a, versions, None, (*within, key)) for a in function.attribute_proto
        }
        given |= {k: v for k, v in node.attributes.items() if v is not None}
        inner = (*within, key)
        if len(inner) > _DEEPEST:
            raise GraphError(f"graphs and functions within one another, more than {_DEEPEST} deep")
        nodes = [self._node(n, versions, given, inner) for n in function.node]
        inputs: list[tuple[str, wire.TypeProto | None]] = [(name, None) for name in function.input]
        return Graph(function.name, inputs, list(function.output), nodes, {})

    def _value(
        self,
        attribute: wire.AttributeProto,
        versions: dict[str, int],
        given: dict[str, Any] | None,
        within: tuple[Any, ...],
    ) -> Any:
        """An attribute as a value of Python; None for one that is not set."""
        kind = attribute.type or _kind(attribute)
        inner = (*within, "graph")
        match kind:
            case wire.FLOAT:
                return float(attribute.f or 0.0)
            case wire.INT:
                return int(attribute.i or 0)
            case wire.STRING:
                return (attribute.s or b"").decode("utf-8", "replace")
            case wire.TENSOR:
                return None if attribute.t is None else array_of(attribute.t, self.external)
            case wire.GRAPH:
                if attribute.g is None:
                    return None
                return self.graph(attribute.g, versions, given, inner)
            case wire.FLOATS:
                return [float(number) for number in attribute.floats]
            case wire.INTS:
                return list(attribute.ints)
            case wire.STRINGS:
                return [item.decode("utf-8", "replace") for item in attribute.strings]
            case wire.TENSORS:
                return [array_of(tensor, self.external) for tensor in attribute.tensors]
            case wire.GRAPHS:
                return [self.graph(g, versions, given, inner) for g in attribute.graphs]
            case wire.SPARSE_TENSOR:
                if attribute.sparse_tensor is None:
                    return None
                return dense(attribute.sparse_tensor, self.external)
            case wire.TYPE:
                return attribute.tp
        raise GraphError(f"the attribute '{attribute.name}' has the unknown type {kind}")


def _kind(attribute: wire.AttributeProto) -> int:
    """The type of an attribute that does not say it, as files before ONNX 1.0 did."""
    held: list[tuple[int, bool]] = [
        (wire.FLOAT, attribute.f is not None), (wire.INT, attribute.i is not None),
        (wire.STRING, attribute.s is not None), (wire.TENSOR, attribute.t is not None),
        (wire.GRAPH, attribute.g is not None), (wire.FLOATS, bool(len(attribute.floats))),
        (wire.STRINGS, bool(attribute.strings)),
    ]  # fmt: skip
    for kind, is_set in held:
        if is_set:
            return kind
    return wire.INTS


def _versions(imports: Iterable[wire.OperatorSetIdProto]) -> dict[str, int]:
    found = {("" if i.domain in OWN else i.domain): i.version for i in imports}
    version = found.setdefault("", 1 if not found else NEWEST)
    if not OLDEST <= version <= NEWEST:
        rule = f"operator set {version}, where {OLDEST} to {NEWEST} are read"
        fix = "; onnx.version_converter makes a newer file of it" if version < OLDEST else ""
        raise GraphError(rule + fix)
    return found


def _free(graph: Graph) -> frozenset[str]:
    """Values that a graph reads and does not make."""
    made = {name for name, _ in graph.inputs} | set(graph.constants)
    found: set[str] = set()
    for node in graph.nodes:
        found |= {name for name in (*node.inputs, *node.reads) if name and name not in made}
        made |= set(node.outputs)
    return frozenset(found | {name for name in graph.outputs if name not in made})


def float_kinds() -> frozenset[str]:
    """Dtypes of numbers that training changes."""
    return frozenset(("float32", "float16", np.dtype(ml_dtypes.bfloat16).name))


__all__ = ["KEPT_APART", "NEWEST", "OLDEST", "External", "Graph", "Reader", "array_of", "dense",
           "float_kinds"]  # fmt: skip
