"""Texts: cleaned, split, looked up in vocabularies, which stand in the graph.

A table is made where it is asked, from its keys and values: so each loader has it, and nothing has
to be initialized before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from nacre.core.fingerprint import CROSS_START
from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import SizeExpr
from nacre.export.targets.graphdef.body import Body, Kind, Kinds, texts_of
from nacre.export.targets.graphdef.rules._rule import (
    cast,
    dtype_of,
    kind_of,
    reshape,
    rule,
)


def _text(make: Body, text: str) -> str:
    return make.constant(np.asarray(text.encode(), object))


@rule("text_from_int")
def _from_int(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add(
        "AsString", inputs, T=kind_of(node), precision=-1, scientific=False, shortest=False,
        width=-1, fill="",
    )  # fmt: skip


@rule("text_lower")
def _lower(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add("StringLower", inputs, encoding="")  # of ASCII letters alone


@rule("text_replace")
def _replace(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add(
        "StaticRegexReplace",
        inputs,
        pattern=node.attributes["pattern"],
        rewrite=node.attributes["replacement"].replace("\\", "\\\\"),
        replace_global=True,
    )


@rule("text_split")
def _split(make: Body, node: Node, inputs: Sequence[str]) -> str:
    (texts,), by, ngrams = inputs, node.attributes["by"], node.attributes["ngrams"]
    length = node.attributes["length"]
    fixed = length if isinstance(length, int) else None
    takes_single = ngrams in ((), (1,))
    if by == "nothing" and takes_single and fixed in (None, 1):
        axis = make.constant(1, "int32")
        result = make.add("ExpandDims", [texts, axis], T=Kind("string"), Tdim=Kind("int32"))
    elif by == "whitespace" and takes_single:
        result = _words(make, texts, fixed)
    else:
        rows = _ROWS[by](make, texts)
        result = _dense(make, rows if takes_single else _groups(make, rows, ngrams), fixed)
    made = node.outputs[0].shape[1]
    if isinstance(made, SizeExpr):
        make.know_size(made, result, "string", 1)
    return result


# Tokens of all texts, one after the other, and where those of each begin and the last one's end.
_Rows: TypeAlias = tuple[str, str]


def _range(make: Body, count: str) -> str:
    """0, 1 ... count, as splits."""
    wide, one = Kind("int64"), make.constant(1, "int64")
    end = make.add("AddV2", [count, one], T=wide)
    return make.add("Range", [make.constant(0, "int64"), end, one], Tidx=wide)


def _size(make: Body, tensor: str, dtype: str) -> str:
    return make.add("Size", [tensor], T=Kind(dtype), out_type=Kind("int64"))


def _whole(make: Body, texts: str) -> _Rows:
    return texts, _range(make, _size(make, texts, "string"))


def _by_white_space(make: Body, texts: str) -> _Rows:
    places, words, _ = make.add_all("StringSplitV2", [texts, _text(make, "")], 3, maxsplit=-1)
    row = reshape(make, _column(make, places, 0, Kind("int64")), make.ints(1, -1), "int64")
    wanted = reshape(make, _whole(make, texts)[1], make.ints(1, -1), "int64")
    # Where the rows begin: rows of tokens rise.
    splits = make.add("LowerBound", [row, wanted], T=Kind("int64"), out_type=Kind("int64"))
    return words, reshape(make, splits, make.ints(-1), "int64")


def _by_character(make: Body, texts: str) -> _Rows:
    wide = Kind("int64")
    splits, points = make.add_all(
        "UnicodeDecode", [texts], 2, input_encoding="UTF-8", errors="replace",
        replacement_char=0xFFFD, replace_control_characters=False, Tsplits=wide,
    )  # fmt: skip
    letters = make.add(
        "UnicodeEncode", [points, _range(make, _size(make, points, "int32"))], errors="replace",
        output_encoding="UTF-8", replacement_char=0xFFFD, Tsplits=wide,
    )  # fmt: skip
    return letters, splits


_ROWS: dict[str, Callable[[Body, str], _Rows]] = {
    "nothing": _whole,
    "whitespace": _by_white_space,
    "character": _by_character,
}


def _groups(make: Body, rows: _Rows, sizes: Sequence[int]) -> _Rows:
    """Tokens of each text joined by spaces: all groups of the first size, then of the next."""
    tokens, splits = make.add_all(
        "StringNGrams", rows, 2, separator=" ", ngram_widths=tuple(sizes), left_pad="",
        right_pad="", pad_width=0, preserve_short_sequences=False, Tsplits=Kind("int64"),
    )  # fmt: skip
    return tokens, splits


def _dense(make: Body, rows: _Rows, length: int | None) -> str:
    """Rows filled up with empty texts, and cut where a length is asked for."""
    wide = Kind("int64")
    shape = make.constant([-1, -1 if length is None else length], "int64")
    return make.add(
        "RaggedTensorToTensor",
        [shape, rows[0], _text(make, ""), rows[1]],
        T=Kind("string"),
        Tindex=wide,
        Tshape=wide,
        num_row_partition_tensors=1,
        row_partition_types=("ROW_SPLITS",),
    )


def _words(make: Body, texts: str, length: int | None) -> str:
    """Words in rows, the places behind the last one filled with empty texts."""
    wide = Kind("int64")
    # An empty separator is any white space.
    places, words, shape = make.add_all("StringSplitV2", [texts, _text(make, "")], 3, maxsplit=-1)
    if length is not None:
        columns = _column(make, places, 1, wide)
        limit = make.constant(length, "int64")
        fits = make.add("Less", [columns, limit], T=wide)
        kept = make.add("Where", [fits], T=Kind("bool"))
        places = make.add("GatherNd", [places, kept], Tparams=wide, Tindices=wide)
        words = make.add("GatherNd", [words, kept], Tparams=Kind("string"), Tindices=wide)
        zero, one = make.ints(0), make.ints(1)
        rows = make.add("Slice", [shape, zero, one], T=wide, Index=Kind("int32"))
        ends = [rows, make.constant([length], "int64"), make.constant(0, "int32")]
        shape = make.add("ConcatV2", ends, N=2, T=wide, Tidx=Kind("int32"))
    return make.add(
        "SparseToDense",
        [places, shape, words, _text(make, "")],
        T=Kind("string"),
        Tindices=wide,
        validate_indices=True,
    )


def _column(make: Body, matrix: str, index: int, kind: Kind) -> str:
    """A column of a matrix."""
    begin, end = make.ints(0, index), make.ints(0, index + 1)
    return make.add(
        "StridedSlice", [matrix, begin, end, make.ints(1, 1)], T=kind, Index=Kind("int32"),
        begin_mask=1, end_mask=1, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=2,
    )  # fmt: skip


@rule("text_lookup")
def _lookup(make: Body, node: Node, inputs: Sequence[str]) -> str:
    keys, values, missing = (node.attributes[name] for name in ("keys", "values", "missing"))
    text, number = Kind("string"), Kind("int64")
    table = make.add("AnonymousHashTable", [], key_dtype=text, value_dtype=number)
    vocabulary = [make.constant(texts_of(keys)), make.constant(values, "int64")]
    filled = make.effect("InitializeTableV2", [table, *vocabulary], Tkey=text, Tval=number)
    found = make.add(
        "LookupTableFindV2",
        [table, inputs[0], make.constant(missing, "int64"), f"^{filled}"],
        Tin=text,
        Tout=number,
    )
    return cast(make, found, "int64", "int32")


@rule("text_of_index")
def _of_index(make: Body, node: Node, inputs: Sequence[str]) -> str:
    texts, dtype = node.attributes["texts"], dtype_of(node)
    kind = Kind(dtype)
    last = make.constant(len(texts) - 1, dtype)
    clipped = make.add("Maximum", [inputs[0], make.constant(0, dtype)], T=kind)
    clipped = make.add("Minimum", [clipped, last], T=kind)
    picked = make.add(
        "GatherV2",
        [make.constant(texts_of(texts)), clipped, make.constant(0, "int32")],
        Tparams=Kind("string"),
        Tindices=kind,
        Taxis=Kind("int32"),
        batch_dims=0,
    )
    inside = make.add("Equal", [inputs[0], clipped], T=kind, incompatible_shape_error=True)
    missing = _text(make, node.attributes["missing"])
    return make.add("SelectV2", [inside, picked, missing], T=Kind("string"))


@rule("text_cross")
def _cross(make: Body, node: Node, inputs: Sequence[str]) -> str:
    columns: list[str] = []
    kinds: list[str] = []
    for index, tensor in enumerate(inputs):
        kinds.append("string" if dtype_of(node, index) == "string" else "int64")
        wide = cast(make, tensor, dtype_of(node, index), kinds[-1])
        columns.append(reshape(make, wide, make.ints(-1, 1), kinds[-1]))
    _, bins, _ = make.add_all(
        "SparseCross", columns, 3, N=0, hashed_output=True, num_buckets=node.attributes["buckets"],
        hash_key=CROSS_START, sparse_types=Kinds(()), dense_types=Kinds(tuple(kinds)),
        out_type=Kind("int64"), internal_type=Kind("int64"),
    )  # fmt: skip
    found = cast(make, bins, "int64", "int32")
    return reshape(make, found, make.flexible_sizes(node.outputs[0].shape), "int32")


@rule("text_hash")
def _hash(make: Body, node: Node, inputs: Sequence[str]) -> str:
    buckets, salt = node.attributes["buckets"], node.attributes["salt"]
    if salt is None:
        found = make.add("StringToHashBucketFast", inputs, num_buckets=buckets)
    else:
        key = tuple(salt)
        found = make.add("StringToHashBucketStrong", inputs, num_buckets=buckets, key=key)
    return cast(make, found, "int64", "int32")
