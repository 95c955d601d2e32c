"""Layers whose weight is multiplied with the inputs: `Dense` and `EinsumDense`."""

from __future__ import annotations

import inspect
import math
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from nacre.layers.adapters.lora import LowRank
from nacre.layers.adapters.weights import Weight
from nacre.layers.core.einsum_dense import EinsumDense, parse_equation
from nacre.ops.kernels import quantized
from nacre.ops.products import matrix_axes
from nacre.quantizers import AbsMaxQuantizer


class ProductForm:
    """How a layer multiplies inputs with its kernel, as an einsum of labels.

    Args:
        layer: A built `Dense` or `EinsumDense`.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        is_einsum = isinstance(layer, EinsumDense)
        self.equation = layer.equation.replace(" ", "") if is_einsum else "...x,xy->...y"
        parts = parse_equation(layer._who(), self.equation)
        self.inputs, self.kernel, self.outputs = parts.inputs, parts.kernel, parts.outputs
        self.ellipsis_side = parts.ellipsis_side
        self.kept = [label for label in self.kernel if label in self.outputs]
        reduced = [i for i, label in enumerate(self.kernel) if label not in self.outputs]
        shape = layer.kernel.shape
        sizes = dict(zip(self.kernel, shape, strict=True))
        rows = math.prod(shape[axis] for axis in reduced)
        # The scale stands beside the outputs: theirs is the order of its axes.
        beside = tuple(sizes[n] if n in self.kept else 1 for n in self.outputs)
        self.weight = Weight(
            name="kernel",
            shape=shape,
            reduced=tuple(reduced),
            scale_shape=beside if is_einsum else (layer.units,),
            matrix=(rows, math.prod(shape) // rows),
        )
        self.scale_order = [self.kept.index(n) for n in self.outputs if n in self.kept]
        self.sizes = sizes

    def weights(self) -> list[Weight]:
        """The kernel."""
        return [self.weight]

    def scale_for_outputs(self, scale: Any) -> Any:
        """A scale whose axes are the kept ones of the kernel, as it stands beside the outputs."""
        scale = scale.reshape([self.sizes[n] for n in self.kept]).transpose(self.scale_order)
        return scale.reshape(self.weight.scale_shape)

    def scale_for_kernel(self, scale: Any) -> Any:
        """The scale beside the outputs, as it stands beside the kernel."""
        ordered = [self.sizes[self.kept[i]] for i in self.scale_order]
        inverse = [self.scale_order.index(i) for i in range(len(self.kept))]
        scale = scale.reshape(ordered).transpose(inverse)
        return scale.reshape(self.weight.full_scale_shape)

    def call(self, stored: list[Any], low_rank: LowRank | None, quantizer: Any, inputs: Any) -> Any:
        """The layer's outputs."""
        layer, kernel = self.layer, stored[0]
        numbers = None if quantizer is None else kernel.numbers()
        bias = None if layer.bias is None else layer.bias.value
        if numbers is not None and low_rank is None:
            outputs = integer_product(self, quantizer, inputs, numbers[0], numbers[1], bias)
            return layer.activation(outputs)
        if numbers is None:
            outputs = self._float_product(kernel, inputs)
        else:
            outputs = integer_product(self, quantizer, inputs, *numbers)
        if low_rank is not None:
            outputs = outputs + self.low_rank_outputs(inputs, low_rank).astype(outputs.dtype)
        if bias is not None:
            outputs = outputs + bias
        return layer.activation(outputs)

    def _float_product(self, kernel: Any, inputs: Any) -> Any:
        """The product with the float weight that is stored."""
        shape = self.weight.shape
        axes = matrix_axes(self.equation, inputs.ndim, len(shape))
        if axes:
            leading = inputs.shape[: inputs.ndim - axes]
            outputs = kernel.product(_widened(inputs.reshape(*leading, -1)))
            if outputs is not None:
                return outputs.reshape(*leading, *shape[axes:]).astype(inputs.dtype)
        return jnp.einsum(self.equation, inputs, kernel.values(inputs.dtype))

    def low_rank_outputs(self, inputs: Any, low_rank: LowRank) -> Any:
        """What the low-rank change adds: through the small rank where the labels allow it."""
        last = self.kernel[-1]
        if last in self.inputs or last not in self.outputs:
            return jnp.einsum(self.equation, inputs, low_rank.change())
        rank = next(c for c in "rstuvwxyzabcdefghijklmnopq" if c not in self.equation)
        before, after = self.equation.split("->")
        left = before.split(",")[0]
        inner = after.replace(last, rank)
        narrow = f"{left},{self.kernel[:-1]}{rank}->{inner}"
        small = jnp.einsum(narrow, inputs, low_rank.a.value)
        grown = jnp.einsum(f"{inner},{rank}{last}->{after}", small, low_rank.b.value)
        return grown * jnp.asarray(low_rank.scale, grown.dtype)

    def axes_summed(self, ndim: int) -> tuple[int, ...]:
        """The axes of the inputs that are summed over."""
        start = ndim - len(self.inputs) if self.ellipsis_side == "left" else 0
        summed = [i for i, n in enumerate(self.inputs) if n not in self.outputs]
        return tuple(start + i for i in summed)

    def align_with_outputs(self, scale: Any) -> Any:
        """The scale of the inputs (summed axes of size 1) beside the outputs."""
        kept = "".join(n for n in self.inputs if n in self.outputs)
        scale = jnp.squeeze(scale, self.axes_summed(scale.ndim))
        dots = {"left": ("...", ""), "right": ("", "..."), "": ("", "")}[self.ellipsis_side]
        order = "".join(n for n in self.outputs if n in kept)
        scale = jnp.einsum(f"{dots[0]}{kept}{dots[1]}->{dots[0]}{order}{dots[1]}", scale)
        start = scale.ndim - len(order) if self.ellipsis_side == "left" else 0
        missing = [start + i for i, n in enumerate(self.outputs) if n not in order]
        return jnp.expand_dims(scale, missing)


