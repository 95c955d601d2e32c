"""Messages of TFRecord files as protocol buffers behave: written to, printed, compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.tf import records as train


def feature(**lists: Any) -> Any:
    kinds: dict[str, Any] = {"int64_list": train.Int64List, "float_list": train.FloatList}
    kinds["bytes_list"] = train.BytesList
    return train.Feature(**{name: kinds[name](value=value) for name, value in lists.items()})


def feature_of(int64_list: Any) -> Any:
    return train.Feature(int64_list=int64_list)


def test_an_example_is_filled_after_it_is_made() -> None:
    made = train.Example()
    made.features.feature["n"].int64_list.value.append(3)
    made.features.feature["n"].int64_list.value.extend([4, True])
    made.features.feature["t"].bytes_list.value[:] = [b"a"]
    made.features.feature["x"].float_list.value.append(0.1)
    read = train.Example.FromString(made.SerializeToString())
    assert read == made and read.features.feature["n"].int64_list.value == [3, 4, 1]
    found = {
        name: list(getattr(one, one.WhichOneof("kind")).value)
        for name, one in read.features.feature.items()
    }
    assert found == {"n": [3, 4, 1], "t": [b"a"], "x": [float(np.float32(0.1))]}


def test_values_of_another_kind_take_the_place_of_those_there() -> None:
    one = feature(int64_list=[1])
    assert one.float_list.value == [] and one.WhichOneof("kind") == "int64_list"
    one.float_list.value.append(2)
    assert one.WhichOneof("kind") == "float_list" and one.int64_list.value == []
    assert train.Feature().WhichOneof("kind") is None and not one.HasField("int64_list")


def test_messages_print_as_text() -> None:
    assert str(feature(int64_list=[1, -2])) == "int64_list {\n  value: 1\n  value: -2\n}\n"
    floats = "float_list {\n  value: 0.1\n  value: 1\n  value: 1e+10\n}\n"
    assert str(feature(float_list=[0.1, 1, 1e10])) == floats
    assert 'value: "a\\377\\"\\n"' in str(feature(bytes_list=[b'a\xff"\n']))
    made = train.Example(train.Features({"i": feature(int64_list=[7])}))
    lines = str(made).splitlines()
    assert lines[:3] == ["features {", "  feature {", '    key: "i"'] and lines[-1] == "}"


def test_a_feature_alone_is_bytes() -> None:
    # As TensorFlow 2.15 writes tf.train.Feature(float_list=...(value=[e])).
    assert feature(float_list=[np.exp(1)]).SerializeToString() == b"\x12\x06\n\x04T\xf8-@"


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: train.BytesList(value=["a"]), "values must be bytes"),
        (lambda: train.BytesList(value=b"ab"), "value must be a list"),
        (lambda: train.Int64List(value=[1.5]), "whole numbers"),
        (lambda: train.Int64List(value=[2**63]), "64 bits"),
        (lambda: train.Int64List().value.append("a"), "whole numbers"),
        (lambda: feature_of(train.FloatList(value=[1])), "must be a Int64List"),
    ],
)
def test_what_a_list_does_not_hold_is_refused(make: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        make()


def test_sequences_are_filled_step_by_step() -> None:
    made = train.SequenceExample()
    made.context.feature["size"].int64_list.value.append(2)
    for word in (b"a", b"b"):
        made.feature_lists.feature_list["words"].feature.add().bytes_list.value.append(word)
    context, steps = tf.io.parse_single_sequence_example(
        made.SerializeToString(),
        {"size": tf.io.FixedLenFeature([], tf.int64)},
        {"words": tf.io.FixedLenSequenceFeature([], tf.string)},
    )
    assert context["size"].numpy() == 2 and steps["words"].numpy().tolist() == [b"a", b"b"]
    assert train.SequenceExample.FromString(made.SerializeToString()) == made
