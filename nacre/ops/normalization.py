"""Normalisation: by given statistics (batch), over features (layer, RMS) and over groups."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core import config
from nacre.ops import _roots
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Axis, Tensor, array, axes_of, floating
from nacre.ops._define import Family, composite
from nacre.ops.kernels import layer_norm
from nacre.ops.kernels.centring import centred
from nacre.ops.kernels.native.table import WhenUsed

op = Family("nn", masks=masks.elementwise)


def _along(parameter: Any, x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """A parameter of the sizes of `axes`, shaped so that it broadcasts against `x`."""
    parameter = array(parameter)
    if parameter.ndim == x.ndim or axes == tuple(range(x.ndim - parameter.ndim, x.ndim)):
        return parameter
    return jnp.reshape(parameter, [x.shape[a] if a in axes else 1 for a in range(x.ndim)])


@op(composite=True, class_name="BatchNorm")
def batch_normalization(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    axis: int,
    offset: Tensor = None,
    scale: Tensor = None,
    epsilon: float = 1e-3,
) -> jax.Array:
    """`scale` · (x - mean) / sqrt(variance + epsilon) + `offset`, one of each per index of `axis`.

    Precision:
        16-bit inputs are normalized in float32; the result is cast back. The mean is taken off
        first: where it is large, x · factor and mean · factor have no digits of their difference.
    """
    x = floating(x)
    axes = (axis % x.ndim,)
    wide = _roots.wide(x)
    factor = lax.rsqrt(floating(variance) + epsilon)
    if scale is not None:
        factor = factor * array(scale)
    mean, factor = (_along(a, x, axes).astype(wide.dtype) for a in (mean, factor))
    outputs = (wide - mean) * factor
    if offset is not None:
        outputs = outputs + _along(offset, x, axes).astype(wide.dtype)
    return outputs.astype(x.dtype)


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    axis = axes_of(axis)
    axes = (axis,) if isinstance(axis, int) else range(ndim) if axis is None else axis
    return tuple(sorted(a % ndim for a in axes))


def _when_compiled(x: Tensor, scale: Tensor, offset: Tensor, axis: Axis) -> WhenUsed:
    x, *given = (None if a is None else array(a) for a in (x, scale, offset))
    assert x is not None
    return layer_norm.when_compiled(x, *given, is_last=_axes(axis, x.ndim) == (x.ndim - 1,))


def layer_normalization_is_compiled(x: Tensor, gamma: Tensor, beta: Tensor, axis: Axis) -> bool:
    """Tell whether `layer_normalization` is one compiled call where this is traced."""
    return _when_compiled(floating(x), gamma, beta, axis) == "always"


@composite(name="layer_normalization", lowering=("compiled",))
def _layer_normalization(
    x: Tensor, gamma: Tensor, beta: Tensor, axis: Axis, epsilon: float, compiled: WhenUsed
) -> jax.Array:
    x = floating(x)
    if compiled != "never":
        scale, offset = (None if a is None else array(a) for a in (gamma, beta))
        return layer_norm.layer_norm(x, scale, offset, epsilon, is_centred=True, compiled=compiled)
    axes = _axes(axis, x.ndim)
    wide = _roots.wide(x)
    around = centred(wide, axes)
    variance = jnp.mean(jnp.square(around), axes, keepdims=True)
    outputs = around * lax.rsqrt(variance + epsilon)
    if gamma is not None:
        outputs = outputs * _along(gamma, x, axes).astype(wide.dtype)
    if beta is not None:
        outputs = outputs + _along(beta, x, axes).astype(wide.dtype)
    return outputs.astype(x.dtype)


def _over_deviation(x: Tensor, gamma: Tensor, axis: Axis, epsilon: float) -> jax.Array:
    x = floating(x)
    axes = _axes(axis, x.ndim)
    wide = _roots.wide(x)
    outputs = wide * lax.rsqrt(jnp.var(wide, axes, keepdims=True) + epsilon)
    if gamma is not None:
        outputs = outputs * _along(gamma, x, axes).astype(wide.dtype)
    return outputs.astype(x.dtype)


@op(class_name="LayerNorm")
def layer_normalization(
    x: Tensor,
    gamma: Tensor = None,
    beta: Tensor = None,
    axis: Axis = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> jax.Array:
    """`gamma` · (x - mean) / sqrt(variance + epsilon) + `beta`, over the features of each sample.

    With `rms_scaling=True`, as in Keras: `gamma` · x / sqrt(variance + epsilon).

    Source:
        Ba et al. 2016, arXiv:1607.06450.
    """
    epsilon = config.epsilon() if epsilon is None else float(epsilon)
    if kwargs.pop("rms_scaling", False):
        return _over_deviation(x, gamma, axis, epsilon)
    axis = axes_of(axis)
    compiled = _when_compiled(x, gamma, beta, axis)
    return _layer_normalization(x, gamma, beta, axis=axis, epsilon=epsilon, compiled=compiled)


@composite(name="rms_normalization", lowering=("compiled",))
def _rms_normalization(
    x: Tensor, scale: Tensor, axis: Axis, epsilon: float, compiled: WhenUsed
) -> jax.Array:
    x = floating(x)
    if compiled != "never":
        scale = None if scale is None else array(scale)
        return layer_norm.layer_norm(x, scale, None, epsilon, is_centred=False, compiled=compiled)
    axes = _axes(axis, x.ndim)
    wide = _roots.wide(x)
    mean_square = jnp.mean(jnp.square(wide), axes, keepdims=True)
    outputs = wide * lax.rsqrt(mean_square + epsilon)
    if scale is not None:
        outputs = outputs * _along(scale, x, axes).astype(wide.dtype)
    return outputs.astype(x.dtype)


@op(class_name="RMSNorm")
def rms_normalization(
    x: Tensor, scale: Tensor = None, axis: Axis = -1, epsilon: float | None = None
) -> jax.Array:
    """`scale` · x / sqrt(mean(x²) + epsilon).

    Source:
        Zhang & Sennrich 2019, arXiv:1910.07467. Differs: epsilon, which the paper omits.
    """
    epsilon = config.epsilon() if epsilon is None else float(epsilon)
    axis = axes_of(axis)
    compiled = _when_compiled(x, scale, None, axis)
    return _rms_normalization(x, scale, axis=axis, epsilon=epsilon, compiled=compiled)


@op(composite=True, is_listed=False)
def group_normalization(
    x: Tensor,
    gamma: Tensor = None,
    beta: Tensor = None,
    groups: int = 32,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> jax.Array:
    """Layer normalisation over each group of channels and all spatial axes.

    Shapes:
        x            (batch, ..., channels), channels on `axis`
        gamma, beta  (channels,)
    Source:
        Wu & He 2018, arXiv:1803.08494.
    """
    x = floating(x)
    axis = axis % x.ndim
    channels = x.shape[axis]
    shape = (*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :])
    wide = _roots.wide(jnp.reshape(x, shape))
    axes = tuple(a for a in range(1, len(shape)) if a != axis)
    around = centred(wide, axes)
    variance = jnp.mean(jnp.square(around), axes, keepdims=True)
    outputs = jnp.reshape(around * lax.rsqrt(variance + epsilon), x.shape)
    if gamma is not None:
        outputs = outputs * _along(gamma, x, (axis,)).astype(wide.dtype)
    if beta is not None:
        outputs = outputs + _along(beta, x, (axis,)).astype(wide.dtype)
    return outputs.astype(x.dtype)


__all__, __dir__ = op.shown()
