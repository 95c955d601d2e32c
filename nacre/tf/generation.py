"""Which generation of Keras a script is written for: that of tf.keras 2.15, or Keras 3.

What is here has the names of both. `__version__` can tell one only, and scripts choose by it.
"""

from __future__ import annotations

import os
import re

# What only scripts for Keras 3 have: its backends, modules that came with it, packages on it.
_SIGN = re.compile(
    r"KERAS_BACKEND|Keras 3"
    r"|\bkeras\.(?:ops|random|tree|dtype_policies|distribution|quantizers|device|version)\b"
    r"|\bkeras\.(?:config|saving)\.\w*(?:policy|backend|floatx|format|file_editor|KerasFileEditor)"
    r"|\bfrom (?:tensorflow\.)?keras import [^\n]*"
    r"\b(?:ops|random|tree|distribution|quantizers|dtype_policies)\b"
    r"|\bimport keras_(?:hub|rs)\b|\bfrom keras_(?:hub|rs)\b"
    r"|__version__[^\n]*[\"']3\b"
)
_KERAS_3 = {"": "2.21.0", "version.VERSION": "2.21.0", "keras": "3.15.0", "compat.v1": "2.21.0"}

_sources: list[bool] = []


def note_source(text: str) -> None:
    """Look for what only scripts for Keras 3 have in the text of the script that is run.

    Example:
        >>> note_source("import keras")
    """
    if not _sources and _SIGN.search(text):
        _sources.append(True)


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
