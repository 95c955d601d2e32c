"""What the package protobuf asks of messages: descriptors of `tf.train.Example` and its parts.

So `google.protobuf.text_format` and `json_format` read and write them, where it is installed.

Source: tensorflow/core/example/feature.proto and example.proto.
"""

from __future__ import annotations

import functools
from typing import Any

from nacre.core.interop import optional_import

# Message -> its fields, in order from number 1: name, kind; a list or a map where it says so.
_FIELDS: dict[str, list[tuple[str, str]]] = {
    "BytesList": [("value", "list of bytes")],
    "FloatList": [("value", "list of float")],
    "Int64List": [("value", "list of int64")],
    "Feature": [
        ("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List"),
    ],
    "Features": [("feature", "map of Feature")],
    "FeatureList": [("feature", "list of Feature")],
    "FeatureLists": [("feature_list", "map of FeatureList")],
    "Example": [("features", "Features")],
    "SequenceExample": [("context", "Features"), ("feature_lists", "FeatureLists")],
}  # fmt: skip
_PACKAGE = "tensorflow"


@functools.cache
def _file() -> Any:
    """The descriptor of the whole, in a pool of its own: TensorFlow may be there too."""
    descriptor: Any = _part_of_protobuf("descriptor_pb2")
    pool: Any = _part_of_protobuf("descriptor_pool").DescriptorPool()
    written = descriptor.FileDescriptorProto(
        name="nacre/example.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        _add_message(written.message_type.add(name=name), fields, descriptor)
    return pool.AddSerializedFile(written.SerializeToString())


def _part_of_protobuf(name: str) -> Any:
    return optional_import(f"google.protobuf.{name}", extra="onnx", who="tf.train.Example")


def _add_message(made: Any, fields: list[tuple[str, str]], descriptor: Any) -> None:
    kinds = descriptor.FieldDescriptorProto
    own = {"bytes": kinds.TYPE_BYTES, "float": kinds.TYPE_FLOAT, "int64": kinds.TYPE_INT64}
    for number, (name, kind) in enumerate(fields, 1):
        form, _, of = kind.rpartition(" of ")
        field = made.field.add(name=name, number=number)
        field.label = kinds.LABEL_REPEATED if form else kinds.LABEL_OPTIONAL
        if of in own:
            field.type = own[of]
            continue
        field.type, field.type_name = kinds.TYPE_MESSAGE, f".{_PACKAGE}.{of}"
        if form == "map":
            entry = made.nested_type.add(name=entry_name(name))
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=1)
            value = entry.field.add(name="value", number=2, type=kinds.TYPE_MESSAGE, label=1)
            value.type_name = field.type_name
            field.type_name = f".{_PACKAGE}.{made.name}.{entry.name}"
    if made.name == "Feature":
        made.oneof_decl.add(name="kind")
        for field in made.field:
            field.oneof_index = 0


def entry_name(field: str) -> str:
    """What protobuf calls the message of an entry of a map."""
    return "".join(part.capitalize() for part in field.split("_")) + "Entry"


class Described:
    """`DESCRIPTOR` of a class of messages, and of its objects."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        return descriptor_of(owner.__name__)


def descriptor_of(name: str) -> Any:
    """The descriptor of a message.

    Args:
        name: Its name, such as 'Example'; 'Features.FeatureEntry' of the entry of a map.

    Raises:
        MissingPackageError: protobuf is not installed.
    """
    first, _, inner = name.partition(".")
    found = _file().message_types_by_name[first]
    return found.nested_types_by_name[inner] if inner else found


__all__ = ["Described", "descriptor_of", "entry_name"]
