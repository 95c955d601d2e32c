"""Boston housing prices of the 1970s: 506 rows, kept because old material uses it."""

from __future__ import annotations

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.datasets.download import get_file

__all__ = ["load_data"]

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/boston_housing.npz"
_SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """House prices with 13 features each.

    Choose `california_housing` instead: one feature here, `B`, encodes an assumption about race
    and prices that nobody should learn from. Keep this one for repeating old work.

    Args:
        path: File name in the cache folder.
        test_split: Fraction of the rows that becomes the test part.
        seed: Seed of the shuffle before the split.

    Shapes:
        x_train, x_test   (rows, 13)   float64
        y_train, y_test   (rows,)      float64, thousands of dollars

    Raises:
        ArgumentError: `test_split` is not in [0, 1).
        DownloadError: The file is not cached and cannot be fetched.

    Source:
        Harrison & Rubinfeld 1978, through StatLib.
    """
    if not 0 <= test_split < 1:
        raise ArgumentError(
            message("boston_housing", "test_split must be in [0, 1)", repr(test_split))
        )
    file_path = get_file(path, origin=_URL, file_hash=_SHA256)
    with np.load(file_path, allow_pickle=False) as file:
        x, y = file["x"], file["y"]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    split = int(len(x) * (1 - test_split))
    return (x[:split], y[:split]), (x[split:], y[split:])


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
