"""A graph model: its nodes in JSON, and the contents of constants and weights in files of 4 MB.

Sources: tensorflow/core/framework/*.proto in proto3's JSON form; the types `ModelJSON` and
`WeightsManifestEntry` of @tensorflow/tfjs-core 4.22.0 (dist/io/types.d.ts). Texts of attributes are
base64, int64 numbers are strings, contents of `Const` nodes lie in the files under the node's name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it
import numpy as np

from nacre.core.regions import Content
from nacre.core.wire.tensorflow.dtypes import name_of
from nacre.core.wire.tensorflow.graph import (
    AttrValue,
    FunctionDef,
    NodeDef,
    TensorProto,
    TensorShapeProto,
)
from nacre.core.wire.tensorflow.tensors import to_array
from nacre.export.graph.ir import Graph, Value
from nacre.export.targets.graphdef.body import Body, Kind, known_shape
from nacre.export.targets.graphdef.results import RESULTS
from nacre.export.targets.graphdef.rules import lower_nodes
from nacre.export.targets.target import Request
from nacre.export.targets.tfjs.rules import FORMS

Json: TypeAlias = dict[str, Any]
_SHARD_BYTES = 4 << 20  # as the converter of TF.js cuts them, so that browsers keep them
_FEWEST = 256  # elements, of which a number in 8 bits is worth more words in the JSON
_MOST_SHARDS = 64  # of larger models the files are larger
_TYPES = {
    "float32": "DT_FLOAT", "int32": "DT_INT32", "bool": "DT_BOOL", "variant": "DT_VARIANT",
    "float16": "DT_HALF", "string": "DT_STRING", "complex64": "DT_COMPLEX64", "int64": "DT_INT64",
}  # fmt: skip


@dataclass
class Parts:
    """A model's two parts.

    Attributes:
        json: `model.json`, without the names of files.
        specs: Name, shape and dtype of each array, in order.
        arrays: Their bytes, in order.
    """

    json: Json
    specs: list[Json] = field(default_factory=list)
    arrays: list[bytes] = field(default_factory=list)

    def keep(self, name: str, array: np.ndarray) -> None:
        """Add an array."""
        if array.dtype == np.int32 and array.size >= _FEWEST and np.ptp(array) < 256:
            self._keep_bytes(name, array)
            return
        spec: Json = {"name": name, "shape": list(array.shape), "dtype": array.dtype.name}
        if array.dtype == np.float16:
            spec |= {
                "dtype": "float32",
                "quantization": {"dtype": "float16", "original_dtype": "float32"},
            }
        self.specs.append(spec)
        self.arrays.append(np.ascontiguousarray(array).tobytes())

    def _keep_bytes(self, name: str, array: np.ndarray) -> None:
        """Add whole numbers that are near one another, in 8 bits each, as they are."""
        least = int(array.min())
        quantization = {"dtype": "uint8", "scale": 1, "min": least, "original_dtype": "int32"}
        spec = {"name": name, "shape": list(array.shape), "dtype": "int32"}
        self.specs.append({**spec, "quantization": quantization})
        self.arrays.append((array - least).astype("uint8").tobytes())


def write(request: Request) -> Mapping[str, Content]:
    """The folder's files."""
    parts = model_parts(request)
    return files_of(parts.json, parts.specs, b"".join(parts.arrays))


