"""What cifar10 and cifar100 share: batches of flat rows, red then green then blue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nacre.datasets._pickles import load_pickle


def read_batch(path: Path, label_key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) and labels (n, 1) of one batch file, both uint8.

    Source:
        https://www.cs.toronto.edu/~kriz/cifar.html: rows of 3072 bytes, 1024 for each colour.
    """
    with path.open("rb") as file:
        batch = load_pickle(file)
    rows = np.asarray(batch[b"data"], dtype="uint8")
    images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (n, height, width, channels)
    labels = np.asarray(batch[label_key], dtype="uint8").reshape(-1, 1)
    return np.ascontiguousarray(images), labels
