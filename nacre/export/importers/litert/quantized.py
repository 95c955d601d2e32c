"""Whole numbers that stand for others: number = (q - zero point) * scale.

Convolutions and products add up whole numbers exactly and round once, as XNNPACK does, by which
LiteRT computes them: the sum, as a float, times one scale, to the nearest even. Other operators
compute with the numbers that are stood for, and round what they give; LiteRT's tables and fixed
points give the same or a neighbour.

Source: https://ai.google.dev/edge/litert/models/quantization_spec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.wire.tflite import ACTIVATIONS
from nacre.export.importers.litert.read import Scales, Tensor
from nacre.export.importers.litert.registry import Step, StepError, numbers

# Whole numbers up to here, and their sums, are floats without rounding.
_EXACT = 1 << 24
_LIMITS = {"int4": (-8, 7)}


def is_float(value: Any) -> bool:
    """Whether a value holds floats."""
    return jnp.issubdtype(value.dtype, jnp.floating)


def _along(values: np.ndarray, scales: Scales, ndim: int) -> np.ndarray:
    if len(values) == 1:
        return values.reshape(())
    shape = [1] * ndim
    shape[scales.axis] = len(values)
    return values.reshape(shape)


def limits(dtype: str) -> tuple[int, int]:
    """The smallest and the largest number of a type."""
    info = np.iinfo(dtype) if dtype not in _LIMITS else None
    return _LIMITS[dtype] if info is None else (int(info.min), int(info.max))


def dequantized(value: Any, tensor: Tensor) -> Any:
    """What numbers stand for; floats as they are."""
    scales = tensor.scales
    if scales is None or is_float(value):
        return value
    zero = _along(scales.zero_point, scales, value.ndim).astype("float32")
    scale = _along(scales.scale, scales, value.ndim)
    return (value.astype("float32") - zero) * scale


def quantized(value: Any, tensor: Tensor) -> Any:
    """Numbers that stand for floats, as a tensor keeps them."""
    scales = tensor.scales
    if scales is None or not is_float(value):
        return value
    m = numbers(value)
    low, high = limits(tensor.dtype)
    zero = _along(scales.zero_point, scales, value.ndim).astype("float32")
    scale = _along(scales.scale, scales, value.ndim)
    found = m.clip(m.round(value.astype("float32") / scale) + zero, low, high)
    return found.astype("int8" if tensor.dtype == "int4" else tensor.dtype)


def same_scales(a: Tensor | None, b: Tensor | None) -> bool:
    """Whether two tensors keep their numbers alike."""
    if a is None or b is None or a.dtype != b.dtype or (a.scales is None) != (b.scales is None):
        return False
    if a.scales is None or b.scales is None:
        return True
    return (
        len(a.scales.scale) == len(b.scales.scale) == 1
        and a.scales.scale[0] == b.scales.scale[0]
        and a.scales.zero_point[0] == b.scales.zero_point[0]
    )


# (numbers, weights) -> their sums of products.
Product = Callable[[Any, Any], Any]


def product(
    step: Step, x: Any, weights: Any, bias: Any, multiply: Product, axis: int, filters: int
) -> Any:
    """A product with weights, a bias and an activation, of floats or of whole numbers.

    Args:
        x, weights, bias: The values; a bias may be None.
        multiply: Their product, whose last axis is that of the filters.
        axis: The axis of the weights that is added up, along which they may be cut, as x along its
            last; -1 for none.
        filters: The axis of the weights' filters.
    """
    own, of_weights = step.inputs[0], step.inputs[1]
    assert own is not None
    assert of_weights is not None
    if is_float(x):
        found = multiply(x, dequantized(weights, of_weights).astype(x.dtype))
        if bias is not None:
            found = found + dequantized(bias, step.inputs[2]).astype(found.dtype)  # type: ignore[arg-type]
        return step.activated(found)
    output = step.outputs[0]
    if own.scales is None or of_weights.scales is None or output.scales is None:
        return _plain(step, x, weights, bias, multiply)
    inputs = jnp.asarray(x).astype("float32") - float(own.scales.zero_point[0])
    zero = _along(of_weights.scales.zero_point, of_weights.scales, weights.ndim)
    kernel = numbers(weights).asarray(weights).astype("float32") - zero.astype("float32")
    sums = _sums(inputs, kernel, multiply, axis, filters, own)
    if bias is not None:
        sums = sums + jnp.asarray(bias).astype(sums.dtype)
    factor = own.scales.scale[0] * of_weights.scales.scale / output.scales.scale[0]
    found = jnp.round(sums.astype("float32") * factor.astype("float32"))
    low, high = _range(step, output)
    zero_point = float(output.scales.zero_point[0])
    return jnp.clip(found + zero_point, low, high).astype(output.dtype)


def _plain(step: Step, x: Any, weights: Any, bias: Any, multiply: Product) -> Any:
    """A product of whole numbers that stand for themselves."""
    kind = jax.dtypes.canonicalize_dtype(np.dtype(step.outputs[0].dtype))
    found = multiply(jnp.asarray(x).astype(kind), jnp.asarray(weights).astype(kind))
    return step.activated(found if bias is None else found + jnp.asarray(bias).astype(kind))


def _sums(
    inputs: Any, kernel: Any, multiply: Product, axis: int, filters: int, tensor: Tensor
) -> Any:
    """Sums of products of whole numbers, exactly: in parts that floats hold, added as numbers."""
    low, high = limits(tensor.dtype)
    largest = high - low
    if not isinstance(kernel, np.ndarray) or high > 255:
        return multiply(inputs, jnp.asarray(kernel))
    others = tuple(a for a in range(kernel.ndim) if a != filters % kernel.ndim)
    most = float(np.abs(kernel).sum(others).max(initial=0)) * largest
    parts = int(most // _EXACT) + 1
    if parts == 1 or axis < 0 or kernel.shape[axis] != inputs.shape[-1]:
        return multiply(inputs, jnp.asarray(kernel)).astype("int32")
    found = None
    for places in np.array_split(np.arange(kernel.shape[axis]), min(parts, kernel.shape[axis])):
        cut = multiply(inputs[..., places[0] : places[-1] + 1], np.take(kernel, places, axis))
        found = cut.astype("int32") if found is None else found + cut.astype("int32")
    return found


def _range(step: Step, output: Tensor) -> tuple[float, float]:
    """The numbers an output may have, by its type and the activation."""
    assert output.scales is not None
    low, high = limits(output.dtype)
    which = step["fused_activation_function"]
    name = ACTIVATIONS[which] if 0 <= which < len(ACTIVATIONS) else ""
    ends = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
    if name not in ends:
        raise StepError(f"activation {name or which} of whole numbers")
    scale, zero = float(output.scales.scale[0]), int(output.scales.zero_point[0])
    least, most = ends[name]
    if least is not None:
        low = max(low, zero + round(least / scale))
    if most is not None:
        high = min(high, zero + round(most / scale))
    return low, high


__all__ = ["dequantized", "is_float", "limits", "product", "quantized", "same_scales"]
