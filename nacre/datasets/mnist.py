"""MNIST: 70,000 grey images of handwritten digits."""

from __future__ import annotations

import numpy as np

from nacre.datasets.download import get_file

__all__ = ["load_data"]

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(
    path: str = "mnist.npz",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """60,000 training and 10,000 test images of the ten digits.

    Args:
        path: File name in the cache folder.

    Shapes:
        x_train  (60000, 28, 28)   uint8, values 0 to 255
        y_train  (60000,)          uint8, values 0 to 9
        x_test   (10000, 28, 28)   uint8
        y_test   (10000,)          uint8

    Raises:
        DownloadError: The file is not cached and cannot be fetched.

    Source:
        LeCun, Cortes & Burges; licence CC BY-SA 3.0.
    """
    file_path = get_file(path, origin=_URL, file_hash=_SHA256)
    with np.load(file_path, allow_pickle=False) as file:
        return (file["x_train"], file["y_train"]), (file["x_test"], file["y_test"])


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
