"""CIFAR-100: 60,000 small colour images in 100 classes and 20 superclasses."""

from __future__ import annotations

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.datasets._cifar import batches_folder, read_batch

__all__ = ["load_data"]

_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(
    label_mode: str = "fine",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """50,000 training and 10,000 test images in 100 classes.

    Args:
        label_mode: 'fine' for the 100 classes, 'coarse' for the 20 superclasses.

    Shapes:
        x_train  (50000, 32, 32, 3)   uint8, values 0 to 255
        y_train  (50000, 1)           uint8
        x_test   (10000, 32, 32, 3)   uint8
        y_test   (10000, 1)           uint8

    Raises:
        ArgumentError: `label_mode` is another word.
        DownloadError: The file is not cached and cannot be fetched.
        FileFormatError: A cached file is damaged.

    Source:
        Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
    """
    if label_mode not in ("fine", "coarse"):
        raise ArgumentError(
            message("cifar100", "label_mode must be 'fine' or 'coarse'", repr(label_mode))
        )
    folder = batches_folder("cifar-100-python", _URL, _SHA256, ["train", "test"])
    key = f"{label_mode}_labels".encode()
    return read_batch(folder / "train", key), read_batch(folder / "test", key)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
