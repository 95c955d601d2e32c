"""Fashion-MNIST: 70,000 grey images of ten kinds of clothing, in MNIST's shape."""

from __future__ import annotations

import gzip

import numpy as np

from nacre.core.errors import FileFormatError, message
from nacre.datasets.download import get_file

__all__ = ["load_data"]

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """60,000 training and 10,000 test images in ten classes.

    Classes 0 to 9: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag,
    ankle boot.

    Shapes:
        x_train  (60000, 28, 28)   uint8, values 0 to 255
        y_train  (60000,)          uint8, values 0 to 9
        x_test   (10000, 28, 28)   uint8
        y_test   (10000,)          uint8

    Raises:
        DownloadError: A file is not cached and cannot be fetched.
        FileFormatError: A file is not in IDX format.

    Source:
        Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747; licence MIT.
    """
    train = _read_idx("train-images-idx3-ubyte.gz"), _read_idx("train-labels-idx1-ubyte.gz")
    test = _read_idx("t10k-images-idx3-ubyte.gz"), _read_idx("t10k-labels-idx1-ubyte.gz")
    return train, test


def _read_idx(name: str) -> np.ndarray:
    """An array from a gzipped IDX file.

    Source:
        "The IDX file format" on the MNIST page: two zero bytes, type (0x08 = unsigned byte), number
        of axes, one big-endian 32-bit size per axis, then the data, last axis fastest.
    """
    path = get_file(name, origin=_URL + name, cache_subdir="datasets/fashion-mnist")
    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
        if content[:3] != b"\x00\x00\x08":
            raise ValueError(f"first bytes {content[:4].hex()}")
        num_axes = content[3]
        shape = np.frombuffer(content, ">u4", num_axes, offset=4).astype(int)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape).copy()
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise FileFormatError(
            message(
                f"file {path!r}",
                "it must be a gzipped IDX file of bytes",
                f"{type(error).__name__}: {error}",
                "Delete the file; it is fetched again at the next call.",
            )
        ) from None


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
