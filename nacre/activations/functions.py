"""The activation functions, with the arguments and defaults the activation names stand for.

Most are ops of the same name; the few that differ say how.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax

from nacre import ops
from nacre.core.errors import message
from nacre.core.scope import note_logits
from nacre.core.warning import warn
from nacre.ops._define import composite
from nacre.ops.activation import mish as _mish

Tensor: TypeAlias = Any


def _with_logits(probabilities: Tensor, logits: Tensor) -> Any:
    """The probabilities; a loss in the same step can find what they were made of."""
    note_logits(probabilities, logits)
    return probabilities


def linear(x: Tensor) -> Tensor:
    """x."""
    return x


def exponential(x: Tensor) -> jax.Array:
    """e to the power x."""
    return ops.exp(x)


def relu(
    x: Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> jax.Array:
    """max(x, 0), or a bent line with other arguments.

    Args:
        negative_slope: Slope below `threshold`.
        max_value: Largest output.
        threshold: Inputs below it count as zero, or go by the negative slope.

    Formula:
        x ≥ max_value: max_value;  x ≥ threshold: x;  else negative_slope · (x - threshold)
    Example:
        >>> relu([-2.0, 8.0], negative_slope=0.5, max_value=6.0).tolist()
        [-1.0, 6.0]
    """
    if negative_slope == 0.0 and threshold == 0.0:
        if max_value is None:
            return ops.relu(x)
        if max_value == 6:
            return ops.relu6(x)
    return _bent_line(x, negative_slope, max_value, threshold)


@composite("x", name="rectifier")
def _bent_line(
    x: Tensor, negative_slope: float, max_value: float | None, threshold: float
) -> jax.Array:
    if threshold != 0.0:
        above = ops.where(ops.greater(x, threshold), x, ops.zeros_like(x))
    else:
        above = ops.relu(x)
    if max_value is not None:
        above = ops.minimum(above, max_value)
    if negative_slope == 0.0:
        return above
    below = ops.relu(ops.subtract(threshold, x))
    return ops.subtract(above, ops.multiply(negative_slope, below))


def relu6(x: Tensor) -> jax.Array:
    """min(max(x, 0), 6)."""
    return ops.relu6(x)


def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> jax.Array:
    """x for x ≥ 0, else negative_slope · x."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def elu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """x for x > 0, else alpha · (exp(x) - 1)."""
    return ops.elu(x, alpha=alpha)


def selu(x: Tensor) -> jax.Array:
    """Scaled elu; use it with the `lecun_normal` initializer and `AlphaDropout`."""
    return ops.selu(x)


def celu(x: Tensor, alpha: float = 1.0) -> jax.Array:
    """max(x, 0) + min(alpha · (exp(x / alpha) - 1), 0)."""
    return ops.celu(x, alpha=alpha)


def gelu(x: Tensor, approximate: bool = False) -> jax.Array:
    """x · Φ(x), Φ the normal distribution function; exact by default, unlike `ops.gelu`."""
    return ops.gelu(x, approximate=approximate)


def silu(x: Tensor) -> jax.Array:
    """x · sigmoid(x), also known as swish."""
    return ops.silu(x)


def mish(x: Tensor) -> jax.Array:
    """x · tanh(softplus(x))."""
    return _mish(x)


def tanh(x: Tensor) -> jax.Array:
    """The hyperbolic tangent."""
    return ops.tanh(x)


def sigmoid(x: Tensor) -> jax.Array:
    """1 / (1 + exp(-x))."""
    return _with_logits(ops.sigmoid(x), x)


def log_sigmoid(x: Tensor) -> jax.Array:
    """log(sigmoid(x))."""
    return ops.log_sigmoid(x)


def hard_sigmoid(x: Tensor) -> jax.Array:
    """x / 6 + 1/2, limited to 0 and 1."""
    return ops.hard_sigmoid(x)


def hard_silu(x: Tensor) -> jax.Array:
    """x · hard_sigmoid(x), also known as hard swish."""
    return ops.hard_silu(x)


def hard_tanh(x: Tensor) -> jax.Array:
    """x, limited to -1 and 1."""
    return ops.hard_tanh(x)


def softplus(x: Tensor) -> jax.Array:
    """log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x: Tensor) -> jax.Array:
    """x / (1 + |x|)."""
    return ops.softsign(x)


def tanh_shrink(x: Tensor) -> jax.Array:
    """x - tanh(x)."""
    return ops.tanh_shrink(x)


def soft_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """x moved towards zero by `threshold`, 0 where it would pass zero."""
    return ops.soft_shrink(x, threshold=threshold)


def hard_shrink(x: Tensor, threshold: float = 0.5) -> jax.Array:
    """x, and 0 where |x| ≤ threshold."""
    return ops.hard_shrink(x, threshold=threshold)


def threshold(x: Tensor, threshold: float, default_value: float) -> jax.Array:
    """x where it is above `threshold`, else `default_value`."""
    return ops.threshold(x, threshold=threshold, default_value=default_value)


def squareplus(x: Tensor, b: float = 4) -> jax.Array:
    """(x + sqrt(x² + b)) / 2."""
    return ops.squareplus(x, b=b)


def sparse_plus(x: Tensor) -> jax.Array:
    """0 for x ≤ -1, x for x ≥ 1, and (x + 1)² / 4 between."""
    return ops.sparse_plus(x)


def sparse_sigmoid(x: Tensor) -> jax.Array:
    """(x + 1) / 2, limited to 0 and 1."""
    return ops.sparse_sigmoid(x)


def glu(x: Tensor, axis: int = -1) -> jax.Array:
    """One half along `axis` times the sigmoid of the other half."""
    return ops.glu(x, axis=axis)


def warn_about_one_class(x: Tensor, axis: Any = -1) -> None:
    """Warn where a softmax has one value to share among: it would always give 1."""
    if axis == -1 and getattr(x, "ndim", 0) > 1 and x.shape[-1] == 1:
        warn(
            message(
                "softmax",
                "it shares 1 among units, so a single unit always gives 1 and learns nothing",
                "a last axis of size 1",
                "For a yes or no in one unit use activation='sigmoid' with "
                "loss='binary_crossentropy'; for classes give the layer one unit a class.",
            )
        )


def softmax(x: Tensor, axis: int | tuple[int, ...] = -1) -> jax.Array:
    """exp(x) / sum(exp(x)) along `axis`: probabilities from scores.

    Example:
        >>> softmax([[0.0, 0.0]]).tolist()
        [[0.5, 0.5]]
    """
    warn_about_one_class(x, axis)
    probabilities = ops.softmax(x, axis=axis)
    return _with_logits(probabilities, x) if axis == -1 else probabilities


def log_softmax(x: Tensor, axis: int | tuple[int, ...] = -1) -> jax.Array:
    """log(softmax(x)) along `axis`."""
    return ops.log_softmax(x, axis=axis)


def sparsemax(x: Tensor, axis: int = -1) -> jax.Array:
    """Like softmax, but with true zeros."""
    return ops.sparsemax(x, axis=axis)


# Other names of the same functions; a config holds the first name.
swish = silu
hard_swish = hard_silu
