"""A person's own modules: the texts in them see a shape as one value, as those of a script do."""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from nacre.tf.conversion.percents import with_shapes_as_one


class _Loader(SourceFileLoader):
    """Loads a changed file; it is kept from `__pycache__`, which plain Python reads too."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType | None:
        return compile(self._tree, self.get_filename(fullname), "exec", dont_inherit=True)


def _changed(source: bytes, path: str) -> ast.Module | None:
    """The changed tree of a file; None where nothing is to change."""
    if b"%" not in source:
        return None
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError):  # Python itself tells of it
        return None
    return tree if with_shapes_as_one(tree) else None


class _Finder(MetaPathFinder):
    """Finds what a person wrote: modules that are neither installed nor Python's nor nacre's."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] == "nacre":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or _is_installed(spec):
            return None
        plain = spec.loader
        tree = _changed(plain.get_data(plain.path), plain.path)
        if tree is None:
            return None  # for Python's own loader
        spec.loader = _Loader(plain.name, plain.path, tree)
        return spec


_INSTALLED = {"site-packages", "dist-packages"}
_PYTHON = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def _is_installed(spec: ModuleSpec) -> bool:
    file = Path(spec.origin or "")
    return not _INSTALLED.isdisjoint(file.parts) or any(map(file.is_relative_to, _PYTHON))


_FINDER = _Finder()


def install_finder() -> None:
    """Let modules that are imported from now on see shapes as one value in their texts."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(sys.meta_path.index(PathFinder), _FINDER)


__all__ = ["install_finder"]
