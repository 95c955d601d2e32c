"""Convolution by compiled kernels (`native/convolution.cc`): float32 on one CPU device.

On two AVX-512 cores and dense 3x3 shapes XLA's own convolution reaches up to 230 GFLOP/s, its
gradients less, and a matrix of patches costs memory traffic. The compiled kernels read each array
in place and reach 400 to 510. They are no part of an exported program, and where there is no
compiler the lowerings in plain JAX give the same numbers to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nacre.ops.kernels import convolution_lowerings as lowerings
from nacre.ops.kernels.convolution_geometry import Geometry
from nacre.ops.kernels.derivatives import derived_from
from nacre.ops.kernels.mapping import over_rows
from nacre.ops.kernels.native import library


@derived_from(lowerings.conv_forward, static=1)
def forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    """The convolution."""
    filters = kernel.shape[-1]

    def run(x: Array, kernel: Array) -> Array:
        numbers = shape_numbers(geometry, x.shape[0], x.shape[-1], filters)
        shape = (x.shape[0], *geometry.outputs, filters)
        return _call("convolution_slide", shape, x, kernel, numbers, backward=np.int64(0))

    return over_rows(run, (True, False), x, kernel)


@derived_from(lowerings.conv_input, static=1)
def input_gradient(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    """Its gradient by the input, or a transposed convolution."""
    channels = kernel.shape[-2] * geometry.groups

    def run(dy: Array, kernel: Array) -> Array:
        numbers = shape_numbers(geometry, dy.shape[0], channels, kernel.shape[-1])
        shape = (dy.shape[0], *geometry.sizes, channels)
        return _call("convolution_slide", shape, dy, kernel, numbers, backward=np.int64(1))

    return over_rows(run, (True, False), dy, kernel)


@derived_from(lowerings.conv_kernel, static=1)
def kernel_gradient(geometry: Geometry, x: Array, dy: Array) -> Array:
    """Its gradient by the kernel."""
    numbers = shape_numbers(geometry, x.shape[0], x.shape[-1], dy.shape[-1])
    shape = (*geometry.window, x.shape[-1] // geometry.groups, dy.shape[-1])
    return _call("convolution_collect", shape, x, dy, numbers)


def _call(
    handler: str, shape: tuple[int, ...], a: Array, b: Array, numbers: np.ndarray, **attributes
) -> Array:
    result = jax.ShapeDtypeStruct(shape, jnp.float32)
    call = library.CONVOLUTION.call(handler, result)
    return call(a, b, jnp.asarray(numbers), **attributes)


def shape_numbers(geometry: Geometry, batch: int, channels: int, filters: int) -> np.ndarray:
    """What `Shape` in `native/sliding.h` reads, in its order."""
    g = geometry
    lows = [low for low, _ in g.padding]
    whole = [_three(sizes, 1) for sizes in (g.sizes, g.outputs, g.window, g.strides)]
    spatial = [*whole, _three(lows, 0), _three(g.dilation, 1)]
    counts = [batch, g.groups, channels // g.groups, filters // g.groups]
    return np.array([*counts, *(number for axes in spatial for number in axes)], np.int32)


def _three(values: Sequence[int], fill: int) -> tuple[int, int, int]:
    """Put one to three axes on three: the first is cut in pieces, the last lies side by side."""
    if len(values) == 3:
        return values[0], values[1], values[2]
    first, last = values if len(values) == 2 else (*values, fill)
    return first, fill, last
