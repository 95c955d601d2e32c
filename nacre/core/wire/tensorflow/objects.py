"""The objects of a SavedModel and of a checkpoint: a tree of attributes, functions, variables.

Sources: tensorflow/core/protobuf/{saved_object_graph,trackable_object_graph,struct}.proto,
google/protobuf/{any,wrappers}.proto; keras/protobuf/saved_metadata.proto, versions.proto.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from nacre.core.wire.message import (
    Message,
    blob,
    boolean,
    double,
    inner,
    inners,
    integer,
    integers,
    text,
    text_map,
    texts,
    zigzag,
)
from nacre.core.wire.tensorflow.graph import TensorProto, TensorShapeProto, VersionDef

# --- struct.proto ---------------------------------------------------------------------------------


class NoneValue(Message):
    pass


class TensorSpecProto(Message):
    name: str = text(1)
    shape: TensorShapeProto | None = inner(2, TensorShapeProto)
    dtype: int = integer(3)


class BoundedTensorSpecProto(Message):
    name: str = text(1)
    shape: TensorShapeProto | None = inner(2, TensorShapeProto)
    dtype: int = integer(3)
    minimum: TensorProto | None = inner(4, TensorProto)
    maximum: TensorProto | None = inner(5, TensorProto)


class TypeSpecProto(Message):
    """What kind of value: 1 a sparse tensor, 3 a ragged one, 12 a registered one, and more.

    enum TypeSpecClass: UNKNOWN 0, SPARSE_TENSOR_SPEC 1, INDEXED_SLICES_SPEC 2,
    RAGGED_TENSOR_SPEC 3, TENSOR_ARRAY_SPEC 4, DATA_DATASET_SPEC 5, DATA_ITERATOR_SPEC 6,
    OPTIONAL_SPEC 7, PER_REPLICA_SPEC 8, VARIABLE_SPEC 9, ROW_PARTITION_SPEC 10,
    REGISTERED_TYPE_SPEC 12, EXTENSION_TYPE_SPEC 13.
    """

    type_spec_class: int = integer(1)
    type_state: StructuredValue | None = inner(2, "StructuredValue")
    type_spec_class_name: str = text(3)
    num_flat_components: int = integer(4)


class PairValue(Message):
    key: str = text(1)
    value: StructuredValue | None = inner(2, "StructuredValue")


class ListValue(Message):
    values: list[StructuredValue] = inners(1, "StructuredValue")


class TupleValue(Message):
    values: list[StructuredValue] = inners(1, "StructuredValue")


class DictValue(Message):
    fields: dict[str, StructuredValue] = text_map(1, "StructuredValue")


class NamedTupleValue(Message):
    name: str = text(1)
    values: list[PairValue] = inners(2, PairValue)


class StructuredValue(Message):
    """A value of Python, and what tensors stand in it: one of its fields is set."""

    none_value: NoneValue | None = inner(1, NoneValue)
    float64_value: float | None = double(11, optional=True)
    int64_value: int | None = zigzag(12, optional=True)
    string_value: str | None = text(13, optional=True)
    bool_value: bool | None = boolean(14, optional=True)
    tensor_shape_value: TensorShapeProto | None = inner(31, TensorShapeProto)
    tensor_dtype_value: int | None = integer(32, optional=True)
    tensor_spec_value: TensorSpecProto | None = inner(33, TensorSpecProto)
    type_spec_value: TypeSpecProto | None = inner(34, TypeSpecProto)
    bounded_tensor_spec_value: BoundedTensorSpecProto | None = inner(35, BoundedTensorSpecProto)
    list_value: ListValue | None = inner(51, ListValue)
    tuple_value: TupleValue | None = inner(52, TupleValue)
    dict_value: DictValue | None = inner(53, DictValue)
    named_tuple_value: NamedTupleValue | None = inner(54, NamedTupleValue)
    tensor_value: TensorProto | None = inner(55, TensorProto)
    numpy_value: TensorProto | None = inner(56, TensorProto)


# --- trackable_object_graph.proto -----------------------------------------------------------------


class ObjectReference(Message):
    """TrackableObjectGraph.TrackableObject.ObjectReference: an attribute, key or index."""

    node_id: int = integer(1)
    local_name: str = text(2)


class SerializedTensor(Message):
    """TrackableObjectGraph.TrackableObject.SerializedTensor."""

    name: str = text(1)
    full_name: str = text(2)
    checkpoint_key: str = text(3)


class SlotVariableReference(Message):
    """TrackableObjectGraph.TrackableObject.SlotVariableReference."""

    original_variable_node_id: int = integer(1)
    slot_name: str = text(2)
    slot_variable_node_id: int = integer(3)


class RegisteredSaver(Message):
    name: str = text(1)
    object_name: str = text(2)


class BoolValue(Message):
    """google.protobuf.BoolValue."""

    value: bool = boolean(1)


class TrackableObject(Message):
    """TrackableObjectGraph.TrackableObject."""

    children: list[ObjectReference] = inners(1, ObjectReference)
    attributes: list[SerializedTensor] = inners(2, SerializedTensor)
    slot_variables: list[SlotVariableReference] = inners(3, SlotVariableReference)
    registered_saver: RegisteredSaver | None = inner(4, RegisteredSaver)
    has_checkpoint_values: BoolValue | None = inner(5, BoolValue)


class TrackableObjectGraph(Message):
    """The objects of a checkpoint, the first of them its root."""

    nodes: list[TrackableObject] = inners(1, TrackableObject)


OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"  # that graph's name among the arrays of a checkpoint
VALUE = "VARIABLE_VALUE"  # the name of a variable's own array among its attributes


def key_of(path: str) -> str:
    """The name of a variable's array in a checkpoint, for the path by which it is reached."""
    return f"{path}/.ATTRIBUTES/{VALUE}"


