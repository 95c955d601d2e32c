"""Imports of TensorFlow and Keras that bring nacre: `nacre.install()`, `nacre run script.py`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from nacre.core.errors import AbsentModuleError, ArgumentError, message, nearest
from nacre.tf.absent import PACKAGES
from nacre.tf.namespaces import (
    SECOND_PATHS,
    Namespace,
    is_module,
    names_in,
    namespace,
    reason_for,
)

# Packages -> what they are below `tensorflow`.
_TAKEN = {
    "tensorflow": "",
    "keras": "keras",
    "tf_keras": "keras",
    "tensorflow_datasets": "tfds",
    "tensorflow_hub": "hub",
    "tf": "",
}


def path_of(module: str) -> str | None:
    """What a module is below `tensorflow`; None for one of another package.

    Example:
        >>> path_of("tensorflow.python.keras.layers"), path_of("tf_keras"), path_of("numpy")
        ('keras.layers', 'keras', None)
    """
    root, _, rest = module.partition(".")
    if root not in _TAKEN:
        return None
    path = ".".join(part for part in (_TAKEN[root], rest) if part)
    is_of_insides = path.startswith(("keras.src.", "python.keras."))
    for longer, shorter in SECOND_PATHS.items():
        if path == longer or path.startswith(f"{longer}."):
            rest = path[len(longer) + 1 :]
            path = ".".join(part for part in (shorter, rest) if part)
            break
    if is_of_insides:
        return _around(path_of(f"tensorflow.{path}") or path)
    return path


def _around(path: str) -> str:
    """The module that is here, or the innermost one around it: files of Keras's insides have names
    that its public modules show."""
    while path.startswith("keras.") and not is_module(path):
        path = path.rpartition(".")[0]
    return path


class _Loader(Loader):
    """Gives the module that is there already."""

    def __init__(self, module: Namespace) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        _tell(spec.name)
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        return None


class _DrawingNothing(Loader):
    """Loads a module and leaves NumPy's random numbers where they are.

    A script seeds them, and JAX, which comes with the first tensor, draws some when it is imported:
    the script's own would be others than with TensorFlow.

    Args:
        loader: What loads it.
    """

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = module.__loader__ = self._loader  # by which files are found
        random = sys.modules["numpy"].random
        state = random.get_state()
        try:
            self._loader.exec_module(module)
        finally:
            random.set_state(state)


class _Finder(MetaPathFinder):
    """Finds modules of TensorFlow and Keras in nacre.

    Args:
        roots: The packages it answers for.
        refused: Those that it refuses.
    """

    def __init__(self, roots: Sequence[str], refused: Sequence[str] = ()) -> None:
        self._roots, self._refused = frozenset(roots), frozenset(refused)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root = fullname.partition(".")[0]
        if fullname == "jax" and self._refused and "numpy" in sys.modules:
            spec = PathFinder.find_spec(fullname, path)
            if spec is not None and spec.loader is not None:
                spec.loader = _DrawingNothing(spec.loader)
            return spec
        if root in self._refused:
            raise AbsentModuleError(f"'{root}' does not run on nacre. {PACKAGES[root]}")
        if root not in self._roots:
            return None
        place = path_of(fullname)
        assert place is not None
        if not is_module(place):
            raise _absent(fullname, place)
        return ModuleSpec(fullname, _Loader(namespace(place)), is_package=True)


def _absent(module: str, place: str) -> AbsentModuleError:
    parent, _, name = place.rpartition(".")
    reason = reason_for(place)
    if reason is None and is_module(parent):
        close = nearest(name, names_in(parent))
        reason = f"Did you mean '{close}'?" if close else None
    above = module.rpartition(".")[0]
    text = f"module '{above}' of nacre has no '{name}'. {reason or 'nacre does not have it.'}"
    return AbsentModuleError(text)


_told: list[str] = []


def _tell(module: str) -> None:
    """Say once what was taken over."""
    root = module.partition(".")[0]
    if not _told:
        print(
            f"nacre: `import {root}` brings nacre here. Random numbers are TensorFlow's in "
            "tf.random.Generator, stateless_uniform and stateless_normal alone.",
            file=sys.stderr,
        )
    _told.append(root)


_OURS = _Finder([root for root in _TAKEN if root != "tf"], tuple(PACKAGES))
_LAST = _Finder(("tf",))  # asked where no module of that name exists


def install(quiet: bool = False) -> None:
    """Let `import tensorflow` and `import keras` bring nacre, in this process from now on.

    One line on stderr says so at the first such import. Packages that stand on TensorFlow's insides
    (tensorflow_addons, tensorflow_probability) are refused with what to use instead.

    Args:
        quiet: Whether the line is left out.

    Raises:
        ArgumentError: TensorFlow or Keras was imported before.
    Example:
        >>> import nacre
        >>> nacre.install(quiet=True)  # doctest: +SKIP
        >>> from tensorflow.keras.layers import Dense  # doctest: +SKIP
    """
    if quiet:
        _told.append("")
    if _OURS in sys.meta_path:
        return
    foreign = [root for root in _TAKEN if not _is_ours(sys.modules.get(root)) and root != "tf"]
    if foreign:
        raise ArgumentError(
            message(
                "nacre.install",
                "it must come before TensorFlow and Keras are imported",
                f"a process that has imported {' and '.join(foreign)}",
                "Call it at the very beginning, or start the script with: nacre run script.py",
            )
        )
    sys.meta_path.insert(0, _OURS)
    sys.meta_path.append(_LAST)


def uninstall() -> None:
    """Undo `install`: later imports find the packages that are installed."""
    for finder in (_OURS, _LAST):
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if name.partition(".")[0] in _TAKEN]:
        if isinstance(sys.modules[name], Namespace):
            del sys.modules[name]
    _told.clear()


def _is_ours(module: Any) -> bool:
    return module is None or isinstance(module, Namespace)


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext nacre` in a notebook: the same as `install`."""
    install()


__all__ = ["install", "load_ipython_extension", "path_of", "uninstall"]
