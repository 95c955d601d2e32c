"""Many small arrays in one compressed file: an archive with a member each would be mostly names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def write(path: Path, arrays: dict[str, np.ndarray], texts: Any) -> None:
    """Write arrays, and anything that JSON can hold, into one `.npz`."""
    index = {name: [str(a.dtype), list(a.shape)] for name, a in arrays.items()}
    text = json.dumps({"arrays": index, "texts": texts}, separators=(",", ":")).encode()
    data = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())
    np.savez_compressed(path, index=np.frombuffer(text, "uint8"), data=np.frombuffer(data, "uint8"))


def read(path: Path) -> tuple[dict[str, np.ndarray], Any]:
    """What `write` was given."""
    with np.load(path) as file:
        content, data = json.loads(file["index"].tobytes()), file["data"].tobytes()
    arrays, place = {}, 0
    for name, (dtype, shape) in content["arrays"].items():
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        piece = np.frombuffer(data[place : place + count], dtype)
        arrays[name], place = piece.reshape(shape), place + count
    return arrays, content["texts"]
