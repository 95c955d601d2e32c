"""Graphs of TensorFlow: nodes, their attributes, functions.

Sources: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape,resource_handle,
full_type,op_def,function,versions}.proto.
"""

from __future__ import annotations

from array import array

from nacre.core.wire.message import (
    Message,
    blob,
    boolean,
    booleans,
    doubles,
    inner,
    inners,
    integer,
    integers,
    long_integers,
    long_unsigned,
    number_map,
    raw,
    raws,
    single,
    singles,
    text,
    text_map,
    texts,
    unsigned,
)

# --- tensor_shape.proto ---------------------------------------------------------------------------


class Dim(Message):
    """TensorShapeProto.Dim: a size of -1 is unknown."""

    size: int = integer(1)
    name: str = text(2)


class TensorShapeProto(Message):
    dim: list[Dim] = inners(2, Dim)
    unknown_rank: bool = boolean(3)


# --- tensor.proto, resource_handle.proto ----------------------------------------------------------


class DtypeAndShape(Message):
    """ResourceHandleProto.DtypeAndShape."""

    dtype: int = integer(1)
    shape: TensorShapeProto | None = inner(2, TensorShapeProto)


class ResourceHandleProto(Message):
    device: str = text(1)
    container: str = text(2)
    name: str = text(3)
    hash_code: int = unsigned(4)
    maybe_type_name: str = text(5)
    dtypes_and_shapes: list[DtypeAndShape] = inners(6, DtypeAndShape)


class TensorProto(Message):
    """An array: its bytes in `tensor_content`, or its numbers in the list of their kind.

    `tensors.py` reads and writes it.
    """

    dtype: int = integer(1)
    tensor_shape: TensorShapeProto | None = inner(2, TensorShapeProto)
    version_number: int = integer(3)
    tensor_content: bytes | memoryview = blob(4)
    half_val: array[int] = long_integers(13)
    float_val: array[float] = singles(5)
    double_val: array[float] = doubles(6)
    int_val: array[int] = long_integers(7)
    string_val: list[bytes] = raws(8)
    scomplex_val: array[float] = singles(9)
    int64_val: array[int] = long_integers(10)
    bool_val: array[int] = long_integers(11)
    dcomplex_val: array[float] = doubles(12)
    resource_handle_val: list[ResourceHandleProto] = inners(14, ResourceHandleProto)
    variant_val: list[VariantTensorDataProto] = inners(15, "VariantTensorDataProto")
    uint32_val: array[int] = long_unsigned(16)
    uint64_val: array[int] = long_unsigned(17)
    float8_val: bytes = raw(18)


class VariantTensorDataProto(Message):
    type_name: str = text(1)
    metadata: bytes = raw(2)
    tensors: list[TensorProto] = inners(3, TensorProto)


# --- attr_value.proto -----------------------------------------------------------------------------


class AttrList(Message):
    """AttrValue.ListValue."""

    s: list[bytes] = raws(2)
    i: list[int] = integers(3)
    f: array[float] = singles(4)
    b: list[bool] = booleans(5)
    type: list[int] = integers(6)
    shape: list[TensorShapeProto] = inners(7, TensorShapeProto)
    tensor: list[TensorProto] = inners(8, TensorProto)
    func: list[NameAttrList] = inners(9, "NameAttrList")


class AttrValue(Message):
    """One of its fields is set: `AttrValue(b=False)`, and the others are None."""

    list: AttrList | None = inner(1, AttrList)
    s: bytes | None = raw(2, optional=True)
    i: int | None = integer(3, optional=True)
    f: float | None = single(4, optional=True)
    b: bool | None = boolean(5, optional=True)
    type: int | None = integer(6, optional=True)
    shape: TensorShapeProto | None = inner(7, TensorShapeProto)
    tensor: TensorProto | None = inner(8, TensorProto)
    placeholder: str | None = text(9, optional=True)
    func: NameAttrList | None = inner(10, "NameAttrList")


class NameAttrList(Message):
    """A function, and values for its attributes."""

    name: str = text(1)
    attr: dict[str, AttrValue] = text_map(2, AttrValue)


# --- node_def.proto, full_type.proto --------------------------------------------------------------


class FullTypeDef(Message):
    type_id: int = integer(1)
    args: list[FullTypeDef] = inners(2, "FullTypeDef")
    s: str | None = text(3, optional=True)
    i: int | None = integer(4, optional=True)


