"""The messages of TensorFlow's files, against the bytes that protobuf itself wrote."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest

from nacre.core.wire import message
from nacre.core.wire.message import Message, double, inner, inners, integer, integers, text
from nacre.core.wire.protobuf import block
from nacre.core.wire.tensorflow import graph, objects, saved_model
from nacre.core.wire.tensorflow.graph import AttrValue, GraphDef, NodeDef, TensorProto
from nacre.core.wire.tensorflow.tensors import shape_message, to_array, to_message

_BYTES = json.loads(
    (Path(__file__).parents[2] / "reference" / "tensorflow_messages.json").read_text()
)
_NAMES = {"tensorflow.AttrValue.ListValue": "AttrList", "google.protobuf.Any": "AnyMessage"}


def _class_of(name: str) -> type[Message]:
    short = _NAMES.get(name, name.rsplit(".", 1)[-1])
    for module in (graph, objects, saved_model):
        if hasattr(module, short):
            return getattr(module, short)
    raise AssertionError(f"no class for {name}")


@pytest.mark.parametrize("name", _BYTES)
def test_each_message_is_read_and_written_as_protobuf_does(name: str) -> None:
    kind = _class_of(name)
    for case in _BYTES[name]:
        data = bytes.fromhex(case)
        found = kind.read(data)
        assert found.write() == data
        assert kind.read(found.write()) == found


def test_every_class_stands_in_the_list_of_protobuf() -> None:
    known = {_class_of(name) for name in _BYTES}
    ours = {
        value
        for module in (graph, objects, saved_model)
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Message) and value is not Message
    }
    apart = {"KerasObject", "SavedMetadata"}  # of Keras
    assert {kind.__name__ for kind in ours - known} == apart


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "int32", "uint8", "int64", "bool", "bfloat16", "float16",
              "complex64", "uint64", "float8_e5m2"],
)  # fmt: skip
def test_arrays_keep_their_values_in_messages(dtype: str) -> None:
    import ml_dtypes

    array = np.asarray([[0, 1, 3], [7, 100, 5]]).astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    found = to_array(TensorProto.read(to_message(array).write()))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_numbers_in_lists_are_read_by_their_kind_and_the_last_one_fills_up() -> None:
    half = TensorProto(dtype=19, tensor_shape=shape_message((3,)), half_val=[0x3C00, 0xC000])
    np.testing.assert_array_equal(to_array(half), np.array([1, -2, -2], "float16"))
    whole = TensorProto(dtype=3, tensor_shape=shape_message((2, 2)), int_val=[-5])
    np.testing.assert_array_equal(to_array(TensorProto.read(whole.write())), [[-5, -5], [-5, -5]])
    nothing = TensorProto(dtype=1, tensor_shape=shape_message((2,)))
    np.testing.assert_array_equal(to_array(nothing), [0, 0])
    unsigned = TensorProto(dtype=23, tensor_shape=shape_message((1,)), uint64_val=[2**64 - 1])
    assert int(to_array(TensorProto.read(unsigned.write()))[0]) == 2**64 - 1
    parts = TensorProto(dtype=8, tensor_shape=shape_message((1,)), scomplex_val=[1, 2])
    assert to_array(parts)[0] == 1 + 2j


def test_strings_of_arrays_are_bytes() -> None:
    array = np.asarray([b"a\xff", b""], object)
    found = to_array(TensorProto.read(to_message(array).write()))
    assert found.tolist() == [b"a\xff", b""]


def test_part_of_a_choice_is_written_though_it_is_zero() -> None:
    node = NodeDef(attr={"keep": AttrValue(b=False), "axis": AttrValue(i=0)})
    found = NodeDef.read(node.write()).attr
    assert found["keep"].b is False and found["axis"].i == 0 and found["axis"].b is None


def test_a_zero_below_zero_is_written() -> None:
    class Scale(Message):
        factor: float = double(1)

    assert math.copysign(1, Scale.read(Scale(factor=-0.0).write()).factor) == -1
    assert Scale(factor=0.0).write() == b""


def test_a_repeated_field_is_a_list_of_its_own() -> None:
    first, second = GraphDef(), GraphDef()
    first.node.append(NodeDef(name="x"))
    assert second.node == [] and GraphDef.read(first.write()).node[0].name == "x"
    with pytest.raises(TypeError, match="no field 'nodes'"):
        GraphDef(nodes=[])
    with pytest.raises(AttributeError, match="no field 'nodes'"):
        _ = first.nodes


class _Tree(Message):
    children: list[_Tree] = inners(1, "_Tree")
    value: int = integer(2)
    numbers: list[int] = integers(3)
    name: str = text(4)
    tree: _Tree | None = inner(5, "_Tree")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x0a\xff\xff\xff\xff\x0f", "beyond the end"),
        (b"\x0a", "ends within a field"),
        (b"\x10", "ends within a field"),
        (b"\x10" + b"\xff" * 11, "does not end"),
        (b"\x12\x01a", "wrong kind"),
        (b"\x33", "unknown kind 3"),
        (b"\x00\x00", "number 0"),
        (block(4, b"\xff"), "utf-8"),
        (b"\x0a\x02\x10\xff\x10\x01", "beyond the end"),
        (block(3, b"\xff"), "does not end|beyond the end"),
        (b"\x0a\x00" * 1001, "more than 1000 messages"),
        (block(3, bytes(1001)), "more than 1000 values"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_message_is_told(
    data: bytes, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message, "_MOST", 1000)
    with pytest.raises(ValueError, match=told):
        _Tree.read(data)


def test_messages_deep_in_one_another_are_refused() -> None:
    data = b""
    for _ in range(120):
        data = block(5, data)
    with pytest.raises(ValueError, match="more than 100 deep"):
        _Tree.read(data)


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (TensorProto(dtype=1, tensor_shape=shape_message((1 << 60,)), float_val=[1, 2]), "values"),
        (TensorProto(dtype=1, tensor_shape=shape_message((3,)), tensor_content=b"1"), "1 bytes"),
        (TensorProto(dtype=1, tensor_shape=shape_message((1,)), float_val=[1, 2]), "2 values"),
        (TensorProto(dtype=7, tensor_shape=shape_message((1 << 40,))), "0 strings"),
        (TensorProto(dtype=20, tensor_shape=shape_message(())), "resource"),
        (TensorProto(dtype=1, tensor_shape=shape_message((-3,))), "no array has"),
        (TensorProto(dtype=1, tensor_shape=shape_message((None,))), "shape"),
        (TensorProto(dtype=8, tensor_shape=shape_message((1,)), scomplex_val=[1]), "odd number"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_tensors_that_hold_no_array_are_told(tensor: TensorProto, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        to_array(tensor)
