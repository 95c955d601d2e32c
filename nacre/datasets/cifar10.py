"""CIFAR-10: 60,000 small colour images in ten classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nacre.datasets._cifar import read_batch
from nacre.datasets.download import get_file

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

    Source:
        Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
    """
    folder = get_file("cifar-10-batches-py-target", origin=_URL, extract=True, file_hash=_SHA256)
    batches = Path(folder) / "cifar-10-batches-py"
    parts = [read_batch(batches / f"data_batch_{number}", b"labels") for number in range(1, 6)]
    x_train = np.concatenate([images for images, _ in parts])
    y_train = np.concatenate([labels for _, labels in parts])
    return (x_train, y_train), read_batch(batches / "test_batch", b"labels")


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
