"""A dense layer over any axes, described by an einsum equation."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Unpack

from nacre import activations, constraints, initializers, regularizers
from nacre.core.array_types import Array, Float, Num
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.layers.base.adapting import Adaptable
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.core.configs import explicit_config, without
from nacre.ops.products import einsum_dense

_EQUATION = re.compile(
    r"^(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?$"
)


class Parts(NamedTuple):
    """An equation taken apart: the labels, and on which side `...` stands ('', 'left', 'right')."""

    inputs: str
    kernel: str
    outputs: str
    ellipsis_side: str


def parse_equation(who: str, equation: str) -> Parts:
    """Take an equation apart.

    Raises:
        ArgumentError: It is not of the form `ab,bc->ac`, `...a,ab->...b` or `ab...,bc->ac...`.
    Example:
        >>> parse_equation("EinsumDense", "...x,xy->...y")
        Parts(inputs='x', kernel='xy', outputs='y', ellipsis_side='left')
    """
    found = _EQUATION.match(equation.replace(" ", ""))
    if found:
        left, inputs, right, kernel, out_left, outputs, out_right = found.groups()
        if bool(left) == bool(out_left) and bool(right) == bool(out_right) and not (left and right):
            return Parts(inputs, kernel, outputs, "left" if left else "right" if right else "")
    raise ArgumentError(
        message(
            who,
            "equation must have one of the forms 'ab,bc->ac', '...a,ab->...b', 'ab...,bc->ac...'",
            repr(equation),
        )
    )


def weight_shapes(
    who: str, parts: Parts, bias_axes: str | None, input_shape: Any, output_shape: Any
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The shapes of kernel and bias.

    Args:
        who: For messages.
        parts: The equation.
        bias_axes: Output labels that the bias has.
        input_shape: Whole shape of the input.
        output_shape: Shape of the output without batch axis (and without `...` axes).
    """
    ellipsis_side = len(input_shape) - len(parts.inputs)
    if ellipsis_side < 0 or (ellipsis_side and not parts.ellipsis_side):
        raise ShapeError(
            message(
                who,
                f"the input must have {len(parts.inputs)} axes for the labels {parts.inputs!r}",
                f"input of shape {tuple(input_shape)}",
            )
        )
    labelled = (
        input_shape[ellipsis_side:]
        if parts.ellipsis_side == "left"
        else input_shape[: len(parts.inputs)]
    )
    sizes = dict(zip(parts.inputs, labelled, strict=True))
    # Without '...' on the left the first output label is the batch, which output_shape leaves out.
    named = parts.outputs if len(output_shape) == len(parts.outputs) else parts.outputs[1:]
    if len(named) != len(output_shape):
        raise ArgumentError(
            message(
                who,
                f"output_shape must have one size for each label of {parts.outputs[1:]!r}",
                str(tuple(output_shape)),
            )
        )
    outputs = dict(zip(named, output_shape, strict=True))
    for label, size in outputs.items():
        if sizes.get(label) is not None and size is not None and sizes[label] != size:
            raise ShapeError(
                message(
                    who,
                    f"axis {label!r} must have one size in input and output_shape",
                    f"{sizes[label]} in the input, {size} in output_shape",
                )
            )
    known = {**outputs, **{k: v for k, v in sizes.items() if v is not None}}
    missing = [label for label in parts.kernel if known.get(label) is None]
    if missing:
        raise ShapeError(
            message(
                who,
                "every axis of the kernel must have a known size",
                f"no size for {', '.join(missing)} (input shape {tuple(input_shape)})",
                "Give it in the input shape or in output_shape.",
            )
        )
    kernel = tuple(known[label] for label in parts.kernel)
    if not bias_axes:
        return kernel, None
    unknown = [label for label in bias_axes if label not in parts.outputs]
    if unknown:
        raise ArgumentError(
            message(who, f"bias_axes must be among the output labels {parts.outputs!r}", bias_axes)
        )
    first = min(parts.outputs.index(label) for label in bias_axes)
    bias = [known[label] if label in bias_axes else 1 for label in parts.outputs[first:]]
    return kernel, (*bias, *([1] * ellipsis_side if parts.ellipsis_side == "right" else []))