class NodeDef(Message):
    """An op and where its inputs come from: `node`, `node:1`, `^node` to run after it.

    In a function an input is `node:output:0`, or the name of an argument.
    """

    name: str = text(1)
    op: str = text(2)
    input: list[str] = texts(3)
    device: str = text(4)
    attr: dict[str, AttrValue] = text_map(5, AttrValue)


# --- op_def.proto ---------------------------------------------------------------------------------


class ArgDef(Message):
    """OpDef.ArgDef: an input or an output of an op or a function."""

    name: str = text(1)
    description: str = text(2)
    type: int = integer(3)
    type_attr: str = text(4)
    number_attr: str = text(5)
    type_list_attr: str = text(6)
    handle_data: list[DtypeAndShape] = inners(7, DtypeAndShape)
    is_ref: bool = boolean(16)
    experimental_full_type: FullTypeDef | None = inner(17, FullTypeDef)


class AttrDef(Message):
    """OpDef.AttrDef."""

    name: str = text(1)
    type: str = text(2)
    default_value: AttrValue | None = inner(3, AttrValue)
    description: str = text(4)
    has_minimum: bool = boolean(5)
    minimum: int = integer(6)
    allowed_values: AttrValue | None = inner(7, AttrValue)


class OpDeprecation(Message):
    version: int = integer(1)
    explanation: str = text(2)


class OpDef(Message):
    name: str = text(1)
    input_arg: list[ArgDef] = inners(2, ArgDef)
    output_arg: list[ArgDef] = inners(3, ArgDef)
    attr: list[AttrDef] = inners(4, AttrDef)
    summary: str = text(5)
    description: str = text(6)
    deprecation: OpDeprecation | None = inner(8, OpDeprecation)
    is_aggregate: bool = boolean(16)
    is_stateful: bool = boolean(17)
    is_commutative: bool = boolean(18)
    allows_uninitialized_input: bool = boolean(19)
    control_output: list[str] = texts(20)
    is_distributed_communication: bool = boolean(21)


class OpList(Message):
    op: list[OpDef] = inners(1, OpDef)


# --- function.proto -------------------------------------------------------------------------------


class ArgAttrs(Message):
    """FunctionDef.ArgAttrs."""

    attr: dict[str, AttrValue] = text_map(1, AttrValue)


class FunctionDef(Message):
    """A function: `ret` tells, for each output of `signature`, which output of a node it is."""

    signature: OpDef | None = inner(1, OpDef)
    node_def: list[NodeDef] = inners(3, NodeDef)
    ret: dict[str, str] = text_map(4)
    attr: dict[str, AttrValue] = text_map(5, AttrValue)
    control_ret: dict[str, str] = text_map(6)
    arg_attr: dict[int, ArgAttrs] = number_map(7, ArgAttrs)
    resource_arg_unique_id: dict[int, int] = number_map(8)


class GradientDef(Message):
    function_name: str = text(1)
    gradient_func: str = text(2)


class RegisteredGradient(Message):
    gradient_func: str = text(1)
    registered_op_type: str = text(2)


class FunctionDefLibrary(Message):
    function: list[FunctionDef] = inners(1, FunctionDef)
    gradient: list[GradientDef] = inners(2, GradientDef)
    registered_gradients: list[RegisteredGradient] = inners(3, RegisteredGradient)


# --- versions.proto, graph.proto ------------------------------------------------------------------


class VersionDef(Message):
    producer: int = integer(1)
    min_consumer: int = integer(2)
    bad_consumers: list[int] = integers(3)


class GraphDef(Message):
    node: list[NodeDef] = inners(1, NodeDef)
    library: FunctionDefLibrary | None = inner(2, FunctionDefLibrary)
    version: int = integer(3)
    versions: VersionDef | None = inner(4, VersionDef)


__all__ = [
    "ArgAttrs",
    "ArgDef",
    "AttrDef",
    "AttrList",
    "AttrValue",
    "Dim",
    "DtypeAndShape",
    "FullTypeDef",
    "FunctionDef",
    "FunctionDefLibrary",
    "GradientDef",
    "GraphDef",
    "NameAttrList",
    "NodeDef",
    "OpDef",
    "OpDeprecation",
    "OpList",
    "RegisteredGradient",
    "ResourceHandleProto",
    "TensorProto",
    "TensorShapeProto",
    "VariantTensorDataProto",
    "VersionDef",
]
