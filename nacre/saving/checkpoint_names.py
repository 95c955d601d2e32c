"""Which files belong to a checkpoint of TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path

_LATEST = re.compile(r'^model_checkpoint_path: "((?:[^"\\]|\\.)*)"', re.MULTILINE)


def find(path: Path) -> Path | None:
    """The beginning of a checkpoint's file names: for itself, one of its files, or its folder.

    In a folder it is the newest, which the file `checkpoint` tells; where the folder was moved, by
    its name.
    """
    if path.is_dir():
        try:
            text = (path / "checkpoint").read_text("utf-8", "replace")
        except OSError:
            return None
        found = _LATEST.search(text)
        return None if found is None else find(path / re.split(r"[/\\]", found[1])[-1])
    if path.is_file() and not path.name.endswith(".index") and ".data-" not in path.name:
        return None
    name = re.sub(r"\.index$|\.data-\d{5}-of-\d{5}$", "", path.name)
    prefix = path.with_name(name)
    return prefix if prefix.with_name(name + ".index").is_file() else None


__all__ = ["find"]
