"""TFRecord files and examples are TensorFlow's, both ways; what is damaged is told and no trap."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.core.errors import ArgumentError, ClosedError, DataError
from nacre.core.wire.protobuf import block, varint
from nacre.core.wire.records import record
from nacre.data import (
    AUTOTUNE,
    Dataset,
    Example,
    FixedLenFeature,
    FixedLenSequenceFeature,
    SequenceExample,
    TFRecordDataset,
    TFRecordWriter,
    VarLenFeature,
    parse_example,
    parse_single_example,
    parse_single_sequence_example,
)

FOLDER = Path(__file__).parents[2] / "reference" / "files" / "records"
# As in `reference/make_records.py`.
EXAMPLES = [
    {"image": bytes(range(n, n + 200)) * n, "label": [n, -1, 300, 2**40, -(2**63)], "size": [n / 3, -0.0]}
    for n in range(4)
]  # fmt: skip
FEATURES = {
    "image": FixedLenFeature([], "string"),
    "label": FixedLenFeature([5], np.int64),
    "size": VarLenFeature("float32"),
}
KINDS = [("plain", ""), ("gzip", "GZIP"), ("zlib", "ZLIB")]


def written(path: Path, items: list[Any], compression: str = "") -> Path:
    """A file of records."""
    with TFRecordWriter(path, compression) as writer:
        for item in items:
            writer.write(item)
    return path


def numbered(folder: Path, compression: str = "", count: int = 3) -> list[Path]:
    """Files of a few records each."""
    return [
        written(folder / f"{f}.rec", [b"%d.%d" % (f, n) * 99 for n in range(f + 2)], compression)
        for f in range(count)
    ]


@pytest.mark.parametrize(("name", "compression"), KINDS)
def test_files_of_tensorflow_are_read(name, compression):
    data = TFRecordDataset(FOLDER / f"{name}.tfrecord", compression)
    found = list(data.map(lambda x: parse_single_example(x, FEATURES)).as_numpy_iterator())
    assert len(found) == 4
    for item, given in zip(found, EXAMPLES, strict=True):
        assert item["image"] == given["image"]
        assert item["label"].tolist() == given["label"]
        np.testing.assert_array_equal(item["size"], np.float32(given["size"]))
        assert np.signbit(item["size"][1])


def test_the_same_examples_are_written_with_the_same_bytes(tmp_path):
    items = [Example(example).SerializeToString() for example in EXAMPLES]
    path = written(tmp_path / "a.tfrecord", items)
    assert path.read_bytes() == (FOLDER / "plain.tfrecord").read_bytes()
    steps = SequenceExample({"id": 7}, {"words": [["a", "bc"], [], [""]]}).SerializeToString()
    path = written(tmp_path / "b.tfrecord", [steps])
    assert path.read_bytes() == (FOLDER / "sequence.tfrecord").read_bytes()
    wanted = {"id": FixedLenFeature([], "int64")}, {"words": VarLenFeature("string")}
    words = parse_single_sequence_example(steps, *wanted)[1]["words"]
    assert words.to_list() == [[b"a", b"bc"], [], [b""]]


@pytest.mark.parametrize(("name", "compression"), KINDS)
def test_a_compressed_file_is_read_as_it_was_written(tmp_path, name, compression):
    items = [np.random.default_rng(n).bytes(n * 50_000) for n in range(4)] + [b""]
    path = written(tmp_path / name, items, compression)
    assert list(TFRecordDataset([path, path], compression).as_numpy_iterator()) == items * 2


def test_a_position_is_a_byte_of_a_file(tmp_path):
    for compression in ("", "GZIP"):
        for reads in (None, 2):
            files = Dataset.from_tensor_slices([str(p) for p in numbered(tmp_path, compression)])
            data = TFRecordDataset(files.shuffle(3, seed=1), compression, None, reads)
            iterator = iter(data)
            begun = [next(iterator).item() for _ in range(4)]
            state = iterator.state()
            rest = [x.item() for x in iterator]
            other = iter(data)
            other.restore(state)
            assert [x.item() for x in other] == rest
            assert len({*begun, *rest}) == 9


def test_files_are_read_in_turn_where_that_is_asked_for(tmp_path):
    files = numbered(tmp_path)
    found = [x[:3] for x in TFRecordDataset(files, None, None, AUTOTUNE).as_numpy_iterator()]
    assert found == [b"0.0", b"1.0", b"2.0", b"0.1", b"1.1", b"2.1", b"1.2", b"2.2", b"2.3"]


def test_files_are_closed_at_their_end_and_when_dropped(tmp_path):
    # Warnings of files that nobody closed are errors here.
    data = TFRecordDataset(numbered(tmp_path))
    iterator = iter(data)
    next(iterator)
    del iterator
    assert len(list(data)) == 9
    assert len(list(data.take(2))) == 2
    assert len(list(TFRecordDataset(numbered(tmp_path, "GZIP"), "GZIP", None, 2).take(2))) == 2
    assert data.element_spec.dtype == "string"


def test_what_is_damaged_is_told_with_file_and_byte(tmp_path):
    path, other = numbered(tmp_path, count=2)
    whole = path.read_bytes()
    second = 16 + 3 * 99
    for at, content, got in [
        (second, whole[: second + 5], "its length is cut off"),
        (second, whole[:-7], "its 297 bytes are cut off"),
        (second, whole[: second + 2] + b"\1" + whole[second + 3 :], "its length is damaged"),
        (second, whole[:-30] + b"?" + whole[-29:], "its 297 bytes are damaged"),
        (0, b"no records at all, but text", "its length is damaged"),
    ]:
        path.write_bytes(content)
        iterator = iter(TFRecordDataset([path, other]))
        with pytest.raises(DataError, match=f"{at} of which {got}") as caught:
            list(itertools.islice(iterator, 2))
        assert str(path) in str(caught.value)
        assert len(list(iterator)) == 3  # the next file, as for tf.data


def test_a_length_that_is_not_true_takes_no_memory(tmp_path):
    head = struct.pack("<Q", 2**62)
    path = tmp_path / "a"
    path.write_bytes(head + record(head)[-4:] + b"few bytes")
    with pytest.raises(DataError, match="bytes are cut off"):
        list(TFRecordDataset(path))
    hostile = block(1, block(1, b"\x0a" + varint(2**63) + b"x"))
    with pytest.raises(DataError, match="goes beyond the end"):
        parse_single_example(hostile, FEATURES)


def test_a_compressed_file_that_is_cut_off_or_not_compressed_is_told(tmp_path):
    (path,) = numbered(tmp_path, "GZIP", 1)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="it ends before the end"):
        list(TFRecordDataset(path, "GZIP"))
    (path,) = numbered(tmp_path, "", 1)
    with pytest.raises(DataError, match="incorrect header check"):
        list(TFRecordDataset(path, "GZIP"))


def test_a_missing_file_and_wrong_arguments_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(TFRecordDataset([tmp_path / "nowhere"]))
    with pytest.raises(DataError, match="readable"):
        list(TFRecordDataset(tmp_path))
    with pytest.raises(ArgumentError, match="'GZIP'"):
        TFRecordDataset(tmp_path, "gz")
    with pytest.raises(ArgumentError, match="filenames"):
        TFRecordDataset(3)
    with pytest.raises(ArgumentError, match="single strings"):
        TFRecordDataset(Dataset.range(3))
    writer = TFRecordWriter(tmp_path / "a")
    with pytest.raises(ArgumentError, match="SerializeToString"):
        writer.write({"x": 1})
    writer.close()
    with pytest.raises(ClosedError):
        writer.write(b"")


def test_what_was_flushed_can_be_read(tmp_path):
    with TFRecordWriter(tmp_path / "a") as writer:
        writer.write(b"one")
        writer.flush()
        assert len(list(TFRecordDataset(tmp_path / "a"))) == 1


def test_features_are_as_was_asked_for_or_told():
    data = Example({"x": [1.0, 2.0], "n": 3}).SerializeToString()
    ok = {
        "x": FixedLenFeature([2], "float32"),
        "gone": FixedLenFeature([2], "int64", [5, 6]),
        "one": FixedLenFeature([2], "string", "a"),
        "none": VarLenFeature("string"),
        "steps": FixedLenSequenceFeature([2], "float32", allow_missing=True),
    }
    found = parse_single_example(data, ok)
    assert found["gone"].tolist() == [5, 6]
    assert found["one"].tolist() == [b"a", b"a"]
    assert found["none"].shape == (0,)
    assert found["steps"].shape == (0, 2)
    for name, feature, error in [
        ("x", FixedLenFeature([3], "float32"), "shape .3,."),
        ("x", FixedLenFeature([2], "int64"), "dtype int64. Got float32"),
        ("y", FixedLenFeature([2], "float32"), "x, n. Give it a default_value"),
        ("x", FixedLenFeature([], "float64"), "which is all that examples hold"),
        ("x", FixedLenFeature([None], "float32"), "VarLenFeature"),
        ("x", FixedLenSequenceFeature([], "float32"), "allow_missing"),
        ("x", "float32", "FixedLenFeature"),
        ("y", FixedLenFeature([2], "float32", "a"), "default_value"),
    ]:
        with pytest.raises((DataError, ArgumentError), match=error):
            parse_single_example(data, {name: feature})


def test_a_batch_is_parsed_at_once():
    data = [Example({"w": list(range(n))}).SerializeToString() for n in (2, 0, 1)]
    steps = FixedLenSequenceFeature([], "int64", allow_missing=True, default_value=-1)
    assert parse_example(data, {"w": VarLenFeature("int64")})["w"].to_list() == [[0, 1], [], [0]]
    assert parse_example(data, {"w": steps})["w"].tolist() == [[0, 1], [-1, -1], [0, -1]]
    with pytest.raises(DataError, match="example 1"):
        parse_example([data[2], b"\x00"], {})


def test_numbers_are_kept_whole():
    numbers = [0, 127, 128, -1, 2**63 - 1, -(2**63)] * 3
    made = Example({"a": numbers, "b": np.array(numbers), "c": True, "d": np.float64(0.1)})
    found = Example.FromString(made.SerializeToString()).features
    assert found["a"].tolist() == found["b"].tolist() == numbers
    assert found["c"].tolist() == [1]
    assert found["d"].tolist() == [np.float32(0.1)]
    for wrong in ([2**63], [1j], {"a": 1}, None):
        with pytest.raises(ArgumentError, match="feature 'a'"):
            Example({"a": wrong})


def test_steps_of_a_sequence_have_one_shape():
    data = SequenceExample({}, {"n": [[1, 2], [3, 4], [5, 6]]}).SerializeToString()
    wanted = {
        "n": FixedLenSequenceFeature([2], "int64"),
        "gone": FixedLenSequenceFeature([], "float32", allow_missing=True),
    }
    context, steps = parse_single_sequence_example(data, None, wanted)
    assert context == {}
    assert steps["n"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert steps["gone"].shape == (0,)
    with pytest.raises(DataError, match="'gone'"):
        parse_single_sequence_example(data, {}, {"gone": FixedLenSequenceFeature([], "int64")})
    with pytest.raises(DataError, match="step 0"):
        parse_single_sequence_example(data, {}, {"n": FixedLenSequenceFeature([3], "int64")})


def test_records_go_into_fit_as_in_tutorials(tmp_path):
    rng = np.random.default_rng(0)
    items = [Example({"x": rng.normal(size=3), "y": n % 2}).SerializeToString() for n in range(8)]
    path = written(tmp_path / "a", items, "GZIP")

    def parsed(record: Any) -> Any:
        one = {"x": FixedLenFeature([3], "float32"), "y": FixedLenFeature([], "int64")}
        found = parse_single_example(record, one)
        return found["x"], found["y"]

    data = TFRecordDataset(path, "GZIP").map(parsed, num_parallel_calls=2).shuffle(8).batch(4)
    assert data.element_spec[0].shape == (None, 3)
    assert sum(len(y) for _, y in data) == 8
