"""The three maps of a convolution in plain JAX: XLA's convolution, patches, taps.

Each map (forward, gradient of the input, gradient of the kernel) has a form in each lowering;
`convolution_choice` says which one is taken.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from nacre.ops.kernels.convolution_geometry import Geometry, explicit_padding

LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}
# A patch matrix up to this size is made at once and shared with the gradient; a larger one is made
# in blocks, which stay in the cache.
WHOLE_PATCH_BYTES = 8 << 20
BLOCK_PATCH_BYTES = 4 << 20
AXIS_BY_AXIS = 49  # from here on patches are made axis by axis: fewer operations to compile

# --- lowering 1: XLA's own convolution ------------------------------------------------------------


def plain_conv(x, kernel, strides, padding, dilation, groups):
    if padding == "causal":
        padding = explicit_padding(padding, (0,), kernel.shape[:-2], strides, dilation)
    elif isinstance(padding, str):
        padding = padding.upper()  # XLA's own names, which also serve symbolic sizes
    return lax.conv_general_dilated(
        x,
        kernel,
        strides,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=LAYOUTS[kernel.ndim - 2],
        feature_group_count=groups,
    )


def conv_forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    g = geometry
    return plain_conv(x, kernel, g.strides, g.padding, g.dilation, g.groups)


def conv_input(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    """Convolve with the turned kernel, written as a forward convolution.

    The form autodiff writes (swapped dimension numbers) is 4 to 12 times slower in a loop body.
    """
    if geometry.groups > 1:
        shape = (dy.shape[0], *geometry.sizes, kernel.shape[-2] * geometry.groups)
        x = jax.ShapeDtypeStruct(shape, dy.dtype)
        return jax.linear_transpose(lambda x: conv_forward(geometry, x, kernel), x)(dy)[0]
    g = geometry
    return transposed_conv(dy, kernel, g.strides, g.padding, g.dilation, g.sizes)


def conv_kernel(geometry: Geometry, x: Array, dy: Array) -> Array:
    shape = (*geometry.window, x.shape[-1] // geometry.groups, dy.shape[-1])
    kernel = jax.ShapeDtypeStruct(shape, x.dtype)
    return jax.linear_transpose(lambda kernel: conv_forward(geometry, x, kernel), kernel)(dy)[0]


def transposed_conv(x, kernel, strides, pairs, dilation, sizes):
    """The transposed convolution as one dilated forward convolution."""
    spatial = range(kernel.ndim - 2)
    padding = []
    for axis in spatial:
        extent = (kernel.shape[axis] - 1) * dilation[axis] + 1
        before = extent - 1 - pairs[axis][0]
        spread = (x.shape[axis + 1] - 1) * strides[axis] + 1
        padding.append((before, sizes[axis] + extent - 1 - spread - before))
    turned = lax.optimization_barrier(jnp.swapaxes(jnp.flip(kernel, tuple(spatial)), -1, -2))
    return lax.conv_general_dilated(
        x,
        turned,
        (1,) * len(padding),
        padding,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=LAYOUTS[len(padding)],
    )


# --- lowering 2: a matrix of patches and one product ----------------------------------------------


def _dot(a: Array, b: Array, contract: tuple[int, int]) -> Array:
    """Multiply two matrices, with float32 sums for 16-bit inputs."""
    dimensions = (((contract[0],), (contract[1],)), ((), ()))
    return lax.dot_general(
        a, b, dimensions, preferred_element_type=jnp.promote_types(a.dtype, jnp.float32)
    )


def _rows(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1])


def _padded(geometry: Geometry, x: Array) -> Array:
    if not any(low or high for low, high in geometry.padding):
        return x
    config = [(0, 0, 0), *((low, high, 0) for low, high in geometry.padding), (0, 0, 0)]
    return lax.pad(x, jnp.zeros((), x.dtype), config)  # a negative pair crops


def _tap(geometry: Geometry, padded: Array, offset: tuple[int, ...]) -> Array:
    """Return what one tap of the window sees: (batch, *outputs, channels)."""
    limits = [
        start + (size - 1) * stride + 1
        for start, size, stride in zip(offset, geometry.outputs, geometry.strides, strict=True)
    ]
    return lax.slice(
        padded,
        (0, *offset, 0),
        (padded.shape[0], *limits, padded.shape[-1]),
        (1, *geometry.strides, 1),
    )


def _patches(geometry: Geometry, x: Array) -> Array:
    """Lay all taps side by side: (batch, *outputs, taps * channels)."""
    padded = _padded(geometry, x)
    if len(geometry.offsets) < AXIS_BY_AXIS:
        return jnp.concatenate([_tap(geometry, padded, offset) for offset in geometry.offsets], -1)
    for axis in reversed(range(len(geometry.window))):  # the last one varies fastest
        step, stride = geometry.dilation[axis], geometry.strides[axis]
        reach = (geometry.outputs[axis] - 1) * stride + 1
        starts = range(0, geometry.window[axis] * step, step)
        along = functools.partial(lax.slice_in_dim, padded, stride=stride, axis=axis + 1)
        padded = jnp.concatenate([along(start, start + reach) for start in starts], -1)
    return padded


def _spread(geometry: Geometry, part: Array, offset: tuple[int, ...]) -> Array:
    """Undo `_tap`: put (batch, *outputs, channels) at its places among zeros, padding cut off."""
    config = [(0, 0, 0)]
    for start, (low, _), stride, count, size in zip(
        offset, geometry.padding, geometry.strides, geometry.outputs, geometry.sizes, strict=True
    ):
        before = start - low
        config.append((before, size - before - (count - 1) * stride - 1, stride - 1))
    return lax.pad(part, jnp.zeros((), part.dtype), [*config, (0, 0, 0)])


def patches_forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    blocks = _blocks(geometry, x.shape)
    if blocks is None:
        return _multiply_patches(geometry, x, kernel)
    narrow, parts = blocks.geometry, blocks.split_wide(_padded(geometry, x))
    y = lax.map(lambda part: _multiply_patches(narrow, part, kernel), parts)
    return y.reshape(x.shape[0], *geometry.outputs, kernel.shape[-1])


def _multiply_patches(geometry: Geometry, x: Array, kernel: Array) -> Array:
    patches = _patches(geometry, x)
    y = _dot(_rows(patches), kernel.reshape(-1, kernel.shape[-1]), (1, 0))
    return y.reshape(*patches.shape[:-1], kernel.shape[-1]).astype(x.dtype)


def patches_input(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    channels = kernel.shape[-2]
    blocks = _blocks(geometry, (dy.shape[0], *geometry.sizes, channels), batch_only=True)
    if blocks is None:
        return _add_patches(geometry, dy, kernel)
    dx = lax.map(lambda part: _add_patches(geometry, part, kernel), blocks.split_narrow(dy))
    return dx.reshape(dy.shape[0], *geometry.sizes, channels)


def _add_patches(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    """Multiply first, then add each tap's part at its place."""
    parts = _dot(_rows(dy), kernel.reshape(-1, kernel.shape[-1]), (1, 1))
    parts = jnp.split(parts.reshape(*dy.shape[:-1], -1), len(geometry.offsets), -1)
    spread = (
        _spread(geometry, part, offset)
        for part, offset in zip(parts, geometry.offsets, strict=True)
    )
    return functools.reduce(jnp.add, spread).astype(dy.dtype)


