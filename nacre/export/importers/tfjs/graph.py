"""A graph model of TF.js as a program: its GraphDef in JSON, by the importer of TensorFlow.

Constants of floats are its weights. Ops that TF.js alone has are written as TensorFlow's.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.context import current
from nacre.core.errors import (
    FileFormatError,
    NacreError,
    ShapeError,
    UnsupportedError,
    listed,
    message,
)
from nacre.core.wire.tensorflow.dtypes import dtype_of, name_of, number_of
from nacre.core.wire.tensorflow.graph import (
    ArgDef,
    AttrList,
    AttrValue,
    Dim,
    FunctionDef,
    FunctionDefLibrary,
    GraphDef,
    NameAttrList,
    NodeDef,
    OpDef,
    TensorShapeProto,
)
from nacre.core.wire.tensorflow.saved_model import MetaGraphDef, SignatureDef, TensorInfo
from nacre.core.wire.tensorflow.tensors import shape_of, to_message
from nacre.export.importers.imported import FAULTS, Call, ImportedModel, Port, Weight, model_of
from nacre.export.importers.tensorflow.program import SavedModelProgram, frozen_graph
from nacre.export.importers.tfjs.read import Content

_TYPES = {
    "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_INT32": "int32", "DT_UINT8": "uint8",
    "DT_INT16": "int16", "DT_INT8": "int8", "DT_STRING": "string", "DT_COMPLEX64": "complex64",
    "DT_INT64": "int64", "DT_BOOL": "bool", "DT_HALF": "float16", "DT_BFLOAT16": "bfloat16",
    "DT_UINT16": "uint16", "DT_UINT32": "uint32", "DT_UINT64": "uint64",
    "DT_RESOURCE": "resource", "DT_VARIANT": "variant",
}  # fmt: skip
_CALL = "serving_default"
_FAULTS = (*FAULTS, RecursionError)  # what computing a damaged graph may raise


class GraphProgram:
    """A graph model that computes.

    Args:
        content: Its files.
        who: What errors call it.
    """

    kind = "tfjs"

    def __init__(self, content: Content, who: str) -> None:
        self.who, self._content = who, content
        try:
            graph = _graph(content.json["modelTopology"], content.arrays)
            signature = _signature(content.json, graph)
            self.weights = _take_weights(graph, content.arrays)
            self._program = SavedModelProgram(None, MetaGraphDef(graph_def=graph), who.strip("'"))
        except NacreError:
            raise
        except _FAULTS as error:
            raise _damaged(who, f"{type(error).__name__} {error}") from error
        self._inputs = [_tensor(info) for _, info in sorted(signature.inputs.items())]
        self._outputs = [_tensor(info) for _, info in _ordered(signature.outputs)]
        self.calls = {
            _CALL: Call(
                tuple(_port(n, info, who) for n, info in sorted(signature.inputs.items())),
                tuple(_port(n, info, who) for n, info in _ordered(signature.outputs)),
            )
        }
        self._compiled: Any = None

    @property
    def has_64_bits(self) -> bool:
        """TF.js itself has 32 alone."""
        return False

    def compute(
        self, call: str, weights: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """What the graph gives."""
        is_open = any(not isinstance(n, int) for a in arrays for n in a.shape)
        if is_open and current().host_calls is None:  # described: trials tell more, in less memory
            raise ShapeError(message(self.who, "sizes must be known", "open sizes"))
        try:
            if self._compiled is None:
                feeds = [*self._inputs, *(f"{name}:0" for name in self.weights)]
                self._compiled = self._program._compiled_for(feeds, self._outputs)
            given = [*arrays, *(weights[name] for name in self.weights)]
            return self._program._call(self._compiled, given), {}
        except UnsupportedError:
            raise
        except _FAULTS as error:
            if self.who in str(error):
                raise
            text = " ".join(str(error).split())[:300]
            raise ShapeError(message(self.who, "its graph must be computed", text)) from error

    def without_weights(self) -> bytes:
        """The graph, with shapes in the place of the weights."""
        arrays = {}
        for name, array in self._content.arrays.items():
            kept = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
            content = None if name in self.weights else kept
            arrays[name] = [array.dtype.str, list(array.shape), content]
        known = ("format", "modelTopology", "signature", "userDefinedMetadata")
        parts = {key: self._content.json[key] for key in known if key in self._content.json}
        return json.dumps({"json": parts, "arrays": arrays}).encode()


def opened(data: bytes, who: str) -> GraphProgram:
    """What `without_weights` gave as a program.

    Raises:
        FileFormatError: It is damaged.
    """
    try:
        found = json.loads(data)
        arrays = {}
        for name, (dtype, shape, content) in found["arrays"].items():
            kind = np.dtype(dtype)
            sizes = tuple(int(n) for n in shape)
            if kind.kind not in "fiubc" or any(n < 0 for n in sizes):
                raise ValueError(f"array '{name}'")
            if content is None:
                arrays[name] = np.zeros(sizes, kind)
            else:
                data = base64.b64decode(content, validate=True)
                arrays[name] = np.frombuffer(data, kind).reshape(sizes)
        return GraphProgram(Content(found["json"], arrays), who)
    except NacreError:
        raise
    except _FAULTS as error:
        raise _damaged(who, f"{type(error).__name__} {error}") from error


def open_model(content: Content, who: str, name: str) -> ImportedModel:
    """A graph model as a model of one layer.

    Raises:
        FileFormatError: It is damaged.
        UnsupportedError: It has operations that nacre does not compute; all of them are told.
    """
    try:
        return model_of(GraphProgram(content, who), name)
    except (UnsupportedError, *_FAULTS) as error:
        if who in str(error):
            raise
        if isinstance(error, UnsupportedError):
            raise UnsupportedError(f"{who}: {error}") from error
        raise _damaged(who, f"{type(error).__name__} {error}") from error


def _damaged(who: str, what: str) -> FileFormatError:
    text = " ".join(what.split())[:300]
    return FileFormatError(message(who, "a model of TF.js must be whole", text))


# --- JSON -----------------------------------------------------------------------------------------


def _graph(topology: Any, arrays: Mapping[str, np.ndarray]) -> GraphDef:
    library = topology.get("library") or {}
    functions = library.get("function") or []
    return GraphDef(
        node=[_node(node, arrays) for node in topology["node"]],
        library=FunctionDefLibrary(function=[_function(f, arrays) for f in functions]),
    )


def _node(node: Any, arrays: Mapping[str, np.ndarray]) -> NodeDef:
    name, op = _text(node["name"]), _text(node["op"])
    attributes = {_text(k): _attribute(v) for k, v in (node.get("attr") or {}).items()}
    if op == "Const":
        if name not in arrays:
            raise ValueError(f"constant '{name}' has no content")
        kind = attributes["dtype"].type if "dtype" in attributes else None
        array = arrays[name]
        own = dtype_of(kind) if kind is not None else None
        if own is not None and own != array.dtype and own.kind in "iufb":
            array = array.astype(own)
        attributes["value"] = AttrValue(tensor=to_message(array))
    inputs = [_text(i) for i in node.get("input") or []]
    return NodeDef(name=name, op=_OPS.get(op, op), input=inputs, attr=attributes)


# Names that TF.js has for ops of TensorFlow.
_OPS = {"FusedDepthwiseConv2dNative": "_FusedDepthwiseConv2dNative"}


def _function(function: Any, arrays: Mapping[str, np.ndarray]) -> FunctionDef:
    signature = function["signature"]

    def arguments(found: Any) -> list[ArgDef]:
        return [ArgDef(name=_text(a["name"]), type=_type(a.get("type", 0))) for a in found or []]

    return FunctionDef(
        signature=OpDef(
            name=_text(signature["name"]),
            input_arg=arguments(signature.get("inputArg")),
            output_arg=arguments(signature.get("outputArg")),
        ),
        node_def=[_node(node, arrays) for node in function.get("nodeDef") or []],
        ret={_text(k): _text(v) for k, v in (function.get("ret") or {}).items()},
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name is {value!r}"[:100])
    return value


def _bytes(value: Any) -> bytes:
    """Bytes in base64, or as a list of their codes."""
    if isinstance(value, list):
        return bytes(value)
    try:
        return base64.b64decode(_text(value), validate=True)
    except binascii.Error:
        return _text(value).encode()


def _type(value: Any) -> int:
    if isinstance(value, int):
        return value
    if value not in _TYPES:
        raise ValueError(f"type {value!r}"[:100])
    return number_of(_TYPES[value])


def _shape(value: Any) -> TensorShapeProto:
    value = value or {}
    if value.get("unknownRank"):
        return TensorShapeProto(unknown_rank=True)
    return TensorShapeProto(dim=[Dim(size=int(d.get("size", 0))) for d in value.get("dim") or []])


def _func(value: Any) -> NameAttrList:
    attributes = {_text(k): _attribute(v) for k, v in (value.get("attr") or {}).items()}
    return NameAttrList(name=_text(value.get("name", "")), attr=attributes)


_ONE: dict[str, Any] = {
    "s": _bytes, "i": int, "f": float, "b": bool, "type": _type, "shape": _shape, "func": _func,
    "placeholder": _text,
}  # fmt: skip


def _attribute(value: Any) -> AttrValue:
    if not isinstance(value, dict):
        raise ValueError(f"an attribute is {value!r}"[:100])
    for key, read in _ONE.items():
        if key in value and value[key] is not None:
            return AttrValue(**{key: read(value[key])})
    if "list" in value:
        found = value["list"] or {}
        parts = {k: [_ONE[k](v) for v in found[k]] for k in found if k in _ONE and found[k]}
        return AttrValue(list=AttrList(**parts))
    return AttrValue()


def _signature(model: Mapping[str, Any], graph: GraphDef) -> SignatureDef:
    found = model.get("signature") or (model.get("userDefinedMetadata") or {}).get("signature")
    if not found or not found.get("outputs"):
        return frozen_graph(graph).signature_def[_CALL]
    kinds = {node.name: node for node in graph.node if node.op.startswith("Placeholder")}

    def infos(tensors: Any) -> dict[str, TensorInfo]:
        made: dict[str, TensorInfo] = {}
        for name, tensor in (tensors or {}).items():
            own = _text(tensor["name"])
            own = own if ":" in own else f"{own}:0"
            kind = _type(tensor.get("dtype", 0))
            shape = _shape(tensor.get("tensorShape"))
            node = kinds.get(own.split(":")[0])
            if node is not None and "tensorShape" not in tensor and "shape" in node.attr:
                shape = node.attr["shape"].shape or shape
            made[_text(name)] = TensorInfo(name=own, dtype=kind, tensor_shape=shape)
        return made

    signature = SignatureDef()
    signature.inputs.update(infos(found.get("inputs")))
    signature.outputs.update(infos(found["outputs"]))
    return signature


# --- weights, ports -------------------------------------------------------------------------------


def _take_weights(graph: GraphDef, arrays: Mapping[str, np.ndarray]) -> dict[str, Weight]:
    """Constants of floats, which are fed from now on."""
    found: dict[str, Weight] = {}
    for node in graph.node:
        array = arrays.get(node.name)
        if node.op != "Const" or array is None or array.dtype != np.float32 or array.size < 2:
            continue
        found[node.name] = Weight(array, True)
        node.op = "Placeholder"
        shape = TensorShapeProto(dim=[Dim(size=n) for n in array.shape])
        node.attr = {"dtype": node.attr["dtype"], "shape": AttrValue(shape=shape)}
    return found


def _tensor(info: TensorInfo) -> str:
    return info.name or ""


def _port(name: str, info: TensorInfo, who: str) -> Port:
    kind = name_of(info.dtype) if info.dtype else "float32"
    if kind in ("string", "resource", "variant"):
        raise FileFormatError(message(who, "inputs and outputs must hold numbers", listed([kind])))
    return Port(name, kind, shape_of(info.tensor_shape))


def _ordered(outputs: Mapping[str, TensorInfo]) -> list[tuple[str, TensorInfo]]:
    """Outputs by name, numbers in them as numbers."""

    def key(pair: tuple[str, TensorInfo]) -> tuple[str, int]:
        stem = pair[0].rstrip("0123456789")
        return stem, int(pair[0][len(stem) :] or -1)

    return sorted(outputs.items(), key=key)


__all__ = ["GraphProgram", "open_model", "opened"]
