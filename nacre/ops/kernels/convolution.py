"""Convolution and transposed convolution, channels last, in one, two or three dimensions.

Three bilinear maps (forward, gradient of the input, gradient of the kernel) are each other's
derivatives; each has several lowerings, and `choose` takes one per shape and place.

Longer than most files: the maps, their lowerings and the choice call one another.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from nacre.ops.kernels import placement as places

Pairs = tuple[tuple[int, int], ...]
Padding = str | Sequence[tuple[int, int]]
Lowering = Literal["conv", "patches", "taps", "groups"]

LAYOUTS = {1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}
WHOLE_PATCH_BYTES = (
    8 << 20
)  # a patch matrix up to this size is made at once and shared with the gradient
BLOCK_PATCH_BYTES = (
    4 << 20
)  # a larger one is made in blocks of about this size, which stay in the cache


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The static numbers of one convolution; hashable, so that it can be a static argument."""

    sizes: tuple[int, ...]  # spatial sizes of the (wide) input
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Pairs
    dilation: tuple[int, ...]
    groups: int
    placement: places.Placement

    @property
    def outputs(self) -> tuple[int, ...]:
        """Spatial sizes of the (narrow) output."""
        return tuple(
            (size + low + high - (taps - 1) * step - 1) // stride + 1
            for size, (low, high), taps, step, stride in zip(
                self.sizes, self.padding, self.window, self.dilation, self.strides, strict=True
            )
        )

    @property
    def offsets(self) -> list[tuple[int, ...]]:
        """Where each tap of the window starts, in the padded input, in row-major order."""
        steps = (
            range(0, taps * step, step)
            for taps, step in zip(self.window, self.dilation, strict=True)
        )
        return list(itertools.product(*steps))


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
        placement: 'plain' or 'loop'; None asks `placement.current_placement()`. A caller that wraps
            this in `jax.jit` reads the placement outside and passes it as a static argument.
    Shapes:
        x        (batch, *spatial, channels)     sizes may be symbolic: then plain XLA runs
        kernel   (*window, channels / groups, filters)
        returns  (batch, *spatial_out, filters)
    """
    strides, dilation = _steps(strides, kernel), _steps(dilation, kernel)
    window = kernel.shape[:-2]
    if not places.uses_cpu_kernels() or not _is_static(x.shape):
        return _plain_conv(x, kernel, strides, padding, dilation, groups)
    pairs = explicit_padding(padding, x.shape[1:-1], window, strides, dilation)
    placement = placement or places.current_placement()
    geometry = Geometry(x.shape[1:-1], window, strides, pairs, dilation, groups, placement)
    return _forward(geometry, x, kernel.astype(x.dtype))


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
        _transposed_axis(size, taps, stride, step, padding.lower(), extra)
        for size, taps, stride, step, extra in zip(
            x.shape[1:-1], window, strides, dilation, extras, strict=True
        )
    ]
    sizes, pairs = tuple(size for size, _ in rules), tuple(pair for _, pair in rules)
    if not places.uses_cpu_kernels() or not _is_static(x.shape):
        return _transposed_conv(x, kernel, strides, pairs, dilation, sizes)
    placement = placement or places.current_placement()
    geometry = Geometry(sizes, window, strides, pairs, dilation, 1, placement)
    return _input_gradient(geometry, x, kernel.astype(x.dtype))


def explicit_padding(
    padding: Padding,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> Pairs:
    """Turn a padding name into one (low, high) pair per spatial axis."""
    if not isinstance(padding, str):
        return tuple((low, high) for low, high in padding)
    extents = [(taps - 1) * step + 1 for taps, step in zip(window, dilation, strict=True)]
    name = padding.lower()
    if name == "valid":
        return tuple((0, 0) for _ in window)
    if name == "causal":
        return tuple((extent - 1, 0) for extent in extents)
    if name == "same":
        return tuple(map(_same_pair, sizes, extents, strides))
    raise ValueError(
        "convolution: padding must be 'valid', 'same', 'causal' or (low, high) pairs. "
        f"Got {padding!r}."
    )


def _same_pair(size: int, extent: int, stride: int) -> tuple[int, int]:
    """Pad so that ceil(size / stride) windows fit, the odd one on the high side."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def _transposed_axis(size, taps, stride, step, padding, extra):
    """Return the output size of one axis and the padding of the convolution it undoes."""
    extent = (taps - 1) * step + 1
    if extra is None:
        out = size * stride if padding == "same" else size * stride + max(extent - stride, 0)
        total = max(extent - stride, 0) if padding == "same" else 0
        low = total // 2
    else:
        cropped = 2 * (extent // 2) if padding == "same" else 0
        out = (size - 1) * stride + extent - cropped + extra
        low = _same_pair(out, extent, stride)[0] if padding == "same" else 0
        if padding == "same" and extra == 0 and extent % 2 == 0:
            low = extent // 2  # the one case where `out` holds one window less than `size`
    return out, (low, (size - 1) * stride + extent - out - low)


def _steps(steps: Sequence[int] | None, kernel: Array) -> tuple[int, ...]:
    return (1,) * (kernel.ndim - 2) if steps is None else tuple(steps)


def _is_static(shape: Sequence[int]) -> bool:
    return all(isinstance(size, int) for size in shape)


# --- three bilinear maps, each other's derivatives ------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    return _LOWERINGS["forward", choose("forward", x.shape, kernel.shape, geometry)](
        geometry, x, kernel
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _input_gradient(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    shape = (dy.shape[0], *geometry.sizes, kernel.shape[-2] * geometry.groups)
    lowering = choose("input", shape, kernel.shape, geometry)
    return _LOWERINGS["input", lowering](geometry, dy, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_gradient(geometry: Geometry, x: Array, dy: Array) -> Array:
    kernel_shape = (*geometry.window, x.shape[-1] // geometry.groups, dy.shape[-1])
    return _LOWERINGS["kernel", choose("kernel", x.shape, kernel_shape, geometry)](geometry, x, dy)


def _keep(function):
    """Make the forward rule of a bilinear map: keep both factors."""
    return lambda geometry, a, b: (function(geometry, a, b), (a, b))


_forward.defvjp(
    _keep(_forward),
    lambda geometry, kept, dy: (
        _input_gradient(geometry, dy, kept[1]),
        _kernel_gradient(geometry, kept[0], dy),
    ),
)
_input_gradient.defvjp(
    _keep(_input_gradient),
    lambda geometry, kept, dx: (
        _forward(geometry, dx, kept[1]),
        _kernel_gradient(geometry, dx, kept[0]),
    ),
)
_kernel_gradient.defvjp(
    _keep(_kernel_gradient),
    lambda geometry, kept, dk: (
        _input_gradient(geometry, kept[1], dk),
        _forward(geometry, kept[0], dk),
    ),
)


# --- the choice -----------------------------------------------------------------------------------


def choose(
    which: Literal["forward", "input", "kernel"],
    x_shape: Sequence[int],
    kernel_shape: Sequence[int],
    geometry: Geometry,
) -> Lowering:
    """Choose the lowering of one of the three maps on the CPU.

    Figures are ms on two AVX-512 cores, XLA's convolution against ours (jaxlib 0.10.2):
    channels -> filters, window, output, batch. `bench/kernels_conv.py` prints them again.
    """
    channels, filters = kernel_shape[-2:]
    if geometry.groups > 1:
        # depthwise 128, 3x3, 28x28x8: 15.2 against 0.23 forward, 7.6 against 1.9 kernel gradient
        return "taps" if channels == 1 else "groups"
    if len(geometry.offsets) == 1 or len(geometry.window) == 3:
        # 1x1 256 -> 64, 56x56x8: 6.1 against 2.3, kernel gradient 18 against 5;
        # 3x3x3 16 -> 32, 16x16x16x4: 8.2 against 3.1, kernel gradient 16 against 3.8
        return "patches"
    # XLA's convolution is at its best on wide unstrided rows of many channels, and with few filters
    # a patch matrix is more memory traffic than work.
    wide = geometry.outputs[-1] >= 24 and channels % 8 == 0 and set(geometry.strides) == {1}
    if which == "forward":
        if channels == 1:
            return "taps"  # 1 -> 32, 3x3, 26x26x128: 0.50 against 0.26
        # wide:   128 -> 128, 28x28x8: 4.2 against 5.9;    32 -> 32, 128x128x4: 5.1 against 12.6
        # narrow: 3 -> 32, 30x30x32: 1.6 against 0.36;     32 -> 64, 13x13x32: 1.1 against 0.67
        return "conv" if wide else "patches"
    if which == "input":
        # 32 -> 32, 128x128x4: 5.1 against 11.7;  128 -> 128, 28x28x8: 4.2 against 5.7
        # 64 -> 64, 56x56x8: 7.8 against 6.9;     32 -> 64, 13x13x32: 0.75 against 0.55
        return "conv" if wide and (filters < 64 or channels >= 128) else "patches"
    # Kernel gradient in a loop body: XLA's convolution takes 75 against 0.9 (32 -> 64, 13x13x32).
    # Outside: 64 -> 64, 56x56x8: 12.3 against 9.9;  32 -> 32, 128x128x4: 11.3 against 21
    return "conv" if wide and filters < 64 and geometry.placement == "plain" else "patches"


# --- lowering 1: XLA's own convolution ------------------------------------------------------------


def _plain_conv(x, kernel, strides, padding, dilation, groups):
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


def _conv_forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
    g = geometry
    return _plain_conv(x, kernel, g.strides, g.padding, g.dilation, g.groups)


def _conv_input(geometry: Geometry, dy: Array, kernel: Array) -> Array:
    """Convolve with the turned kernel, written as a forward convolution.

    The form autodiff writes (swapped dimension numbers) is 4 to 12 times slower in a loop body.
    """
    if geometry.groups > 1:
        shape = (dy.shape[0], *geometry.sizes, kernel.shape[-2] * geometry.groups)
        x = jax.ShapeDtypeStruct(shape, dy.dtype)
        return jax.linear_transpose(lambda x: _conv_forward(geometry, x, kernel), x)(dy)[0]
    g = geometry
    return _transposed_conv(dy, kernel, g.strides, g.padding, g.dilation, g.sizes)


def _conv_kernel(geometry: Geometry, x: Array, dy: Array) -> Array:
    shape = (*geometry.window, x.shape[-1] // geometry.groups, dy.shape[-1])
    kernel = jax.ShapeDtypeStruct(shape, x.dtype)
    return jax.linear_transpose(lambda kernel: _conv_forward(geometry, x, kernel), kernel)(dy)[0]


def _transposed_conv(x, kernel, strides, pairs, dilation, sizes):
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
    return jnp.concatenate([_tap(geometry, padded, offset) for offset in geometry.offsets], -1)


def _spread(geometry: Geometry, part: Array, offset: tuple[int, ...]) -> Array:
    """Undo `_tap`: put (batch, *outputs, channels) at its places among zeros, padding cut off."""
    config = [(0, 0, 0)]
    for start, (low, _), stride, count, size in zip(
        offset, geometry.padding, geometry.strides, geometry.outputs, geometry.sizes, strict=True
    ):
        before = start - low
        config.append((before, size - before - (count - 1) * stride - 1, stride - 1))
    return lax.pad(part, jnp.zeros((), part.dtype), [*config, (0, 0, 0)])


def _patches_forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
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


def _patches_input(geometry: Geometry, dy: Array, kernel: Array) -> Array:
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


def _patches_kernel(geometry: Geometry, x: Array, dy: Array) -> Array:
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


def _taps_forward(geometry: Geometry, x: Array, kernel: Array) -> Array:
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


def _taps_input(geometry: Geometry, dy: Array, kernel: Array) -> Array:
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


def _taps_kernel(geometry: Geometry, x: Array, dy: Array) -> Array:
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


# --- lowering 4: group by group -------------------------------------------------------------------


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
    ("forward", "conv"): _conv_forward,
    ("input", "conv"): _conv_input,
    ("kernel", "conv"): _conv_kernel,
    ("forward", "patches"): _patches_forward,
    ("input", "patches"): _patches_input,
    ("kernel", "patches"): _patches_kernel,
    ("forward", "taps"): _taps_forward,
    ("input", "taps"): _taps_input,
    ("kernel", "taps"): _taps_kernel,
    ("forward", "groups"): _groups_forward,
    ("input", "groups"): _groups_input,
    ("kernel", "groups"): _groups_kernel,
}