class ProductLabels(Protocol):
    """What `integer_product` asks of a way to use a kernel."""

    equation: str
    ellipsis_side: str

    def axes_summed(self, ndim: int) -> tuple[int, ...]:
        """The axes of the inputs that are summed over."""
        ...

    def align_with_outputs(self, scale: Any) -> Any:
        """The scale of the inputs beside the outputs."""
        ...

    def scale_for_kernel(self, scale: Any) -> Any:
        """The scale beside the outputs, as it stands beside the kernel."""
        ...


def integer_product(
    form: ProductLabels, quantizer: Any, x: Any, numbers: Any, scale: Any, bias: Any = None
) -> Any:
    """Inputs rounded to 8 bits times 8-bit numbers, summed in 32-bit ints.

    Args:
        form: The labels.
        quantizer: Of the inputs.
        x: Inputs.
        numbers: The kernel's int8 numbers.
        scale: Their scale, beside the outputs.
        bias: What is added, of the inputs' dtype.

    Formula:
        y = Σ round(x · sx) · q / (sx · s) + bias; the derivative is that of Σ x · q / s + bias by x
        and bias
    """
    is_table = _is_by_rows(form.equation)
    axes = 1 if is_table else matrix_axes(form.equation, x.ndim, numbers.ndim)
    units = numbers.shape[:1] if is_table else () if axes is None else numbers.shape[axes:]
    is_whole = bias is None or bias.shape == units
    beside = scale, bias if is_whole else None
    if axes and _is_compiled(quantizer, axes, is_table, x, numbers, *beside):
        outputs = _product(form, quantizer, axes, x, numbers, *beside)
        return outputs if is_whole else outputs + bias
    return _product(form, quantizer, None, x, numbers, scale, bias)


def _is_by_rows(equation: str) -> bool:
    """Whether inputs are multiplied with each row of the kernel, as in "...d,vd->...v"."""
    before, after = equation.split("->")
    inputs, kernel = before.split(",")
    return len(kernel) == 2 and inputs[-1:] == kernel[1] and after == inputs[:-1] + kernel[0]


