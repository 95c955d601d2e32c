"""Folders of Orbax's as `OrbaxCheckpoint` writes them, Keras's and nacre's: found and read.

`directory/3/pytree` holds nested dicts of arrays, as `Model.get_state_tree` gives them, and
`directory/3/model_config` the text of the model's config under 'config'. Orbax writes the file
`_CHECKPOINT_METADATA` into a folder when all others are in it (layout of orbax-checkpoint 0.12).
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.errors import FileFormatError, message
from nacre.core.interop import optional_import

_METADATA = "_CHECKPOINT_METADATA"


def newest(folder: Path) -> Path | None:
    """The folder itself where it is a checkpoint, else the one within that has the largest number;
    None where there is none."""
    if (folder / _METADATA).is_file():
        return folder
    numbers = [name for name in os.listdir(folder) if name.isdigit() and name.isascii()]
    found = [folder / name for name in sorted(numbers, key=int)]
    return next((path for path in reversed(found) if (path / _METADATA).is_file()), None)


def read(folder: Path, item: str, who: str) -> dict[str, Any] | None:
    """An item of a checkpoint as nested dicts of NumPy arrays and texts; None where it has none.

    Raises:
        FileFormatError: It is damaged.
        MissingPackageError: Orbax is not installed.
    """
    orbax: Any = optional_import("orbax.checkpoint", extra="orbax", who=who)
    path = folder / item
    if not path.is_dir():
        return None
    reader = orbax.PyTreeCheckpointer()
    try:
        with _quietly():
            known = reader.metadata(path.absolute()).item_metadata.tree
            wanted = tree.map_structure(_as_numpy, known)
            return reader.restore(path.absolute(), restore_args=wanted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        text = str(error).splitlines()[0][:200] if str(error) else ""
        raise FileFormatError(
            message(
                f"{who}, {folder.name}/{item}",
                "it must be a whole checkpoint of Orbax",
                f"one whose reading ends in {type(error).__name__}: {text}",
                "It may be damaged. Folders with other numbers may be whole: give one's path.",
            )
        ) from error
    finally:
        reader.close()


@contextlib.contextmanager
def _quietly() -> Generator[None]:
    """Without Orbax's warnings: of shardings, which NumPy's arrays have none of, and of metadata
    that a single item has none of."""

    def drop(record: logging.LogRecord) -> bool:
        return record.levelno > logging.WARNING

    logger = logging.getLogger("absl")
    logger.addFilter(drop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(drop)


def _as_numpy(known: Any) -> Any:
    orbax: Any = optional_import("orbax.checkpoint", extra="orbax", who="orbax")
    if hasattr(known, "shape"):
        return orbax.RestoreArgs(restore_type=np.ndarray)
    return orbax.RestoreArgs()
