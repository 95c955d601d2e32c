"""Which generation of Keras a script is written for: that of tf.keras 2.15, or Keras 3.

What is here has the names of both. `__version__` can tell one only, and scripts choose by it.
"""

from __future__ import annotations

import ast
import os
import re

# What only scripts for Keras 3 have: modules that came with it, packages on it, and some names
# within modules that are older.
_MODULES = frozenset(["ops", "random", "tree", "distribution", "quantizers", "dtype_policies"])
_NAMES = _MODULES | {"device", "version"}
_PACKAGES = frozenset(["keras_hub", "keras_rs"])
_LATER = re.compile(r"keras\.(?:config|saving)\.\w*(?:policy|backend|floatx|format|file_editor|KerasFileEditor)")  # noqa: E501  # fmt: skip
_KERAS_3 = {"": "2.21.0", "version.VERSION": "2.21.0", "keras": "3.15.0", "compat.v1": "2.21.0"}

_sources: list[bool] = []


def note_source(tree: ast.Module) -> None:
    """Look for what only scripts for Keras 3 have in the script that is run, or a cell of it.

    Comments and texts tell nothing: one may speak of both generations.

    Example:
        >>> note_source(ast.parse("import keras"))
    """
    if not _sources and _has_sign(tree):
        _sources.append(True)


def _has_sign(tree: ast.Module) -> bool:
    names: dict[str, str] = {}  # what a name stands for, where an import says so
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update((a.asname, a.name) for a in node.names if a.asname)
        elif isinstance(node, ast.ImportFrom):
            names.update((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)
    return any(_is_sign(node, names) for node in nodes)


def _is_sign(node: ast.AST, names: dict[str, str]) -> bool:
    if isinstance(node, ast.Import):
        return any(_is_of_keras_3(alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return any(_is_of_keras_3(f"{node.module}.{alias.name}") for alias in node.names)
    if isinstance(node, ast.Attribute):
        return _is_of_keras_3(_path_of(node, names))
    if _asks_for_version_3(node):
        return True
    if isinstance(node, ast.Subscript | ast.Call):  # os.environ[...], os.environ.setdefault(...)
        asked = [node.slice] if isinstance(node, ast.Subscript) else node.args[:1]
        return "KERAS_BACKEND" in _texts_in(asked)
    if isinstance(node, ast.Dict):  # os.environ.update({...})
        return "KERAS_BACKEND" in _texts_in([key for key in node.keys if key is not None])
    return False


def _is_of_keras_3(path: str) -> bool:
    """Whether a path in dots is of Keras 3 alone: `keras.ops`, `tf.keras.ops.abs`."""
    parts = path.split(".")
    if parts[0] in _PACKAGES:
        return True
    if "keras" not in parts[:2]:
        return False
    below = parts[parts.index("keras") :]
    return below[1:2] != [] and (below[1] in _NAMES or bool(_LATER.match(".".join(below))))


def _path_of(node: ast.expr, names: dict[str, str]) -> str:
    """An attribute as a path in dots; nothing of what begins with no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    return f"{_path_of(node.value, names)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def _texts_in(nodes: list[ast.expr]) -> list[str]:
    return [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _asks_for_version_3(node: ast.AST) -> bool:
    """Whether `__version__`, or a part of it, is compared with '3' or '3.…', or begins so."""
    is_begin = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "startswith"
    if not is_begin and not isinstance(node, ast.Compare):
        return False
    parts = list(ast.walk(node))
    if not any(isinstance(p, ast.Attribute) and p.attr == "__version__" for p in parts):
        return False
    texts = _texts_in([p for p in parts if isinstance(p, ast.expr)])
    return any(re.match(r"3\b", text) for text in texts)


def is_keras_3() -> bool:
    """Whether the script that is run is written for Keras 3.

    Example:
        >>> is_keras_3()
        False
    """
    return bool(_sources) or "KERAS_BACKEND" in os.environ


def version_of(path: str, otherwise: str) -> str:
    """The version that a module below `tensorflow` tells: '' or 'keras'.

    Args:
        path: The module.
        otherwise: What it tells to scripts of tf.keras 2.
    Example:
        >>> version_of("keras", "2.15.0")
        '2.15.0'
    """
    return _KERAS_3.get(path, otherwise) if is_keras_3() else otherwise


def keras_version() -> str:
    """`keras.version()`, which Keras 3 brought: what calls it is written for that.

    Example:
        >>> keras_version()
        '3.15.0'
    """
    return _KERAS_3["keras"]


def backend() -> str:
    """`keras.backend.backend()`: 'jax' where the script chose it, for steps written for it.

    Else 'tensorflow', by which scripts that use its functions choose.

    Example:
        >>> backend()
        'tensorflow'
    """
    return "jax" if os.environ.get("KERAS_BACKEND") == "jax" else "tensorflow"


__all__ = ["backend", "is_keras_3", "keras_version", "note_source", "version_of"]