def _is_compiled(
    quantizer: Any, axes: int, is_table: bool, x: Any, numbers: Any, scale: Any, bias: Any
) -> bool:
    """Whether the compiled kernel makes the product of `axes` axes of the inputs and the kernel."""
    units = numbers.shape[0] if is_table else math.prod(numbers.shape[axes:])
    if scale.size != units:
        return False
    matrix = numbers.shape if is_table else (math.prod(numbers.shape[:axes]), units)
    shapes = [
        ((*x.shape[: x.ndim - axes], math.prod(x.shape[x.ndim - axes :])), x),
        (matrix, numbers),
        ((units,), scale),
    ]
    shapes += [] if bias is None else [((units,), bias)]
    arrays = [jax.ShapeDtypeStruct(shape, _wide(array.dtype)) for shape, array in shapes]
    x, numbers, scale, *rest = arrays
    bias = rest[0] if rest else None
    is_plain = _rounding(quantizer) is not None
    return quantized.is_compiled(x, numbers, scale, bias, is_plain, is_table)


def _wide(dtype: Any) -> Any:
    """The dtype in which numbers of this one are rounded and divided by scales."""
    return jnp.float32 if dtype in (jnp.bfloat16, jnp.float16) else dtype


def _widened(array: Any) -> Any:
    """Floats of 16 bits as float32."""
    return array if array is None else array.astype(_wide(array.dtype))


def _rounding(quantizer: Any) -> quantized.Rounding | None:
    """What the compiled kernel does in this quantizer's place; None where it does not."""
    if type(quantizer) is not AbsMaxQuantizer or quantizer.output_dtype != "int8":
        return None
    low, high = quantizer.value_range
    is_small = isinstance(low, int) and isinstance(high, int) and -128 <= low <= 0 < high <= 127
    # With an epsilon much smaller a scale may be infinite.
    return (
        quantized.Rounding(low, high, quantizer.epsilon)
        if is_small and 1 > quantizer.epsilon >= 1e-20
        else None
    )


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _product(
    form: ProductLabels,
    quantizer: Any,
    axes: int | None,
    x: Any,
    numbers: Any,
    scale: Any,
    bias: Any,
) -> Any:
    """The product; by the compiled kernel where `axes` says how many axes are summed over."""
    dtype, scale = x.dtype, _widened(scale)
    if isinstance(quantizer, AbsMaxQuantizer):
        # A scale of 16 bits costs digits, and in float16 is infinite for inputs below 0.002.
        x, bias = _widened(x), _widened(bias)
    if axes is not None:
        rounding = _rounding(quantizer)
        assert rounding is not None  # `_is_compiled` has asked
        is_table = _is_by_rows(form.equation)
        units = numbers.shape[:1] if is_table else numbers.shape[axes:]
        leading = x.shape[: x.ndim - axes]
        outputs = quantized.quantized_dense(
            x.reshape(*leading, -1),
            numbers if is_table else numbers.reshape(-1, math.prod(units)),
            scale.reshape(-1),
            None if bias is None else bias.reshape(-1),
            rounding,
            is_table,
        )
        return outputs.reshape(*leading, *units).astype(dtype)
    summed = form.axes_summed(x.ndim)
    if isinstance(quantizer, AbsMaxQuantizer):
        rounded, scale_x = quantizer(x, axis=summed)
    elif "axis" in inspect.signature(quantizer).parameters:  # one of a user's, called as by Keras
        axes_of_it = tuple(summed)
        rounded, scale_x = quantizer(x, axis=axes_of_it[0] if len(axes_of_it) == 1 else axes_of_it)
    else:
        rounded, scale_x = quantizer(x)
    sums = jnp.einsum(form.equation, rounded, numbers, preferred_element_type="int32")
    if form.ellipsis_side == "right":
        scale = scale.reshape(scale.shape + (1,) * (sums.ndim - scale.ndim))
    wide = sums.astype("float32") / (form.align_with_outputs(scale_x).astype("float32") * scale)
    outputs = wide.astype(x.dtype)
    return (outputs if bias is None else outputs + bias).astype(dtype)


@_product.defjvp
def _product_jvp(
    form: ProductLabels, quantizer: Any, axes: int | None, primals: Any, tangents: Any
) -> Any:
    x, numbers, scale, bias = primals
    kernel = (numbers.astype("float32") / form.scale_for_kernel(scale)).astype(x.dtype)
    moved = jnp.einsum(form.equation, tangents[0], kernel)
    if bias is not None:
        moved = moved + tangents[3]
    return _product(form, quantizer, axes, *primals), moved
