"""`tf.strings` where it gives rows of different lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.data import Ragged
from nacre.data.dataset.elements import sealed
from nacre.export.importers.tensorflow.values import of_bytes
from nacre.tf.values import tensor


def _cut(who: str, value: Any, cut: Callable[[bytes], list[bytes]]) -> Any:
    """The parts of one string, or of each as a row."""
    texts = tensor(value)
    if texts.ndim == 0:
        return sealed(of_bytes(cut(texts.item())))
    if texts.ndim > 1:
        rule, fix = "strings must lie on one axis", "Make it flat: tf.reshape(x, [-1])."
        raise ArgumentError(message(who, rule, f"shape {tuple(texts.shape)}", fix))
    rows = [cut(item) for item in texts.tolist()]
    splits = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return Ragged(sealed(of_bytes(part for row in rows for part in row)), splits)


def split(input: Any, sep: Any = None, maxsplit: int = -1, name: Any = None) -> Any:
    """Words of strings: of one a tensor, of several a ragged one.

    Args:
        input: The strings.
        sep: What stands between; by default any white space.
        maxsplit: How often at most; -1 for as often as it is there.
        name: Accepted for compatibility.
    """
    by = None if sep is None else tensor(sep).item() or None
    return _cut("tf.strings.split", input, lambda item: item.split(by, maxsplit))


def bytes_split(input: Any, name: Any = None) -> Any:
    """The bytes of strings."""
    cut = lambda item: [item[i : i + 1] for i in range(len(item))]
    return _cut("tf.strings.bytes_split", input, cut)


def unicode_split(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = 65533,
    name: Any = None,
) -> Any:
    """The characters of strings.

    Args:
        input: The strings.
        input_encoding: 'UTF-8', 'UTF-16-BE' or 'UTF-32-BE'.
        errors: 'replace', 'ignore' or 'strict': what becomes of bytes that are no character.
        replacement_char: What 'replace' puts there.
        name: Accepted for compatibility.
    """
    names = {"UTF-8": "utf-8", "UTF-16-BE": "utf-16-be", "UTF-32-BE": "utf-32-be"}
    if input_encoding not in names:
        rule = f"input_encoding must be one of {', '.join(names)}"
        raise ArgumentError(message("tf.strings.unicode_split", rule, repr(input_encoding)))
    encoding = names[input_encoding]

    def cut(item: bytes) -> list[bytes]:
        text = item.decode(encoding, errors).replace("\ufffd", chr(replacement_char))
        return [letter.encode(encoding) for letter in text]

    return _cut("tf.strings.unicode_split", input, cut)


def ragged_constant(
    pylist: Any,
    dtype: Any = None,
    ragged_rank: int | None = None,
    inner_shape: Any = None,
    name: Any = None,
    row_splits_dtype: Any = "int64",
) -> Any:
    """`tf.ragged.constant`: nested lists whose rows have different lengths.

    Args:
        pylist: The lists.
        dtype: The dtype; by default that of the numbers or strings.
        ragged_rank, inner_shape: Accepted where they are what the lists tell: one ragged axis.
        name: Accepted for compatibility.
        row_splits_dtype: The dtype of the row splits.
    """
    rows = list(pylist)
    if any(isinstance(item, list | tuple) for row in rows for item in row):
        rule = "rows must hold numbers or strings, on one ragged axis"
        raise ArgumentError(message("tf.ragged.constant", rule, "lists within rows"))
    flat = tensor([item for row in rows for item in row], dtype)
    splits = np.cumsum([0, *map(len, rows)]).astype(row_splits_dtype)
    return Ragged(np.asarray(flat), splits)
