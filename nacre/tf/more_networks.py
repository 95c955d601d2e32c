"""More of `tf.nn`: losses of a strategy, statistics, convolutions, decoding, sparse look-ups."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.tf.arguments import listed, t
from nacre.tf.arranging import reshape
from nacre.tf.dtypes import as_dtype
from nacre.tf.formulas import reduced
from nacre.tf.networks import convolution, depthwise, layout, pool, transposed_convolution
from nacre.tf.nodes import node
from nacre.tf.sizes import plain, sizes_of
from nacre.tf.sparse_tensors import SparseTensor
from nacre.tf.values import same, tensor

# --- losses ---------------------------------------------------------------------------------------


def average_loss(losses: Any, weights: Any, batch_size: Any) -> Any:
    """Σ losses · weights / batch size, by default the size of this batch."""
    losses = tensor(losses)
    if losses.ndim == 0:
        rule, fix = "losses must have an axis of samples", "Use reduction='none'."
        raise ShapeError(message("tf.nn.compute_average_loss", rule, "a number", fix))
    if weights is not None:
        weights = node("Cast")(tensor(weights), DstT=as_dtype(losses.dtype))
        while weights.ndim < losses.ndim:
            weights = weights[..., None]
        losses = losses * weights
    total = reduced("Sum", losses, None, False)
    return total / (losses.shape[0] if batch_size is None else t(batch_size, total))


def poisson_loss(targets: Any, log_input: Any, is_full: bool) -> Any:
    """exp(c) - z · c, and Stirling's z · log z - z + log(2π z) / 2 for z above 1."""
    z, c = same(targets, log_input)
    found = node("Exp")(c) - c * z
    if not is_full:
        return found
    safe = ops.where(z > 1, z, ops.ones_like(z))
    more = safe * ops.log(safe) - safe + 0.5 * ops.log(2 * math.pi * safe)
    return found + ops.where((z >= 0) & (z <= 1), ops.zeros_like(z), more)


# --- statistics -----------------------------------------------------------------------------------


def weighted_moments(x: Any, axes: Any, weights: Any, keepdims: bool) -> tuple[Any, Any]:
    """Mean and variance with weights."""
    x, w = same(x, weights)
    w = ops.broadcast_to(w, x.shape)
    total = reduced("Sum", w, axes, True)
    mean = reduced("Sum", x * w, axes, True) / total
    variance = reduced("Sum", w * (x - mean) * (x - mean), axes, True) / total
    if keepdims:
        return mean, variance
    return tuple(node("Squeeze")(v, squeeze_dims=listed(axes)) for v in (mean, variance))  # type: ignore[return-value]


def sufficient_statistics(x: Any, axes: Any, shift: Any, keepdims: bool) -> Any:
    """How many numbers, their sum and that of their squares, after a shift."""
    count = math.prod(x.shape[n] for n in listed(axes))
    moved = x if shift is None else x - t(shift, x)
    sums = [reduced("Sum", v, axes, keepdims) for v in (moved, moved * moved)]
    return tensor(float(count), x.dtype), *sums, shift


def normalize_moments(count: Any, mean_sum: Any, square_sum: Any, shift: Any) -> tuple[Any, Any]:
    """Mean and variance of what `sufficient_statistics` gives."""
    moved = mean_sum / count
    mean = moved if shift is None else moved + t(shift, moved)
    return mean, square_sum / count - moved * moved


# --- convolutions ---------------------------------------------------------------------------------


def separable(
    x: Any, per_channel: Any, pointwise: Any, strides: Any, padding: Any, form: Any, rates: Any
) -> Any:
    """A convolution of each channel by itself, and one of 1 × 1 after it."""
    inner = depthwise(x, per_channel, strides, padding, form, rates)
    return convolution(inner, pointwise, 1, "VALID", form, 1, 2)


