"""Strings, on the host."""

from __future__ import annotations

import re
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import (
    GraphError,
    computed,
    is_known,
    is_text,
    known,
    lifted,
)
from nacre.export.importers.wide_work import note_constant


def _texts(items: Any, shape: Any = None) -> Any:
    values = list(items)
    found = np.empty(len(values), object)
    found[:] = values
    return found if shape is None else found.reshape(shape)


@op("StringConcat", kept=(-1,))
def _string_concat(node: Node, a: Any, b: Any) -> Any:
    return np.asarray(known(a) + known(b), object)


@op("RegexFullMatch", kept=(-1,))
def _regex_full_match(node: Node, x: Any) -> Any:
    try:
        pattern = re.compile(node.text("pattern"))
    except re.error as error:
        raise GraphError(f"the pattern is none: {error}") from None
    found = [pattern.fullmatch(item) is not None for item in known(x).ravel().tolist()]
    return np.asarray(found, bool).reshape(x.shape)


@op("StringSplit", kept=(-1,))
def _string_split(node: Node, x: Any) -> Any:
    delimiter, most = node.get("delimiter") or None, node.number("maxsplit", -1)
    parts = [item.split(delimiter, most) if item else [] for item in known(x).ravel().tolist()]
    counts = np.asarray([len(part) for part in parts], np.int64).reshape(x.shape)
    width = int(counts.max(initial=0))
    flat = [text for part in parts for text in (*part, *[""] * (width - len(part)))]
    return _texts(flat, (*x.shape, width)), counts


@op("StringNormalizer", kept=(-1,))
def _string_normalizer(node: Node, x: Any) -> Any:
    is_exact = bool(node.number("is_case_sensitive", 0))
    stops = node.get("stopwords", [])
    stops = set(stops) if is_exact else {word.lower() for word in stops}
    change = {"LOWER": str.lower, "UPPER": str.upper}.get(node.text("case_change_action", "NONE"))
    rows = known(x)
    flat = rows.reshape(-1).tolist()
    kept = [item for item in flat if (item if is_exact else item.lower()) not in stops]
    kept = [change(item) for item in kept] if change else kept
    kept = kept or [""]
    return _texts(kept, (1, len(kept)) if rows.ndim == 2 else None)


@op("TfIdfVectorizer", kept=(-1,))
def _tf_idf_vectorizer(node: Node, x: Any) -> Any:
    """Counts of n-grams of a pool, of words or numbers, with or without weights."""
    rows = known(x)
    pool = node.get("pool_strings") or node.numbers("pool_int64s", [])
    starts, places = node.numbers("ngram_counts", []), node.numbers("ngram_indexes", [])
    grams: dict[tuple[Any, ...], int] = {}
    order = 0
    for length, begin in enumerate(starts, 1):
        end = starts[length] if length < len(starts) else len(pool)
        for at in range(begin, end - length + 1, length):
            if order >= len(places):
                raise GraphError(f"{len(places)} indexes for more n-grams")
            grams[tuple(pool[at : at + length])] = places[order]
            order += 1
    lengths = range(node.number("min_gram_length", 1), node.number("max_gram_length", 1) + 1)
    skips = node.number("max_skip_count", 0)
    width = max(places, default=-1) + 1
    flat = rows.reshape((1, -1)) if rows.ndim < 2 else rows
    found = np.zeros((flat.shape[0], width), np.float32)
    for row, items in enumerate(flat.tolist()):
        for length in lengths:
            for skip in range(skips + 1 if length > 1 else 1):
                reach = (length - 1) * (skip + 1)
                for at in range(len(items) - reach):
                    place = grams.get(tuple(items[at : at + reach + 1 : skip + 1]))
                    if place is not None:
                        found[row, place] += 1
    weights = np.asarray(node.numbers("weights", [1.0] * width), np.float32)
    by_place = np.ones(width, np.float32)
    for order_at, place in enumerate(places):
        if order_at < len(weights):
            by_place[place] = weights[order_at]
    match node.text("mode", "TF"):
        case "IDF":
            found = np.where(found > 0, by_place, 0)
        case "TFIDF":
            found = found * by_place
    return found.astype(np.float32).reshape(-1) if rows.ndim < 2 else found.astype(np.float32)


