"""Convolution and pooling in one, two and three dimensions.

Everything is worked out channels-last; channels-first tensors are turned around it. The lowering is
chosen in `kernels/`, by shape and by place (inside the training loop or not).
"""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core import config, safety
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating, to_pair
from nacre.ops._define import Family, composite, info_of
from nacre.ops.kernels import convolution as kernels
from nacre.ops.kernels import pooling
from nacre.ops.kernels.placement import Placement, current_placement

op = Family("nn", masks=masks.POSITIONS_CHANGE)


def _padding_name(who: str, padding: Any) -> Any:
    """'valid', 'same' or, of a convolution, 'causal', in small letters; pairs of numbers pass."""
    if not isinstance(padding, str):
        return tuple((int(low), int(high)) for low, high in padding)
    name = padding.lower()
    if name not in (("valid", "same", "causal") if who.endswith("conv") else ("valid", "same")):
        raise ArgumentError(message(who, "padding must be 'valid' or 'same'", repr(padding)))
    return name


def _last(x: jax.Array, data_format: str) -> jax.Array:
    return jnp.moveaxis(x, 1, -1) if data_format == "channels_first" else x


def _back(x: jax.Array, data_format: str) -> jax.Array:
    return jnp.moveaxis(x, -1, 1) if data_format == "channels_first" else x


def _both(inputs: Tensor, kernel: Tensor) -> tuple[jax.Array, jax.Array]:
    """Inputs and kernel in one float dtype (int8 by int8 stays); ints take the other's."""
    inputs, kernel = array(inputs), array(kernel)
    if inputs.dtype == kernel.dtype:
        return inputs, kernel
    dtype = jnp.result_type(inputs.dtype, kernel.dtype)
    dtype = dtype if jnp.issubdtype(dtype, jnp.inexact) else config.floatx()
    return inputs.astype(dtype), kernel.astype(dtype)


def _check_rank(who: str, inputs: jax.Array, kernel: jax.Array) -> int:
    ndim = inputs.ndim - 2
    if ndim not in (1, 2, 3) or kernel.ndim != inputs.ndim:
        raise ShapeError(
            message(
                who,
                "inputs must have axes (batch, 1 to 3 spatial, channels) and the kernel as many",
                f"inputs {tuple(inputs.shape)}, kernel {tuple(kernel.shape)}",
            )
        )
    return ndim


@composite(name="conv", lowering=("placement",))
def _conv(
    inputs: Tensor,
    kernel: Tensor,
    strides: tuple[int, ...],
    padding: Any,
    data_format: str,
    dilation_rate: tuple[int, ...],
    groups: int,
    placement: Placement,
) -> jax.Array:
    x = _last(array(inputs), data_format)
    outputs = _convolve(x, array(kernel), strides, padding, dilation_rate, groups, placement)
    return _back(outputs, data_format)


def _convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: tuple[int, ...],
    padding: Any,
    dilation: tuple[int, ...],
    groups: int,
    placement: Placement,
) -> jax.Array:
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        return _integer_convolve(x, kernel, strides, padding, dilation, groups)
    return kernels.convolution(
        x,
        kernel,
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=groups,
        placement=placement,
    )


def _integer_convolve(
    x: jax.Array, kernel: jax.Array, strides: Any, padding: Any, dilation: Any, groups: int
) -> jax.Array:
    """Convolution of integers; sums of int8 products need 32 bits."""
    pairs = kernels.explicit_padding(padding, x.shape[1:-1], kernel.shape[:-2], strides, dilation)
    axes = "DHW"[-(x.ndim - 2) :]
    return lax.conv_general_dilated(
        x,
        kernel,
        strides,
        pairs,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        feature_group_count=groups,
        preferred_element_type=jnp.int32 if x.dtype == jnp.int8 else None,
    )


