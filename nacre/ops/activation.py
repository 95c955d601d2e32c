"""Activations: functions of single elements, and softmax and its family along an axis.

Each is one named call in a trace, so that exporters see `gelu`, not its polynomial.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core import config
from nacre.core.numbers import whole_number
from nacre.ops import _roots
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Axis, Tensor, array, axes_of, floating
from nacre.ops._define import Family, composite
from nacre.ops.kernels import activation as kernels
from nacre.ops.kernels.native.table import WhenUsed

op = Family("nn", masks=masks.elementwise)


@jax.custom_jvp
def _positive(x: jax.Array) -> jax.Array:
    """max(x, 0) with gradient 0 at 0 (that of `maximum` is 1/2)."""
    return lax.max(x, jnp.zeros((), x.dtype))


@_positive.defjvp
def _positive_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (tangent,) = primals, tangents
    return _positive(x), lax.select(x > 0, tangent, jnp.zeros_like(tangent))


@op(composite=True)
def relu(x: Tensor) -> jax.Array:
    """max(x, 0), with gradient 0 at 0.

    Example:
        >>> relu([-1.0, 2.0]).tolist()
        [0.0, 2.0]
    """
    x = array(x)
    return _positive(x.astype("int32") if x.dtype == bool else x)


@op(composite=True)
def relu6(x: Tensor) -> jax.Array:
    """min(max(x, 0), 6)."""
    return jax.nn.relu6(floating(x))


@op(composite=True)
def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> jax.Array:
    """x for x ≥ 0, else negative_slope · x."""
    x = floating(x)
    return jnp.where(x >= 0, x, negative_slope * x)


@op(composite=True)
def elu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """x for x > 0, else alpha · (exp(x) - 1)."""
    x = floating(x)
    negative = alpha * jnp.expm1(jnp.where(x > 0, 0, x))
    return jnp.where(x > 0, x, negative)


@op(composite=True)
def selu(x: Tensor) -> jax.Array:
    """Scaled elu whose outputs keep mean 0 and variance 1 through layers.

    Source:
        Klambauer et al. 2017, arXiv:1706.02515.
    """
    return jax.nn.selu(floating(x))


@op(composite=True)
def celu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """max(x, 0) + min(alpha · (exp(x / alpha) - 1), 0)."""
    return jax.nn.celu(floating(x), alpha)


@op
def gelu(x: Tensor, approximate: bool = True) -> jax.Array:
    """x · Φ(x), Φ the normal distribution function; `approximate` takes the tanh form.

    Source:
        Hendrycks & Gimpel 2016, arXiv:1606.08415.
    """
    x = floating(x)
    return _gelu(x, approximate=approximate, compiled=kernels.when_compiled(x))


@composite(name="gelu", lowering=("compiled",))
def _gelu(x: Tensor, approximate: bool, compiled: WhenUsed) -> jax.Array:
    return kernels.activation("tanh_gelu" if approximate else "gelu", floating(x), compiled)


@op(aliases=("swish",))
def silu(x: Tensor) -> jax.Array:
    """x · sigmoid(x)."""
    x = floating(x)
    return _silu(x, compiled=kernels.when_compiled(x))


@composite(name="silu", lowering=("compiled",))
def _silu(x: Tensor, compiled: WhenUsed) -> jax.Array:
    return kernels.activation("silu", floating(x), compiled)


swish = silu


@op
def sigmoid(x: Tensor) -> jax.Array:
    """1 / (1 + exp(-x))."""
    return lax.logistic(floating(x))


@op(composite=True)
def log_sigmoid(x: Tensor) -> jax.Array:
    """log(sigmoid(x)), without overflow."""
    x = floating(x)
    return -jnp.logaddexp(-x, jnp.zeros((), x.dtype))


@op(composite=True)
def softplus(x: Tensor) -> jax.Array:
    """log(1 + exp(x)), without overflow."""
    x = floating(x)
    return jnp.logaddexp(x, jnp.zeros((), x.dtype))


@op(composite=True)
def softsign(x: Tensor) -> jax.Array:
    """x / (1 + |x|)."""
    x = floating(x)
    return x / (jnp.abs(x) + 1)


@op(composite=True)
def hard_sigmoid(x: Tensor) -> jax.Array:
    """x / 6 + 1/2, limited to 0 and 1."""
    x = floating(x)
    return jax.nn.relu6(x + 3) / 6


@op(composite=True, aliases=("hard_swish",))
def hard_silu(x: Tensor) -> jax.Array:
    """x · hard_sigmoid(x)."""
    x = floating(x)
    return x * (jax.nn.relu6(x + 3) / 6)


hard_swish = hard_silu


@op(composite=True)
def hard_tanh(x: Tensor) -> jax.Array:
    """x, limited to -1 and 1."""
    return jax.nn.hard_tanh(array(x))


@op(composite=True, is_listed=False)
def mish(x: Tensor) -> jax.Array:
    """x · tanh(softplus(x)).

    Source:
        Misra 2019, arXiv:1908.08681.
    """
    x = floating(x)
    return x * jnp.tanh(jnp.logaddexp(x, jnp.zeros((), x.dtype)))


@op(composite=True)
def tanh_shrink(x: Tensor) -> jax.Array:
    """x - tanh(x)."""
    x = floating(x)
    return x - jnp.tanh(x)


@op(composite=True)
def soft_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """x moved towards zero by `threshold`, 0 where it would pass zero."""
    x = floating(x)
    moved = x - jnp.where(x > 0, threshold, -threshold)
    return jnp.where(jnp.abs(x) > threshold, moved, 0)


@op(composite=True)
def hard_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """x, and 0 where |x| ≤ threshold."""
    x = floating(x)
    return jnp.where(jnp.abs(x) > threshold, x, 0)


@op(composite=True)
def threshold(x: Tensor, threshold: float, default_value: float) -> jax.Array:
    """x where it is above `threshold`, else `default_value`."""
    x = array(x)
    return jnp.where(x > threshold, x, jnp.asarray(default_value, x.dtype))


@op(composite=True)
def squareplus(x: Tensor, b: float = 4) -> jax.Array:
    """(x + sqrt(x² + b)) / 2: like softplus, without exponentials."""
    given = floating(x)
    x = _roots.wide(given)
    size = jnp.abs(x)
    unit = lax.stop_gradient(jnp.sqrt(jnp.maximum(size, 1)))  # the square of a large x overflows
    larger = size / 2 + unit / 2 * jnp.sqrt(jnp.square(x / unit) + b / unit / unit)
    is_negative = x < 0  # the product of both roots is b / 4
    found = jnp.where(is_negative, b / 4 / jnp.where(is_negative, larger, 1), larger)
    return found.astype(given.dtype)


@op(composite=True)
def sparse_plus(x: Tensor) -> jax.Array:
    """0 for x ≤ -1, x for x ≥ 1, and (x + 1)² / 4 between."""
    x = floating(x)
    between = jnp.square(jnp.clip(x, -1, 1) + 1) / 4  # the square of a large x overflows
    return jnp.where(x <= -1, 0, jnp.where(x >= 1, x, between))


@op(composite=True)
def sparse_sigmoid(x: Tensor) -> jax.Array:
    """(x + 1) / 2, limited to 0 and 1: the derivative of `sparse_plus`."""
    x = floating(x)
    return jnp.clip((x + 1) / 2, 0, 1)


@op(composite=True, masks=masks.along())
def glu(x: Tensor, axis: int = -1) -> jax.Array:
    """One half along `axis` times the sigmoid of the other half."""
    value, gate = jnp.split(floating(x), 2, axis=axis)
    return value * lax.logistic(gate)


@op(composite=True)
def softmax(x: Tensor, axis: Axis = -1) -> jax.Array:
    """exp(x) / sum(exp(x)) along `axis`, without overflow.

    Example:
        >>> softmax([0.0, 0.0]).tolist()
        [0.5, 0.5]
    """
    return jax.nn.softmax(floating(x), axis=axes_of(axis))


@op(composite=True)
def log_softmax(x: Tensor, axis: Axis = -1) -> jax.Array:
    """log(softmax(x)) along `axis`, without overflow."""
    return jax.nn.log_softmax(floating(x), axis=axes_of(axis))


@op(composite=True)
def sparsemax(x: Tensor, axis: int = -1) -> jax.Array:
    """The nearest point of the probability simplex: like softmax, but with true zeros.

    Source:
        Martins & Astudillo 2016, arXiv:1602.02068, algorithm 1. Differs: Keras 3.15 gives results
        that do not sum to 1.
    """
    given = floating(x)
    x = _roots.wide(given)
    # The same without the largest: totals of large numbers have no digits of 1.
    x = x - lax.stop_gradient(jnp.max(x, axis=axis, keepdims=True))
    ordered = jnp.flip(jnp.sort(x, axis=axis), axis=axis)
    totals = jnp.cumsum(ordered, axis=axis)
    count = x.shape[axis]
    sizes = [1] * x.ndim
    sizes[axis] = count
    ranks = jnp.arange(1, count + 1, dtype=x.dtype).reshape(sizes)
    supported = ranks * ordered > totals - 1
    support = jnp.sum(supported, axis=axis, keepdims=True)
    chosen = jnp.take_along_axis(totals, support - 1, axis=axis)
    return jnp.maximum(x - (chosen - 1) / support.astype(x.dtype), 0).astype(given.dtype)


@op
def normalize(
    x: Tensor, axis: int | None = -1, order: int = 2, epsilon: float | None = None
) -> jax.Array:
    """`x` divided by its norm along `axis`, the norm at least `epsilon`."""
    order = whole_number("normalize", "order", order)
    small = config.epsilon() if epsilon is None else epsilon
    return _normalize(x, axis=axis, order=order, epsilon=small)


@composite(name="normalize")
def _normalize(x: Tensor, axis: int | None, order: int, epsilon: float) -> jax.Array:
    x = floating(x)
    wide = _roots.wide(x)
    if order == 2:
        squares = jnp.sum(jnp.square(wide), axis=axis, keepdims=True)
        return (wide * _roots.inverse_length(squares, epsilon)).astype(x.dtype)
    norm = _roots.norm(wide, order, axis, keepdims=True)
    return (wide / jnp.maximum(norm, epsilon)).astype(x.dtype)


__all__, __dir__ = op.shown()