@op("LabelEncoder", domain="ai.onnx.ml", kept=(-1,))
def _label_encoder(node: Node, x: Any) -> Any:
    """A table from keys to values; what is not there gives the default."""
    keys, values = _of_kinds(node, "keys"), _of_kinds(node, "values")
    values_are_text = bool(values) and isinstance(values[0], str)
    if node.version < 2:
        names = node.get("classes_strings", [])
        if is_text(x):
            keys, values = names, list(range(len(names)))
        else:
            keys, values, values_are_text = list(range(len(names))), names, True
    if node.get("keys_tensor") is not None:
        keys = np.asarray(node.get("keys_tensor")).ravel().tolist()
    default = node.get("default_tensor")
    tensor = node.get("values_tensor")
    if tensor is not None:
        values = np.asarray(tensor).ravel().tolist()
        values_are_text = np.asarray(tensor).dtype == object
    if values_are_text:
        fallback: Any = node.get("default_string", "_Unused")
    elif values and isinstance(values[0], float):
        fallback = node.get("default_float", -0.0)
    else:
        fallback = node.get("default_int64", -1)
    if default is not None:
        fallback = np.asarray(default).ravel().tolist()[0]
    kind = np.asarray(tensor).dtype if tensor is not None else (
        np.float32 if values and isinstance(values[0], float) else np.int64
    )  # fmt: skip
    if not values_are_text and not is_known(x):
        return _of_numbers(x, keys, np.asarray(values, kind), np.asarray(fallback, kind))
    table = {_key(k): v for k, v in zip(keys, values, strict=True)}
    found = [table.get(_key(item), fallback) for item in known(x).ravel().tolist()]
    if values_are_text:
        return _texts(found, x.shape)
    return np.asarray(found).astype(kind).reshape(x.shape)


def _of_numbers(x: Any, keys: Any, values: Any, fallback: Any) -> Any:
    """The same where numbers are only known when the program runs."""
    table = np.asarray(keys)
    note_constant(table)
    table = table.astype(computed(x.dtype))
    order = np.argsort(table, kind="stable")
    # Of keys that are there twice, the last one counts.
    table, values = table[order], values[order]
    at = jnp.clip(jnp.searchsorted(jnp.asarray(table), x, side="right") - 1, 0, len(table) - 1)
    own = jnp.asarray(table)[at]
    is_there = own == x
    if table.dtype.kind == "f":
        is_there |= jnp.isnan(own) & jnp.isnan(x)
    narrow = computed(values.dtype)
    return jnp.where(is_there, lifted(values)[at], lifted(np.asarray(fallback))).astype(narrow)


@op("OneHotEncoder", domain="ai.onnx.ml", kept=(-1,))
def _one_hot_encoder(node: Node, x: Any) -> Any:
    """A last axis with a place for each category, 1 where it is that one.

    What is none of them has zeros; with zeros=0 it is refused, or NaN where a program computes it.
    """
    if is_text(x):
        names = node.get("cats_strings", [])
        items = np.asarray(known(x), object)[..., None]
        found: Any = np.asarray(items == _texts(names), bool).reshape((*x.shape, len(names)))
    else:
        categories = np.asarray(node.numbers("cats_int64s", []), np.int64)
        if is_known(x):
            found = known(x).astype(np.int64)[..., None] == categories
        else:
            note_constant(categories)
            # Floats lose what stands behind the point, as in ONNX Runtime.
            wide = computed(np.int64)
            found = x.astype(wide)[..., None] == jnp.asarray(categories.astype(wide))
    if node.number("zeros", 1):
        return found.astype(np.float32)
    if is_known(found):
        if not found.any(-1).all():
            raise GraphError("a value is none of the categories, which the file does not allow")
        return found.astype(np.float32)
    return jnp.where(found.any(-1, keepdims=True), found.astype(np.float32), np.nan)


def _key(item: Any) -> Any:
    """NaN is found as NaN."""
    return "NaN" if isinstance(item, float) and item != item else item


def _of_kinds(node: Node, name: str) -> list[Any]:
    for kind in ("strings", "int64s", "floats"):
        found = node.get(f"{name}_{kind}")
        if found:
            return [float(np.float32(v)) for v in found] if kind == "floats" else list(found)
    return []


__all__: list[str] = []
