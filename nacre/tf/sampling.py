"""Classes drawn in the place of all, and their losses: `nce_loss`, `sampled_softmax_loss`."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, TracedValueError, message
from nacre.tf.formulas import reduced
from nacre.tf.networks import embedding_lookup, sigmoid_cross_entropy, softmax_cross_entropy
from nacre.tf.randoms import drawn
from nacre.tf.running import static_value
from nacre.tf.sizes import plain
from nacre.tf.values import landed, tensor


class Candidates(NamedTuple):
    """Classes that were drawn, and how often each class is expected among so many draws."""

    sampled_candidates: Any
    true_expected_count: Any
    sampled_expected_count: Any


def log_uniform(true: Any, count: Any, unique: Any, limit: Any, seed: Any) -> Candidates:
    """P(k) = (log(k + 2) - log(k + 1)) / log(limit + 1): small numbers are frequent ones."""
    limit = plain(limit)
    chance = lambda k: np.log((k + 2.0) / (k + 1.0)) / np.log1p(limit)
    draw = lambda u: np.minimum(np.exp(u * np.log1p(limit)).astype(np.int64) - 1, limit - 1)
    return _candidates("log_uniform", true, count, unique, limit, seed, chance, draw)


def sample_uniform(true: Any, count: Any, unique: Any, limit: Any, seed: Any) -> Candidates:
    """All classes alike."""
    limit = plain(limit)
    chance = lambda k: np.full(np.shape(k), 1.0 / limit)
    draw = lambda u: np.minimum((u * limit).astype(np.int64), limit - 1)
    return _candidates("uniform", true, count, unique, limit, seed, chance, draw)


def _candidates(
    kind: str, true: Any, count: Any, unique: Any, limit: int, seed: Any, chance: Any, draw: Any
) -> Candidates:
    who, number = f"tf.random.{kind}_candidate_sampler", plain(count)
    if unique and number > limit:
        rule = f"so many different classes must be there: {number}"
        raise ArgumentError(message(who, rule, f"range_max={limit}", "Pass unique=False."))
    found: dict[int, None] = {}
    every: list[int] = []
    tries = 0
    while len(found if unique else every) < number:
        values = _known(who, drawn((max(64, number),), seed))
        for value in draw(np.asarray(values, np.float64)).tolist():
            tries += 1
            every.append(value)
            found[value] = None
            if len(found if unique else every) == number:
                break
    sampled = np.asarray(list(found) if unique else every, np.int64)

    def expected(classes: Any) -> Any:
        p = chance(np.asarray(classes, np.float64))
        counts = -np.expm1(tries * np.log1p(-p)) if unique else p * number
        return jnp.asarray(counts, jnp.float32)

    return Candidates(landed(sampled), expected(_known(who, true)), expected(sampled))


def _known(who: str, value: Any) -> Any:
    """Values, which a program that is being traced does not have."""
    found = static_value(tensor(value))
    if found is None:
        rule = "classes are drawn by Python, which a compiled function does not run"
        fix = "Draw them outside, and pass them as an argument."
        raise TracedValueError(message(who, rule, "a traced tensor", fix))
    return found


def _logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, count: Any, classes: Any, per_sample: Any,
    values: Any, removes: bool, seed: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Logits of the true and of the drawn classes, less the logarithms of how often they come."""
    labels = tensor(labels)
    drawn_now = values or log_uniform(labels, count, True, classes, seed)
    sampled, true_count, sampled_count = drawn_now
    flat = ops.reshape(labels, (-1,))
    rows = lambda table, at: embedding_lookup(table, at, None)
    true_w = ops.reshape(rows(weights, flat), (-1, per_sample, inputs.shape[-1]))
    true_logits = ops.sum(inputs[:, None] * true_w, -1)
    true_logits = true_logits + ops.reshape(rows(biases, flat), (-1, per_sample))
    other = ops.matmul(inputs, ops.transpose(rows(weights, tensor(sampled))))
    other = other + rows(biases, tensor(sampled))
    if removes:  # what is drawn and true counts nothing
        hits = ops.any(labels[:, :, None] == jnp.asarray(np.asarray(sampled, np.int32)), 1)
        other = ops.where(hits, jnp.asarray(jnp.finfo(other.dtype).min, other.dtype), other)
    true_logits = true_logits - ops.log(ops.reshape(true_count, true_logits.shape))
    other = other - ops.log(sampled_count)
    truth = ops.concatenate(
        [ops.ones_like(true_logits) / per_sample, ops.zeros_like(other)], axis=1
    )
    return ops.concatenate([true_logits, other], axis=1), truth


def nce_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    num_true: int = 1, sampled_values: Any = None, remove_accidental_hits: bool = False,
    name: str = "nce_loss",
) -> Any:  # fmt: skip
    """Noise-contrastive estimation: is a class the true one, or one that was drawn?

    Args:
        weights: A row for each class.
        biases: A number for each class.
        labels: The true classes, (batch, num_true).
        inputs: What comes in, (batch, features).
        num_sampled, num_classes, num_true: How many classes are drawn, are there, are true.
        sampled_values: What a candidate sampler gave; by default `log_uniform_candidate_sampler`'s.
        remove_accidental_hits: Whether true classes that are drawn count nothing.
        name: Accepted for compatibility.
    Shapes:
        returns (batch,)
    Source:
        Gutmann & Hyvärinen 2010; TensorFlow 2.15, tf.nn.nce_loss.
    """
    logits, truth = _logits(
        weights, biases, labels, tensor(inputs), num_sampled, num_classes, num_true,
        sampled_values, remove_accidental_hits, None,
    )  # fmt: skip
    return reduced("Sum", sigmoid_cross_entropy(truth, logits), 1, False)


def sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    num_true: int = 1, sampled_values: Any = None, remove_accidental_hits: bool = True,
    seed: Any = None, name: str = "sampled_softmax_loss",
) -> Any:  # fmt: skip
    """The softmax cross entropy over the true classes and some that are drawn.

    Args:
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values,
            remove_accidental_hits, name: As `nce_loss` has them.
        seed: Of the draws.
    Shapes:
        returns (batch,)
    Source:
        Jean et al. 2014, arXiv:1412.2007; TensorFlow 2.15, tf.nn.sampled_softmax_loss.
    """
    logits, truth = _logits(
        weights, biases, labels, tensor(inputs), num_sampled, num_classes, num_true,
        sampled_values, remove_accidental_hits, seed,
    )  # fmt: skip
    return softmax_cross_entropy(ops.stop_gradient(truth), logits, -1)


__all__ = ["Candidates", "log_uniform", "nce_loss", "sample_uniform", "sampled_softmax_loss"]