def _input_spec(parts: Parts, kernel: tuple[int, ...], ndim: int) -> InputSpec:
    """Axes that are summed with the kernel keep their sizes; `...` on the left may grow."""
    offset = (
        len(parts.inputs) if parts.ellipsis_side == "left" else 0
    )  # axes counted from the right
    sizes = dict(zip(parts.kernel, kernel, strict=True))
    axes: dict[int, int | None] = {
        i - offset: sizes[label] for i, label in enumerate(parts.inputs) if label in sizes
    }
    if offset:
        return InputSpec(min_ndim=offset, axes=axes)
    return InputSpec(ndim=ndim, axes=axes)


@register("layers/EinsumDense")
class EinsumDense(Adaptable, Layer):
    """A dense layer whose sums are an einsum of input and kernel.

    Choose it over `Dense` to contract several axes at once, or to make several output axes.

    Args:
        equation: Such as `ab,bc->ac`; `...` may stand for further axes of the input.
        output_shape: Shape of the output without the batch axis; None where it is the input's.
        activation: Name or function.
        bias_axes: Output labels the bias has; None for no bias.
        kernel_initializer, bias_initializer: First values.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, bias_constraint: Applied after each update.
        lora_rank: Train a change of the kernel of this rank instead of the kernel.
        lora_alpha: Scale of that change.
        gptq_unpacked_column_size: Accepted as None only: it belongs to GPTQ.
        quantization_config: Settings of `quantize`, or of a quantized `dtype`.
    Formula:
        y = activation(einsum(equation, x, kernel) + bias)
    Example:
        >>> import nacre
        >>> layer = nacre.layers.EinsumDense("abc,cde->abde", (None, 2, 4), bias_axes="de")
        >>> layer(nacre.ops.ones((1, 5, 3))).shape
        (1, 5, 2, 4)
    """

    quantizable = ("int8", "int4", "float8")

    arguments_of_weights = ("bias_axes", "kernel_initializer", "bias_initializer")

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: Any = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        flat = [output_shape] if isinstance(output_shape, int) else output_shape
        self.partial_output_shape = tuple(flat)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.lora_rank = lora_rank
        self.lora_alpha = lora_alpha
        self.quantization_config = quantization_config
        if gptq_unpacked_column_size is not None:
            raise ArgumentError(
                message(
                    self._who(),
                    "gptq_unpacked_column_size must be None, as weights of GPTQ are not read",
                    repr(gptq_unpacked_column_size),
                )
            )

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias for inputs of this shape."""
        parts = parse_equation(self._who(), self.equation)
        kernel, bias = weight_shapes(
            self._who(), parts, self.bias_axes, tuple(input_shape), self.partial_output_shape
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if bias is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=bias,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = _input_spec(parts, kernel, len(input_shape))

    def call(
        self, inputs: Num[Array, "*input_axes"], training: bool | None = None
    ) -> Float[Array, "*output_axes"]:
        """The einsum of inputs and kernel, bias and activation applied."""
        outputs = einsum_dense(self.equation, inputs, self.kernel, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the inputs when the axes it covers lead the outputs too."""
        if mask is None:
            return None
        parts = parse_equation(self._who(), self.equation)
        covered = len(mask.shape)
        if parts.ellipsis_side == "left":  # '...' covers the leading axes of both
            covered -= len(inputs.shape) - len(parts.inputs)
        leading = parts.inputs[: max(covered, 0)]
        if parts.outputs.startswith(leading):
            return mask
        self._warn_mask_lost()
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        names = (
            "equation activation bias_axes kernel_initializer bias_initializer kernel_regularizer "
            "bias_regularizer activity_regularizer kernel_constraint bias_constraint "
            "quantization_config lora_rank lora_alpha"
        ).split()
        given = {name: getattr(self, name) for name in names}
        config = explicit_config(self, output_shape=self.partial_output_shape, **given)
        return without(config, "lora_rank", "lora_alpha")
