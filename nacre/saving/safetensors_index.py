"""Where the index of safetensors files is that belong together."""

from __future__ import annotations

import os
from pathlib import Path

ENDING = ".safetensors.index.json"
WHOLE = "model.safetensors"  # a whole file in a folder of the hub


def index_of(path: Path) -> Path:
    """The index of what is called `path`, the name of a whole file or of the index."""
    name = path.name.removesuffix(".index.json").removesuffix(".safetensors")
    return path.with_name(f"{name}{ENDING}")


def index_in(path: Path) -> Path | None:
    """The index that a path stands for: itself, that of a whole file that is not there, or the only
    one in a folder; None where there is none."""
    if os.path.isdir(path):  # where the name is too long, too, unlike what pathlib has
        found = [name for name in os.listdir(path) if name.endswith(ENDING)]
        return path / found[0] if len(found) == 1 else None
    if path.name.endswith(".safetensors") and not os.path.exists(path):
        path = index_of(path)
    return path if path.name.endswith(ENDING) and os.path.isfile(path) else None


__all__ = ["ENDING", "WHOLE", "index_in", "index_of"]
