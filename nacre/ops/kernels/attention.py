"""Scaled dot-product attention: in plain JAX, and by one compiled call each way on the CPU.

XLA's CPU backend writes the scores of all heads to memory, three times over with their gradients,
and spends as long on moving axes as on products. The compiled kernel (`native/attention.cc`) keeps
a few rows of scores in cache and computes them again on the way back. A token that is new looks at
those before it by a call of its own, which reads keys and values where they lie. Dropout of weights
is part of the call: of 4 blocks of 128 with a dropout of 0.1, 64 tokens, batch 32, a step of `fit`
takes 40 ms on two cores of an AMD EPYC (Zen 5), with scores in memory 50.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from nacre.ops.kernels import placement as places
from nacre.ops.kernels import widening
from nacre.ops.kernels.derivatives import (
    align,
    define_derivatives,
    derived_by_hand,
    derived_from,
    push,
)
from nacre.ops.kernels.mapping import over_rows
from nacre.ops.kernels.native import library, table


class Options(NamedTuple):
    """Numbers of one attention that no gradient is taken of.

    Args:
        boost: What the weights that dropout leaves are multiplied by.
    """

    scale: float
    is_causal: bool
    boost: float


def attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    *,
    scale: float,
    is_causal: bool = False,
    soft_cap: float | None = None,
    keep: Array | None = None,
    share: float = 1.0,
    placement: places.Placement = "plain",
) -> Array:
    """softmax(scale · query · keyᵀ + bias) · value, for each head.

    Args:
        mask: True where a target may look at a source.
        soft_cap: Scores are bent to stay below this.
        keep: False where dropout takes a weight away.
        share: The share of weights that stay; they are divided by it.
        placement: Not `'plain'` in a program of nacre's own, which runs on this machine: results
            without gradients may then come from the compiled kernel too. Others may be exported.
    Shapes:
        query       (batch, targets, heads, head_dim)
        key, value  (batch, sources, heads or a divisor, head_dim)
        bias, mask  broadcast to (batch, heads, targets, sources)
        keep        (batch, heads, targets, sources)
        returns     (batch, targets, heads, head_dim)
    """
    if widening.is_widened(placement, query, key, value):
        q, k, v = widening.as_float32(query, key, value)
        work = table.AttentionWork(q, k, v, bias, mask, soft_cap, keep)
        kernels = (table.ATTENTION, table.FEW_QUERIES)
        if any(kernel.when_used(work, placement) == "always" for kernel in kernels):
            q, k, v = widening.in_float32(query, key, value)
            outputs = attention(
                q,
                k,
                v,
                bias,
                mask,
                scale=scale,
                is_causal=is_causal,
                soft_cap=soft_cap,
                keep=keep,
                share=share,
                placement=placement,
            )
            return outputs.astype(value.dtype)
    work = table.AttentionWork(query, key, value, bias, mask, soft_cap, keep)
    when_used = table.ATTENTION.when_used(work, placement)
    options = Options(float(scale), is_causal, 1 / float(share))
    if when_used != "never":
        is_always, mask = when_used == "always", _with_four_axes(mask)
        return _run(options, is_always, query, key, value, mask, keep)
    if table.FEW_QUERIES.when_used(work, placement) == "always":
        return _attend_few_queries(options, query, key, value, _with_four_axes(mask))
    return plain_attention(
        query,
        key,
        value,
        bias,
        mask,
        scale=scale,
        is_causal=is_causal,
        soft_cap=soft_cap,
        keep=keep,
        share=share,
    )


def _with_four_axes(mask: Array | None) -> Array | None:
    return None if mask is None else jnp.expand_dims(mask, tuple(range(4 - mask.ndim)))


def plain_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    mask: Array | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None = None,
    keep: Array | None = None,
    share: float = 1.0,
) -> Array:
    """As `attention`, in plain JAX."""
    repeats = query.shape[2] // key.shape[2]
    if repeats > 1:  # several heads of the query share one of the key
        key, value = jnp.repeat(key, repeats, axis=2), jnp.repeat(value, repeats, axis=2)
    exact = query.dtype.itemsize >= 4  # then the smaller array takes the factor
    query = query * scale if exact else query
    scores = jnp.einsum("btnh,bsnh->bnts", query, key, preferred_element_type=jnp.float32)
    scores = scores if exact else scores * scale  # (batch, heads, targets, sources)
    if soft_cap is not None:
        scores = jnp.tanh(scores / soft_cap) * soft_cap
    if bias is not None:
        scores = scores + bias.astype(scores.dtype)
    lowest = -0.7 * float(jnp.finfo(scores.dtype).max)  # finite: a row of -inf would give NaN
    if mask is not None:
        scores = jnp.where(mask, scores, lowest)
    if is_causal:
        shape = scores.shape[-2:]
        rows, columns = (lax.broadcasted_iota("int32", shape, axis) for axis in (0, 1))
        scores = jnp.where(rows >= columns, scores, lowest)
    weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    if keep is not None:
        weights = jnp.where(keep, weights * (1 / share), jnp.zeros((), weights.dtype))
    return jnp.einsum("bnts,bsnh->btnh", weights, value)


# --- the compiled kernel --------------------------------------------------------------------------


@derived_by_hand(nondiff_argnums=(0, 1))
def _run(options, always, query, key, value, mask, keep):
    if not always:
        return _by_xla(options, mask, keep, query, key, value)
    return _kept_forward(options, mask, keep, query, key, value)[0]


def _run_forward(options, always, query, key, value, mask, keep):
    outputs, norms = _kept_forward(options, mask, keep, query, key, value)
    return outputs, (mask, keep, query, key, value, outputs, norms)


def _run_backward(options, always, kept, d_outputs):
    return *_gradients(options, *kept, d_outputs), None, None


def _run_tangent(options, always, kept, tangents):
    mask, keep, *arrays = kept[:5]
    return push(functools.partial(_by_xla, options, mask, keep), arrays, tangents[:3])


define_derivatives(_run, _run_forward, _run_backward, _run_tangent)


def _by_xla(options, mask, keep, query, key, value):
    return plain_attention(
        query,
        key,
        value,
        None,
        mask,
        scale=options.scale,
        is_causal=options.is_causal,
        keep=keep,
        share=1 / options.boost,
    )


def _kept_by_xla(options, mask, keep, query, key, value):
    batch, length, heads, _ = query.shape
    # The derivatives of the gradients read no norms, so these need none of their own.
    norms = jnp.zeros((batch, heads, length, 2), jnp.float32)
    return _by_xla(options, mask, keep, query, key, value), norms


@derived_from(_kept_by_xla, static=1)
def _kept_forward(options, mask, keep, query, key, value):
    """Outputs, and each row's largest score and inverse sum: (batch, heads, targets, 2)."""
    batch, length, heads, _ = query.shape
    shapes = [(batch, length, heads, value.shape[-1]), (batch, heads, length, 2)]
    outputs, norms = _call("attention_forward", shapes, options, mask, keep, query, key, value)
    return outputs, norms


