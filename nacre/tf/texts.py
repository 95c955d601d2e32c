"""`tf.strings` where it gives rows of different lengths."""

from __future__ import annotations

import functools
import gzip
import sys
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, message
from nacre.core.symbolic import KerasTensor
from nacre.data import Ragged
from nacre.data.dataset.elements import sealed
from nacre.export.importers.tensorflow.values import of_bytes
from nacre.tf.dtypes import as_dtype
from nacre.tf.nodes import node
from nacre.tf.values import tensor


def _cut(who: str, value: Any, cut: Callable[[bytes], list[bytes]]) -> Any:
    """The parts of one string, or of each as a row."""
    if isinstance(value, Ragged):  # of rows of strings, rows of rows
        return Ragged(_cut(who, value.values, cut), value.row_splits)
    if isinstance(value, KerasTensor):
        rule, got = "it must give rows of one length within a model", "a symbolic tensor"
        fix = "Do it in the data set: dataset.map(...)."
        raise ArgumentError(message(who, rule, got, fix))
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
        ragged_rank: How many axes are ragged; by default each level of lists after the first.
            Lists of levels below must be equally long.
        inner_shape: The shape of each value, which the lists must have.
        name: Accepted for compatibility.
        row_splits_dtype: The dtype of the row splits.
    """
    if ragged_rank == 0:
        return tensor(pylist, dtype)
    rows = list(pylist)
    items = [item for row in rows for item in row]
    nested = [isinstance(item, list | tuple | np.ndarray) for item in items]
    is_last = ragged_rank == 1 if ragged_rank is not None else not any(nested)
    if (any(nested) and not all(nested)) or (not is_last and items and not any(nested)):
        rule = "what stands on one level must be lists throughout, as deep as ragged_rank, or none"
        got = f"{str(pylist)[:60]}, ragged_rank={ragged_rank}"
        raise ArgumentError(message("tf.ragged.constant", rule, got))
    splits = np.cumsum([0, *map(len, rows)]).astype(np.dtype(str(row_splits_dtype)))
    if is_last:
        made = Ragged(np.asarray(tensor(items, dtype)), splits)
    else:
        deeper = None if ragged_rank is None else ragged_rank - 1
        inner = ragged_constant(items, dtype, deeper, row_splits_dtype=row_splits_dtype)
        made = Ragged(inner, splits)
    found = np.asarray(made.flat_values)
    if inner_shape is not None and items and found.shape[1:] != tuple(inner_shape):
        rule = f"the values must have shape {tuple(inner_shape)}"
        raise ArgumentError(message("tf.ragged.constant", rule, f"{found.shape[1:]}"))
    return made


# --- numbers of characters, and runs of words -----------------------------------------------------


def _told_of_errors(errors: str, replacement: int, controls: bool) -> dict[str, Any]:
    return {
        "errors": errors, "replacement_char": replacement, "replace_control_characters": controls,
    }  # fmt: skip


def _of_rows(values: Any, splits: Any, like: Any) -> Any:
    """Rows for strings on one axis; of one string what it holds."""
    if np.ndim(like) == 0:
        return sealed(np.asarray(values))
    if np.ndim(like) > 1:
        rule, fix = "strings must lie on one axis", "Make it flat: tf.reshape(x, [-1])."
        raise ArgumentError(message("tf.strings", rule, f"shape {np.shape(like)}", fix))
    return Ragged(np.asarray(values), np.asarray(splits).astype(np.int64))


def unicode_decode(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """The numbers of the characters of strings.

    Args:
        input: The strings.
        input_encoding: 'UTF-8', 'UTF-16-BE' or 'UTF-32-BE'.
        errors, replacement_char, replace_control_characters: What becomes of bytes that are no
            character.
        name: Accepted for compatibility.
    """
    texts = tensor(input)
    splits, values = node("UnicodeDecode")(
        texts.reshape(-1), input_encoding=input_encoding,
        Tsplits=as_dtype("int64"),
        **_told_of_errors(errors, replacement_char, replace_control_characters),
    )  # fmt: skip
    return _of_rows(values, splits, texts)


def unicode_decode_with_offsets(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False, name: Any = None,
) -> tuple[Any, Any]:  # fmt: skip
    """The same, and at which byte each character begins."""
    texts = tensor(input)
    splits, values, starts = node("UnicodeDecodeWithOffsets")(
        texts.reshape(-1), input_encoding=input_encoding,
        Tsplits=as_dtype("int64"),
        **_told_of_errors(errors, replacement_char, replace_control_characters),
    )  # fmt: skip
    return _of_rows(values, splits, texts), _of_rows(starts, splits, texts)


def unicode_split_with_offsets(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    name: Any = None,
) -> tuple[Any, Any]:  # fmt: skip
    """The characters of strings, and at which byte each begins."""
    parts = unicode_split(input, input_encoding, errors, replacement_char)
    starts = unicode_decode_with_offsets(input, input_encoding, errors, replacement_char)[1]
    return parts, starts


@functools.cache
def _scripts() -> tuple[np.ndarray, np.ndarray]:
    """Where runs of characters of one script begin, and the script of each."""
    file = resources.files("nacre.tf").joinpath("unicode_scripts.txt.gz")
    lines = gzip.decompress(file.read_bytes()).decode().split("\n")[:-1]
    pairs = [line.split() for line in lines]
    starts, scripts = [int(start, 16) for start, _ in pairs], [int(script) for _, script in pairs]
    return np.array(starts), np.array(scripts, np.int32)


def unicode_script(input: Any, name: str | None = None) -> Any:
    """The script of each character, as ICU's `UScriptCode` counts them: 25 is Latin, 17 Han.

    Args:
        input: Numbers of characters; -1 stands for the script of what is none.
        name: Accepted for compatibility.

    Example:
        >>> unicode_script([ord("a"), ord("語"), -7]).tolist()
        [25, 17, -1]
    """
    if isinstance(input, Ragged):
        return Ragged(unicode_script(input.values), input.row_splits)
    characters = np.asarray(tensor(input))
    if characters.dtype.kind not in "iu":
        rule, got = "characters must be whole numbers", f"{characters.dtype}"
        fix = "Read them from strings: tf.strings.unicode_decode(x, 'UTF-8')."
        raise DTypeError(message("tf.strings.unicode_script", rule, got, fix))
    starts, scripts = _scripts()
    found = scripts[np.maximum(np.searchsorted(starts, characters, "right") - 1, 0)]
    is_one = (characters >= 0) & (characters <= sys.maxunicode)
    return sealed(np.where(is_one, found, np.int32(-1)))


def unicode_encode(
    input: Any, output_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    name: Any = None,
) -> Any:  # fmt: skip
    """Strings of the numbers of their characters: of the last axis, or of rows.

    Args:
        input: The numbers.
        output_encoding: 'UTF-8', 'UTF-16-BE' or 'UTF-32-BE'.
        errors, replacement_char: What becomes of numbers that are no character.
        name: Accepted for compatibility.
    """
    told = _told_of_errors(errors, replacement_char, False)
    made = lambda values, splits: node("UnicodeEncode")(
        values, splits, output_encoding=output_encoding, **told
    )
    if isinstance(input, Ragged):
        return made(np.asarray(input.values), np.asarray(input.row_splits))
    numbers = np.asarray(tensor(input))
    rows = int(np.prod(numbers.shape[:-1]))
    splits = np.arange(rows + 1, dtype=np.int64) * numbers.shape[-1]
    return made(numbers.ravel(), splits).reshape(numbers.shape[:-1])


def ngrams(
    data: Any, ngram_width: Any, separator: str = " ", pad_values: Any = None,
    padding_width: int | None = None, preserve_short_sequences: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """Runs of words, joined.

    Args:
        data: Words, on the last axis or as rows.
        ngram_width: How many words a run has, or several such numbers.
        separator: What stands between them.
        pad_values: What stands before and behind each row: a text, or two of them.
        padding_width: How often at most; by default as often as a run can need.
        preserve_short_sequences: Whether rows too short for a run are one.
        name: Accepted for compatibility.
    """
    widths = [int(n) for n in np.ravel(ngram_width)]
    pads = ("", "") if pad_values is None else pad_values
    left, right = (pads, pads) if isinstance(pads, str | bytes) else pads
    width = 0 if pad_values is None else -1 if padding_width is None else int(padding_width)
    if isinstance(data, Ragged):
        texts, values, splits = None, data.values, np.asarray(data.row_splits)
    else:
        texts = tensor(data)
        rows = int(np.prod(texts.shape[:-1]))
        values, splits = texts.reshape(-1), np.arange(rows + 1, dtype=np.int64) * texts.shape[-1]
    found, ends = node("StringNGrams")(
        values, splits, separator=separator, ngram_widths=widths, left_pad=left, right_pad=right,
        pad_width=width, preserve_short_sequences=preserve_short_sequences,
    )  # fmt: skip
    if texts is None:
        return Ragged(np.asarray(found), np.asarray(ends))
    return found.reshape(*texts.shape[:-1], -1)


def text_format(
    template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: Any = None
) -> Any:
    """A text in which tensors stand where it has a placeholder.

    Args:
        template: The text.
        inputs: A tensor, or several.
        placeholder: What they stand for.
        summarize: How many numbers at each end of an axis.
        name: Accepted for compatibility.
    """
    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    return node("StringFormat")(
        *map(tensor, given), template=template, placeholder=placeholder, summarize=summarize
    )