# --- saved_object_graph.proto ---------------------------------------------------------------------


class FunctionSpec(Message):
    """The arguments of a function of Python.

    `fullargspec` is a named tuple of what `inspect.getfullargspec` gives. enum JitCompile:
    DEFAULT 0, ON 1, OFF 2.
    """

    fullargspec: StructuredValue | None = inner(1, StructuredValue)
    is_method: bool = boolean(2)
    input_signature: StructuredValue | None = inner(5, StructuredValue)
    jit_compile: int = integer(6)


class SavedUserObject(Message):
    """An object of Python; `metadata` is text that its class alone understands."""

    identifier: str = text(1)
    version: VersionDef | None = inner(2, VersionDef)
    metadata: str = text(3)


class SavedAsset(Message):
    asset_file_def_index: int = integer(1)


class SavedFunction(Message):
    """A function of Python with the concrete ones it was traced to."""

    concrete_functions: list[str] = texts(1)
    function_spec: FunctionSpec | None = inner(2, FunctionSpec)


class SavedConcreteFunction(Message):
    """A function of the library; objects of the graph are given to its last arguments."""

    bound_inputs: list[int] = integers(2)
    canonicalized_input_signature: StructuredValue | None = inner(3, StructuredValue)
    output_signature: StructuredValue | None = inner(4, StructuredValue)


class SavedBareConcreteFunction(Message):
    """A function that is called by keywords, such as a signature."""

    concrete_function_name: str = text(1)
    argument_keywords: list[str] = texts(2)
    allowed_positional_arguments: int = integer(3)
    function_spec: FunctionSpec | None = inner(4, FunctionSpec)


class SavedConstant(Message):
    """A constant: the name of its node in the graph."""

    operation: str = text(1)


class SavedVariable(Message):
    """enum VariableSynchronization and VariableAggregation: 0 is automatic, and none."""

    dtype: int = integer(1)
    shape: TensorShapeProto | None = inner(2, TensorShapeProto)
    trainable: bool = boolean(3)
    synchronization: int = integer(4)
    aggregation: int = integer(5)
    name: str = text(6)
    device: str = text(7)
    experimental_distributed_variable_components: list[SavedVariable] = inners(8, "SavedVariable")


class SavedResource(Message):
    """A table, or another thing that functions of its own make."""

    device: str = text(1)


class CapturedTensor(Message):
    name: str = text(1)
    concrete_function: str = text(2)


class SaveableObject(Message):
    """Places of the functions that write and restore a value."""

    save_function: int = integer(2)
    restore_function: int = integer(3)


class AnyMessage(Message):
    """google.protobuf.Any: the bytes of a message, and which one it is."""

    type_url: str = text(1)
    value: bytes | memoryview = blob(2)


