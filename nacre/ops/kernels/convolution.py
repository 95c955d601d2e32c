"""Convolution and transposed convolution, channels last, in one, two or three dimensions.

Three bilinear maps (forward, gradient of the input, gradient of the kernel) are each other's
derivatives. Each has several lowerings (`convolution_lowerings`, `convolution_native`);
`convolution_choice` takes one per shape and place.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from nacre.ops.kernels import convolution_lowerings as lowerings
from nacre.ops.kernels import convolution_native as native
from nacre.ops.kernels import placement as places
from nacre.ops.kernels import widening
from nacre.ops.kernels.convolution_choice import Map, choose
from nacre.ops.kernels.convolution_geometry import (
    Geometry,
    Padding,
    explicit_padding,
    transposed_axis,
)
from nacre.ops.kernels.derivatives import define_derivatives, derived_by_hand
from nacre.ops.kernels.native import table


def convolution(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int] | None = None,
    groups: int = 1,
    placement: places.Placement | None = None,
) -> Array:
    """Slide a kernel over the spatial axes of a channels-last input.

    The numbers are those of `jax.lax.conv_general_dilated`. A depthwise convolution is `groups`
    equal to the number of input channels, with a kernel (*window, 1, channels * multiplier).

    Args:
        padding: 'valid', 'same', 'causal' (pads before only) or (low, high) per spatial axis.
        placement: 'plain', 'own' or 'loop'; None asks `placement.current_placement()`. A caller
            that wraps this in `jax.jit` reads it outside and passes it as a static argument.
    Shapes:
        x        (batch, *spatial, channels)     sizes may be symbolic: then plain XLA runs
        kernel   (*window, channels / groups, filters)
        returns  (batch, *spatial_out, filters)
    """
    strides, dilation = _steps(strides, kernel), _steps(dilation, kernel)
    window = kernel.shape[:-2]
    agree = x.ndim == kernel.ndim and x.shape[-1] == groups * kernel.shape[-2]
    agree = agree and kernel.shape[-1] % groups == 0  # else plain XLA says what is wrong
    if not places.uses_cpu_kernels() or not agree or not _has_work((*x.shape, *kernel.shape)):
        return lowerings.plain_conv(x, kernel, strides, padding, dilation, groups)
    pairs = explicit_padding(padding, x.shape[1:-1], window, strides, dilation)
    placement = placement or places.current_placement()
    when_used, (wide, kernel) = _when_used(x, kernel, placement)
    geometry = Geometry(
        x.shape[1:-1], window, strides, pairs, dilation, groups, placement, native=when_used
    )
    return _forward(geometry, wide, kernel).astype(x.dtype)


def transposed_convolution(
    x: Array,
    kernel: Array,
    *,
    strides: Sequence[int],
    padding: str,
    output_padding: Sequence[int] | int | None = None,
    dilation: Sequence[int] | None = None,
    placement: places.Placement | None = None,
) -> Array:
    """Spread each input value over a window: the gradient of a convolution by its input.

    Args:
        padding: 'valid' or 'same'.
        output_padding: Extra size on the high side of each axis, below the stride; None lets the
            padding rule choose the size (`size * stride` for 'same').
    Shapes:
        x        (batch, *spatial, channels)
        kernel   (*window, filters, channels)
        returns  (batch, *spatial_out, filters)
    """
    strides, dilation = _steps(strides, kernel), _steps(dilation, kernel)
    window = kernel.shape[:-2]
    extras: Sequence[int | None] = (
        (output_padding,) * len(window)
        if output_padding is None or isinstance(output_padding, int)
        else output_padding
    )
    rules = [
        transposed_axis(size, taps, stride, step, padding.lower(), extra)
        for size, taps, stride, step, extra in zip(
            x.shape[1:-1], window, strides, dilation, extras, strict=True
        )
    ]
    sizes, pairs = tuple(size for size, _ in rules), tuple(pair for _, pair in rules)
    agree = x.ndim == kernel.ndim and x.shape[-1] == kernel.shape[-1]
    if not places.uses_cpu_kernels() or not agree or not _has_work((*x.shape, *kernel.shape)):
        return lowerings.transposed_conv(x, kernel, strides, pairs, dilation, sizes)
    placement = placement or places.current_placement()
    when_used, (wide, kernel) = _when_used(x, kernel, placement)
    geometry = Geometry(sizes, window, strides, pairs, dilation, 1, placement, native=when_used)
    return _input_gradient(geometry, wide, kernel).astype(x.dtype)


def _when_used(
    x: Array, kernel: Array, placement: places.Placement
) -> tuple[table.WhenUsed, list[Array]]:
    """Where the compiled kernel takes part, and the arrays as they are computed with."""
    if widening.is_widened(placement, x, kernel):
        work = table.ConvolutionWork(*widening.as_float32(x, kernel))
        if table.CONVOLUTION.when_used(work, placement) == "always":
            return "always", widening.in_float32(x, kernel)
    kernel = kernel.astype(x.dtype)
    return table.CONVOLUTION.when_used(table.ConvolutionWork(x, kernel), placement), [x, kernel]


def _steps(steps: Sequence[int] | None, kernel: Array) -> tuple[int, ...]:
    return (1,) * (kernel.ndim - 2) if steps is None else tuple(steps)


def _has_work(shape: Sequence[int]) -> bool:
    """Tell whether all sizes are known, and none is zero: else plain XLA runs."""
    return all(isinstance(size, int) and size > 0 for size in shape)


# --- three bilinear maps, each other's derivatives ------------------------------------------------

Gradient = Callable[[Geometry, tuple[Array, Array], Array], Array]


@derived_by_hand(nondiff_argnums=(0,))
def _forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    return _lower("forward", kernel.shape, geometry)(geometry, x, kernel)


@derived_by_hand(nondiff_argnums=(0,))
def _input_gradient(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    return _lower("input", kernel.shape, geometry)(geometry, dy, kernel)


@derived_by_hand(nondiff_argnums=(0,))
def _kernel_gradient(geometry: Geometry, x: Array, dy: Array) -> Array:
    shape = (*geometry.window, x.shape[-1] // geometry.groups, dy.shape[-1])
    return _lower("kernel", shape, geometry)(geometry, x, dy)


def _lower(which: Map, kernel_shape: Sequence[int], geometry: Geometry):
    return _LOWERINGS[which, choose(which, kernel_shape, geometry)]


def _define_derivatives(
    function: jax.custom_jvp[Array], by_first: Gradient, by_second: Gradient
) -> None:
    """Take the derivatives of a bilinear map from the other two.

    by_first, by_second: (geometry, factors, gradient) -> gradient of that factor.
    """

    def forward(geometry: Geometry, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return function(geometry.in_gradients, a, b), (a, b)

    def backward(geometry: Geometry, factors: Any, gradient: Array) -> tuple[Array, Array]:
        geometry = geometry.in_gradients
        return by_first(geometry, factors, gradient), by_second(geometry, factors, gradient)

    def tangent(geometry: Geometry, factors: Any, tangents: Any) -> Array:
        (a, b), (d_a, d_b) = factors, tangents
        parts = [] if d_a is None else [function(geometry.in_gradients, d_a, b)]
        parts += [] if d_b is None else [function(geometry.in_gradients, a, d_b)]
        return functools.reduce(jnp.add, parts)

    define_derivatives(function, forward, backward, tangent)


_define_derivatives(
    _forward,
    lambda geometry, factors, dy: _input_gradient(geometry, dy, factors[1]),
    lambda geometry, factors, dy: _kernel_gradient(geometry, factors[0], dy),
)
_define_derivatives(
    _input_gradient,
    lambda geometry, factors, dx: _forward(geometry, dx, factors[1]),
    lambda geometry, factors, dx: _kernel_gradient(geometry, dx, factors[0]),
)
_define_derivatives(
    _kernel_gradient,
    lambda geometry, factors, dk: _input_gradient(geometry, factors[1], dk),
    lambda geometry, factors, dk: _forward(geometry, factors[0], dk),
)


# --- one lowering more: group by group -----------------------------------------------------------


def _one_group(geometry: Geometry) -> Geometry:
    return dataclasses.replace(geometry, groups=1)


def _groups_forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    parts = zip(_cut(geometry, x), _cut(geometry, kernel), strict=True)
    return jnp.concatenate([_forward(_one_group(geometry), *part) for part in parts], -1)


def _groups_input(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    parts = zip(_cut(geometry, dy), _cut(geometry, kernel), strict=True)
    return jnp.concatenate([_input_gradient(_one_group(geometry), *part) for part in parts], -1)


def _groups_kernel(geometry: Geometry, x: Array, dy: Array) -> Array:
    parts = zip(_cut(geometry, x), _cut(geometry, dy), strict=True)
    return jnp.concatenate([_kernel_gradient(_one_group(geometry), *part) for part in parts], -1)


def _cut(geometry: Geometry, array: Array) -> list[Array]:
    """Cut the last axis into one part per group."""
    return jnp.split(array, geometry.groups, -1)


_LOWERINGS = {
    ("forward", "conv"): lowerings.conv_forward,
    ("input", "conv"): lowerings.conv_input,
    ("kernel", "conv"): lowerings.conv_kernel,
    ("forward", "patches"): lowerings.patches_forward,
    ("input", "patches"): lowerings.patches_input,
    ("kernel", "patches"): lowerings.patches_kernel,
    ("forward", "taps"): lowerings.taps_forward,
    ("input", "taps"): lowerings.taps_input,
    ("kernel", "taps"): lowerings.taps_kernel,
    ("forward", "groups"): _groups_forward,
    ("input", "groups"): _groups_input,
    ("kernel", "groups"): _groups_kernel,
    ("forward", "native"): native.forward,
    ("input", "native"): native.input_gradient,
    ("kernel", "native"): native.kernel_gradient,
}
