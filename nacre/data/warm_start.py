"""An embedding for a new vocabulary that keeps what was learnt about the old one's words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre import initializers
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.interop import to_numpy_if_foreign

_WHO = "warmstart_embedding_matrix"


def warmstart_embedding_matrix(
    base_vocabulary: Any,
    new_vocabulary: Any,
    base_embeddings: Any,
    new_embeddings_initializer: Any = "uniform",
) -> np.ndarray:
    """The rows of an embedding for a new vocabulary: those of words that both have are the old
    ones, the others are new.

    Args:
        base_vocabulary, new_vocabulary: Words in the order of their rows, or the path of a text
            file with one a line.
        base_embeddings: The old rows.
        new_embeddings_initializer: Of new rows: a name, an initializer, or rows to take them from.

    Shapes:
        base_embeddings (base words, dim)
        returns         (new words, dim)    float32
    Raises:
        ArgumentError: A vocabulary holds a word twice, or no words.
        ShapeError: Words and rows do not fit.
    Source:
        `keras.utils.warmstart_embedding_matrix` of tf.keras 2.15; Keras 3 left it out.
    Example:
        >>> old = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> warmstart_embedding_matrix(["a", "b"], ["b", "c"], old, "zeros").tolist()
        [[3.0, 4.0], [0.0, 0.0]]
    """
    old, new = _words(base_vocabulary, "base"), _words(new_vocabulary, "new")
    rows = np.asarray(to_numpy_if_foreign(base_embeddings), "float32")
    if rows.ndim != 2 or len(rows) != len(old):
        rule = f"base_embeddings must have shape ({len(old)}, dim), a row for each word"
        raise ShapeError(message(_WHO, rule, f"shape {rows.shape}"))
    shape = (len(new), rows.shape[1])
    given = new_embeddings_initializer
    if hasattr(given, "shape"):
        found = np.array(to_numpy_if_foreign(given), "float32")
        if found.shape != shape:
            rule = f"rows for the new words must have shape {shape}"
            raise ShapeError(message(_WHO, rule, f"shape {found.shape}"))
    else:
        found = np.array(initializers.get(given)(shape, "float32"))
    places = {word: place for place, word in enumerate(old)}
    for place, word in enumerate(new):
        if word in places:
            found[place] = rows[places[word]]
    return found


def _words(vocabulary: Any, which: str) -> list[str]:
    if isinstance(vocabulary, str | os.PathLike):
        lines = Path(vocabulary).read_text(encoding="utf-8").split("\n")
        words: Sequence[Any] = [line.rstrip("\r") for line in lines if line.rstrip("\r")]
    else:
        words = list(vocabulary)
    found = [word.decode() if isinstance(word, bytes) else str(word) for word in words]
    seen: set[str] = set()
    twice = next((word for word in found if word in seen or seen.add(word)), None)
    if not found or twice is not None:
        rule = f"the {which} vocabulary must hold words, each once"
        raise ArgumentError(message(_WHO, rule, "none" if not found else f"{twice!r} twice"))
    return found


__all__ = ["warmstart_embedding_matrix"]
