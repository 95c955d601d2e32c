"""Penalties on weights or activations, added to the loss: L1, L2, both, and orthogonality."""

from __future__ import annotations

import math
from typing import Any, Self, TypedDict, Unpack

import jax.numpy as jnp

from nacre.core.changes import Versioned
from nacre.core.errors import ArgumentError, ShapeError, message, refuse_unknown
from nacre.core.registry import register
from nacre.core.safety import reads_config
from nacre.core.variable import Variable
from nacre.ops.kinks import absolute


class Regularizer(Versioned):
    """A rule that gives a scalar penalty for an array.

    Subclasses write `__call__(self, x)`, and `get_config` when they have arguments.

    Attributes:
        is_sum: Whether zeros add nothing to the penalty. As `activity_regularizer` it then gets
            zeros for what is absent or masked; where this is unknown, values that count.

    Example:
        >>> class Sum(Regularizer):
        ...     def __call__(self, x):
        ...         return 0.1 * jnp.sum(x)
        >>> round(float(Sum()(jnp.ones(3))), 6)
        0.3
    """

    _config_role = "regularizer"
    _config_module = "keras.regularizers"
    _config_class_name = "Regularizer"
    is_sum: bool = False

    def __call__(self, x: Any) -> Any:
        """The penalty of `x`. Subclasses override it; the base has none."""
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        raise NotImplementedError(f"{type(self).__name__} must have get_config().")

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the regularizer a config describes."""
        return cls(**config)


def _factor(who: str, name: str, value: Any) -> float:
    if isinstance(value, Variable):  # a copy of its value would not follow it
        rule = f"{name} must be a number, not a variable"
        fix = f"Pass {name}=0.01, and for another one later set it: regularizer.{name} = 0.1."
        raise ArgumentError(message(who, rule, repr(value), fix))
    try:
        number = 0.0 if value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        rule = f"{name} must be a finite number from 0"
        raise ArgumentError(message(who, rule, repr(value), f"Pass {name}=0.01."))
    return number


class _OldKeywords(TypedDict, total=False):
    l: Any  # tf.keras 2's spelling of the factor


def _only_old_spelling(who: str, old: _OldKeywords) -> Any:
    """tf.keras 2's `l=`, the factor of L1 and of L2."""
    kwargs = dict(old)
    value = kwargs.pop("l", None)
    refuse_unknown(who, kwargs, (who.lower(),))
    return value


@register("regularizers/L1L2")
class L1L2(Regularizer):
    """Sum of absolute values and sum of squares.

    Args:
        l1: Factor of the absolute values.
        l2: Factor of the squares.

    Formula:
        l1 · sum(|x|) + l2 · sum(x²)
    Example:
        >>> round(float(L1L2(0.1, 0.2)(jnp.array([1.0, -2.0]))), 6)
        1.3
    """

    is_sum = True

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor("L1L2", "l1", l1)
        self.l2 = _factor("L1L2", "l2", l2)

    def __call__(self, x: Any) -> Any:
        """The penalty of `x`."""
        x = jnp.asarray(x)
        penalty = jnp.zeros((), x.dtype)
        if self.l1:
            penalty = penalty + self.l1 * jnp.sum(absolute(x))
        if self.l2:
            penalty = penalty + self.l2 * jnp.sum(jnp.square(x))
        return penalty

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"l1": self.l1, "l2": self.l2}


@register("regularizers/L1")
class L1(Regularizer):
    """Sum of absolute values: it drives many weights to exactly 0.

    Args:
        l1: Factor.

    Formula:
        l1 · sum(|x|)
    Example:
        >>> round(float(L1(0.1)(jnp.array([1.0, -2.0]))), 6)
        0.3
    """

    is_sum = True

    def __init__(self, l1: float | None = 0.01, **kwargs: Unpack[_OldKeywords]) -> None:
        old = _only_old_spelling("L1", kwargs)
        given = l1 if old is None else old
        self.l1 = _factor("L1", "l1", 0.01 if given is None else given)

    def __call__(self, x: Any) -> Any:
        """The penalty of `x`."""
        return self.l1 * jnp.sum(absolute(x))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"l1": self.l1}


@register("regularizers/L2")
class L2(Regularizer):
    """Sum of squares: it keeps all weights small.

    Args:
        l2: Factor.

    Formula:
        l2 · sum(x²)
    Example:
        >>> round(float(L2(0.1)(jnp.array([1.0, -2.0]))), 6)
        0.5
    """

    is_sum = True

    def __init__(self, l2: float | None = 0.01, **kwargs: Unpack[_OldKeywords]) -> None:
        old = _only_old_spelling("L2", kwargs)
        given = l2 if old is None else old
        self.l2 = _factor("L2", "l2", 0.01 if given is None else given)

    def __call__(self, x: Any) -> Any:
        """The penalty of `x`."""
        return self.l2 * jnp.sum(jnp.square(jnp.asarray(x)))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"l2": self.l2}


@register("regularizers/OrthogonalRegularizer")
class OrthogonalRegularizer(Regularizer):
    """Push the rows, or the columns, of a matrix to be orthogonal to one another.

    Args:
        factor: Factor of the penalty.
        mode: 'rows' or 'columns'.

    Formula:
        factor · mean over pairs of |cosine of the angle between them|
    Raises:
        ShapeError: The array is no matrix.
    Example:
        >>> round(float(OrthogonalRegularizer(1.0)(jnp.eye(3))), 6)
        0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ArgumentError(
                message("OrthogonalRegularizer", "mode must be 'rows' or 'columns'", repr(mode))
            )
        self.factor = _factor("OrthogonalRegularizer", "factor", factor)
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        """The penalty of `x`."""
        x = jnp.asarray(x)
        if x.ndim != 2:
            raise ShapeError(
                message("OrthogonalRegularizer", "the array must have two axes", f"shape {x.shape}")
            )
        vectors = x if self.mode == "rows" else x.T  # (count, size)
        squares = jnp.sum(jnp.square(vectors), axis=1, keepdims=True)
        vectors = vectors / jnp.sqrt(jnp.maximum(squares, 1e-12))  # 1e-12: Keras's l2_normalize
        count = vectors.shape[0]
        cosines = absolute(vectors @ vectors.T) * (1.0 - jnp.eye(count, dtype=x.dtype))
        pairs = max(count * (count - 1) / 2.0, 1.0)
        return self.factor * 0.5 * jnp.sum(cosines) / pairs

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"factor": self.factor, "mode": self.mode}
