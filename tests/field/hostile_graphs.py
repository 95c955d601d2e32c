"""SavedModels as somebody hostile would write them, made by hand, for the tests beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.wire.tensorflow.graph import (
    ArgDef,
    AttrValue,
    FunctionDef,
    FunctionDefLibrary,
    GraphDef,
    NameAttrList,
    NodeDef,
    OpDef,
    TensorProto,
)
from nacre.core.wire.tensorflow.saved_model import (
    AssetFileDef,
    MetaGraphDef,
    MetaInfoDef,
    SavedModel,
    SignatureDef,
    TensorInfo,
)
from nacre.core.wire.tensorflow.tensors import shape_message, to_message

INIT = "__saved_model_init_op"
FLOAT, BOOL, INT32, STRING = 1, 10, 3, 7


def value(content: Any) -> AttrValue:
    """An attribute, of what Python's value tells."""
    if isinstance(content, AttrValue):
        return content
    if isinstance(content, np.ndarray):
        return AttrValue(tensor=to_message(content))
    if isinstance(content, bool):
        return AttrValue(b=content)
    if isinstance(content, int):
        return AttrValue(i=content)
    if isinstance(content, bytes):
        return AttrValue(s=content)
    return AttrValue(func=NameAttrList(name=content))


def node(op: str, name: str, *inputs: str, **attributes: Any) -> NodeDef:
    """A node of a graph."""
    told = {key: value(content) for key, content in attributes.items()}
    return NodeDef(name=name, op=op, input=list(inputs), attr=told)


def text(name: str, content: str | bytes) -> NodeDef:
    """A constant string."""
    data = content.encode() if isinstance(content, str) else content
    array = np.empty((), object)
    array[()] = data
    return node("Const", name, value=array, dtype=AttrValue(type=STRING))


def numbers(name: str, content: Any, dtype: str = "int32") -> NodeDef:
    """Constant numbers."""
    return node("Const", name, value=np.asarray(content, dtype))


def repeated(name: str, shape: tuple[int, ...]) -> NodeDef:
    """A constant of one number that stands for many."""
    tensor = TensorProto(dtype=FLOAT, tensor_shape=shape_message(shape))
    tensor.float_val.append(1.0)
    return node("Const", name, value=AttrValue(tensor=tensor))


def function(name: str, inputs: list[str], output: str, *nodes: NodeDef) -> FunctionDef:
    """A function of one output."""
    signature = OpDef(
        name=name,
        input_arg=[ArgDef(name=arg, type=INT32) for arg in inputs],
        output_arg=[ArgDef(name="out", type=INT32)],
    )
    return FunctionDef(signature=signature, node_def=list(nodes), ret={"out": output})


def saved_model(
    folder: Path,
    nodes: list[NodeDef],
    output: str = "",
    init: str = "",
    functions: list[FunctionDef] | None = None,
    assets: dict[str, str] | None = None,
) -> Path:
    """Write a folder.

    Args:
        folder: Where to.
        nodes: The graph.
        output: The node that the signature gives.
        init: The node that is run when the folder is opened.
        functions: Of the graph.
        assets: Node that takes the path -> file in `assets`.
    """
    signatures: dict[str, SignatureDef] = {}
    if output:
        signatures["serving_default"] = SignatureDef(
            outputs={"out": TensorInfo(name=f"{output}:0", dtype=STRING)}
        )
    if init:
        signatures[INIT] = SignatureDef(outputs={INIT: TensorInfo(name=init)})
    meta = MetaGraphDef(
        meta_info_def=MetaInfoDef(tags=["serve"]),
        graph_def=GraphDef(node=nodes, library=FunctionDefLibrary(function=functions or [])),
        signature_def=signatures,
        asset_file_def=[
            AssetFileDef(tensor_info=TensorInfo(name=f"{name}:0"), filename=filename)
            for name, filename in (assets or {}).items()
        ],
    )
    folder.mkdir(parents=True, exist_ok=True)
    model = SavedModel(saved_model_schema_version=1, meta_graphs=[meta])
    (folder / "saved_model.pb").write_bytes(model.write())
    return folder
