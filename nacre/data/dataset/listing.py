"""Paths of files: as users give them, and those that match a pattern."""

from __future__ import annotations

import glob
import os
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.data.dataset import elements as el
from nacre.data.dataset.host_tensor import HostTensor


def matching_files(file_pattern: Any, who: str) -> HostTensor:
    """The paths that match one or several patterns, sorted, as a tensor.

    Raises:
        DataError: There is none.
    """
    patterns = as_paths(file_pattern, who).tolist()
    found = sorted({path for pattern in patterns for path in glob.glob(pattern, recursive=True)})
    if not found:
        shown = ", ".join(repr(os.fsdecode(pattern)) for pattern in patterns[:5]) or "no pattern"
        fix = f"Paths are taken from the folder that Python was started in, {os.getcwd()!r}."
        raise DataError(message(who, "a file must match the pattern", f"{shown}, and none", fix))
    return as_paths(found, who)


def as_paths(filenames: Any, who: str) -> HostTensor:
    """Paths, one or several, as a tensor of one axis."""
    if isinstance(filenames, np.ndarray):
        filenames = np.ravel(filenames).tolist()
    elif hasattr(filenames, "numpy"):
        filenames = np.ravel(np.asarray(filenames.numpy(), object)).tolist()
    if isinstance(filenames, str | bytes | os.PathLike):
        filenames = [filenames]
    given = list(filenames) if isinstance(filenames, list | tuple | set) else None
    if given is None or not all(isinstance(name, str | bytes | os.PathLike) for name in given):
        raise ArgumentError(
            message(
                who, "filenames must be paths, a list of them, or a Dataset of them",
                f"{type(filenames).__name__} {str(filenames)[:60]}",
                "Pass sorted(glob.glob('data/*.tfrecord')).",
            )
        )  # fmt: skip
    if isinstance(filenames, set):
        given.sort(key=os.fsencode)
    paths = np.empty(len(given), object)
    paths[:] = [os.fsencode(name) for name in given]
    return el.sealed(paths)


__all__ = ["as_paths", "matching_files"]
