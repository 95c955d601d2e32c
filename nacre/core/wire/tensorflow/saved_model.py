"""The file `saved_model.pb`: graphs with their signatures, and how their variables are restored.

Sources: tensorflow/core/protobuf/{saved_model,meta_graph,saver}.proto,
tensorflow/core/framework/variable.proto, google/protobuf/any.proto.
"""

from __future__ import annotations

from array import array

from nacre.core.wire.message import (
    Message,
    boolean,
    inner,
    inners,
    integer,
    integers,
    raws,
    single,
    singles,
    text,
    text_map,
    texts,
)
from nacre.core.wire.tensorflow.graph import GraphDef, OpList, TensorProto, TensorShapeProto
from nacre.core.wire.tensorflow.objects import AnyMessage, SavedObjectGraph, TypeSpecProto

# In the folder of a SavedModel.
FILE = "saved_model.pb"
VARIABLES = "variables/variables"  # what the names of the checkpoint's files begin with


# --- saver.proto, variable.proto ------------------------------------------------------------------


class SaverDef(Message):
    """What writes and restores variables: names in the graph. Version 2 is of TensorBundle."""

    filename_tensor_name: str = text(1)
    save_tensor_name: str = text(2)
    restore_op_name: str = text(3)
    max_to_keep: int = integer(4)
    sharded: bool = boolean(5)
    keep_checkpoint_every_n_hours: float = single(6)
    version: int = integer(7)


class SaveSliceInfoDef(Message):
    full_name: str = text(1)
    full_shape: list[int] = integers(2)
    var_offset: list[int] = integers(3)
    var_shape: list[int] = integers(4)


class VariableDef(Message):
    """A variable in a collection of TensorFlow 1."""

    variable_name: str = text(1)
    initializer_name: str = text(2)
    snapshot_name: str = text(3)
    save_slice_info_def: SaveSliceInfoDef | None = inner(4, SaveSliceInfoDef)
    is_resource: bool = boolean(5)
    initial_value_name: str = text(6)
    trainable: bool = boolean(7)
    synchronization: int = integer(8)
    aggregation: int = integer(9)


# --- meta_graph.proto -----------------------------------------------------------------------------


class CooSparse(Message):
    """TensorInfo.CooSparse."""

    values_tensor_name: str = text(1)
    indices_tensor_name: str = text(2)
    dense_shape_tensor_name: str = text(3)


class CompositeTensor(Message):
    """TensorInfo.CompositeTensor."""

    type_spec: TypeSpecProto | None = inner(1, TypeSpecProto)
    components: list[TensorInfo] = inners(2, "TensorInfo")


class TensorInfo(Message):
    """A tensor of the graph, by its name, with its dtype and shape."""

    name: str | None = text(1, optional=True)
    dtype: int = integer(2)
    tensor_shape: TensorShapeProto | None = inner(3, TensorShapeProto)
    coo_sparse: CooSparse | None = inner(4, CooSparse)
    composite_tensor: CompositeTensor | None = inner(5, CompositeTensor)


class SignatureDef(Message):
    """A function by names: what is fed, what is fetched."""

    inputs: dict[str, TensorInfo] = text_map(1, TensorInfo)
    outputs: dict[str, TensorInfo] = text_map(2, TensorInfo)
    method_name: str = text(3)
    defaults: dict[str, TensorProto] = text_map(4, TensorProto)


class AssetFileDef(Message):
    """A file in `assets/`, and the tensor that its path is given to."""

    tensor_info: TensorInfo | None = inner(1, TensorInfo)
    filename: str = text(2)


class NodeList(Message):
    """CollectionDef.NodeList."""

    value: list[str] = texts(1)


class BytesList(Message):
    """CollectionDef.BytesList."""

    value: list[bytes] = raws(1)


class Int64List(Message):
    """CollectionDef.Int64List."""

    value: list[int] = integers(1)


class FloatList(Message):
    """CollectionDef.FloatList."""

    value: array[float] = singles(1)


class AnyList(Message):
    """CollectionDef.AnyList."""

    value: list[AnyMessage] = inners(1, AnyMessage)


class CollectionDef(Message):
    """One of its fields is set."""

    node_list: NodeList | None = inner(1, NodeList)
    bytes_list: BytesList | None = inner(2, BytesList)
    int64_list: Int64List | None = inner(3, Int64List)
    float_list: FloatList | None = inner(4, FloatList)
    any_list: AnyList | None = inner(5, AnyList)


class MetaInfoDef(Message):
    """MetaGraphDef.MetaInfoDef. Tags tell what a graph is for: `serve`, `train`."""

    meta_graph_version: str = text(1)
    stripped_op_list: OpList | None = inner(2, OpList)
    any_info: AnyMessage | None = inner(3, AnyMessage)
    tags: list[str] = texts(4)
    tensorflow_version: str = text(5)
    tensorflow_git_version: str = text(6)
    stripped_default_attrs: bool = boolean(7)
    function_aliases: dict[str, str] = text_map(8)


class MetaGraphDef(Message):
    meta_info_def: MetaInfoDef | None = inner(1, MetaInfoDef)
    graph_def: GraphDef | None = inner(2, GraphDef)
    saver_def: SaverDef | None = inner(3, SaverDef)
    collection_def: dict[str, CollectionDef] = text_map(4, CollectionDef)
    signature_def: dict[str, SignatureDef] = text_map(5, SignatureDef)
    asset_file_def: list[AssetFileDef] = inners(6, AssetFileDef)
    object_graph_def: SavedObjectGraph | None = inner(7, SavedObjectGraph)


# --- saved_model.proto ----------------------------------------------------------------------------


class SavedModel(Message):
    """The whole of `saved_model.pb`; the version is 1."""

    saved_model_schema_version: int = integer(1)
    meta_graphs: list[MetaGraphDef] = inners(2, MetaGraphDef)


__all__ = [
    "FILE",
    "VARIABLES",
    "AnyList",
    "AssetFileDef",
    "BytesList",
    "CollectionDef",
    "CompositeTensor",
    "CooSparse",
    "FloatList",
    "Int64List",
    "MetaGraphDef",
    "MetaInfoDef",
    "NodeList",
    "SaveSliceInfoDef",
    "SavedModel",
    "SaverDef",
    "SignatureDef",
    "TensorInfo",
    "VariableDef",
]