@op
def conv(
    inputs: Tensor,
    kernel: Tensor,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """Convolution. Fewer kernel input channels than channels make groups.

    Shapes:
        inputs   (batch, *spatial, channels), or channels first
        kernel   (*window, channels / groups, filters)
        returns  (batch, *new_spatial, filters), or channels first
    """
    inputs, kernel = _both(inputs, kernel)
    ndim = _check_rank("conv", inputs, kernel)
    data_format = standardize_data_format(data_format)
    channels = inputs.shape[1 if data_format == "channels_first" else -1]
    if channels % kernel.shape[-2]:
        raise ShapeError(
            message(
                "conv",
                "the number of channels must be a multiple of the kernel's input channels",
                f"{channels} channels and kernel {tuple(kernel.shape)}",
            )
        )
    return _conv(
        inputs,
        kernel,
        strides=to_pair(strides, ndim),
        padding=_padding_name("conv", padding),
        data_format=data_format,
        dilation_rate=to_pair(dilation_rate, ndim),
        groups=channels // kernel.shape[-2],
        placement=current_placement(),
    )


@composite(name="depthwise_conv", lowering=("placement",))
def _depthwise_conv(
    inputs: Tensor,
    kernel: Tensor,
    strides: tuple[int, ...],
    padding: Any,
    data_format: str,
    dilation_rate: tuple[int, ...],
    placement: Placement,
) -> jax.Array:
    x, kernel = _last(array(inputs), data_format), array(kernel)
    channels, multiplier = kernel.shape[-2:]
    kernel = jnp.reshape(kernel, (*kernel.shape[:-2], 1, channels * multiplier))
    outputs = _convolve(x, kernel, strides, padding, dilation_rate, channels, placement)
    return _back(outputs, data_format)


@op
def depthwise_conv(
    inputs: Tensor,
    kernel: Tensor,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """Each channel convolved with its own kernels.

    Shapes:
        inputs   (batch, *spatial, channels), or channels first
        kernel   (*window, channels, multiplier)
        returns  (batch, *new_spatial, channels · multiplier), or channels first
    """
    inputs, kernel = _both(inputs, kernel)
    ndim = _check_rank("depthwise_conv", inputs, kernel)
    return _depthwise_conv(
        inputs,
        kernel,
        strides=to_pair(strides, ndim),
        padding=_padding_name("depthwise_conv", padding),
        data_format=standardize_data_format(data_format),
        dilation_rate=to_pair(dilation_rate, ndim),
        placement=current_placement(),
    )


@op
def separable_conv(
    inputs: Tensor,
    depthwise_kernel: Tensor,
    pointwise_kernel: Tensor,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """A depthwise convolution, then one with a window of 1 that mixes the channels.

    Shapes:
        depthwise_kernel  (*window, channels, multiplier)
        pointwise_kernel  (*ones, channels · multiplier, filters)
    """
    between = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(between, pointwise_kernel, 1, "valid", data_format)


@composite(name="conv_transpose", lowering=("placement",))
def _conv_transpose(
    inputs: Tensor,
    kernel: Tensor,
    strides: tuple[int, ...],
    padding: str,
    output_padding: tuple[int, ...] | None,
    data_format: str,
    dilation_rate: tuple[int, ...],
    placement: Placement,
) -> jax.Array:
    outputs = kernels.transposed_convolution(
        _last(array(inputs), data_format),
        array(kernel),
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation_rate,
        placement=placement,
    )
    return _back(outputs, data_format)


@op
def conv_transpose(
    inputs: Tensor,
    kernel: Tensor,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> jax.Array:
    """The transpose of a convolution: it makes the spatial axes larger by `strides`.

    Shapes:
        inputs  (batch, *spatial, channels), or channels first
        kernel  (*window, filters, channels)
    """
    inputs, kernel = _both(inputs, kernel)
    ndim = _check_rank("conv_transpose", inputs, kernel)
    return _conv_transpose(
        inputs,
        kernel,
        strides=to_pair(strides, ndim),
        padding=_padding_name("conv_transpose", padding),
        output_padding=None if output_padding is None else to_pair(output_padding, ndim),
        data_format=standardize_data_format(data_format),
        dilation_rate=to_pair(dilation_rate, ndim),
        placement=current_placement(),
    )


def _pool_arguments(
    who: str, inputs: jax.Array, pool_size: Any, strides: Any, padding: str, data_format: Any
) -> dict[str, Any]:
    ndim = inputs.ndim - 2
    if ndim not in (1, 2, 3):
        raise ShapeError(
            message(
                who,
                "inputs must have axes (batch, 1 to 3 spatial, channels)",
                f"shape {tuple(inputs.shape)}",
            )
        )
    window = to_pair(pool_size, ndim)
    return {
        "pool_size": window,
        "strides": window if strides is None else to_pair(strides, ndim),
        "padding": _padding_name(who, padding),
        "data_format": standardize_data_format(data_format),
        "placement": current_placement(),
    }


@composite(name="max_pool", lowering=("placement",))
def _max_pool(
    inputs: Tensor,
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    data_format: str,
    placement: Placement,
) -> jax.Array:
    x = _last(array(inputs), data_format)
    outputs = pooling.max_pool(
        x, window=pool_size, strides=strides, padding=padding, placement=placement
    )
    return _back(outputs, data_format)


@op
def max_pool(
    inputs: Tensor,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """The largest element of each window; `strides` are the window's sizes by default."""
    inputs = array(inputs)
    arguments = _pool_arguments("max_pool", inputs, pool_size, strides, padding, data_format)
    return _max_pool(inputs, **arguments)


@composite(name="average_pool", lowering=("placement",))
def _average_pool(
    inputs: Tensor,
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    data_format: str,
    placement: Placement,
) -> jax.Array:
    x = _last(floating(inputs), data_format)
    outputs = pooling.average_pool(
        x, window=pool_size, strides=strides, padding=padding, placement=placement
    )
    return _back(outputs, data_format)


@op
def average_pool(
    inputs: Tensor,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """The mean of each window, over the elements that are really there."""
    inputs = array(inputs)
    arguments = _pool_arguments("average_pool", inputs, pool_size, strides, padding, data_format)
    return _average_pool(inputs, **arguments)


def _adaptive(x: jax.Array, sizes: tuple[int, ...], join: Any) -> jax.Array:
    """Each spatial axis cut into `sizes` windows that cover it evenly, and joined."""
    for axis, count in enumerate(sizes, start=1):
        length = x.shape[axis]
        if length % count == 0:
            shape = (*x.shape[:axis], count, length // count, *x.shape[axis + 1 :])
            x = join(jnp.reshape(x, shape), axis + 1)
            continue
        safety.reserve_steps(count, "adaptive pooling")
        edges = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
        parts = [join(lax.slice_in_dim(x, low, high, axis=axis), axis) for low, high in edges]
        x = jnp.stack(parts, axis=axis)
    return x


@composite(name="adaptive_average_pool")
def _adaptive_average_pool(
    inputs: Tensor, output_size: tuple[int, ...], data_format: str
) -> jax.Array:
    x = _last(floating(inputs), data_format)
    return _back(_adaptive(x, output_size, jnp.mean), data_format)


@composite(name="adaptive_max_pool")
def _adaptive_max_pool(inputs: Tensor, output_size: tuple[int, ...], data_format: str) -> jax.Array:
    x = _last(array(inputs), data_format)
    return _back(_adaptive(x, output_size, jnp.max), data_format)


def _adaptive_arguments(
    who: str, inputs: jax.Array, output_size: Any, data_format: Any
) -> dict[str, Any]:
    if inputs.ndim not in (3, 4, 5):
        raise ShapeError(
            message(who, "inputs must have axes (batch, 1 to 3 spatial, channels)",
                    f"shape {tuple(inputs.shape)}")
        )  # fmt: skip
    data_format = standardize_data_format(data_format)
    spatial = inputs.shape[2:] if data_format == "channels_first" else inputs.shape[1:-1]
    if isinstance(output_size, int) or output_size is None:
        output_size = (output_size,) * len(spatial)
    if len(output_size) != len(spatial) or any(s is not None and s < 1 for s in output_size):
        raise ArgumentError(
            message(who, f"output_size must be an int of 1 or more, or {len(spatial)} of them",
                    repr(output_size))
        )  # fmt: skip
    sizes = tuple(n if s is None else int(s) for s, n in zip(output_size, spatial))
    return {"output_size": sizes, "data_format": data_format}


@op
def adaptive_average_pool(
    inputs: Tensor, output_size: Any, data_format: str | None = None
) -> jax.Array:
    """Means over windows chosen so that the result has `output_size`."""
    inputs = array(inputs)
    arguments = _adaptive_arguments("adaptive_average_pool", inputs, output_size, data_format)
    return _adaptive_average_pool(inputs, **arguments)


@op
def adaptive_max_pool(
    inputs: Tensor, output_size: Any, data_format: str | None = None
) -> jax.Array:
    """Largest elements over windows chosen so that the result has `output_size`."""
    inputs = array(inputs)
    arguments = _adaptive_arguments("adaptive_max_pool", inputs, output_size, data_format)
    return _adaptive_max_pool(inputs, **arguments)


def _blocks(who: str, x: jax.Array, block_size: Any, data_format: str | None) -> tuple[int, bool]:
    """What both block ops are given, checked: the size, and True for channels first."""
    if x.ndim != 4:
        raise ShapeError(message(who, "x must be images with a batch, of 4 axes", f"{x.shape}"))
    size = whole_number(who, "block_size", block_size)
    return size, standardize_data_format(data_format) == "channels_first"


def _divided(who: str, what: str, size: Any, divisor: int) -> Any:
    """`size` / `divisor`, which must leave nothing."""
    if isinstance(size, int) and size % divisor:
        raise ShapeError(message(who, f"the {what} must be a multiple of {divisor}", str(size)))
    return size // divisor


@op(composite=True)
def space_to_depth(
    x: Tensor, block_size: int, data_format: str | None = "channels_last"
) -> jax.Array:
    """Blocks of pixels moved into channels.

    Channels of the result are counted (block row, block column, channel); channels first
    (channel, block row, block column).
    """
    x = array(x)
    b, is_first = _blocks("space_to_depth", x, block_size, data_format)
    batch, channels, height, width = x.shape if is_first else (x.shape[i] for i in (0, 3, 1, 2))
    height = _divided("space_to_depth", "height", height, b)
    width = _divided("space_to_depth", "width", width, b)
    if is_first:
        x = jnp.reshape(x, (batch, channels, height, b, width, b))
        x = jnp.transpose(x, (0, 1, 3, 5, 2, 4))
        return jnp.reshape(x, (batch, channels * b * b, height, width))
    x = jnp.reshape(x, (batch, height, b, width, b, channels))
    x = jnp.transpose(x, (0, 1, 3, 2, 4, 5))
    return jnp.reshape(x, (batch, height, width, b * b * channels))


@op(composite=True)
def depth_to_space(
    x: Tensor, block_size: int, data_format: str | None = "channels_last"
) -> jax.Array:
    """Channels moved into blocks of pixels: the inverse of `space_to_depth`."""
    x = array(x)
    b, is_first = _blocks("depth_to_space", x, block_size, data_format)
    batch, channels, height, width = x.shape if is_first else (x.shape[i] for i in (0, 3, 1, 2))
    channels = _divided("depth_to_space", "number of channels", channels, b * b)
    if is_first:
        x = jnp.reshape(x, (batch, channels, b, b, height, width))
        x = jnp.transpose(x, (0, 1, 4, 2, 5, 3))
        return jnp.reshape(x, (batch, channels, height * b, width * b))
    x = jnp.reshape(x, (batch, height, width, b, b, channels))
    x = jnp.transpose(x, (0, 1, 3, 2, 4, 5))
    return jnp.reshape(x, (batch, height * b, width * b, channels))


@op(composite=True)
def unfold(
    x: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> jax.Array:
    """Sliding windows of images, each as one column.

    Shapes:
        x        (batch, channels, height, width)
        returns  (batch, channels · window, windows)
    """
    x = array(x)
    window, step, gap = to_pair(kernel_size, 2), to_pair(stride, 2), to_pair(dilation, 2)
    x = jnp.pad(x, ((0, 0), (0, 0), *((p, p) for p in to_pair(padding, 2))))
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(x.shape[2:], window, gap, step)]
    if any(isinstance(count, int) and count < 1 for count in counts):
        raise ShapeError(
            message(
                "unfold", "the window must fit into the images with their padding",
                f"kernel_size {window}, dilation {gap} and padded images of {x.shape[2:]}",
            )
        )  # fmt: skip
    taps = [_tap(x, tap, gap, step, counts) for tap in itertools.product(*map(range, window))]
    columns = jnp.stack(taps, axis=2)  # (batch, channels, window, height, width)
    batch, channels = x.shape[:2]
    return jnp.reshape(columns, (batch, channels * len(taps), counts[0] * counts[1]))


def _tap(x: jax.Array, tap: Any, gap: Any, step: Any, counts: Any) -> jax.Array:
    """What one element of the window sees at every place."""
    starts = [t * d for t, d in zip(tap, gap)]
    ends = [a + (c - 1) * s + 1 for a, c, s in zip(starts, counts, step)]
    return lax.slice(x, (0, 0, *starts), (*x.shape[:2], *ends), (1, 1, *step))


@op(composite=True)
def fold(
    x: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> jax.Array:
    """Images from columns of sliding windows, overlaps summed: the transpose of `unfold`.

    Shapes:
        x        (batch, channels · window, windows)
        returns  (batch, channels, *output_size)
    """
    x = array(x)
    window = to_pair(kernel_size, 2)
    channels = x.shape[1] // (window[0] * window[1])
    image = jax.ShapeDtypeStruct((x.shape[0], channels, *to_pair(output_size, 2)), x.dtype)
    spread = lambda image: info_of(unfold).function(image, kernel_size, dilation, padding, stride)
    return jax.linear_transpose(spread, image)(x)[0]


__all__, __dir__ = op.shown()
