"""Files that are written beside one another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from nacre.core import atomic


def test_a_file_is_never_read_with_parts_of_another_one(tmp_path: Path, monkeypatch: Any) -> None:
    """Parts keep their names: a process that ends between the renames leaves no file, not a mix."""
    path, part = tmp_path / "net.xml", tmp_path / "net.bin"
    atomic.write_file(path, b"one", beside={"net.bin": b"1"})
    atomic.write_file(path, b"one more", beside={"net.bin": b"1"})  # the same part: nothing to fear
    assert (path.read_bytes(), part.read_bytes()) == (b"one more", b"1")
    replace = os.replace

    def ended(source: Any, target: Any) -> None:
        if Path(target) == path:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", ended)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_file(path, b"two", beside={"net.bin": b"1"})
    assert path.read_bytes() == b"one more"
    with pytest.raises(KeyboardInterrupt):
        atomic.write_file(path, b"two", beside={"net.bin": b"2"})
    assert not path.exists()
