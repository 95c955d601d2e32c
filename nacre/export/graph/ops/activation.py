"""Activations that formats have whole."""

from __future__ import annotations

import math

import numpy as np

from nacre.export.graph.ops.elementwise import sigmoid as _sigmoid
from nacre.export.graph.opset import Array, Bool, Float, Ints, Type, op
from nacre.export.graph.rules import axis_in, broadcast, floats, same


@op(shapes=same, is_elementwise=True)
def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


@op(shapes=same, is_elementwise=True)
def relu6(x: Array) -> Array:
    """min(max(x, 0), 6)."""
    return np.minimum(np.maximum(x, 0), 6)


@op(shapes=floats, is_elementwise=True)
def leaky_relu(x: Array, *, negative_slope: Float) -> Array:
    """x for x ≥ 0, else negative_slope · x."""
    return np.where(x >= 0, x, negative_slope * x)


@op(shapes=broadcast)
def prelu(x: Array, alpha: Array) -> Array:
    """x for x ≥ 0, else alpha · x."""
    return np.maximum(x, 0) - alpha * np.maximum(-x, 0)


@op(shapes=floats, is_elementwise=True)
def elu(x: Array, *, alpha: Float) -> Array:
    """x for x > 0, else alpha · (exp(x) - 1)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@op(shapes=floats, is_elementwise=True)
def selu(x: Array) -> Array:
    """1.0507 · (x for x > 0, else 1.67326 · (exp(x) - 1)). Source: arXiv:1706.02515."""
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@op(shapes=floats, is_elementwise=True)
def celu(x: Array, *, alpha: Float) -> Array:
    """max(x, 0) + min(alpha · (exp(x / alpha) - 1), 0)."""
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


@op(shapes=floats, is_elementwise=True)
def gelu(x: Array, *, approximate: Bool) -> Array:
    """x · Φ(x), Φ the normal distribution function; `approximate` takes the tanh form:
    x / 2 · (1 + tanh(sqrt(2 / π) · (x + 0.044715 x³))). Source: arXiv:1606.08415."""
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x * 0.5 * np.vectorize(math.erfc, otypes=["float64"])(-x / math.sqrt(2)).astype(x.dtype)


@op(shapes=floats, is_elementwise=True)
def silu(x: Array) -> Array:
    """x · sigmoid(x)."""
    return x * _sigmoid(x)


@op(shapes=floats, is_elementwise=True)
def mish(x: Array) -> Array:
    """x · tanh(softplus(x)). Source: arXiv:1908.08681."""
    return x * np.tanh(np.logaddexp(x, 0))


@op(shapes=floats, is_elementwise=True)
def softplus(x: Array) -> Array:
    """log(1 + exp(x)), without overflow."""
    return np.logaddexp(x, 0)


@op(shapes=floats, is_elementwise=True)
def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    return x / (1 + np.abs(x))


@op(shapes=floats, is_elementwise=True)
def log_sigmoid(x: Array) -> Array:
    """log(sigmoid(x)), without overflow."""
    return -np.logaddexp(-x, 0)


@op(shapes=floats, is_elementwise=True)
def hard_sigmoid(x: Array) -> Array:
    """x / 6 + 1/2, limited to 0 and 1."""
    return np.clip(x + 3, 0, 6) / 6


@op(shapes=floats, is_elementwise=True)
def hard_silu(x: Array) -> Array:
    """x · hard_sigmoid(x)."""
    return x * (np.clip(x + 3, 0, 6) / 6)


def _along_axes(types: tuple[Type, ...], attributes: dict[str, Ints]) -> Type:
    for axis in attributes["axes"]:
        axis_in(axis, len(types[0].shape))
    return floats(types, attributes)


@op(shapes=_along_axes)
def softmax(x: Array, *, axes: Ints) -> Array:
    """exp(x) / sum(exp(x)) along `axes`, without overflow."""
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


@op(shapes=_along_axes)
def log_softmax(x: Array, *, axes: Ints) -> Array:
    """log(softmax(x)) along `axes`, without overflow."""
    shifted = x - x.max(axes, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axes, keepdims=True))