def _gradients_by_xla(options, mask, keep, query, key, value, outputs, norms, d_outputs):
    del outputs, norms
    by_xla = functools.partial(_by_xla, options, mask, keep)
    return jax.vjp(by_xla, query, key, value)[1](d_outputs)


@derived_from(_gradients_by_xla, static=1)
def _gradients(options, mask, keep, query, key, value, outputs, norms, d_outputs):
    shapes = [query.shape, key.shape, value.shape]
    arrays = query, key, value, outputs, norms, d_outputs
    return tuple(_call("attention_backward", shapes, options, mask, keep, *arrays))


# --- few queries ----------------------------------------------------------------------------------


@derived_by_hand(nondiff_argnums=(0,))
def _attend_few_queries(options, query, key, value, mask):
    return _attend_few_queries_once(options, mask, query, key, value)


@_attend_few_queries.defjvp
def _attend_few_queries_jvp(options, primals, tangents):
    """Where there is a derivative, all of it is XLA's: nothing is computed twice."""
    *arrays, mask = primals
    by_xla = functools.partial(_look_by_xla, options, mask)
    outputs, moved = jax.jvp(by_xla, tuple(arrays), tuple(tangents[:3]))
    return align(outputs, primals), align(moved, primals)


def _look_by_xla(options, mask, query, key, value):
    return _by_xla(options, mask, None, query, key, value)


@derived_from(_look_by_xla, static=1)
def _attend_few_queries_once(options, mask, query, key, value):
    shape = (*query.shape[:-1], value.shape[-1])
    return _call("attention_look", [shape], options, mask, None, query, key, value)[0]


def _call(
    handler: str,
    shapes: list[Any],
    options: Options,
    mask: Array | None,
    keep: Array | None,
    *arrays: Array,
) -> Any:
    """Results of these shapes, whose first axis is that of the batch."""
    numbers = jnp.array([options.scale, options.boost], jnp.float32)
    none = jnp.zeros((0,), bool)
    given = [*arrays[:3], numbers, *(none if m is None else m for m in (mask, keep)), *arrays[3:]]
    is_rows = [True] * len(given)
    is_rows[3:6] = False, mask is not None, keep is not None

    def run(*given: Array) -> Any:
        sizes = [(given[0].shape[0], *shape[1:]) for shape in shapes]
        results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in sizes]
        call = library.ATTENTION.call(handler, results)
        flags = np.int64(options.is_causal), np.int64(mask is not None)
        return call(*given, causal=flags[0], masked=flags[1])

    return over_rows(run, is_rows, *given)
