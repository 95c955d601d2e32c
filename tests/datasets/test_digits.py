"""The data set that comes with nacre: sizes, balance, no overlap, always the same."""

import hashlib

import numpy as np

from nacre.datasets import digits


def test_sizes_types_and_values() -> None:
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1437, 8, 8) and y_train.shape == (1437,)
    assert x_test.shape == (360, 8, 8) and y_test.shape == (360,)
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    assert x_train.min() == 0 and x_train.max() == 16


def test_every_class_gives_a_fifth_of_its_images() -> None:
    (_, y_train), (_, y_test) = digits.load_data()
    train, test = np.bincount(y_train), np.bincount(y_test)
    assert np.all(np.abs(test - (train + test) / 5) < 1)


def test_images_are_those_of_the_source() -> None:
    """Sums published with the data set: the first image is a zero with these rows."""
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert y_test[0] == 0
    assert x_test[0].tolist()[0] == [0, 0, 5, 13, 9, 1, 0, 0]
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    assert int(x_train.sum(dtype="int64") + x_test.sum(dtype="int64")) == 561718


def test_split_never_changes() -> None:
    digest = hashlib.sha256()
    for images, labels in digits.load_data():
        digest.update(images.tobytes() + labels.tobytes())
    assert digest.hexdigest() == "b086734a4c7e9fe9069104bd8f90442e31ebf255ae7dbec23a9030a760bdcc42"
