"""Operators that `run_decompositions` makes of others: parts written, pools with places, norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.onnx.registry import OPS as _ONNX
from nacre.export.importers.onnx.registry import Node
from nacre.export.importers.onnx.values import GraphError, computed
from nacre.export.importers.torch.operators import OPS, aten

# --- written --------------------------------------------------------------------------------------


@aten("fill")
def _fill(x: Any, value: Any) -> Any:
    return _spread(value, x.shape, x.dtype)


@aten("zero")
def _zero(x: Any) -> Any:
    return jnp.zeros_like(x)


@aten("copy")
def _copy(x: Any, src: Any, non_blocking: bool = False) -> Any:
    return _spread(src, x.shape, x.dtype)


def _spread(src: Any, shape: Sequence[int], dtype: Any) -> Any:
    """What is written into an array of a shape; it may have axes of size 1 before those."""
    src = jnp.asarray(src).astype(dtype)
    more = max(0, src.ndim - len(shape))
    return jnp.broadcast_to(src.reshape(src.shape[more:]), shape)


@aten("index_put", "_unsafe_index_put")
def _index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Places that are not there change nothing; a mask stands for the places where it is true."""
    masks = [i for i in indices if i is not None and i.dtype == bool]
    if masks:
        if len(indices) > 1 or accumulate or jnp.size(values) != 1:
            raise GraphError("a mask as an index gives a shape that only its values tell")
        mask = masks[0].reshape(masks[0].shape + (1,) * (x.ndim - masks[0].ndim))
        return jnp.where(mask, jnp.reshape(values, ()).astype(x.dtype), x)
    at = tuple(slice(None) if i is None else i for i in indices)
    values = _spread(values, x[at].shape, x.dtype)
    return x.at[at].add(values) if accumulate else x.at[at].set(values)


@aten("select_scatter")
def _select_scatter(x: Any, src: Any, dim: int, index: Any) -> Any:
    at = (*(slice(None),) * (dim % x.ndim), index)
    return x.at[at].set(src)


@aten("slice_scatter")
def _slice_scatter(
    x: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    dim = dim % x.ndim
    order = jnp.arange(x.shape[dim])
    places = OPS["slice"](order, 0, start, end, step)
    at = (*(slice(None),) * dim, places)
    return x.at[at].set(src)


@aten("index_add")
def _index_add(x: Any, dim: int, index: Any, source: Any, alpha: Any = 1) -> Any:
    at = (*(slice(None),) * (dim % max(x.ndim, 1)), index)
    return x.at[at].add((source * alpha).astype(x.dtype))


@aten("index_copy")
def _index_copy(x: Any, dim: int, index: Any, source: Any) -> Any:
    return x.at[(*(slice(None),) * (dim % x.ndim), index)].set(source)


@aten("index_fill")
def _index_fill(x: Any, dim: int, index: Any, value: Any) -> Any:
    at = (*(slice(None),) * (dim % x.ndim), index)
    return x.at[at].set(jnp.asarray(value).astype(x.dtype))


@aten("scatter_reduce")
def _scatter_reduce(
    x: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool = True
) -> Any:
    names = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}
    if reduce not in names or not include_self:
        what = reduce if include_self else f"{reduce}, without what was there"
        raise GraphError(f"scatter_reduce by '{what}'")
    updates = src[tuple(slice(0, n) for n in index.shape)]
    given = {"axis": dim, "reduction": names[reduce]}
    node = Node("ScatterElements", "", "scatter", 18, given, [], ["y"])
    return _ONNX["", "ScatterElements"].function(node, x, index, updates)


# --- pools ----------------------------------------------------------------------------------------


def _many(value: Any, count: int) -> list[Any]:
    value = list(value) if isinstance(value, list | tuple) else [value]
    return value * count if len(value) == 1 else value


