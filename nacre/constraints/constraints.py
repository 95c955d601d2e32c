"""Rules that a weight is brought back to after each step: bounded norm, unit norm, no negatives."""

from __future__ import annotations

from typing import Any, Self

import jax.numpy as jnp

from nacre.core.axes import counted_axes
from nacre.core.changes import Versioned
from nacre.core.config import epsilon
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.core.safety import reads_config


class Constraint(Versioned):
    """A rule that maps a weight to the nearest one that is allowed.

    Subclasses write `__call__(self, w)`, and `get_config` when they have arguments.

    Example:
        >>> class AtMostOne(Constraint):
        ...     def __call__(self, w):
        ...         return jnp.minimum(w, 1.0)
        >>> AtMostOne()(jnp.array([0.5, 2.0])).tolist()
        [0.5, 1.0]
    """

    _config_role = "constraint"
    _config_module = "keras.constraints"
    _config_class_name = "Constraint"

    def __call__(self, w: Any) -> Any:
        """The allowed weight for `w`. Subclasses override it."""
        raise NotImplementedError(f"{type(self).__name__} must have __call__(w).")

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the constraint a config describes."""
        return cls(**config)


def _norm(w: Any, axis: Any) -> Any:
    of = f"for a weight of shape {w.shape}"
    axes = counted_axes("constraint", axis, w.ndim, of=of, error=ShapeError)
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=axes, keepdims=True))


def _stored_axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


@register("constraints/MaxNorm")
class MaxNorm(Constraint):
    """Shrink vectors longer than `max_value` to that length.

    Args:
        max_value: Greatest norm.
        axis: Axis or axes the norm is taken over: 0 for the weights into each unit of a Dense
            kernel, (0, 1, 2) for each filter of a 2D convolution.

    Formula:
        w · clip(norm, 0, max_value) / (epsilon + norm)
    Source:
        Srivastava et al. 2014, Dropout, JMLR 15, section 5.1.
    Example:
        >>> MaxNorm(1.0)(jnp.array([[3.0], [4.0]])).round(3).tolist()
        [[0.6000000238418579], [0.800000011920929]]
    """

    def __init__(self, max_value: float = 2, axis: int | tuple[int, ...] = 0) -> None:
        self.max_value = max_value
        self.axis = _stored_axis(axis)

    def __call__(self, w: Any) -> Any:
        """The allowed weight for `w`."""
        w = jnp.asarray(w)
        norm = _norm(w, self.axis)
        most = jnp.asarray(self.max_value, norm.dtype)  # of a variable too
        return w * (jnp.clip(norm, 0, most) / (epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"max_value": self.max_value, "axis": self.axis}


@register("constraints/NonNeg")
class NonNeg(Constraint):
    """Set negative weights to 0.

    Example:
        >>> NonNeg()(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __call__(self, w: Any) -> Any:
        """The allowed weight for `w`."""
        return jnp.maximum(jnp.asarray(w), 0)


@register("constraints/UnitNorm")
class UnitNorm(Constraint):
    """Bring every vector to length 1.

    Args:
        axis: Axis or axes the norm is taken over.

    Formula:
        w / (epsilon + norm)
    Example:
        >>> UnitNorm()(jnp.array([[3.0], [4.0]])).round(3).tolist()
        [[0.6000000238418579], [0.800000011920929]]
    """

    def __init__(self, axis: int | tuple[int, ...] = 0) -> None:
        self.axis = _stored_axis(axis)

    def __call__(self, w: Any) -> Any:
        """The allowed weight for `w`."""
        w = jnp.asarray(w)
        return w / (epsilon() + _norm(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"axis": self.axis}


@register("constraints/MinMaxNorm")
class MinMaxNorm(Constraint):
    """Bring the length of every vector between two bounds.

    Args:
        min_value: Least norm.
        max_value: Greatest norm.
        rate: 1 goes all the way in each step, less goes part of it.
        axis: Axis or axes the norm is taken over.

    Formula:
        w · (rate · clip(norm, min_value, max_value) + (1 − rate) · norm) / (epsilon + norm)
    Example:
        >>> MinMaxNorm(0.0, 1.0)(jnp.array([[3.0], [4.0]])).round(3).tolist()
        [[0.6000000238418579], [0.800000011920929]]
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | tuple[int, ...] = 0,
    ) -> None:
        if not 0.0 <= rate <= 1.0:
            raise ArgumentError(message("MinMaxNorm", "rate must be from 0 to 1", repr(rate)))
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = _stored_axis(axis)

    def __call__(self, w: Any) -> Any:
        """The allowed weight for `w`."""
        w = jnp.asarray(w)
        norm = _norm(w, self.axis)
        least, most = (jnp.asarray(v, norm.dtype) for v in (self.min_value, self.max_value))
        wanted = self.rate * jnp.clip(norm, least, most)
        return w * ((wanted + (1 - self.rate) * norm) / (epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


@register("constraints/RadialConstraint")
class RadialConstraint(Constraint):
    """Make the first two axes of a convolution kernel symmetric round its centre.

    tf.keras 2 has it, Keras 3 does not; files and code that name it keep working.

    Shapes:
        w       (size, size, *rest)
        returns the same
    Raises:
        ShapeError: The first two axes differ, or there are fewer than two.
    Example:
        >>> RadialConstraint()(jnp.arange(9.0).reshape(3, 3, 1, 1))[..., 0, 0].tolist()
        [[1.0, 1.0, 1.0], [1.0, 4.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def __call__(self, w: Any) -> Any:
        """The allowed weight for `w`."""
        w = jnp.asarray(w)
        if w.ndim < 2 or w.shape[0] != w.shape[1]:
            raise ShapeError(
                message("RadialConstraint", "the first two axes must be equal", f"{w.shape}")
            )
        size = w.shape[0]
        index = jnp.arange(size)
        # Ring number of each place, counted from the border; the value is the ring's top middle.
        from_border = jnp.minimum(index, size - 1 - index)
        ring = jnp.minimum(from_border[:, None], from_border[None, :])
        return w[ring, (size - 1) // 2]