def files_of(model: Json, specs: Sequence[Json], data: bytes) -> dict[str, Content]:
    """The folder's files.

    Args:
        model: `model.json`, without the names of files.
        specs: Name, shape and dtype of each array, in order.
        data: Their bytes, in order.
    """
    each = max(_SHARD_BYTES, -(-len(data) // _MOST_SHARDS))
    names = _shards(max(1, -(-len(data) // each)))
    files: dict[str, Content] = {
        name: data[i * each : (i + 1) * each] for i, name in enumerate(names)
    }
    whole = {**model, "weightsManifest": [{"paths": names, "weights": specs}]}
    return {"model.json": json.dumps(whole, ensure_ascii=False).encode(), **files}


def _shards(count: int) -> list[str]:
    return [f"group1-shard{i + 1}of{count}.bin" for i in range(count)]


def known_files() -> list[str]:
    """All names that files of a model may have."""
    shards = [name for count in range(1, _MOST_SHARDS + 1) for name in _shards(count)]
    return ["model.json", *shards]


def model_parts(request: Request) -> Parts:
    """The model, before it is cut into files."""
    graph = request.graph
    library: list[FunctionDef] = []
    make = Body("main", library, FORMS)
    parts = Parts({})
    tensors: dict[object, str] = {}
    inputs = {v: make.argument(v.name, v.dtype, known_shape(v.shape)) for v in graph.inputs}
    tensors |= inputs
    for weight in graph.weights:
        make.scope = ""
        name = make.add("Const", dtype=Kind(weight.value.dtype)).split(":")[0]
        tensors[weight.value] = f"{name}:output:0"
    weights = {tensors[w.value].split(":")[0]: w for w in graph.weights}
    make.use_sizes_of(graph, tensors)
    lower_nodes(make, graph, tensors)
    results = [(o.name, tensors[o.value], o.value.dtype) for o in graph.outputs]
    function = make.finish(results)
    names = {name: _node_name(weight.path, weights) for name, weight in weights.items()}
    nodes = [_placeholder(name, v) for v, name in inputs.items()]
    ops = {node.name: node.op for node in function.node_def}
    for node in function.node_def:
        made = _node(node, names, ops, parts, "")
        if node.name in weights:
            parts.keep(made["name"], weights[node.name].data)
        nodes.append(made)
    assert function.signature is not None
    ends = {
        o.name: function.ret[arg.name]
        for o, arg in zip(graph.outputs, function.signature.output_arg)
    }
    functions = [_function(f, parts) for f in library]
    _hold_items(nodes, functions)
    parts.json = {
        "format": "graph-model",
        "generatedBy": request.metadata.get("producer", "nacre"),
        "convertedBy": request.metadata.get("producer", "nacre"),
        "signature": _signature(graph, inputs, ends),
        "modelTopology": {
            "node": nodes,
            "library": {"function": functions},
            "versions": {"producer": 1645},
        },
        "userDefinedMetadata": dict(request.metadata),
    }
    return parts


def _node_name(path: str, weights: Mapping[str, Any]) -> str:
    """A weight's node is called as its path; no other node has a name with this in front."""
    return f"weights/{path}"


def _signature(graph: Graph, inputs: Mapping[Value, str], ends: Mapping[str, str]) -> Json:
    given = {v.name: _tensor(inputs[v], v) for v in graph.inputs}
    got = {o.name: _tensor(ends[o.name].split(":")[0], o.value) for o in graph.outputs}
    return {"inputs": given, "outputs": got}


def _tensor(name: str, value: Value) -> Json:
    shape = _shape_json(known_shape(value.shape))
    return {"name": f"{name}:0", "dtype": _TYPES[value.dtype], "tensorShape": shape}


def _shape_json(shape: Sequence[int | None]) -> Json:
    return {"dim": [{"size": str(-1 if n is None else n)} for n in shape]}


def _placeholder(name: str, value: Value) -> Json:
    shape = {"shape": _shape_json(known_shape(value.shape))}
    attributes = {"dtype": {"type": _TYPES[value.dtype]}, "shape": shape}
    return {"name": name, "op": "Placeholder", "input": [], "attr": attributes}


def _node(
    node: NodeDef, names: Mapping[str, str], ops: Mapping[str, str], parts: Parts, place: str
) -> Json:
    """A node as JSON; constants leave their contents among the parts."""
    attributes = {key: _attribute(value) for key, value in node.attr.items()}
    own = names.get(node.name, node.name)
    if node.op == "Const" and "value" in node.attr:
        # TF.js keeps the contents of all functions under names alone.
        own = f"{place}{node.name}"
        array = to_array(node.attr["value"].tensor)  # type: ignore[arg-type]
        parts.keep(own, np.asarray(array))
    inputs = [_reference(name, names, ops) for name in node.input]
    return {"name": own, "op": node.op, "input": inputs, "attr": attributes}


def _reference(name: str, names: Mapping[str, str], ops: Mapping[str, str]) -> str:
    """A result by its number, which functions name besides: 'node:values:0' is 'node:0'."""
    node, *rest = name.split(":")
    own = names.get(node, node)
    if len(rest) < 2:
        return ":".join([own, *rest])
    results = RESULTS[ops[node]]
    return f"{own}:{rest[1] if len(results) == 1 else results.index(rest[0])}"


def _function(function: FunctionDef, parts: Parts) -> Json:
    assert function.signature is not None
    place = f"{function.signature.name}/"
    constants = {n.name: f"{place}{n.name}" for n in function.node_def if n.op == "Const"}
    ops = {n.name: n.op for n in function.node_def}
    # What a function gives is what its nodes give: of copies TF.js frees what they were made of.
    ends = {ref.split(":")[0] for ref in function.ret.values()}
    ends = {name for name in ends if ops.get(name) == "Identity"}
    copied = {n.name: n.input[0] for n in function.node_def if n.name in ends}
    ret = {k: copied.get(v.split(":")[0], v) for k, v in function.ret.items()}
    kept = [n for n in function.node_def if n.name not in copied]
    nodes = [_node(node, constants, ops, parts, place) for node in kept]
    arguments = lambda args: [{"name": a.name, "type": _type(a.type)} for a in args]
    return {
        "signature": {
            "name": function.signature.name,
            "inputArg": arguments(function.signature.input_arg),
            "outputArg": arguments(function.signature.output_arg),
        },
        "nodeDef": nodes,
        "ret": {k: _reference(v, constants, ops) for k, v in ret.items()},
    }


def _hold_items(nodes: Sequence[Json], functions: Sequence[Json]) -> None:
    """Have the body of a loop give, besides, what it put into lists.

    TF.js frees what a function computed and does not give, elements of lists too; what it gives is
    freed a step later, but for elements of lists.
    """
    by_name = {f["signature"]["name"]: f for f in functions}
    loops = [n for group in (nodes, *(f["nodeDef"] for f in functions)) for n in group]
    for loop in [n for n in loops if n["op"] == "StatelessWhile"]:
        condition, body = (by_name[loop["attr"][k]["func"]["name"]] for k in ("cond", "body"))
        put = [n["input"][2] for n in body["nodeDef"] if n["op"] == "TensorListSetItem"]
        for number, tensor in enumerate(put):
            name = f"held_{number}"
            argument = {"name": name, "type": "DT_FLOAT"}
            for function in (condition, body):
                function["signature"]["inputArg"].append(argument)
            body["signature"]["outputArg"].append(argument)
            body["ret"][name] = tensor
            loop["input"].append(loop["input"][0])  # which no step reads


def _type(number: int) -> str:
    return _TYPES[name_of(number)]


def _attribute(value: AttrValue) -> Json:
    """An attribute as JSON."""
    if value.list is not None:
        return {"list": dict(_list(value))}
    if value.s is not None:
        return {"s": base64.b64encode(bytes(value.s)).decode()}
    if value.i is not None:
        return {"i": str(value.i)}
    if value.f is not None:
        return {"f": float(value.f)}
    if value.b is not None:
        return {"b": bool(value.b)}
    if value.type is not None:
        return {"type": _type(value.type)}
    if value.shape is not None:
        return {"shape": _shape(value.shape)}
    if value.tensor is not None:
        return {"tensor": _contents(value.tensor)}
    assert value.func is not None
    return {"func": {"name": value.func.name}}


def _contents(tensor: TensorProto) -> Json:
    shape = _shape(tensor.tensor_shape) if tensor.tensor_shape is not None else {}
    return {"dtype": _type(tensor.dtype), "tensorShape": shape}


def _shape(shape: TensorShapeProto) -> Json:
    if shape.unknown_rank:
        return {"unknownRank": True}
    return {"dim": [{"size": str(dim.size)} for dim in shape.dim]}


def _list(value: AttrValue) -> Iterator[tuple[str, list[Any]]]:
    items = value.list
    assert items is not None
    if items.s:
        yield "s", [base64.b64encode(bytes(s)).decode() for s in items.s]
    if items.i:
        yield "i", [str(i) for i in items.i]
    if items.f:
        yield "f", [float(f) for f in items.f]
    if items.b:
        yield "b", list(items.b)
    if items.type:
        yield "type", [_type(t) for t in items.type]
    if items.shape:
        yield "shape", [_shape(s) for s in items.shape]
    if items.func:
        yield "func", [{"name": f.name} for f in items.func]


__all__ = ["Parts", "files_of", "known_files", "model_parts", "write"]
