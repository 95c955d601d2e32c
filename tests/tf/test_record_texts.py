"""`tf.train.Example` and its parts with the tools of the package protobuf."""

from __future__ import annotations

from typing import Any

import pytest

import nacre.tf as tf

text_format = pytest.importorskip("google.protobuf.text_format")
json_format = pytest.importorskip("google.protobuf.json_format")

EXAMPLE = """features {
  feature { key: "a" value { bytes_list { value: ["red", "blue"] } } }
  feature { key: "b" value { int64_list { value: [7] } } }
  feature { key: "c" value { float_list { value: [1.5, 2] } } }
}"""
SEQUENCE = """context { feature { key: "n" value { int64_list { value: 3 } } } }
feature_lists { feature_list { key: "w" value {
  feature { int64_list { value: [1, 2] } } feature { int64_list { value: 3 } } } } }"""


def example(text: str = EXAMPLE) -> Any:
    return text_format.Merge(text, tf.train.Example())


def test_an_example_is_read_from_its_text() -> None:
    made = example()
    wanted = tf.train.Example({"a": [b"red", b"blue"], "b": [7], "c": [1.5, 2.0]})
    assert made == wanted and made.SerializeToString() == wanted.SerializeToString()
    made = text_format.Merge(SEQUENCE, tf.train.SequenceExample())
    assert made == tf.train.SequenceExample({"n": [3]}, {"w": [[1, 2], [3]]})
    empty = example('features { feature { key: "d" value { int64_list {} } } }')
    assert empty.features.feature["d"].WhichOneof("kind") == "int64_list"


def test_texts_and_json_are_written_and_read_again() -> None:
    for made in (example(), text_format.Merge(SEQUENCE, tf.train.SequenceExample())):
        kind = type(made)
        assert text_format.Parse(text_format.MessageToString(made), kind()) == made
        assert json_format.Parse(json_format.MessageToJson(made), kind()) == made
    found = json_format.MessageToDict(example())["features"]["feature"]
    assert found["b"] == {"int64List": {"value": ["7"]}}
    assert found["c"] == {"floatList": {"value": [1.5, 2.0]}}


def test_merging_adds_and_a_copy_is_its_own() -> None:
    made = text_format.Merge(
        'features { feature { key: "b" value { int64_list { value: 9 } } } }', example()
    )
    assert sorted(made.features.feature) == ["a", "b", "c"]
    assert made.features.feature["b"].int64_list.value == [9]
    other = tf.train.Features()
    other.CopyFrom(made.features)
    other.feature["b"].int64_list.value.append(5)
    assert made.features.feature["b"].int64_list.value == [9]
    made.features.feature["b"].ClearField("kind")
    assert not made.features.feature["b"].HasField("int64_list") and made.HasField("features")
    made.Clear()
    assert not made.HasField("features") and made == tf.train.Example()


@pytest.mark.parametrize(
    "text",
    [
        "features { featur {} }",
        'features { feature { key: "a" value { int64_list { value: "x" } } } }',
        "features { feature { key: 3 } }",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(text_format.ParseError):
        example(text)
