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


@pytest.mark.parametrize("is_supervised", [True, False])
def test_examples_as_a_table(tfds: Any, is_supervised: bool) -> None:
    pytest.importorskip("pandas")
    data, info = tfds.load("mnist", split="train[:3]", as_supervised=is_supervised, with_info=True)
    table = tfds.as_dataframe(data, info)
    assert sorted(table.columns) == ["image", "label"] and table["label"].tolist() == [0, 1, 2]
    assert table["image"][0].shape == (28, 28, 1)


def test_examples_are_plotted_with_their_classes(tfds: Any) -> None:
    plots = pytest.importorskip("matplotlib.pyplot")
    data, info = tfds.load("mnist", split="train", with_info=True)
    figure = tfds.show_examples(data, info, rows=1, cols=2)
    assert [axes.get_xlabel() for axes in figure.axes] == ["0 (0)", "1 (1)"]
    assert tfds.visualization.show_examples(data.take(1), info) is not figure
    with pytest.raises(ArgumentError, match="must have a picture"):
        tfds.show_examples(data.map(lambda x: {"label": x["label"]}), info)
    plots.close("all")


def test_reading_is_measured(tfds: Any, capsys: pytest.CaptureFixture[str]) -> None:
    data = tfds.load("mnist", split="train").batch(4)
    told = tfds.benchmark(data, batch_size=4)
    assert [told[k]["num_examples"] for k in ("first+lasts", "first", "lasts")] == [12, 4, 8]
    assert tfds.benchmark(data, num_iter=1)["first+lasts"]["num_examples"] == 1
    assert "12 examples in" in capsys.readouterr().out
    with pytest.raises(ArgumentError, match="there must be an element"):
        tfds.benchmark([])
