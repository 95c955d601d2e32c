"""California housing: median house values of census block groups, 1990."""

from __future__ import annotations

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.datasets.download import get_file

__all__ = ["load_data"]

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/california_housing.npz"
_SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
_SMALL_ROWS = 600  # Keras's small version: the first 600 rows of the file


def load_data(
    version: str = "large",
    path: str = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Median house values in dollars, with 8 features each.

    Args:
        version: 'large' for all 20,640 rows, 'small' for 600 of them.
        path: File name in the cache folder.
        test_split: Fraction of the rows that becomes the test part.
        seed: Seed of the shuffle before the split.

    Shapes:
        x_train, x_test   (rows, 8)   float32
        y_train, y_test   (rows,)     float32, dollars

    Raises:
        ArgumentError: `version` is another word, or `test_split` is not in [0, 1).
        DownloadError: The file is not cached and cannot be fetched.

    Source:
        Pace & Barry 1997, through StatLib.
    """
    if version not in ("small", "large"):
        raise ArgumentError(
            message("california_housing", "version must be 'small' or 'large'", repr(version))
        )
    if not 0 <= test_split < 1:
        raise ArgumentError(
            message("california_housing", "test_split must be in [0, 1)", repr(test_split))
        )
    file_path = get_file(path, origin=_URL, file_hash=_SHA256)
    with np.load(file_path, allow_pickle=False) as file:
        x, y = file["x"], file["y"]
    if version == "small":
        x, y = x[:_SMALL_ROWS], y[:_SMALL_ROWS]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    split = int(len(x) * (1 - test_split))
    return (x[:split], y[:split]), (x[split:], y[split:])


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