def transposed_of_rank(
    x: Any, kernel: Any, sizes: Any, strides: Any, padding: Any, form: Any, rates: Any, rank: Any
) -> Any:
    """The gradient of a convolution of 1, 2 or 3 axes with respect to its input."""
    rank = kernel.ndim - 2 if rank is None else rank
    if rank == 2:
        return transposed_convolution(x, kernel, sizes, strides, padding, form, rates)
    first = layout(form) == "NCHW"
    space = [plain(1 if v is None else v) for v in (strides, rates)]
    steps = [_of_space(v, rank, first) for v in space]
    wanted = sizes_of(sizes)
    if len(wanted) == rank:
        channels = kernel.shape[-2]
        full = (x.shape[0], channels, *wanted) if first else (x.shape[0], *wanted, channels)
        wanted = full
    if rank == 1:  # one row of a picture
        at = 2 if first else 1
        found = transposed_convolution(
            node("ExpandDims")(x, np.int32(at)), kernel[None], (*wanted[:at], 1, *wanted[at:]),
            [1, *steps[0]], padding, "NCHW" if first else "NHWC", [1, *steps[1]],
        )  # fmt: skip
        return reshape(found, wanted)
    five = [[1, 1, *v] if first else [1, *v, 1] for v in steps]
    return node("Conv3DBackpropInputV2")(
        np.asarray(wanted, np.int32), kernel, x, strides=five[0], dilations=five[1],
        padding=padding, data_format="NCDHW" if first else "NDHWC",
    )  # fmt: skip


def _of_space(value: Any, rank: int, first: bool) -> tuple[int, ...]:
    found = value if isinstance(value, tuple) else (value,)
    if len(found) == 1:
        return found * rank
    return found if len(found) == rank else found[2:] if first else found[1:-1]


def pooled(
    x: Any, window: Any, kind: str, strides: Any, padding: Any, form: Any, rates: Any
) -> Any:
    """The mean or the largest number of windows, told by a word."""
    if kind not in ("AVG", "MAX"):
        raise ArgumentError(
            message("tf.nn.pool", "pooling_type must be 'AVG' or 'MAX'", repr(kind))
        )
    if rates is not None and any(n != 1 for n in np.ravel(plain(rates)).tolist()):
        rule = "dilations must be 1"
        raise ArgumentError(message("tf.nn.pool", rule, f"{rates}"))
    name = "AvgPool" if kind == "AVG" else "MaxPool"
    return pool(name, x, window, 1 if strides is None else strides, padding, form)


def max_pool_with_places(
    x: Any, window: Any, strides: Any, padding: str, dtype: Any, with_batch: bool
) -> Any:
    """The largest numbers of windows, and where each stands in its flattened picture."""
    four = [(1, *_of_space(plain(v), 2, False), 1) for v in (window, strides)]
    return node("MaxPoolWithArgmax")(
        x, ksize=list(four[0]), strides=list(four[1]), padding=padding, Targmax=as_dtype(dtype),
        include_batch_in_index=with_batch,
    )  # fmt: skip


def dilation(x: Any, kernel: Any, strides: Any, padding: str, rates: Any) -> Any:
    """The largest of inputs plus kernel in each window."""
    return node("Dilation2D")(
        x, kernel, strides=list(plain(strides)), rates=list(plain(rates)), padding=padding
    )


def erosion(x: Any, kernel: Any, strides: Any, padding: str, rates: Any) -> Any:
    """The smallest of inputs minus kernel in each window."""
    return -dilation(-x, kernel[::-1, ::-1], strides, padding, rates)


def stateless_dropout(x: Any, rate: Any, seed: Any, noise_shape: Any) -> Any:
    """Zeros in places that two numbers of a seed tell."""
    from nacre.tf.randoms import stateless_uniform

    sizes = tuple(x.shape) if noise_shape is None else sizes_of(noise_shape)
    keeps = stateless_uniform(sizes, seed, 0, 1, x.dtype) >= rate
    return ops.where(keeps, x / (1 - rate), ops.zeros_like(x))


# --- connectionist temporal classification --------------------------------------------------------


def ctc_decoded(
    logits: Any, lengths: Any, strategy: str, width: int, paths: int, merges: bool, blank: Any
) -> tuple[list[SparseTensor], Any]:
    """The best label sequences of logits (time, batch, classes), as sparse tensors, and scores."""
    classes = logits.shape[-1]
    at = classes - 1 if blank is None else plain(blank)
    found, scores = ops.ctc_decode(
        ops.transpose(logits, (1, 0, 2)), t(lengths), strategy, width, paths, merges,
        at + classes if at < 0 else at,
    )  # fmt: skip
    return [_without_ends(np.asarray(path)) for path in found], scores


