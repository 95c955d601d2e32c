"""CIFAR-10: 60,000 small colour images in ten classes."""

from __future__ import annotations

import numpy as np

from nacre.datasets._cifar import batches_folder, read_batch

__all__ = ["load_data"]

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """50,000 training and 10,000 test images in ten classes.

    Classes 0 to 9: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Shapes:
        x_train  (50000, 32, 32, 3)   uint8, values 0 to 255
        y_train  (50000, 1)           uint8, values 0 to 9
        x_test   (10000, 32, 32, 3)   uint8
        y_test   (10000, 1)           uint8

    Raises:
        DownloadError: The file is not cached and cannot be fetched.
        FileFormatError: A cached file is damaged.

    Source:
        Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
    """
    names = [f"data_batch_{number}" for number in range(1, 6)]
    folder = batches_folder("cifar-10-batches-py", _URL, _SHA256, [*names, "test_batch"])
    parts = [read_batch(folder / name, b"labels") for name in names]
    x_train = np.concatenate([images for images, _ in parts])
    y_train = np.concatenate([labels for _, labels in parts])
    return (x_train, y_train), read_batch(folder / "test_batch", b"labels")


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