class SavedObject(Message):
    """An object; one of `user_object` to `captured_tensor` is set."""

    children: list[ObjectReference] = inners(1, ObjectReference)
    slot_variables: list[SlotVariableReference] = inners(3, SlotVariableReference)
    user_object: SavedUserObject | None = inner(4, SavedUserObject)
    asset: SavedAsset | None = inner(5, SavedAsset)
    function: SavedFunction | None = inner(6, SavedFunction)
    variable: SavedVariable | None = inner(7, SavedVariable)
    bare_concrete_function: SavedBareConcreteFunction | None = inner(8, SavedBareConcreteFunction)
    constant: SavedConstant | None = inner(9, SavedConstant)
    resource: SavedResource | None = inner(10, SavedResource)
    saveable_objects: dict[str, SaveableObject] = text_map(11, SaveableObject)
    captured_tensor: CapturedTensor | None = inner(12, CapturedTensor)
    registered_name: str = text(13)
    serialized_user_proto: AnyMessage | None = inner(14, AnyMessage)
    dependencies: list[ObjectReference] = inners(15, ObjectReference)
    registered_saver: str = text(16)


class SavedObjectGraph(Message):
    """The objects of a SavedModel, the first of them its root."""

    nodes: list[SavedObject] = inners(1, SavedObject)
    concrete_functions: dict[str, SavedConcreteFunction] = text_map(2, SavedConcreteFunction)


def references(children: Iterable[tuple[str, int]]) -> list[ObjectReference]:
    """Attributes, keys or indices of an object, each with the place of what is there."""
    return [ObjectReference(node_id=place, local_name=name) for name, place in children]


def trackable(
    children: Iterable[tuple[str, int]],
    name: str = "",
    key: str | None = None,
    slots: Iterable[tuple[str, int, int]] = (),
) -> TrackableObject:
    """An object of a checkpoint.

    Args:
        children: Attributes, with the places of what is there.
        name, key: Of a variable: its own, and that of its array.
        slots: Of an optimizer: name of a state, place of the variable it is for, its own.
    """
    values = (
        [] if key is None else [SerializedTensor(name=VALUE, full_name=name, checkpoint_key=key)]
    )
    return TrackableObject(
        children=references(children),
        attributes=values,
        slot_variables=[
            SlotVariableReference(
                original_variable_node_id=of, slot_name=slot, slot_variable_node_id=place
            )
            for slot, of, place in slots
        ],
    )


def children_of(found: SavedObject | TrackableObject) -> dict[str, int]:
    """The attributes, keys or indices of an object, with the places of what is there."""
    return {child.local_name: child.node_id for child in found.children}


def places_in(
    others: Sequence[Mapping[str, int]], objects: Sequence[Mapping[str, int]]
) -> dict[int, int]:
    """For each object its place in another tree of the same names, as far as it is there.

    Args:
        others, objects: The children of each object of both trees, the roots first.

    Example:
        >>> places_in([{"b": 1}, {"c": 2}, {}], [{"a": 1, "b": 2}, {}, {"c": 1}])
        {0: 0, 2: 1, 1: 2}
    """
    found = {0: 0} if others and objects else {}
    waiting = deque(found)
    while waiting:
        place = waiting.popleft()
        there = others[found[place]]
        for name, child in objects[place].items():
            if child not in found and 0 <= there.get(name, -1) < len(others):
                found[child] = there[name]
                waiting.append(child)
    return found


# --- saved_metadata.proto, of Keras: the file keras_metadata.pb -----------------------------------


METADATA = "keras_metadata.pb"  # the file, in the folder of a SavedModel


class KerasObject(Message):
    """SavedObject of Keras: what a layer, a metric or a model is, as JSON in `metadata`."""

    node_id: int = integer(2)
    node_path: str = text(3)
    identifier: str = text(4)
    metadata: str = text(5)
    version: VersionDef | None = inner(6, VersionDef)


class SavedMetadata(Message):
    """The whole of `keras_metadata.pb`."""

    nodes: list[KerasObject] = inners(1, KerasObject)


__all__ = [
    "METADATA",
    "OBJECTS",
    "VALUE",
    "AnyMessage",
    "BoolValue",
    "BoundedTensorSpecProto",
    "CapturedTensor",
    "DictValue",
    "FunctionSpec",
    "KerasObject",
    "ListValue",
    "NamedTupleValue",
    "NoneValue",
    "ObjectReference",
    "PairValue",
    "RegisteredSaver",
    "SaveableObject",
    "SavedAsset",
    "SavedBareConcreteFunction",
    "SavedConcreteFunction",
    "SavedConstant",
    "SavedFunction",
    "SavedMetadata",
    "SavedObject",
    "SavedObjectGraph",
    "SavedResource",
    "SavedUserObject",
    "SavedVariable",
    "SerializedTensor",
    "SlotVariableReference",
    "StructuredValue",
    "TensorSpecProto",
    "TrackableObject",
    "TrackableObjectGraph",
    "TupleValue",
    "TypeSpecProto",
    "children_of",
    "key_of",
    "places_in",
    "references",
    "trackable",
]
