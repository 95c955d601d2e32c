"""The folder run by the file that goes with it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from nacre.export.targets.target import Run


def open_folder(path: Path) -> Run:
    """Run `run.py` of a folder, and load the model beside it."""
    file = path / "run.py"
    # Not imported: that would leave compiled files in the folder, and the module in `sys.modules`.
    module: Any = ModuleType("run")
    module.__file__ = str(file)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(module))
    model = module.Model(path)
    return lambda arrays: model.run(*arrays)


__all__ = ["open_folder"]
