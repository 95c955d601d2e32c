"""TFRecord files as TensorFlow 2.21 writes them: `files/records/`.

Usage: python make_records.py

Plain, gzip's and zlib's files of the same examples, and one of a sequence example. Names are in
order, so that the bytes can be compared.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "", "3"

import tensorflow as tf  # noqa: E402

FOLDER = Path(__file__).parent / "files" / "records"


def feature(values: list[Any]) -> Any:
    """A feature of the kind of its values."""
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def examples() -> list[dict[str, list[Any]]]:
    """What the examples hold; also in `tests/data/files/test_records.py`."""
    return [
        {"image": [bytes(range(n, n + 200)) * n], "label": [n, -1, 300, 2**40, -(2**63)], "size": [n / 3, -0.0]}
        for n in range(4)
    ]  # fmt: skip


def write(name: str, compression: str, items: list[Any]) -> None:
    """Write a file."""
    with tf.io.TFRecordWriter(str(FOLDER / name), compression) as writer:
        for item in items:
            writer.write(item.SerializePartialToString(deterministic=True))


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = [
        tf.train.Example(
            features=tf.train.Features(feature={name: feature(v) for name, v in one.items()})
        )
        for one in examples()
    ]
    for name, compression in (("plain", ""), ("gzip", "GZIP"), ("zlib", "ZLIB")):
        write(f"{name}.tfrecord", compression, made)
    steps = [feature([b"a", b"bc"]), tf.train.Feature(), feature([b""])]
    sequence = tf.train.SequenceExample(
        context=tf.train.Features(feature={"id": feature([7])}),
        feature_lists=tf.train.FeatureLists(
            feature_list={"words": tf.train.FeatureList(feature=steps)}
        ),
    )
    write("sequence.tfrecord", "", [sequence])


if __name__ == "__main__":
    main()