def patches_kernel(geometry: Geometry, x: Array, dy: Array) -> Array:
    blocks = _blocks(geometry, x.shape)
    if blocks is None:
        dk = _dot(_rows(dy), _rows(_patches(geometry, x)), (0, 0))
    else:
        parts = (blocks.split_wide(_padded(geometry, x)), blocks.split_narrow(dy))

        def add(total, part):
            return total + _dot(
                _rows(part[1]), _rows(_patches(blocks.geometry, part[0])), (0, 0)
            ), None

        columns = len(geometry.offsets) * x.shape[-1]
        total = jnp.zeros((dy.shape[-1], columns), jnp.promote_types(x.dtype, jnp.float32))
        dk, _ = lax.scan(add, total, parts)
    # (filters, taps * channels): XLA multiplies this way round 5 to 25 % faster
    return dk.T.reshape(*geometry.window, x.shape[-1], dy.shape[-1]).astype(x.dtype)


class Blocks(NamedTuple):
    """How to cut a convolution into equal pieces: some samples, or some rows of one sample."""

    samples: int  # per piece
    rows: int  # output rows (first spatial axis) per piece
    whole: Geometry
    geometry: Geometry  # of one piece, already padded

    def split_wide(self, padded: Array) -> Array:
        """(batch, *padded sizes, channels) -> (pieces, samples, slab, ..., channels)."""
        if self.rows == self.whole.outputs[0]:
            return padded.reshape(-1, self.samples, *padded.shape[1:])
        step, slab = self.rows * self.whole.strides[0], self.geometry.sizes[0]
        starts = range(0, self.whole.outputs[0] * self.whole.strides[0], step)
        slabs = jnp.stack([padded[:, start : start + slab] for start in starts], 1)
        return slabs.reshape(-1, 1, *slabs.shape[2:])

    def split_narrow(self, dy: Array) -> Array:
        """(batch, *outputs, filters) -> (pieces, samples, rows, ..., filters)."""
        return dy.reshape(-1, self.samples, self.rows, *dy.shape[2:])


