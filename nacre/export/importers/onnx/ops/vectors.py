"""Support vector machines of ai.onnx.ml.

Source: ONNX's operators SVMClassifier and SVMRegressor; where they leave something open, what ONNX
Runtime 1.32 gives. Probabilities of several classes are coupled as Wu, Lin & Weng 2004 do (method
2, as in libsvm): the fixed point of a few turns.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.export.importers.onnx.ops.learned import classified, labels_of, transformed
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import GraphError, computed

_ML = "ai.onnx.ml"
_TURNS = 100  # libsvm's most
_LEAST = 1e-7  # probabilities of pairs are that far from 0 and 1, in libsvm


def _floats(node: Node, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(node.numbers(name, []), np.float32)


def _kernel(node: Node, x: Any, rows: np.ndarray[Any, Any]) -> Any:
    """(batch, rows): how alike each sample and each vector are."""
    gamma, offset, degree = [*node.numbers("kernel_params", []), 0.0, 0.0, 0.0][:3]
    match node.text("kernel_type", "LINEAR"):
        case "LINEAR":
            return x @ rows.T
        case "POLY":
            return (gamma * (x @ rows.T) + offset) ** degree
        case "SIGMOID":
            return jnp.tanh(gamma * (x @ rows.T) + offset)
        case "RBF":
            away = x[:, None, :] - rows[None, :, :]
            return jnp.exp(-gamma * jnp.sum(away * away, -1))
        case name:
            raise GraphError(f"the kernel '{name}'")


@op("SVMRegressor", domain=_ML)
def _regressor(node: Node, x: Any) -> Any:
    x = x.astype(jnp.float32)
    count, coefficients = node.number("n_supports", 0), _floats(node, "coefficients")
    rows = _floats(node, "support_vectors").reshape((count, -1)) if count else coefficients[None]
    scores = _kernel(node, x, rows)
    scores = scores @ coefficients[:, None] if count else scores
    scores = scores + _floats(node, "rho")[0]
    if node.number("one_class", 0):
        return jnp.where(scores > 0, 1.0, -1.0).astype(jnp.float32)
    return transformed(scores, node.text("post_transform", "NONE"))


@op("SVMClassifier", domain=_ML)
def _classifier(node: Node, x: Any) -> Any:
    x = x.astype(jnp.float32)
    labels, _ = labels_of(node)
    name = node.text("post_transform", "NONE")
    counts = node.numbers("vectors_per_class", [])
    rho, coefficients = _floats(node, "rho"), _floats(node, "coefficients")
    if not sum(counts):
        found = _kernel(node, x, coefficients.reshape((len(labels), -1))) + rho[0]
        return classified(node, jnp.argmax(found, -1)), transformed(found, name)
    rows = _floats(node, "support_vectors").reshape((sum(counts), -1))
    # Sums of large terms of both signs: ONNX Runtime adds them up in 64 bits.
    wide = computed(np.float64)
    alike = _kernel(node, x, rows).astype(wide)  # (batch, vectors)
    table = coefficients.reshape((-1, len(rows))).astype(wide)
    starts = np.cumsum([0, *counts])
    pairs = [(i, j) for i in range(len(counts)) for j in range(i + 1, len(counts))]
    scores: list[Any] = []
    for at, (i, j) in enumerate(pairs):
        own, other = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        score = alike[:, own] @ table[j - 1, own] + alike[:, other] @ table[i, other]
        scores.append((score + rho[at]).astype(jnp.float32))
    # The class that most pairs are for, which need not be the most probable one.
    votes: Any = sum(
        jnp.where((score > 0)[:, None], np.eye(len(counts))[i], np.eye(len(counts))[j])
        for score, (i, j) in zip(scores, pairs, strict=True)
    )
    most = classified(node, jnp.argmax(votes, -1))
    if node.numbers("prob_a", []):
        return most, transformed(_coupled(node, scores, pairs, len(counts)), name)
    stacked = jnp.stack([-scores[0], scores[0]] if len(pairs) == 1 else scores, -1)
    return most, transformed(stacked, name)


def _coupled(node: Node, scores: list[Any], pairs: list[tuple[int, int]], count: int) -> Any:
    """(batch, classes): probabilities that agree best with those of the pairs."""
    a, b = _floats(node, "prob_a"), _floats(node, "prob_b")
    share: list[list[Any]] = [[None] * count for _ in range(count)]
    for at, (i, j) in enumerate(pairs):
        one = jnp.clip(jax.nn.sigmoid(-(scores[at] * a[at] + b[at])), _LEAST, 1 - _LEAST)
        share[i][j], share[j][i] = one, 1 - one
    own = jnp.stack(
        [sum(share[j][t] ** 2 for j in range(count) if j != t) for t in range(count)], -1
    )
    nothing = jnp.zeros_like(scores[0])
    cross = jnp.stack(
        [
            jnp.stack(
                [own[:, t] if j == t else -share[j][t] * share[t][j] for j in range(count)], -1
            )
            for t in range(count)
        ],
        -2,
    )  # (batch, classes, classes)

    def turn(_: Any, state: Any) -> Any:
        p, is_done = state
        products = jnp.einsum("btj,bj->bt", cross, p)
        mean = jnp.sum(p * products, -1)
        is_done |= jnp.max(jnp.abs(products - mean[:, None]), -1) < 0.005 / count
        new = p
        for t in range(count):
            step = (mean - products[:, t]) / own[:, t]
            new = new.at[:, t].add(step)
            mean = (mean + step * (step * own[:, t] + 2 * products[:, t])) / (1 + step) ** 2
            products = (products + step[:, None] * cross[:, t]) / (1 + step)[:, None]
            new = new / (1 + step)[:, None]
        return jnp.where(is_done[:, None], p, new), is_done

    begin = jnp.stack([nothing + 1 / count] * count, -1)
    return jax.lax.fori_loop(0, max(_TURNS, count), turn, (begin, nothing > 0))[0]


__all__: list[str] = []
