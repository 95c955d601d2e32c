"""Files of ONNX: models, graphs, nodes, tensors.

Source: onnx/onnx.proto of ONNX 1.23; each class names its message there, each line its field.
"""

from __future__ import annotations

from array import array

from nacre.core.wire.message import (
    Message,
    blob,
    doubles,
    inner,
    inners,
    integer,
    integers,
    long_integers,
    long_unsigned,
    raw,
    raws,
    single,
    singles,
    text,
    texts,
)

# TensorProto.DataType, by the names of NumPy and ml_dtypes.
NUMBERS: dict[str, int] = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7,
    "string": 8, "bool": 9, "float16": 10, "float64": 11, "uint32": 12, "uint64": 13,
    "complex64": 14, "complex128": 15, "bfloat16": 16, "float8_e4m3fn": 17,
    "float8_e4m3fnuz": 18, "float8_e5m2": 19, "float8_e5m2fnuz": 20, "uint4": 21, "int4": 22,
    "float4_e2m1fn": 23, "float8_e8m0fnu": 24, "uint2": 25, "int2": 26,
}  # fmt: skip
NAMES: dict[int, str] = {number: name for name, number in NUMBERS.items()}

# AttributeProto.AttributeType.
FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS, TENSORS, GRAPHS = range(1, 11)
SPARSE_TENSOR, TYPE = 11, 13

EXTERNAL = 1  # TensorProto.DataLocation
LARGEST_BYTES = (1 << 31) - 1  # of a message, by protobuf.dev, *Proto Limits*


class StringStringEntryProto(Message):
    key: str = text(1)
    value: str = text(2)


class OperatorSetIdProto(Message):
    domain: str = text(1)
    version: int = integer(2)


class Dimension(Message):
    """TensorShapeProto.Dimension: a number, or a name; neither where it is unknown."""

    dim_value: int | None = integer(1, optional=True)
    dim_param: str | None = text(2, optional=True)


class TensorShapeProto(Message):
    dim: list[Dimension] = inners(1, Dimension)


class TensorType(Message):
    """TypeProto.Tensor."""

    elem_type: int = integer(1)
    shape: TensorShapeProto | None = inner(2, TensorShapeProto)


class ElementType(Message):
    """TypeProto.Sequence and TypeProto.Optional."""

    elem_type: TypeProto | None = inner(1, "TypeProto")


class TypeProto(Message):
    tensor_type: TensorType | None = inner(1, TensorType)
    sequence_type: ElementType | None = inner(4, ElementType)
    optional_type: ElementType | None = inner(9, ElementType)


class ValueInfoProto(Message):
    name: str = text(1)
    type: TypeProto | None = inner(2, TypeProto)


class TensorProto(Message):
    dims: list[int] = integers(1)
    data_type: int = integer(2)
    float_data: array[float] = singles(4)
    int32_data: array[int] = long_integers(5)
    string_data: list[bytes] = raws(6)
    int64_data: array[int] = long_integers(7)
    name: str = text(8)
    raw_data: memoryview | bytes = blob(9)
    double_data: array[float] = doubles(10)
    uint64_data: array[int] = long_unsigned(11)
    external_data: list[StringStringEntryProto] = inners(13, StringStringEntryProto)
    data_location: int = integer(14)


class SparseTensorProto(Message):
    values: TensorProto | None = inner(1, TensorProto)
    indices: TensorProto | None = inner(2, TensorProto)
    dims: list[int] = integers(3)


class AttributeProto(Message):
    name: str = text(1)
    f: float | None = single(2, optional=True)
    i: int | None = integer(3, optional=True)
    s: bytes | None = raw(4, optional=True)
    t: TensorProto | None = inner(5, TensorProto)
    g: GraphProto | None = inner(6, "GraphProto")
    floats: array[float] = singles(7)
    ints: list[int] = integers(8)
    strings: list[bytes] = raws(9)
    tensors: list[TensorProto] = inners(10, TensorProto)
    graphs: list[GraphProto] = inners(11, "GraphProto")
    tp: TypeProto | None = inner(14, TypeProto)
    type: int = integer(20)
    ref_attr_name: str = text(21)
    sparse_tensor: SparseTensorProto | None = inner(22, SparseTensorProto)


class NodeProto(Message):
    input: list[str] = texts(1)
    output: list[str] = texts(2)
    name: str = text(3)
    op_type: str = text(4)
    attribute: list[AttributeProto] = inners(5, AttributeProto)
    domain: str = text(7)
    overload: str = text(8)


class GraphProto(Message):
    node: list[NodeProto] = inners(1, NodeProto)
    name: str = text(2)
    initializer: list[TensorProto] = inners(5, TensorProto)
    input: list[ValueInfoProto] = inners(11, ValueInfoProto)
    output: list[ValueInfoProto] = inners(12, ValueInfoProto)
    value_info: list[ValueInfoProto] = inners(13, ValueInfoProto)
    sparse_initializer: list[SparseTensorProto] = inners(15, SparseTensorProto)


class FunctionProto(Message):
    name: str = text(1)
    input: list[str] = texts(4)
    output: list[str] = texts(5)
    attribute: list[str] = texts(6)
    node: list[NodeProto] = inners(7, NodeProto)
    opset_import: list[OperatorSetIdProto] = inners(9, OperatorSetIdProto)
    domain: str = text(10)
    attribute_proto: list[AttributeProto] = inners(11, AttributeProto)
    overload: str = text(13)


class ModelProto(Message):
    ir_version: int = integer(1)
    producer_name: str = text(2)
    producer_version: str = text(3)
    domain: str = text(4)
    model_version: int = integer(5)
    graph: GraphProto | None = inner(7, GraphProto)
    opset_import: list[OperatorSetIdProto] = inners(8, OperatorSetIdProto)
    metadata_props: list[StringStringEntryProto] = inners(14, StringStringEntryProto)
    functions: list[FunctionProto] = inners(25, FunctionProto)


# Fields that a writer puts into a file by themselves, so that weights are in memory once.
MODEL_GRAPH, GRAPH_INITIALIZER, TENSOR_RAW_DATA = 7, 5, 9

__all__ = [
    "EXTERNAL",
    "FLOAT",
    "FLOATS",
    "GRAPH",
    "GRAPHS",
    "GRAPH_INITIALIZER",
    "INT",
    "INTS",
    "LARGEST_BYTES",
    "MODEL_GRAPH",
    "NAMES",
    "NUMBERS",
    "SPARSE_TENSOR",
    "STRING",
    "STRINGS",
    "TENSOR",
    "TENSORS",
    "TENSOR_RAW_DATA",
    "TYPE",
    "AttributeProto",
    "Dimension",
    "ElementType",
    "FunctionProto",
    "GraphProto",
    "ModelProto",
    "NodeProto",
    "OperatorSetIdProto",
    "SparseTensorProto",
    "StringStringEntryProto",
    "TensorProto",
    "TensorShapeProto",
    "TensorType",
    "TypeProto",
    "ValueInfoProto",
]
