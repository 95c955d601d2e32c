"""What the normalizing layers share: a trainable scale (gamma) and offset (beta)."""

from __future__ import annotations

import numbers
from typing import Any, Unpack

from nacre import constraints, initializers, regularizers
from nacre.core.axes import counted_axes
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer


class AffineNormalization(Layer):
    """Base of the layers that scale and shift what they normalized."""

    casts_inputs = False  # statistics are taken in float32, of the inputs as they are
    _needs_only_float_range = True

    arguments_of_weights = ("axis", "center", "scale", "beta_initializer", "gamma_initializer")

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = checked_number(self, "epsilon", epsilon, lowest=0)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None
        self.supports_masking = True

    def _add_affine(self, shape: tuple[int, ...], scale: bool, center: bool) -> None:
        if scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                autocast=False,
            )
        if center:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
            )


def checked_number(layer: Layer, name: str, value: Any, lowest: float | None = None) -> Any:
    """`value` when it is a number, of at least `lowest` where that is given."""
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not good or (lowest is not None and not value >= lowest):
        least = "" if lowest is None else f" of at least {lowest}"
        rule = f"{name} must be a number{least}"
        raise ArgumentError(message(layer._who(), rule, f"{name}={value!r}"))
    return value


def known_size(layer: Layer, axis: int, input_shape: Any) -> int:
    """The size of `axis`, which must be known."""
    size = input_shape[axis]
    if size is None:
        raise ShapeError(
            message(
                layer._who(),
                f"the size of axis {axis} must be known",
                f"input of shape {tuple(input_shape)}",
                "Give the model's Input a number there.",
            )
        )
    return int(size)


def axes_of_call(
    layer: Layer, axis: Any, sizes: tuple[int, ...], shape: tuple[Any, ...]
) -> tuple[int, ...]:
    """The axes of these inputs, counted from the front; they may have another rank than at build.

    Args:
        sizes: Those of the axes when the layer was built.

    Raises:
        ShapeError: There is no such axis, or it has another size.
    """
    axes = counted_axes(layer._who(), axis, len(shape), error=ShapeError)
    found = [shape[each] for each in axes]
    if any(isinstance(n, int) and n != size for n, size in zip(found, sizes, strict=True)):
        names = ", ".join(map(str, axis)) if len(axis) > 1 else axis[0]
        rule = f"axis {names} must have size {', '.join(map(str, sizes))}, as when it was built"
        fix = "Make a new layer for inputs of other sizes."
        raise ShapeError(message(layer._who(), rule, f"input of shape {tuple(shape)}", fix))
    return axes
