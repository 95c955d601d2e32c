"""Means and variances, and normalizing by them, with gradients written out.

Differentiating the formulas as they stand costs reductions that are known to vanish and twice the
time (measured on a CPU for 32×32×32×32 in float32: 1.04 ms a step against 0.57). The variance is
the mean squared distance from the mean, in two passes: E[x²] - E[x]² is a little faster and loses
all digits when the mean is large.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre.ops.kernels.centring import centred
from nacre.ops.kernels.derivatives import define_derivatives, derived_by_hand

Axes = tuple[int, ...]


def at_least_float32(x: Any) -> jax.Array:
    """`x` in float32 when it is of 16 bits (or ints), unchanged otherwise."""
    return x.astype("float32") if x.dtype != jnp.float64 else x


def moments(x: Any, axes: Axes, weights: Any = None) -> tuple[jax.Array, jax.Array]:
    """Mean and variance over `axes` (kept with size 1), weighted by a 0/1 array when given."""
    if weights is None:
        mean = jnp.mean(x, axes, keepdims=True)
        return mean, jnp.mean(jnp.square(x - mean), axes, keepdims=True)
    weights, count = weights.astype(x.dtype), _count(x.shape, axes, weights)
    mean = jnp.sum(x * weights, axes, keepdims=True) / count
    return mean, jnp.sum(jnp.square(x - mean) * weights, axes, keepdims=True) / count


def origin(x: Any, axes: Axes, weights: Any = None) -> jax.Array:
    """A number amid those of each channel, kept with size 1 on `axes` and constant to gradients.

    Numbers far from 0 are taken from there: their mean, in 32 bits, is rounded by more than they
    may differ. The middle one of three costs no look at all of them, as their mean would (a step
    of batch normalization on 16×56×56×64 took 4.0 ms without an origin, 4.2 with one value, 4.8
    with the mean), and a single outlier is not it. Where some do not count it is the mean of those
    that do.
    """
    if weights is not None:
        weights = weights.astype(x.dtype)
        total = jnp.sum(x * weights, axes, keepdims=True)
        return lax.stop_gradient(total / _count(x.shape, axes, weights))
    if 0 in x.shape:
        return jnp.zeros([1 if a in axes else size for a, size in enumerate(x.shape)], x.dtype)
    first, middle, last = (_one_of(x, axes, share) for share in (0.0, 0.5, 1.0))
    low, high = jnp.minimum(first, last), jnp.maximum(first, last)
    return lax.stop_gradient(jnp.clip(middle, low, high))


def _one_of(x: Any, axes: Axes, share: float) -> Any:
    """The value of each channel so far along all axes; the first where a size is not known."""
    for axis in axes:
        size = x.shape[axis]
        index = int(share * (size - 1)) if isinstance(size, int) else 0
        x = lax.slice_in_dim(x, index, index + 1, axis=axis)
    return x


def _count(shape: tuple[int, ...], axes: Axes, weights: Any) -> jax.Array:
    """How many of the values over `axes` count, by weights of 0 and 1 that are broadcast.

    At least 1: where nothing counts the sums over it are 0 anyway.
    """
    repeats = math.prod(shape[axis] for axis in axes if weights.shape[axis] == 1)
    return jnp.maximum(jnp.sum(weights, axes, keepdims=True, dtype="float32") * repeats, 1)


@derived_by_hand(nondiff_argnums=(5, 6))
def normalize_batch(
    x: Any, mean: Any, variance: Any, gamma: Any, beta: Any, axes: Axes, epsilon: float
) -> jax.Array:
    """gamma · (x - mean) / sqrt(variance + epsilon) + beta, where mean and variance are x's own.

    The gradient for `x` includes what x does through its mean and variance, so those two get none.
    For second derivatives they must still be functions of x. gamma and beta have size 1 on `axes`.

    Formula:
        with r = 1/sqrt(variance + epsilon), h = (x - mean) · r and means over `axes`:
        dbeta = sum(dy); dgamma = sum(dy · h); dx = gamma · r · (dy - mean(dy) - h · mean(dy · h))
    """
    scale = lax.rsqrt(variance + epsilon) * gamma
    return (x - mean) * scale + beta


def _batch_forward(
    axes: Axes, epsilon: float, x: Any, mean: Any, variance: Any, gamma: Any, beta: Any
) -> Any:
    outputs = normalize_batch(x, mean, variance, gamma, beta, axes, epsilon)
    return outputs, (x, mean, variance, gamma)


def _batch_backward(axes: Axes, epsilon: float, saved: Any, dy: Any) -> Any:
    x, mean, variance, gamma = saved
    inverse = lax.rsqrt(variance + epsilon)
    along = dy * (x - mean)
    dbeta = jnp.sum(dy, axes, keepdims=True)
    dgamma = jnp.sum(along, axes, keepdims=True) * inverse
    scale = gamma * inverse
    by_x = -scale * jnp.square(inverse) * jnp.mean(along, axes, keepdims=True)
    dx = (dy - jnp.mean(dy, axes, keepdims=True)) * scale + (x - mean) * by_x
    return dx, None, None, dgamma, dbeta


def _batch_tangent(axes: Axes, epsilon: float, saved: Any, tangents: Any) -> Any:
    x, mean, variance, gamma = saved
    dx, _, _, dgamma, dbeta = tangents
    inverse = lax.rsqrt(variance + epsilon)
    result = (x - mean) * inverse
    total = jnp.zeros_like(x) if dbeta is None else jnp.broadcast_to(dbeta, x.shape)
    if dgamma is not None:
        total = total + dgamma * result
    if dx is not None:
        total = total + gamma * _standardize_tangent(axes, epsilon, (result, inverse), (dx,))
    return total


define_derivatives(
    normalize_batch, _batch_forward, _batch_backward, _batch_tangent, constant=(1, 2)
)


@derived_by_hand(nondiff_argnums=(6, 7))
def normalize_counted(
    x: Any,
    mean: Any,
    variance: Any,
    gamma: Any,
    beta: Any,
    weights: Any,
    axes: Axes,
    epsilon: float,
) -> jax.Array:
    """As `normalize_batch`, where mean and variance are those of the values whose weight is 1.

    All values are normalized; those of weight 0 have no part in the statistics. The weights are of
    the same number of axes as `x`, with size 1 where they are the same for all.

    Formula:
        with n the number of values of weight w = 1, and sums over all:
        dx = gamma · r · (dy - w · (sum(dy) + h · sum(dy · h)) / n)
    """
    scale = lax.rsqrt(variance + epsilon) * gamma
    return (x - mean) * scale + beta


def _counted_forward(axes: Axes, epsilon: float, *arrays: Any) -> Any:
    x, mean, variance, gamma, beta, weights = arrays
    outputs = normalize_counted(x, mean, variance, gamma, beta, weights, axes, epsilon)
    return outputs, (x, mean, variance, gamma, weights)


def _counted_backward(axes: Axes, epsilon: float, saved: Any, dy: Any) -> Any:
    x, mean, variance, gamma, weights = saved
    inverse, count = lax.rsqrt(variance + epsilon), _count(x.shape, axes, weights)
    dbeta = jnp.sum(dy, axes, keepdims=True)
    along = jnp.sum(dy * (x - mean), axes, keepdims=True)
    scale = gamma * inverse
    by_x = -scale * jnp.square(inverse) * along / count
    dx = dy * scale + weights * ((x - mean) * by_x - scale * dbeta / count)
    return dx, None, None, along * inverse, dbeta, None


def _counted_tangent(axes: Axes, epsilon: float, saved: Any, tangents: Any) -> Any:
    x, mean, variance, gamma, weights = saved
    dx, _, _, dgamma, dbeta, _ = tangents
    inverse, count = lax.rsqrt(variance + epsilon), _count(x.shape, axes, weights)
    result = (x - mean) * inverse
    total = jnp.zeros_like(x) if dbeta is None else jnp.broadcast_to(dbeta, x.shape)
    if dgamma is not None:
        total = total + dgamma * result
    if dx is not None:
        counted = dx * weights
        mean = jnp.sum(counted, axes, keepdims=True) / count
        along = jnp.sum(counted * result, axes, keepdims=True) / count
        total = total + gamma * inverse * (dx - mean - result * along)
    return total


define_derivatives(
    normalize_counted, _counted_forward, _counted_backward, _counted_tangent, constant=(1, 2, 5)
)


@derived_by_hand(nondiff_argnums=(1, 2))
def standardize(x: Any, axes: Axes, epsilon: float) -> jax.Array:
    """(x - mean) / sqrt(variance + epsilon), mean and variance over `axes`.

    Formula:
        with r = 1/sqrt(variance + epsilon) and h the result:
        dx = r · (dh - mean(dh) - h · mean(dh · h))
    """
    return _standardize_forward(axes, epsilon, x)[0]


def _standardize_forward(axes: Axes, epsilon: float, x: Any) -> Any:
    around = centred(x, axes)
    inverse = lax.rsqrt(jnp.mean(jnp.square(around), axes, keepdims=True) + epsilon)
    result = around * inverse
    return result, (result, inverse)


def _standardize_backward(axes: Axes, epsilon: float, saved: Any, dh: Any) -> Any:
    result, inverse = saved
    mean = jnp.mean(dh, axes, keepdims=True)
    along = jnp.mean(dh * result, axes, keepdims=True)
    return (inverse * (dh - mean - result * along),)


def _standardize_tangent(axes: Axes, epsilon: float, saved: Any, tangents: Any) -> Any:
    return _standardize_backward(axes, epsilon, saved, *tangents)[0]  # a symmetric map


define_derivatives(standardize, _standardize_forward, _standardize_backward, _standardize_tangent)
