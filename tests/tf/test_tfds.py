"""`tensorflow_datasets` for the sets that are here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.datasets.mnist
from nacre.core.errors import ArgumentError, UnknownNameError
from nacre.tf.checking import check


@pytest.fixture
def tfds(monkeypatch: pytest.MonkeyPatch) -> Any:
    from nacre.tf.namespaces import namespace

    train = np.zeros((11, 28, 28), "uint8"), np.arange(11, dtype="uint8") % 10
    test = np.ones((4, 28, 28), "uint8"), np.arange(4, dtype="uint8")
    monkeypatch.setattr(nacre.datasets.mnist, "load_data", lambda: (train, test))
    return namespace("tfds")


def test_splits_and_what_is_known_of_them(tfds: Any) -> None:
    (train, test), info = tfds.load(
        "mnist", split=["train", "test"], shuffle_files=True, as_supervised=True, with_info=True
    )
    image, label = next(iter(train))
    assert tuple(image.shape) == (28, 28, 1) and image.dtype == "uint8" and label.dtype == "int64"
    assert len(train) == 11 and len(test) == 4
    assert info.features["label"].num_classes == 10 and info.splits["test"].num_examples == 4
    assert tuple(info.features["image"].shape) == (28, 28, 1)
    both = tfds.load("mnist:3.0.1")
    assert sorted(both) == ["test", "train"] and sorted(next(iter(both["test"]))) == [
        "image",
        "label",
    ]


@pytest.mark.parametrize(
    ("split", "labels"),
    [
        ("train[:3]", [0, 1, 2]),
        ("train[-2:]", [9, 0]),
        ("train[:25%]", [0, 1, 2]),  # 2.75 of 11, to the nearest
        ("train[80%:]", [9, 0]),
        ("test[1:2]+train[:1]", [1, 0]),
    ],
)
def test_slices_of_splits(tfds: Any, split: str, labels: list[int]) -> None:
    found = tfds.as_numpy(tfds.load("mnist", split=split, as_supervised=True))
    assert [int(label) for _, label in found] == labels


def test_all_at_once_in_batches_and_by_a_builder(tfds: Any) -> None:
    images, labels = tfds.as_numpy(
        tfds.load("mnist", split="all", batch_size=-1, as_supervised=True)
    )
    assert images.shape == (15, 28, 28, 1) and labels.dtype == np.int64
    made = tfds.builder("mnist")
    made.download_and_prepare()
    assert len(made.as_dataset(split="train", batch_size=4)) == 3


def test_what_is_not_there_is_told(tfds: Any) -> None:
    with pytest.raises(UnknownNameError, match="TFRecordDataset"):
        tfds.load("imagenet2012")
    with pytest.raises(ArgumentError, match=r"train\[:80%\]"):
        tfds.load("mnist", split="validation")
    with pytest.raises(ArgumentError, match="up to 100"):
        tfds.load("mnist", split="train[:180%]")
    found = check(
        "import tensorflow_datasets as tfds\ntfds.load('mnist')\ntfds.testing.mock_data()"
    )
    assert [use.line for use in found.missing] == [3]