def _without_ends(path: np.ndarray) -> SparseTensor:
    places = np.argwhere(path >= 0)
    longest = int((path >= 0).sum(1).max(initial=0))
    values = path[tuple(places.T)].astype(np.int64)
    return SparseTensor(places.astype(np.int64), values, np.asarray([len(path), longest], np.int64))


# --- tables by sparse numbers ---------------------------------------------------------------------


def embedding_lookup_sparse(params: Any, ids: Any, weights: Any, combiner: Any, norm: Any) -> Any:
    """Rows of a table, those of one sample together: (samples, *row).

    Args:
        params: The table.
        ids: A sparse tensor of the rows' numbers.
        weights: A sparse tensor of as many weights; None for ones.
        combiner: 'sum', 'mean' (the default) or 'sqrtn': what the sum of rows is divided by.
        norm: How long a row may be.
    """
    from nacre.tf.networks import embedding_lookup

    who = "tf.nn.embedding_lookup_sparse"
    kind = combiner or "mean"
    if kind not in ("sum", "mean", "sqrtn"):
        rule = "combiner must be 'sum', 'mean' or 'sqrtn'"
        raise ArgumentError(message(who, rule, repr(combiner)))
    if not isinstance(ids, SparseTensor):
        fix = "Use tf.nn.embedding_lookup for dense ones."
        raise ArgumentError(message(who, "ids must be sparse", type(ids).__name__, fix))
    samples = np.asarray(ids.indices)[:, 0].astype(np.int32)
    count = int(samples.max(initial=-1)) + 1
    rows = embedding_lookup(params, tensor(ids.values), norm)
    w = ops.ones((len(samples),), rows.dtype)
    if weights is not None:
        w = ops.cast(tensor(weights.values), rows.dtype)
    shape = (-1, *[1] * (rows.ndim - 1))
    total = ops.segment_sum(rows * ops.reshape(w, shape), samples, count)
    if kind == "sum":
        return total
    mass = ops.segment_sum(w if kind == "mean" else w * w, samples, count)
    return ops.divide_no_nan(total, ops.reshape(mass if kind == "mean" else ops.sqrt(mass), shape))


def safe_embedding_lookup_sparse(
    params: Any, ids: Any, weights: Any, combiner: Any, default: Any, norm: Any
) -> Any:
    """The same, where samples without a valid number have the row `default`, else zeros."""
    places, values = np.asarray(ids.indices), np.asarray(ids.values)
    keeps = values >= 0
    if weights is not None and (combiner or "mean") != "sum":
        keeps = keeps & (np.asarray(weights.values) > 0)
    rows = int(np.asarray(ids.dense_shape)[0])
    samples = places[keeps, 0]
    is_empty = np.bincount(samples, minlength=rows) == 0
    shape = ids.dense_shape
    kept = SparseTensor(places[keeps], values[keeps], shape)
    w = None
    if weights is not None:
        w = SparseTensor(places[keeps], tensor(weights.values)[np.flatnonzero(keeps)], shape)
    found = embedding_lookup_sparse(params, kept, w, combiner, norm)
    found = ops.pad(found, [(0, rows - found.shape[0]), *[(0, 0)] * (found.ndim - 1)])
    if default is None:
        return found
    fill = embedding_lookup_row(params, default)
    return ops.where(is_empty.reshape(-1, *[1] * (found.ndim - 1)), fill, found)


def embedding_lookup_row(params: Any, at: Any) -> Any:
    """One row of a table."""
    table = params[0] if isinstance(params, list | tuple) else params
    return jax.numpy.asarray(tensor(table))[plain(at)]


__all__ = [
    "average_loss", "ctc_decoded", "dilation", "embedding_lookup_sparse", "erosion",
    "max_pool_with_places", "normalize_moments", "poisson_loss", "pooled",
    "safe_embedding_lookup_sparse", "separable", "stateless_dropout", "sufficient_statistics",
    "transposed_of_rank", "weighted_moments",
]  # fmt: skip
