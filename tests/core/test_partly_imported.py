"""What another thread is importing just now counts as not loaded."""

from __future__ import annotations

import builtins
import sys
import threading
from pathlib import Path

import pytest

from nacre.core.kinds import is_of_library, loaded

MODULE = """
import builtins
class Early: ...
builtins.partly_imported[0].set()
builtins.partly_imported[1].wait(10)
class Late: ...
"""


def test_a_module_that_another_thread_imports_is_loaded_when_its_last_line_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_library.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    began, goes_on = threading.Event(), threading.Event()
    monkeypatch.setattr(builtins, "partly_imported", (began, goes_on), raising=False)
    importer = threading.Thread(target=__import__, args=("slow_library",))
    importer.start()
    try:
        assert began.wait(10)
        assert "slow_library" in sys.modules
        assert loaded("slow_library") is None
        assert not is_of_library(1, "slow_library", "Early")
    finally:
        goes_on.set()
        importer.join()
    module = loaded("slow_library")
    assert module is not None
    assert is_of_library(module.Late(), "slow_library", "Late")
    del sys.modules["slow_library"]
