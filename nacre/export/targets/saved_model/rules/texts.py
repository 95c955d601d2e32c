"""Texts: cleaned, split, looked up in vocabularies, which stand in the graph.

A table is made where it is asked, from its keys and values: so each loader has it, and nothing has
to be initialized before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import SizeExpr
from nacre.export.targets.saved_model.body import Body, Kind, texts_of
from nacre.export.targets.saved_model.rules._rule import cast, dtype_of, kind_of, rule


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


def _by_white_space(node: Node) -> str | None:
    if node.attributes["by"] == "character":
        return "Split by white space."
    if node.attributes["ngrams"] not in ((), (1,)):
        return "Take single tokens, not groups of them."
    length = node.attributes["length"]
    if node.attributes["by"] == "nothing" and isinstance(length, int) and length != 1:
        return "Leave output_sequence_length out."
    return None


@rule("text_split", limit=_by_white_space)
def _split(make: Body, node: Node, inputs: Sequence[str]) -> str:
    length = node.attributes["length"]
    if node.attributes["by"] == "nothing":
        axis = make.constant(1, "int32")
        result = make.add("ExpandDims", [inputs[0], axis], T=Kind("string"), Tdim=Kind("int32"))
    else:
        result = _words(make, inputs[0], length if isinstance(length, int) else None)
    made = node.outputs[0].shape[1]
    if isinstance(made, SizeExpr):
        make.know_size(made, result, "string", 1)
    return result


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


@rule("text_hash")
def _hash(make: Body, node: Node, inputs: Sequence[str]) -> str:
    buckets, salt = node.attributes["buckets"], node.attributes["salt"]
    if salt is None:
        found = make.add("StringToHashBucketFast", inputs, num_buckets=buckets)
    else:
        key = tuple(salt)
        found = make.add("StringToHashBucketStrong", inputs, num_buckets=buckets, key=key)
    return cast(make, found, "int64", "int32")