def _blocks(geometry: Geometry, x_shape: Sequence[int], batch_only: bool = False) -> Blocks | None:
    """Cut so that a piece's patch matrix is near BLOCK_PATCH_BYTES; None where one piece does."""
    outputs, batch = geometry.outputs, x_shape[0]
    row_bytes = 4 * math.prod(outputs[1:]) * len(geometry.offsets) * x_shape[-1]
    sample_bytes = row_bytes * outputs[0]
    if len(geometry.offsets) == 1 or batch * sample_bytes <= WHOLE_PATCH_BYTES:
        return None
    samples = _divisor(batch, BLOCK_PATCH_BYTES // sample_bytes)
    rows = outputs[0]
    if samples == 1 and not batch_only:
        rows = _divisor(rows, BLOCK_PATCH_BYTES // row_bytes)
    if samples == batch and rows == outputs[0]:
        return None
    padded = [
        size + low + high
        for size, (low, high) in zip(geometry.sizes, geometry.padding, strict=True)
    ]
    if rows != outputs[0]:
        padded[0] = (
            (rows - 1) * geometry.strides[0] + (geometry.window[0] - 1) * geometry.dilation[0] + 1
        )
    piece = dataclasses.replace(geometry, sizes=tuple(padded), padding=((0, 0),) * len(padded))
    return Blocks(samples, rows, geometry, piece)


def _divisor(number: int, limit: int) -> int:
    """Return the largest divisor of `number` that is at most `limit`, at least 1."""
    return max(
        part for part in range(1, number + 1) if number % part == 0 and part <= max(limit, 1)
    )


# --- lowering 3: one product per tap, summed ------------------------------------------------------


def _tap_kernels(kernel: Array) -> Array:
    return kernel.reshape(-1, *kernel.shape[-2:])


def taps_forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    padded = _padded(geometry, x)
    seen = (_tap(geometry, padded, offset) for offset in geometry.offsets)
    if geometry.groups > 1:
        kernels = kernel.reshape(-1, x.shape[-1], kernel.shape[-1] // x.shape[-1])
        terms = [
            _widen(part) * weight for part, weight in zip(seen, _widen_dtype(kernels), strict=True)
        ]
    else:
        terms = [
            _dot(_rows(part), weight, (1, 0))
            for part, weight in zip(seen, _tap_kernels(kernel), strict=True)
        ]
    y = functools.reduce(jnp.add, terms)
    return y.reshape(x.shape[0], *geometry.outputs, kernel.shape[-1]).astype(x.dtype)


def _widen_dtype(array: Array) -> Array:
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def _widen(part: Array) -> Array:
    """Give each channel a multiplier axis, in the dtype of sums."""
    return _widen_dtype(part)[..., None]


def taps_input(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    if geometry.groups > 1:
        split = _widen_dtype(dy.reshape(*dy.shape[:-1], geometry.groups, -1))
        kernels = _widen_dtype(kernel.reshape(-1, geometry.groups, split.shape[-1]))
        parts = [jnp.sum(split * weight, -1) for weight in kernels]
    else:
        parts = [
            _dot(_rows(dy), weight, (1, 1)).reshape(*dy.shape[:-1], -1)
            for weight in _tap_kernels(kernel)
        ]
    spread = (
        _spread(geometry, part, offset)
        for part, offset in zip(parts, geometry.offsets, strict=True)
    )
    return functools.reduce(jnp.add, spread).astype(dy.dtype)


def taps_kernel(geometry: Geometry, x: Array, dy: Array) -> Array:
    padded = _padded(geometry, x)
    seen = (_tap(geometry, padded, offset) for offset in geometry.offsets)
    if geometry.groups > 1:
        split = _widen_dtype(dy.reshape(*dy.shape[:-1], geometry.groups, -1))
        axes = tuple(range(dy.ndim - 1))
        terms = [jnp.sum(_widen(part) * split, axes) for part in seen]
    else:
        terms = [_dot(_rows(part), _rows(dy), (0, 0)) for part in seen]
    shape = (*geometry.window, x.shape[-1] // geometry.groups, dy.shape[-1])
    return jnp.stack(terms).reshape(shape).astype(x.dtype)
