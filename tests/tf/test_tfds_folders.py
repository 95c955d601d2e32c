"""Folders that tensorflow_datasets 4.9 prepared are read as it reads them.

`prepared/toy` and `prepared/read.json`, what it gave for it, were written by `prepared/make.py`.
Sets of several files are written here, by nacre's own writer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import ArgumentError, UnknownNameError
from nacre.tf.namespaces import namespace
from tests.tf.prepared.reading import asked, examples, slices

HERE = Path(__file__).parent / "prepared"
READ = json.loads((HERE / "read.json").read_text())
tfds: Any = namespace("tfds")


def as_json(value: Any) -> Any:
    text = json.dumps(value, default=lambda x: x.decode() if isinstance(x, bytes) else str(x))
    return json.loads(text)


def test_features_of_every_kind_are_read() -> None:
    found = as_json(examples(tfds, HERE))
    for ours, theirs in zip(found, READ["examples"], strict=True):
        assert [name for name, _ in ours] == [name for name, _ in theirs]
        for (name, value), (_, wanted) in zip(ours, theirs, strict=True):
            if name == "/jpeg":  # another decoder, on noise
                assert np.abs(np.subtract(value[0], wanted[0])).max() <= 6
            else:
                assert value == wanted, name


def test_slices_and_even_parts() -> None:
    assert as_json(slices(tfds, HERE)) == READ["slices"]


def test_what_a_set_tells_of_itself() -> None:
    assert as_json(asked(tfds, HERE)) == READ["asked"]


def test_batches_of_all_and_of_rows_of_different_lengths() -> None:
    test = tfds.load("toy", split="test", data_dir=HERE)
    rows = next(iter(test.ragged_batch(4)))
    counts = [(int(n) + 5) % 3 for n in rows["n"]]  # as make.py has it
    assert rows["seq"].to_list() == [list(range(count)) for count in counts]
    assert tuple(test.element_spec["seq"].shape) == (None,) and len(test) == 4
    fixed = test.map(lambda e: {"label": e["label"], "vec": e["vec"]}).batch(3)
    assert [len(batch["label"]) for batch in fixed] == [3, 1]


def test_a_model_trains_on_a_prepared_folder() -> None:
    data = tfds.load("toy", split="train", data_dir=str(HERE), as_supervised=True)
    batches = data.map(lambda x, y: (tf.cast(x, tf.float32) / 255.0, y)).batch(5)
    model = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(3)])
    model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(model.fit(batches, epochs=1, verbose=0).history["loss"][0])


def test_what_is_not_on_disk_is_told_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=f"no folder '{tmp_path}/imagenet2012/<version>'"):
        tfds.load("imagenet2012", data_dir=tmp_path)
    with pytest.raises(UnknownNameError, match=r"toy/9\.\*\.\*"):
        tfds.load("toy:9.*.*", data_dir=HERE)
    with pytest.raises(UnknownNameError, match="Did you mean 'toy'"):
        tfds.load("toi", data_dir=HERE)
    with pytest.raises(FileNotFoundError, match=r"no dataset_info\.json"):
        tfds.builder_from_directory(tmp_path)


def test_decoders_leave_bytes_and_others_are_refused() -> None:
    skip = {"image": tfds.decode.SkipDecoding()}
    example = next(iter(tfds.load("toy", split="test", data_dir=HERE, decoders=skip)))
    assert example["image"].numpy()[:4] == b"\x89PNG"
    with pytest.raises(ArgumentError, match="SkipDecoding"):
        tfds.load("toy", split="test", data_dir=HERE, decoders={"image": len})
    read = tfds.core.ReadInstruction("train", to=9, unit="%", rounding="pct1_dropremainder")
    with pytest.raises(ArgumentError, match="100 examples or more"):
        tfds.load("toy", split=read, data_dir=HERE)


# --- a folder of several files, written here ------------------------------------------------------

WORD = {"pythonClassName": "tensorflow_datasets.core.features.text_feature.Text", "text": {}}
WHOLE = {
    "pythonClassName": "tensorflow_datasets.core.features.scalar.Scalar",
    "tensor": {"shape": {}, "dtype": "int64", "encoding": "none"},
}
CLASS = {
    "pythonClassName": "tensorflow_datasets.core.features.class_label_feature.ClassLabel",
    "classLabel": {"numClasses": "2"},
}


def written(folder: Path, lengths: list[int], kept: int | None = None) -> Path:
    """A set of files of these lengths, the last cut after `kept` records."""
    home = folder / "words" / "2.0.0"
    home.mkdir(parents=True)
    told: dict[str, Any] = {
        "name": "words",
        "version": "2.0.0",
        "fileFormat": "tfrecord",
        "splits": [
            {
                "name": "train",
                "shardLengths": [str(length) for length in lengths],
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            }
        ],
        "supervisedKeys": {"tuple": {"items": [{"featureKey": "word"}, {"featureKey": "label"}]}},
    }
    (home / "dataset_info.json").write_text(json.dumps(told))
    kinds = {"word": WORD, "n": WHOLE, "label": CLASS}
    features = {
        "pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict",
        "featuresDict": {"features": kinds},
    }
    (home / "features.json").write_text(json.dumps(features))
    (home / "label.labels.txt").write_text("odd\neven\n")
    number, train = 0, tf.train
    for index, length in enumerate(lengths):
        name = f"words-train.tfrecord-{index:05d}-of-{len(lengths):05d}"
        cut = kept is not None and index == len(lengths) - 1
        with tf.io.TFRecordWriter(str(home / name)) as writer:
            for n in range(number, number + (kept if cut else length)):  # type: ignore[operator]
                feature = {
                    "word": train.Feature(bytes_list=train.BytesList(value=[f"w{n}".encode()])),
                    "n": train.Feature(int64_list=train.Int64List(value=[n])),
                    "label": train.Feature(int64_list=train.Int64List(value=[(n + 1) % 2])),
                }
                made = train.Example(features=train.Features(feature=feature))
                writer.write(made.SerializeToString())
        number += length
    return folder


def numbers(data: Any) -> list[int]:
    return [int(example["n"]) for example in tfds.as_numpy(data)]


def test_slices_go_across_files(tmp_path: Path) -> None:
    folder = written(tmp_path, [3, 1, 4])
    load = lambda split: numbers(tfds.load("words", split=split, data_dir=folder))
    assert load("train") == list(range(8))
    assert load("train[2:5]") == [2, 3, 4]
    assert load("train[-3:]") == [5, 6, 7]
    assert load("train[50%:]") == [4, 5, 6, 7]
    assert load("train[7:]+train[:1]") == [7, 0]
    data, info = tfds.load("words", split="train", data_dir=folder, with_info=True)
    assert len(data) == 8 and info.splits["train"].num_shards == 3
    assert info.features["label"].names == ["odd", "even"]
    for _ in range(2):  # a set is read as often as it is asked for
        assert numbers(data) == list(range(8))


def test_shuffled_files_hold_each_example_once_and_batches_keep_pairs_together(
    tmp_path: Path,
) -> None:
    folder = written(tmp_path, [3, 1, 4])
    data = tfds.load("words", split="train", data_dir=folder, shuffle_files=True)
    assert sorted(numbers(data)) == list(range(8))
    pairs = tfds.load("words", split="train", data_dir=folder, as_supervised=True, batch_size=3)
    found = [(w, int(y)) for words, ys in tfds.as_numpy(pairs) for w, y in zip(words, ys)]
    assert found == [(f"w{n}".encode(), (n + 1) % 2) for n in range(8)]


def test_a_file_that_ends_early_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path, [3, 4], kept=2)
    with pytest.raises(ValueError, match=r"as many records as dataset_info\.json says"):
        numbers(tfds.load("words", split="train", data_dir=folder))
    assert numbers(tfds.load("words", split="train[:4]", data_dir=folder)) == [0, 1, 2, 3]