def _with_places(rank: int) -> Any:
    def pool(
        x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> list[Any]:  # fmt: skip
        if x.ndim == rank + 1:  # without a batch
            return [v[0] for v in pool(x[None], kernel_size, stride, padding, dilation, ceil_mode)]
        kernel = _many(kernel_size, rank)
        given: dict[str, Any] = {
            "kernel_shape": kernel, "strides": _many(stride or kernel, rank),
            "pads": _many(padding, rank) * 2, "dilations": _many(dilation, rank),
            "ceil_mode": int(ceil_mode),
        }  # fmt: skip
        plain = Node("MaxPool", "", "max_pool", 18, given, [], ["y"])
        y = _ONNX["", "MaxPool"].function(plain, x)
        if not all(isinstance(n, int) for n in x.shape[2:]):
            return [y, None]
        node = Node("MaxPool", "", "max_pool", 18, given, [], ["y", "places"])
        # ONNX counts through the whole array, PyTorch within each channel.
        area = math.prod(x.shape[2:])
        return [y, _ONNX["", "MaxPool"].function(node, x)[1] % area]

    return pool


def _adaptive_max(rank: int) -> Any:
    def pool(x: Any, output_size: Any) -> list[Any]:
        sizes = x.shape[-rank:]
        wanted = [
            n if w is None else w for w, n in zip(_many(output_size, rank), sizes, strict=True)
        ]
        if not all(isinstance(n, int) for n in (*sizes, *wanted)):
            raise GraphError("adaptive pooling of a size that is not known")
        values, places = [], []
        for cell in np.ndindex(*wanted):
            ends = [
                (i * n // w, -(-(i + 1) * n // w))
                for i, n, w in zip(cell, sizes, wanted, strict=True)
            ]
            part = x[(..., *(slice(a, b) for a, b in ends))]
            flat = part.reshape((*x.shape[:-rank], math.prod(b - a for a, b in ends)))
            own = np.arange(math.prod(sizes)).reshape(sizes)[tuple(slice(a, b) for a, b in ends)]
            values.append(jnp.max(flat, -1))
            places.append(jnp.asarray(own.reshape(-1))[jnp.argmax(flat, -1)])
        shape = (*x.shape[:-rank], *wanted)
        return [jnp.stack(found, -1).reshape(shape) for found in (values, places)]

    return pool


for _rank in (1, 2, 3):
    OPS[f"max_pool{_rank}d_with_indices"] = _with_places(_rank)
    OPS[f"adaptive_max_pool{_rank}d"] = _adaptive_max(_rank)
    for _kind, _mode in (("reflection", "reflect"), ("replication", "replicate")):
        OPS[f"{_kind}_pad{_rank}d"] = lambda x, padding, _mode=_mode: OPS["pad"](x, padding, _mode)


# --- normalization --------------------------------------------------------------------------------


def _statistics(x: Any, axes: Sequence[int], eps: Any) -> tuple[Any, Any]:
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    mean = jnp.mean(wide, axes, keepdims=True)
    return mean, lax.rsqrt(jnp.mean(jnp.square(wide - mean), axes, keepdims=True) + eps)


@aten("native_layer_norm")
def _native_layer_norm(x: Any, normalized_shape: Any, weight: Any, bias: Any, eps: Any) -> Any:
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    y = OPS["layer_norm"](x, normalized_shape, weight, bias, eps)
    return [y, *_statistics(x, axes, eps)]


@aten("native_group_norm")
def _native_group_norm(
    x: Any, weight: Any, bias: Any, N: Any, C: int, HxW: Any, group: int, eps: Any
) -> Any:
    parts = x.reshape((x.shape[0], group, C // group, *x.shape[2:]))
    mean, scale = _statistics(parts, tuple(range(2, parts.ndim)), eps)
    y = OPS["group_norm"](x, group, weight, bias, eps)
    return [y, mean.reshape((x.shape[0], group)), scale.reshape((x.shape[0], group))]


def trained_norm(
    x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, momentum: Any, eps: Any
) -> tuple[Any, Any, Any]:
    """Batch normalization by the batch's own statistics, and the moving ones after it.

    PyTorch divides by n - 1 in the variance that it keeps, by n in the one it normalizes with.
    """
    axes = (0, *range(2, x.ndim))
    shape = (1, -1) + (1,) * (x.ndim - 2)
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    mean = jnp.mean(wide, axes)
    variance = jnp.mean(jnp.square(wide - mean.reshape(shape)), axes)
    y = (wide - mean.reshape(shape)) * lax.rsqrt(variance.reshape(shape) + eps)
    y = y if weight is None else y * weight.reshape(shape)
    y = (y if bias is None else y + bias.reshape(shape)).astype(x.dtype)
    count = jnp.asarray(x.size // x.shape[1], wide.dtype)
    unbiased = variance * (count / (count - 1))
    moved = [
        None if old is None else ((1 - momentum) * old + momentum * new).astype(old.dtype)
        for old, new in ((running_mean, mean), (running_var, unbiased))
    ]
    return y, moved[0], moved[1]


@aten("_native_batch_norm_legit_functional")
def _functional_batch_norm(
    x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, training: bool,
    momentum: Any, eps: Any,
) -> Any:  # fmt: skip
    if not training:
        y = OPS["batch_norm"](x, weight, bias, running_mean, running_var, eps=eps)
        nothing = jnp.zeros((0,), x.dtype)
        return [y, nothing, nothing, running_mean, running_var]
    given = x, weight, bias, running_mean, running_var, momentum, eps
    y, mean, variance = trained_norm(*given)
    own = _statistics(x, (0, *range(2, x.ndim)), eps)
    return [y, *(v.reshape(-1) for v in own), mean, variance]


@aten("_fft_r2c")
def _fft_of_reals(x: Any, dim: Any, normalization: int, onesided: bool) -> Any:
    y = jnp.fft.rfft(x, axis=dim[-1]) if onesided else jnp.fft.fft(x, axis=dim[-1])
    for axis in list(dim)[:-1]:
        y = jnp.fft.fft(y, axis=axis)
    count = math.prod(x.shape[axis] for axis in dim)
    scale = {0: 1.0, 1: 1 / math.sqrt(count), 2: 1 / count}[normalization]
    return (y * scale).astype(computed(y.dtype))


__all__ = ["trained_norm"]
