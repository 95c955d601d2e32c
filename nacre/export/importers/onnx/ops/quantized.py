"""Numbers of few bits: quantized and back, products and convolutions of them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.export.importers.onnx.ops.convolution import convolved
from nacre.export.importers.onnx.ops.math import name_of, to_dtype
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import axis_of, dtype_of

_LIMITS = {"uint4": (0, 15), "int4": (-8, 7), "uint2": (0, 3), "int2": (-2, 1)}


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    found = _LIMITS.get(dtype.name)
    if found is None:
        info = np.iinfo(dtype)
        found = int(info.min), int(info.max)
    return found


def _spread(values: Any, x: Any, node: Node) -> Any:
    """Scales or zero points, for every number: one for all, one a place of an axis, or a block."""
    rank = len(x.shape)
    if values.size == 1:
        return values.reshape(())
    axis = axis_of(node.number("axis", 1), rank)
    block = node.number("block_size", 0)
    if block or len(values.shape) == rank > 1:
        block = block or -(-x.shape[axis] // values.shape[axis])
        return jnp.take(values, jnp.arange(x.shape[axis]) // block, axis=axis)
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])


@op("QuantizeLinear")
def _quantize_linear(node: Node, x: Any, scale: Any, zero: Any = None) -> Any:
    number = node.number("output_dtype", 0)
    named = dtype_of(name_of(number)) if number else np.dtype(np.uint8)
    target = named if zero is None else zero.dtype
    precision = node.number("precision", 0)
    kind = dtype_of(name_of(precision)) if precision else jnp.result_type(x.dtype, scale.dtype)
    if kind.kind in "iu":
        kind = np.dtype(np.float32)
    ratio = x.astype(kind) / _spread(scale, x, node).astype(kind)
    if target.name.startswith(("float8", "float4")):
        if zero is not None:
            ratio = ratio + _spread(zero, x, node).astype(kind)
        return to_dtype(ratio, target, bool(node.number("saturate", 1)))
    return _rounded(ratio, None if zero is None else _spread(zero, x, node), target)


def _rounded(ratio: Any, zero: Any, target: Any) -> Any:
    """Halves go to even; what is outside ends at the limits."""
    low, high = _limits(np.dtype(target))
    wide = jnp.round(ratio).astype(jnp.float32)
    if zero is not None:
        wide = wide + zero.astype(jnp.int32).astype(jnp.float32)
    return to_dtype(jnp.clip(wide, low, high).astype(jnp.int32), np.dtype(target))


@op("DequantizeLinear")
def _dequantize_linear(node: Node, x: Any, scale: Any, zero: Any = None) -> Any:
    number = node.number("output_dtype", 0)
    kind = dtype_of(name_of(number)) if number else scale.dtype
    wide = _plain(x)
    if zero is not None:
        wide = wide - _spread(_plain(zero), x, node)
    return (wide.astype(jnp.float32) * _spread(scale, x, node).astype(jnp.float32)).astype(kind)


def _plain(x: Any) -> Any:
    """Numbers of few bits in a dtype that computes."""
    return x.astype(
        jnp.float32 if x.dtype.kind not in "iu" or "float" in x.dtype.name else jnp.int32
    )


@op("DynamicQuantizeLinear")
def _dynamic_quantize_linear(node: Node, x: Any) -> Any:
    low = jnp.minimum(jnp.min(x), 0)
    high = jnp.maximum(jnp.max(x), 0)
    scale = (high - low) / jnp.asarray(255, x.dtype)
    scale = jnp.where(scale == 0, 1, scale)  # of zeros alone: who divides by it gets no NaN
    zero = jnp.clip(jnp.round(-low / scale), 0, 255)
    y = jnp.clip(jnp.round(x / scale) + zero, 0, 255)
    return y.astype(jnp.uint8), scale, zero.astype(jnp.uint8)


def _whole(x: Any, zero: Any, axis: int | None = None) -> Any:
    """Whole numbers of 32 bits, counted from their zero point."""
    wide = x.astype(jnp.int32)
    if zero is None:
        return wide
    zero = zero.astype(jnp.int32)
    if zero.size == 1:
        return wide - zero.reshape(())
    if axis is not None and zero.ndim == 1:
        zero = zero.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    return wide - zero


@op("MatMulInteger")
def _matmul_integer(node: Node, a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    left = _whole(a, a_zero, -2 if len(a.shape) > 1 else None)
    return jnp.matmul(left, _whole(b, b_zero, -1))


@op("QLinearMatMul")
def _qlinear_matmul(
    node: Node, a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any,
    y_scale: Any, y_zero: Any,
) -> Any:  # fmt: skip
    product = jnp.matmul(_whole(a, a_zero, -2), _whole(b, b_zero, -1))
    left = _along(a_scale, product, -2)
    ratio = left * _along(b_scale, product, -1) / _along(y_scale, product, -2)
    return _rounded(product.astype(jnp.float32) * ratio, _along(y_zero, product, -2), y_zero.dtype)


def _along(values: Any, x: Any, axis: int) -> Any:
    if values.size == 1:
        return values.reshape(())
    if values.ndim != 1:
        return values
    return values.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


@op("ConvInteger")
def _conv_integer(node: Node, x: Any, w: Any, x_zero: Any = None, w_zero: Any = None) -> Any:
    return convolved(node, _whole(x, x_zero), _whole(w, w_zero, 0), jnp.int32)


@op("QLinearConv")
def _qlinear_conv(
    node: Node, x: Any, x_scale: Any, x_zero: Any, w: Any, w_scale: Any, w_zero: Any,
    y_scale: Any, y_zero: Any, offset: Any = None,
) -> Any:  # fmt: skip
    y = convolved(node, _whole(x, x_zero), _whole(w, w_zero, 0), jnp.int32)
    if offset is not None:
        y = y + _along(offset, y, 1)
    ratio = x_scale.reshape(()) * _along(w_scale, y, 1) / y_scale.reshape(())
    return _rounded(y.astype(jnp.float32) * ratio, y_zero.reshape(()), y_zero.dtype)


__all__: list[str] = []
