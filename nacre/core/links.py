"""Files of a model beside one another: none may be a link to somewhere else on this machine."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def foreign(path: Path) -> str | None:
    """What is wrong with a file or folder that a model consists of; None where nothing is.

    A link may lead to another file of its folder. A snapshot in the cache of the Hugging Face hub
    is made of links to the folder `blobs` of the same repository; these are followed. A pipe, which
    whoever reads it waits for, is none of a model's files.

    Example:
        >>> foreign(Path("model.keras")) is None
        True
    """
    if path.is_symlink():
        target = Path(os.path.realpath(path))
        allowed = [Path(os.path.realpath(path.parent))]
        for folder in allowed[0].parents:
            if folder.name == "snapshots":
                allowed.append(folder.parent / "blobs")
        if not any(target.is_relative_to(folder) for folder in allowed):
            return f"'{path.name}', a link to '{target}'"
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # it is not there, which is for those to say who open it
        return None
    return None if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else f"'{path.name}', a device or pipe"


__all__ = ["foreign"]
