"""Models of ai.onnx.ml: linear ones, trees, scalers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import GraphError, cast, known

_ML = "ai.onnx.ml"


@op("Scaler", domain=_ML)
def _scaler(node: Node, x: Any) -> Any:
    offset, scale = (
        np.asarray(node.numbers(n, [d]), np.float32) for n, d in (("offset", 0.0), ("scale", 1.0))
    )
    return ((x.astype(jnp.float32) - offset) * scale).astype(jnp.float32)


@op("Normalizer", domain=_ML)
def _normalizer(node: Node, x: Any) -> Any:
    x = x.astype(jnp.float32)
    match node.text("norm", "MAX"):
        case "L1":
            size = jnp.sum(jnp.abs(x), -1, keepdims=True)
        case "L2":
            size = jnp.sqrt(jnp.sum(x * x, -1, keepdims=True))
        case _:
            size = jnp.max(x, -1, keepdims=True)
    return jnp.where(size == 0, x, x / jnp.where(size == 0, 1, size))


@op("Binarizer", domain=_ML)
def _binarizer(node: Node, x: Any) -> Any:
    return (x > node.number("threshold", 0.0)).astype(x.dtype)


@op("Imputer", domain=_ML)
def _imputer(node: Node, x: Any) -> Any:
    if x.dtype.kind in "iu":
        values = node.numbers("imputed_value_int64s", [])
        return jnp.where(
            x == node.number("replaced_value_int64", 0), jnp.asarray(values, x.dtype), x
        )
    values = jnp.asarray(node.numbers("imputed_value_floats", []), x.dtype)
    old = node.number("replaced_value_float", 0.0)
    return jnp.where(jnp.isnan(x) if old != old else x == old, values, x)


@op("FeatureVectorizer", domain=_ML)
def _feature_vectorizer(node: Node, *parts: Any) -> Any:
    flat = [p.reshape((p.shape[0], -1)).astype(jnp.float32) for p in parts]
    return jnp.concatenate(flat, 1)


def transformed(scores: Any, name: str) -> Any:
    match name:
        case "LOGISTIC":
            return jax.nn.sigmoid(scores)
        case "SOFTMAX":
            return jax.nn.softmax(scores, axis=-1)
        case "SOFTMAX_ZERO":
            found = jax.nn.softmax(jnp.where(scores == 0, -jnp.inf, scores), axis=-1)
            return jnp.where(scores == 0, 0, found)
        case "PROBIT":
            return jax.scipy.stats.norm.ppf(scores)
    return scores


def labels_of(node: Node) -> tuple[list[Any], bool]:
    """The classes, and whether they are strings."""
    for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
        if found := node.get(name):
            return list(found), name.endswith("strings")
    return [0, 1], False


def classified(node: Node, places: Any) -> Any:
    """The labels of classes."""
    labels, are_texts = labels_of(node)
    if are_texts:
        return np.asarray(labels, object)[np.asarray(places)]
    return cast(jnp.asarray(np.asarray(labels, np.int32))[places], np.int64)


@op("LinearRegressor", domain=_ML)
def _linear_regressor(node: Node, x: Any) -> Any:
    targets = node.number("targets", 1)
    weights = np.asarray(node.numbers("coefficients", []), np.float32).reshape((targets, -1))
    offsets = np.asarray(node.numbers("intercepts", [0.0] * targets), np.float32)
    return transformed(
        x.astype(jnp.float32) @ weights.T + offsets, node.text("post_transform", "NONE")
    )


@op("LinearClassifier", domain=_ML)
def _linear_classifier(node: Node, x: Any) -> Any:
    labels, _ = labels_of(node)
    offsets = np.asarray(node.numbers("intercepts", []), np.float32)
    flat = np.asarray(node.numbers("coefficients", []), np.float32)
    rows = len(offsets) or flat.size // x.shape[-1]
    scores = x.astype(jnp.float32) @ flat.reshape((rows, -1)).T + (offsets if len(offsets) else 0)
    is_pair = rows == 1 and len(labels) == 2
    name = node.text("post_transform", "NONE")
    if is_pair:
        places = (scores[:, 0] > (0 if name in ("NONE", "LOGISTIC", "SOFTMAX") else 0.5)).astype(
            int
        )
        one = transformed(scores, "LOGISTIC") if name == "LOGISTIC" else scores
        other = 1 - one if name == "LOGISTIC" else -one
        scores = jnp.concatenate([other, one], 1)
        scores = scores if name == "LOGISTIC" else transformed(scores, name)
    else:
        places = jnp.argmax(scores, -1)
        scores = transformed(scores, name)
    return classified(node, places), scores


# --- trees ----------------------------------------------------------------------------------------


class _Trees:
    """The nodes of all trees, as arrays.

    Attributes:
        roots: The first node of each tree.
        depth: Steps from a root to the lowest leaf.
    """

    def __init__(self, node: Node) -> None:
        trees, ids = node.numbers("nodes_treeids", []), node.numbers("nodes_nodeids", [])
        at = {key: i for i, key in enumerate(zip(trees, ids, strict=True))}
        modes = node.get("nodes_modes", [])
        self.feature = np.asarray(node.numbers("nodes_featureids", []), np.int32)
        values = node.get("nodes_values_as_tensor")
        self.value = np.asarray(node.numbers("nodes_values", []) if values is None else values)
        self.value = self.value.astype(np.float32)
        self.misses = np.asarray(
            node.numbers("nodes_missing_value_tracks_true", [0] * len(ids)), bool
        )
        self.is_leaf = np.asarray([mode == "LEAF" for mode in modes], bool)
        known = (
            "LEAF",
            "BRANCH_LEQ",
            "BRANCH_LT",
            "BRANCH_GTE",
            "BRANCH_GT",
            "BRANCH_EQ",
            "BRANCH_NEQ",
        )
        if set(modes) - set(known) or len(modes) != len(ids):
            raise GraphError(f"branches of the kinds {sorted(set(modes) - set(known))}")
        self.mode = np.asarray([known.index(mode) for mode in modes], np.int32)
        true, false = node.numbers("nodes_truenodeids", []), node.numbers("nodes_falsenodeids", [])
        try:
            self.true, self.false = (
                np.asarray(
                    [
                        i if leaf else at[t, to]
                        for i, (t, to, leaf) in enumerate(
                            zip(trees, ends, self.is_leaf, strict=True)
                        )
                    ],
                    np.int32,
                )
                for ends in (true, false)
            )
        except KeyError as error:
            raise GraphError(f"there is no node {error} of a tree") from None
        targets = set(self.true[~self.is_leaf]) | set(self.false[~self.is_leaf])
        self.roots = np.asarray([i for i in range(len(ids)) if i not in targets], np.int32)
        self.depth = self._depth()
        self.at = at

    def _depth(self) -> int:
        current, depth = set(self.roots.tolist()), 0
        while current:
            inner = [i for i in current if not self.is_leaf[i]]
            if not inner:
                return depth
            current = {int(e[i]) for i in inner for e in (self.true, self.false)}
            depth += 1
            if depth > len(self.feature):
                raise GraphError("nodes of a tree lead back to themselves")
        return depth

    def leaves(self, x: Any) -> Any:
        """(batch, trees): where each tree ends."""
        places = jnp.broadcast_to(jnp.asarray(self.roots), (x.shape[0], len(self.roots)))
        feature, value, true, false = map(
            jnp.asarray, (self.feature, self.value, self.true, self.false)
        )
        mode, misses = jnp.asarray(self.mode), jnp.asarray(self.misses)
        for _ in range(self.depth):
            given = jnp.take_along_axis(x, feature[places], 1).astype(jnp.float32)
            limit, how = value[places], mode[places]
            goes = jnp.select(
                [how == 1, how == 2, how == 3, how == 4, how == 5, how == 6],
                [given <= limit, given < limit, given >= limit, given > limit, given == limit,
                 given != limit],
                False,
            )  # fmt: skip
            goes |= jnp.isnan(given) & misses[places]
            places = jnp.where(goes, true[places], false[places])
        return places


def _scores(node: Node, trees: _Trees, x: Any, prefix: str, count: int) -> Any:
    """(batch, count): what the leaves add up to, or their mean or extreme."""
    leaf_trees, leaf_nodes = (
        node.numbers(f"{prefix}_treeids", []),
        node.numbers(f"{prefix}_nodeids", []),
    )
    targets = node.numbers(f"{prefix}_ids", [])
    told = node.get(f"{prefix}_weights_as_tensor")
    weights = np.asarray(
        node.numbers(f"{prefix}_weights", []) if told is None else told, np.float32
    )
    table = np.zeros((len(trees.feature), count), np.float32)
    for tree, at, target, weight in zip(leaf_trees, leaf_nodes, targets, weights, strict=True):
        table[trees.at[tree, at], target] += weight
    found = jnp.asarray(table)[trees.leaves(x)]  # (batch, trees, count)
    match node.text("aggregate_function", "SUM"):
        case "AVERAGE":
            total = found.mean(1)
        case "MIN":
            total = found.min(1)
        case "MAX":
            total = found.max(1)
        case _:
            total = found.sum(1)
    return total, targets


@op("TreeEnsembleRegressor", domain=_ML)
def _tree_ensemble_regressor(node: Node, x: Any) -> Any:
    count = node.number("n_targets", 1)
    total, _ = _scores(node, _Trees(node), x, "target", count)
    base = node.get("base_values_as_tensor")
    base = np.asarray(node.numbers("base_values", [0.0]) if base is None else base, np.float32)
    return transformed(total + base, node.text("post_transform", "NONE"))


@op("TreeEnsembleClassifier", domain=_ML)
def _tree_ensemble_classifier(node: Node, x: Any) -> Any:
    labels, _ = labels_of(node)
    total, targets = _scores(node, _Trees(node), x, "class", len(labels))
    base = node.get("base_values_as_tensor")
    base = np.asarray(node.numbers("base_values", []) if base is None else base, np.float32)
    name = node.text("post_transform", "NONE")
    if len(labels) == 2 and len(set(targets)) == 1:  # the scores of one class are all that is told
        one = total[:, targets[0]][:, None]
        one = one + base[-1] if base.size else one
        if name == "LOGISTIC":
            one = jax.nn.sigmoid(one)
            scores, limit = jnp.concatenate([1 - one, one], 1), 0.5
        else:
            weights = np.asarray(node.numbers("class_weights", [0.0]))
            limit = 0.5 if (weights >= 0).all() else 0.0
            scores = jnp.concatenate([1 - one if limit else -one, one], 1)
            scores = transformed(scores, name)
        return classified(node, (one[:, 0] > limit).astype(int)), scores
    total = total + base if base.size else total
    return classified(node, jnp.argmax(total, -1)), transformed(total, name)


@op("ZipMap", domain=_ML, kept=(-1,))
def _zip_map(node: Node, x: Any) -> Any:
    """A list of one dict a row: class -> score."""
    for name in ("classlabels_strings", "classlabels_int64s"):
        labels = node.get(name)
        if labels:
            rows = np.asarray(known(x))
            if rows.ndim != 2 or rows.shape[1] != len(labels):
                raise GraphError(f"{len(labels)} classes for scores of shape {rows.shape}")
            return [dict(zip(labels, row.tolist(), strict=True)) for row in rows]
    raise GraphError("no classes are told")


__all__ = ["classified", "labels_of", "transformed"]
