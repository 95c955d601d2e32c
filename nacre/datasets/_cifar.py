"""What cifar10 and cifar100 share: batches of flat rows, red then green then blue."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from nacre.core import config
from nacre.core.errors import FileFormatError, message
from nacre.datasets._pickles import load_pickle
from nacre.datasets.download import get_file


def batches_folder(name: str, origin: str, sha256: str, batches: list[str]) -> Path:
    """The folder with the batch files, as any version of Keras left it; else it is fetched.

    Args:
        name: The folder's name in the archive.
        origin: URL of the archive.
        sha256: The archive's digest.
        batches: Names of the files that it must have.
    """
    datasets = config.keras_home().expanduser() / "datasets"
    # Of Keras since 3.4, of tf.keras 2, and of Keras 3 for an archive fetched under its own name.
    for place in (f"{name}-target/{name}", name, f"{name}_extracted/{name}"):
        if all((datasets / place / batch).is_file() for batch in batches):
            return datasets / place
    folder = get_file(f"{name}-target", origin=origin, extract=True, file_hash=sha256)
    return Path(folder) / name


def read_batch(path: Path, label_key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) and labels (n, 1) of one batch file, both uint8.

    Raises:
        FileFormatError: The file is damaged.

    Source:
        https://www.cs.toronto.edu/~kriz/cifar.html: rows of 3072 bytes, 1024 for each colour.
    """
    try:
        with path.open("rb") as file:
            batch = load_pickle(file)
        rows = np.asarray(batch[b"data"], dtype="uint8").reshape(-1, 3, 32, 32)
        labels = np.asarray(batch[label_key], dtype="uint8").reshape(-1, 1)
    except (EOFError, pickle.UnpicklingError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, FileFormatError):  # it would run code
            raise
        raise FileFormatError(
            message(
                f"file '{path}'",
                "it must be a complete batch of CIFAR images",
                f"{type(error).__name__}: {error}"[:200],
                f"Delete the folder '{path.parent}'; it is fetched again at the next call.",
            )
        ) from None
    images = rows.transpose(0, 2, 3, 1)  # (n, height, width, channels)
    return np.ascontiguousarray(images), labels
