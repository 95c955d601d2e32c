"""The choice of the next token: the best one, a random one, or the best of several beams.

All functions are pure: logits (and a key) in, tokens out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from nacre.ops.kernels.classes import place_of_highest


def keep_top_k(logits: Any, k: int) -> Any:
    """Logits with -inf at all but the `k` largest of each row; ties with the last stay.

    Args:
        logits: (*batch, vocab).
        k: How many are kept.

    Source:
        Fan et al. 2018, arXiv:1805.04833, section 5.4.
    Example:
        >>> keep_top_k(jnp.array([1.0, 3.0, 2.0]), 2).tolist()
        [-inf, 3.0, 2.0]
    """
    logits = jnp.asarray(logits)
    order, count = _order(logits), min(k, logits.shape[-1])
    last = _highest_where(lambda kept: _sum(kept, "int32") >= count, order)
    return jnp.where(order >= last, logits, -jnp.inf)


def keep_top_p(logits: Any, p: float) -> Any:
    """Logits with -inf outside the smallest set of tokens whose probability reaches `p`.

    Args:
        logits: (*batch, vocab).
        p: Probability to reach, from 0 to 1; the most probable token always stays.

    Source:
        Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
    Example:
        >>> keep_top_p(jnp.array([1.0, 0.0, 5.0]), 0.9).tolist()
        [-inf, -inf, 5.0]
    """
    logits = jnp.asarray(logits)
    order = _order(logits)
    shares = jax.nn.softmax(jax.lax.stop_gradient(logits).astype("float32"), axis=-1)
    mass = lambda kept: _sum(jnp.where(kept, shares, 0.0))
    last = _highest_where(lambda kept: mass(kept) >= p, order)
    last = jnp.minimum(last, jnp.max(order, axis=-1, keepdims=True))
    equal = order == last  # of these as many as it takes, the first ones
    before = jnp.cumsum(equal, axis=-1) - 1
    is_needed = (before == 0) | (mass(order > last) + before * shares < p)
    return jnp.where((order > last) | (equal & is_needed), logits, -jnp.inf)


def _order(logits: jax.Array) -> jax.Array:
    """Whole numbers without sign in the order of the logits; equal ones are equal."""
    logits = jax.lax.stop_gradient(logits)
    logits = logits if jnp.issubdtype(logits.dtype, jnp.floating) else logits.astype("float32")
    whole = jnp.dtype(f"uint{8 * logits.dtype.itemsize}")
    logits = jnp.where(logits == 0, jnp.zeros((), logits.dtype), logits)  # -0 is 0
    bits = jax.lax.bitcast_convert_type(logits, whole)
    top = jnp.array(1 << (8 * whole.itemsize - 1), whole)
    return jnp.where(bits >= top, ~bits, bits | top)


def _highest_where(holds: Callable[[jax.Array], jax.Array], order: jax.Array) -> jax.Array:
    """The highest number n of each row, (*batch, 1), for which holds(order >= n); 0 without one.

    Found bit by bit: sorting takes ten times as long. What holds for a number holds below it.
    """
    count = 8 * order.dtype.itemsize

    def step(index: Any, found: jax.Array) -> jax.Array:
        bit = jnp.array(1, order.dtype) << (count - 1 - index).astype(order.dtype)
        return jnp.where(holds(order >= (found | bit)), found | bit, found)

    return jax.lax.fori_loop(0, count, step, jnp.zeros((*order.shape[:-1], 1), order.dtype))


def _sum(values: jax.Array, dtype: Any = None) -> jax.Array:
    return jnp.sum(values, axis=-1, keepdims=True, dtype=dtype)


def sample_tokens(
    logits: Any,
    key: Any = None,
    temperature: Any = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Any:
    """One token for each row.

    Args:
        logits: (*batch, vocab).
        key: JAX key; not needed for temperature 0.
        temperature: Logits are divided by it; 0 takes the largest.
        top_k: Only the `top_k` most probable tokens.
        top_p: Only the most probable tokens that together reach this probability.

    Shapes:
        returns (*batch,) int32
    Example:
        >>> sample_tokens(jnp.array([[1.0, 3.0, 2.0]]), temperature=0.0).tolist()
        [1]
    """
    logits = jnp.asarray(logits).astype("float32")
    if temperature == 0:
        return place_of_highest(logits)
    logits = logits / temperature
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    logits = logits if top_p is None else keep_top_p(logits, top_p)
    return jax.random.categorical(key, logits, axis=-1).astype("int32")


class Beams(NamedTuple):
    """What one step of beam search decides.

    Shapes:
        scores  (batch, beams) sum of log probabilities
        parents (batch, beams) which beam each one continues
        tokens  (batch, beams) by which token
    """

    scores: Any
    parents: Any
    tokens: Any


def beam_step(scores: Any, logits: Any, finished: Any, pad_token: int = 0) -> Beams:
    """The best continuations of all beams together; the best one comes first.

    Args:
        scores: (batch, beams) sums of log probabilities so far; -inf for a beam that is not there.
        logits: (batch, beams, vocab).
        finished: (batch, beams) bool; a finished beam goes on with `pad_token` at no cost.
        pad_token: That token, which need not be one of the vocabulary.

    Source:
        Graves 2012, arXiv:1211.3711, section 2.5, without a sum over equal sequences.
    Example:
        >>> logits = jnp.log(jnp.array([[[0.6, 0.4], [0.9, 0.1]]]))
        >>> beams = beam_step(jnp.array([[0.0, -0.1]]), logits, jnp.zeros((1, 2), bool))
        >>> beams.parents.tolist(), beams.tokens.tolist()
        ([[1, 0]], [[0, 0]])
    """
    logs = jax.nn.log_softmax(jnp.asarray(logits).astype("float32"), axis=-1)
    vocab, count = logs.shape[-1], logs.shape[1]
    # A finished beam goes on once, at the place of token 0: `pad_token` may be none of the model's.
    only_once = jnp.full(vocab, -jnp.inf, logs.dtype).at[0].set(0.0)
    logs = jnp.where(finished[..., None], only_once, logs)
    totals = (scores[..., None] + logs).reshape((logs.shape[0], count * vocab))
    best, places = jax.lax.top_k(totals, count)
    parents = places // vocab
    is_over = jnp.take_along_axis(finished, parents, axis=1)
    tokens = jnp.where(is_over, pad_token, places % vocab).astype("int32")
    return Beams(best, parents, tokens)
