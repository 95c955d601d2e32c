"""Read the pickles inside old data files without running code from them."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from nacre.core.errors import FileFormatError, message

_ALLOWED_ATTRIBUTES = {"_reconstruct", "scalar", "ndarray", "dtype"}
_ALLOWED_MODULES = {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}


def _latin1_encode(text: str, encoding: str = "latin1") -> bytes:
    """Protocol 2 pickles of Python 3 store bytes as `_codecs.encode(text, 'latin1')`."""
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Knows arrays, numbers, strings and containers; refuses every other global."""

    def find_class(self, module: str, name: str, /) -> Any:
        if module in _ALLOWED_MODULES and name in _ALLOWED_ATTRIBUTES:
            modern = module.replace("numpy.core", "numpy._core")
            return super().find_class(modern, name)
        if (module, name) == ("_codecs", "encode"):
            return _latin1_encode
        raise FileFormatError(
            message(
                "pickled data",
                "it may hold arrays, numbers, strings and containers only",
                f"{module}.{name}",
                "Do not use this file: loading it elsewhere would run code.",
            )
        )


def load_pickle(file: IO[bytes], *, encoding: str = "bytes") -> Any:
    """One pickled value made of arrays and plain Python values."""
    return _ArrayUnpickler(file, encoding=encoding).load()


def load_npz(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` file, those of lists (dtype object) included.

    Source:
        NumPy Enhancement Proposal 1: header, then raw data, or a pickle when the dtype is object.
    """
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = io.BytesIO(archive.read(name))
            arrays[name.removesuffix(".npy")] = _load_array(content)
    return arrays


def _load_array(content: io.BytesIO) -> np.ndarray:
    version = npy_format.read_magic(content)
    if version == (1, 0):
        header = npy_format.read_array_header_1_0(content)
    else:
        header = npy_format.read_array_header_2_0(content)
    if header[2].hasobject:
        return np.asarray(load_pickle(content, encoding="ASCII"), dtype=object)
    content.seek(0)
    return npy_format.read_array(content, allow_pickle=False)
