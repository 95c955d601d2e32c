"""Texts: cleaned, split, looked up in vocabularies.

A text is a value of dtype 'string'; in NumPy an array of dtype object that holds Python strings.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from nacre.core.fingerprint import bytes_of, crossed, fingerprints
from nacre.export.graph.opset import Array, Int, Ints, NewSize, Str, Texts, Type, op
from nacre.export.graph.rules import require

_SPACES = re.compile(r"[ \t\n\v\f\r]+")


def _of_text(dtype: str) -> Any:
    """The rule of what gives one value for each text."""

    def rule(types: Any, _: Any) -> Type:
        require(types[0].dtype == "string", f"texts are needed, not {types[0].dtype}")
        return Type(dtype, types[0].shape)

    return rule


def _of_number(types: Any, _: Any) -> Type:
    require("int" in types[0].dtype, f"integers are needed, not {types[0].dtype}")
    return Type("string", types[0].shape)


def _each(x: Array, function: Any, dtype: Any = object) -> Array:
    """A function of one element, for all."""
    result = np.empty(x.shape, dtype)
    result.ravel()[:] = [function(value) for value in x.ravel().tolist()]
    return result


@op(shapes=_of_number)
def text_from_int(x: Array) -> Array:
    """Each integer in decimal digits."""
    return _each(x, str)


@op(shapes=_of_text("string"))
def text_lower(x: Array) -> Array:
    """a ... z for A ... Z; other letters stay as they are."""
    return _each(x, lambda text: text.encode().lower().decode())


@op(shapes=_of_text("string"))
def text_replace(x: Array, *, pattern: Str, replacement: Str) -> Array:
    """Each match of a regular expression replaced, from left to right. Only classes of characters
    and their repetition, as all dialects have them."""
    return _each(x, lambda text: re.sub(pattern, lambda _: replacement, text))


def _split(types: Any, attributes: Any) -> Type:
    x = types[0]
    require(x.dtype == "string" and len(x.shape) == 1, f"texts of one axis are needed, not {x}")
    require(attributes["by"] in ("whitespace", "character", "nothing"), "by must be known")
    return Type("string", (x.shape[0], attributes["length"]))


@op(shapes=_split)
def text_split(x: Array, *, by: Str, ngrams: Ints, length: NewSize) -> Array:
    """The tokens of each text, (batch,) to (batch, length): words that ASCII white space parts,
    'character's, or with 'nothing' the text as one token. With `ngrams` groups of so many tokens
    each, joined by a space, those of the first size first. Too many are cut off; '' fills up.
    A `length` that is a new name is that of the longest text."""
    rows: list[list[str]] = []
    for text in x.tolist():
        words = [word for word in _SPACES.split(text) if word]
        tokens = {"whitespace": words, "character": list(text), "nothing": [text]}[by]
        if ngrams:
            counts = [(n, len(tokens) - n + 1) for n in ngrams]
            tokens = [" ".join(tokens[i : i + n]) for n, count in counts for i in range(count)]
        rows.append(tokens)
    width = max(map(len, rows), default=0) if length is None else length
    result = np.full((len(rows), width), "", object)
    for row, tokens in zip(result, rows):
        row[: min(len(tokens), width)] = tokens[:width]
    return result


def _looked_up(types: Any, attributes: Any) -> Type:
    keys, values = attributes["keys"], attributes["values"]
    require(len(keys) == len(values), f"{len(keys)} keys have {len(values)} values")
    require(len(set(keys)) == len(keys), "a key occurs twice")
    return _of_text("int32")(types, attributes)


@op(shapes=_looked_up)
def text_lookup(x: Array, *, keys: Texts, values: Ints, missing: Int) -> Array:
    """The value of each text, `missing` for one that is no key (int32)."""
    table = dict(zip(keys, values))
    return _each(x, lambda text: table.get(text, missing), "int32")


def _told(types: Any, attributes: Any) -> Type:
    return _of_number(types, attributes)


@op(shapes=_told)
def text_of_index(x: Array, *, texts: Texts, missing: Str) -> Array:
    """The text at each index, `missing` for an index outside, negative ones among them."""
    return _each(x, lambda index: texts[index] if 0 <= index < len(texts) else missing)


@op(shapes=_of_text("int32"))
def text_hash(x: Array, *, buckets: Int, salt: Ints | None) -> Array:
    """A number below `buckets` for each text: what is left of its fingerprint of 64 bits.
    FarmHash's Fingerprint64 of its UTF-8, or with a salt of two numbers SipHash-2-4 under it."""
    flat = [bytes_of(text) for text in x.ravel().tolist()]
    key = None if salt is None else (salt[0], salt[1])
    found = fingerprints(flat, key) if flat else np.zeros(0, "uint64")
    return (found % np.uint64(buckets)).astype("int32").reshape(x.shape)


def _crossed(types: Any, _: Any) -> Type:
    first = types[0]
    for each in types:
        fits = each.dtype in ("string", "bool") or "int" in each.dtype
        require(fits, f"texts or integers are needed, not {each.dtype}")
        require(each.shape == first.shape, f"shapes must be the same, not {first} and {each}")
    return Type("int32", first.shape)


@op(shapes=_crossed)
def text_cross(*xs: Array, buckets: Int) -> Array:
    """A number below `buckets` for each combination of texts and integers at one place: what is
    left of their joined fingerprints of 64 bits."""
    found = crossed(x.ravel() for x in xs)
    return (found % np.uint64(buckets)).astype("int32").reshape(xs[0].shape)
