"""Write `tensorflow_messages.json`: each message of TensorFlow with all its fields, as bytes.

Values are counted up, so that no two fields of a message hold the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

# They tell only where in a program something was written.
LEFT_OUT = {"experimental_debug_info", "experimental_type", "debug_info"}
_NUMBERS = {1: 0.5, 2: 0.5, 3: -1, 4: 1, 5: -1, 8: True, 13: 1, 14: 1, 18: -1}


def fill(found: Message, depth: int, count: list[int], only: str = "") -> None:
    for field in found.DESCRIPTOR.fields:
        if field.name in LEFT_OUT or (only and field.name != only):
            continue
        if field.containing_oneof is not None and not only:
            continue
        put(found, field, depth, count)


def put(found: Message, field: FieldDescriptor, depth: int, count: list[int]) -> None:
    inner = field.message_type
    value = getattr(found, field.name)
    if inner is not None and inner.GetOptions().map_entry:
        key = f"k{count[0]}" if inner.fields_by_name["key"].type == 9 else 1 + count[0]
        of = inner.fields_by_name["value"]
        count[0] += 1
        if of.message_type is None:
            value[key] = single(of, count)
        else:
            put_all(value[key], depth, count)
    elif inner is not None:
        for _ in range(2 if field.is_repeated else 1):
            put_all(value.add() if field.is_repeated else value, depth, count)
            if not field.is_repeated:
                value.SetInParent()
    elif field.is_repeated:
        value.extend([single(field, count) for _ in range(3)])
    else:
        setattr(found, field.name, single(field, count))


def put_all(found: Message, depth: int, count: list[int]) -> None:
    if depth < 2:
        fill(found, depth + 1, count)


def single(field: FieldDescriptor, count: list[int]) -> Any:
    count[0] += 1
    if field.type in (9, 12):
        return f"t{count[0]}" if field.type == 9 else b"\xff%d" % count[0]
    if field.type == 14:
        return field.enum_type.values[-1].number
    return _NUMBERS[field.type] if field.type == 8 else _NUMBERS[field.type] * count[0]


def main() -> None:
    cases: dict[str, list[str]] = {}

    def visit(kind: Descriptor) -> None:
        name = kind.full_name
        if name in cases or kind.GetOptions().map_entry:
            for field in kind.fields if name not in cases else ():
                if field.message_type is not None:
                    visit(field.message_type)
            return
        choices = [f.name for f in kind.fields if f.containing_oneof is not None]
        cases[name] = []
        for only in ["", *choices]:
            found = kind._concrete_class()
            fill(found, 0, [0], only)
            cases[name].append(found.SerializeToString(deterministic=True).hex())
        for field in kind.fields:
            if field.message_type is not None and field.name not in LEFT_OUT:
                visit(field.message_type)

    for kind in (
        saved_model_pb2.SavedModel,
        trackable_object_graph_pb2.TrackableObjectGraph,
        variable_pb2.VariableDef,
    ):
        visit(kind.DESCRIPTOR)
    text = json.dumps(cases, indent=0)
    Path(__file__).with_name("tensorflow_messages.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
