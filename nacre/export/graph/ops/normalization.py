"""Normalisations that formats have whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, Float, Int, Ints, Type, op
from nacre.export.graph.rules import axis_in, broadcast_shapes, floats, require, same_shape


def _wide(x: Array) -> Array:
    return x.astype("float32") if x.dtype.itemsize < 4 else x


def _of_axis(types: Any, attributes: Any) -> Type:
    x, *parameters = types
    axis = axis_in(attributes["axis"], len(x.shape))
    for parameter in parameters:
        fits = parameter is None or same_shape(parameter.shape, x.shape[axis : axis + 1])
        require(fits, f"{parameter} must have the size {x.shape[axis]} of axis {axis}")
    return floats(types, attributes)


def _along(parameter: Array, x: Array, axis: int) -> Array:
    return parameter.reshape(*parameter.shape, *[1] * (x.ndim - 1 - axis % x.ndim))


@op(shapes=_of_axis)
def batch_normalization(
    x: Array,
    mean: Array,
    variance: Array,
    offset: Array | None = None,
    scale: Array | None = None,
    *,
    axis: Int,
    epsilon: Float,
) -> Array:
    """scale · (x - mean) / sqrt(variance + epsilon) + offset, one of each per index of `axis`. The
    parameters may be of a wider dtype than x."""
    factor = 1 / np.sqrt(variance + epsilon)
    factor = factor if scale is None else factor * scale
    shift = -mean * factor if offset is None else offset - mean * factor
    return x * _along(factor, x, axis).astype(x.dtype) + _along(shift, x, axis).astype(x.dtype)


def _of_axes(types: Any, attributes: Any) -> Type:
    x, *parameters = types
    axes = {axis_in(axis, len(x.shape)) for axis in attributes["axes"]}
    inner = tuple(n if axis in axes else 1 for axis, n in enumerate(x.shape))
    for parameter in parameters:
        if parameter is not None:
            broadcast_shapes(parameter.shape, inner)
    return floats(types, attributes)


@op(shapes=_of_axes)
def layer_normalization(
    x: Array, scale: Array | None = None, offset: Array | None = None, *, axes: Ints, epsilon: Float
) -> Array:
    """scale · (x - mean) / sqrt(variance + epsilon) + offset, over `axes` of each sample; scale and
    offset broadcast against x. 16-bit floats are worked out in float32."""
    wide = _wide(x)
    centred = wide - wide.mean(axes, keepdims=True)
    result = centred / np.sqrt(np.square(centred).mean(axes, keepdims=True) + epsilon)
    result = result if scale is None else result * scale
    return (result if offset is None else result + offset).astype(x.dtype)


@op(shapes=_of_axes)
def rms_normalization(x: Array, scale: Array | None = None, *, axes: Ints, epsilon: Float) -> Array:
    """scale · x / sqrt(mean(x²) + epsilon), over `axes`; scale broadcasts against x."""
    wide = _wide(x)
    result = wide / np.sqrt(np.square(wide).mean(axes, keepdims=True) + epsilon)
    return (result if scale is None else result * scale).astype(x.dtype)


def _of_groups(types: Any, attributes: Any) -> Type:
    channels = types[0].shape[axis_in(attributes["axis"], len(types[0].shape))]
    groups = attributes["groups"]
    require(isinstance(channels, int) and channels % groups == 0,
            f"{channels} channels are not {groups} groups")  # fmt: skip
    return _of_axis(types, attributes)


@op(shapes=_of_groups)
def group_normalization(
    x: Array,
    scale: Array | None = None,
    offset: Array | None = None,
    *,
    groups: Int,
    axis: Int,
    epsilon: Float,
) -> Array:
    """Layer normalisation over each group of channels, which lie on `axis`, and all other axes but
    the first. 16-bit floats are worked out in float32."""
    axis = axis % x.ndim
    shape = (*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])
    axes = tuple(a for a in range(1, x.ndim + 1) if a != axis)
    grouped = layer_normalization(_wide(x).reshape(shape), axes=axes, epsilon=epsilon)
    result = grouped.reshape(x.shape)
    result = result if scale is None else result * _along(scale, x, axis)
    return (result if offset is None else result + _along(offset, x, axis)).astype(x.dtype)
