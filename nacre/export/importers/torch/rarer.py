"""Operators of ATen that are rarer: losses, distances, linear algebra, further shapes.

Numbers and defaults are those of PyTorch 2.14.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special as special
from jax import lax

from nacre.export.importers.onnx.values import GraphError, NotKnownError, computed
from nacre.export.importers.torch.operators import OPS, aten, kind_of

# --- element by element ---------------------------------------------------------------------------

_ONE: dict[str, Callable[[Any], Any]] = {
    "softsign": lambda x: x / (1 + jnp.abs(x)), "tanhshrink": lambda x: x - jnp.tanh(x),
    "sgn": jnp.sign, "lgamma": special.gammaln, "digamma": special.digamma,
    "erfinv": special.erfinv, "special_erfinv": special.erfinv, "sinc": jnp.sinc,
    "deg2rad": jnp.deg2rad, "rad2deg": jnp.rad2deg, "numpy_T": lambda x: x.T,
    "mT": lambda x: jnp.swapaxes(x, -1, -2), "ravel": lambda x: x.reshape(-1),
    "trace": jnp.trace, "det": jnp.linalg.det, "linalg_det": jnp.linalg.det,
    "inverse": jnp.linalg.inv, "_adjoint": lambda x: jnp.swapaxes(x, -1, -2),
}  # fmt: skip
_PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "logaddexp": jnp.logaddexp, "hypot": jnp.hypot, "xlogy": special.xlogy, "dot": jnp.dot,
    "kron": jnp.kron, "inner": jnp.inner, "linalg_matmul": jnp.matmul, "special_xlogy":
    special.xlogy,
}  # fmt: skip


def _one(function: Any) -> Any:
    return lambda x: function(x)


def _pair(function: Any) -> Any:
    return lambda x, other=None, tensor=None: function(x, tensor if other is None else other)


for _name, _function in _ONE.items():
    OPS[_name] = _one(_function)
for _name, _two in _PAIRS.items():
    OPS[_name] = _pair(_two)


@aten("hardshrink")
def _hardshrink(x: Any, lambd: Any = 0.5) -> Any:
    return jnp.where(jnp.abs(x) <= lambd, jnp.zeros((), x.dtype), x)


@aten("softshrink")
def _softshrink(x: Any, lambd: Any = 0.5) -> Any:
    return x - jnp.clip(x, -lambd, lambd)


@aten("threshold")
def _threshold(x: Any, threshold: Any, value: Any) -> Any:
    return jnp.where(x <= threshold, jnp.asarray(value, x.dtype), x)


@aten("logit")
def _logit(x: Any, eps: Any = None) -> Any:
    x = x if eps is None else jnp.clip(x, eps, 1 - eps)
    return jnp.log(x / (1 - x))


@aten("nan_to_num")
def _nan_to_num(x: Any, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Any:
    return jnp.nan_to_num(x, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


@aten("addcdiv")
def _addcdiv(x: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Any:
    return x + value * tensor1 / tensor2


@aten("isclose")
def _isclose(
    x: Any, other: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False
) -> Any:
    return jnp.isclose(x, other, rtol, atol, equal_nan)


# --- running --------------------------------------------------------------------------------------


@aten("cumprod")
def _cumprod(x: Any, dim: int, dtype: Any = None) -> Any:
    whole = x.dtype.kind in "iub"
    kind = kind_of(dtype) if dtype is not None else computed(jnp.int64) if whole else x.dtype
    return jnp.cumprod(x.astype(kind), axis=dim)


@aten("logcumsumexp")
def _logcumsumexp(x: Any, dim: int) -> Any:
    return lax.cumlogsumexp(x, axis=dim % x.ndim)


@aten("diff")
def _diff(x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    return jnp.diff(x, n, dim, prepend, append)


@aten("count_nonzero")
def _count_nonzero(x: Any, dim: Any = None) -> Any:
    axes = tuple(dim) if isinstance(dim, list | tuple) else dim
    return jnp.sum((x != 0).astype(computed(jnp.int64)), axes)


@aten("searchsorted")
def _searchsorted(
    sorted_sequence: Any, x: Any, out_int32: bool = False, right: bool = False, side: Any = None,
    sorter: Any = None,
) -> Any:  # fmt: skip
    if sorted_sequence.ndim != 1 or sorter is not None:
        raise GraphError("searchsorted in several rows, or by another order")
    which = "right" if right or side == "right" else "left"
    found = jnp.searchsorted(sorted_sequence, x, side=which)
    return found.astype(jnp.int32 if out_int32 else computed(jnp.int64))


@aten("bucketize")
def _bucketize(x: Any, boundaries: Any, out_int32: bool = False, right: bool = False) -> Any:
    return _searchsorted(boundaries, x, out_int32, right)


@aten("isin")
def _isin(
    elements: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False
) -> Any:
    return jnp.isin(elements, test_elements, invert=invert)


def _statistics_of(root: bool) -> Any:
    def found(x: Any, dim: Any = None, **given: Any) -> list[Any]:
        spread = OPS["std" if root else "var"](x, dim, **given)
        return [spread, OPS["mean"](x, dim, given.get("keepdim", False))]

    return found


OPS["var_mean"], OPS["std_mean"] = _statistics_of(False), _statistics_of(True)


# --- losses and distances -------------------------------------------------------------------------


def _reduced(loss: Any, reduction: int) -> Any:
    return (lambda x: x, jnp.mean, jnp.sum)[reduction](loss)


@aten("mse_loss")
def _mse_loss(x: Any, target: Any, reduction: int = 1) -> Any:
    return _reduced(jnp.square(x - target), reduction)


@aten("l1_loss")
def _l1_loss(x: Any, target: Any, reduction: int = 1) -> Any:
    return _reduced(jnp.abs(x - target), reduction)


@aten("smooth_l1_loss")
def _smooth_l1_loss(x: Any, target: Any, reduction: int = 1, beta: Any = 1.0) -> Any:
    away = jnp.abs(x - target)
    if not beta:
        return _reduced(away, reduction)
    return _reduced(jnp.where(away < beta, away * away / (2 * beta), away - beta / 2), reduction)


@aten("huber_loss")
def _huber_loss(x: Any, target: Any, reduction: int = 1, delta: Any = 1.0) -> Any:
    away = jnp.abs(x - target)
    return _reduced(
        jnp.where(away <= delta, away * away / 2, delta * (away - delta / 2)), reduction
    )


@aten("binary_cross_entropy")
def _binary_cross_entropy(x: Any, target: Any, weight: Any = None, reduction: int = 1) -> Any:
    loss = -(
        target * jnp.maximum(jnp.log(x), -100) + (1 - target) * jnp.maximum(jnp.log1p(-x), -100)
    )
    return _reduced(loss if weight is None else loss * weight, reduction)


@aten("binary_cross_entropy_with_logits")
def _binary_cross_entropy_with_logits(
    x: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = 1
) -> Any:
    share = 1.0 if pos_weight is None else pos_weight
    loss = -(share * target * jax.nn.log_sigmoid(x) + (1 - target) * jax.nn.log_sigmoid(-x))
    return _reduced(loss if weight is None else loss * weight, reduction)


@aten("kl_div")
def _kl_div(x: Any, target: Any, reduction: int = 1, log_target: bool = False) -> Any:
    if log_target:
        return _reduced(jnp.exp(target) * (target - x), reduction)
    return _reduced(special.xlogy(target, target) - target * x, reduction)


@aten("nll_loss", "nll_loss_nd", "nll_loss2d")
def _nll_loss(
    x: Any, target: Any, weight: Any = None, reduction: int = 1, ignore_index: int = -100
) -> Any:
    axis = 0 if x.ndim == 1 else 1
    counts = target != ignore_index
    places = jnp.where(counts, target, 0)
    # A class that is not there gives NaN.
    taken = jnp.take_along_axis(x, jnp.expand_dims(places, axis), axis, mode="fill")
    share = counts.astype(x.dtype)
    if weight is not None:
        share = jnp.where(counts, jnp.take(weight, places, mode="fill"), 0)
    loss = jnp.where(counts, -jnp.squeeze(taken, axis) * share, 0)
    return jnp.sum(loss) / jnp.sum(share) if reduction == 1 else _reduced(loss, reduction)


@aten("cross_entropy_loss")
def _cross_entropy_loss(
    x: Any, target: Any, weight: Any = None, reduction: int = 1, ignore_index: int = -100,
    label_smoothing: Any = 0.0,
) -> Any:  # fmt: skip
    axis = 0 if x.ndim == 1 else 1
    logs = jax.nn.log_softmax(x, axis)
    shape = (-1,) + (1,) * (x.ndim - 1 - axis)
    scale = 1.0 if weight is None else weight.reshape(shape)
    count = x.shape[axis]
    if jnp.issubdtype(target.dtype, jnp.floating):
        shares = target * (1 - label_smoothing) + label_smoothing / count
        loss = -jnp.sum(shares * logs * scale, axis)
        rows = x.size // count
        return jnp.sum(loss) / rows if reduction == 1 else _reduced(loss, reduction)
    hard = _nll_loss(logs, target, weight, reduction, ignore_index)
    if not label_smoothing:
        return hard
    counts = target != ignore_index
    smooth = jnp.where(counts, -jnp.sum(logs * scale, axis), 0) / count
    if reduction == 1:
        places = jnp.where(counts, target, 0)
        share = 1.0 if weight is None else jnp.take(weight, places, mode="fill")
        smooth = jnp.sum(smooth) / jnp.sum(jnp.where(counts, share, 0))
    else:
        smooth = _reduced(smooth, reduction)
    return (1 - label_smoothing) * hard + label_smoothing * smooth


@aten("cosine_similarity")
def _cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: Any = 1e-8) -> Any:
    norms = [jnp.maximum(jnp.sqrt(jnp.sum(x * x, dim)), eps) for x in (x1, x2)]
    return jnp.sum(x1 * x2, dim) / (norms[0] * norms[1])


@aten("norm", "linalg_norm", "frobenius_norm")
def _norm(
    x: Any,
    ord: Any = None,
    dim: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
    p: Any = None,
) -> Any:
    """Of all numbers, or along one axis; of matrices that of Frobenius."""
    order = p if ord is None else ord
    axes = [dim] if isinstance(dim, int) else dim
    is_matrix = ord is not None and (len(axes) == 2 if axes else x.ndim == 2)
    if order == "fro" or (is_matrix and order is None):
        order = 2
    elif is_matrix or isinstance(order, str):
        raise GraphError(f"the norm {order} of a matrix")
    order = 2 if order is None else order
    return OPS["linalg_vector_norm"](x, order, axes, keepdim, dtype)


@aten("cdist", "_cdist_forward")
def _cdist(x1: Any, x2: Any, p: Any = 2.0, compute_mode: Any = None) -> Any:
    away = x1[..., :, None, :] - x2[..., None, :, :]
    return OPS["linalg_vector_norm"](away, p, [-1])


# --- products -------------------------------------------------------------------------------------


@aten("mv")
def _mv(x: Any, vec: Any) -> Any:
    return x @ vec


@aten("outer", "ger")
def _outer(x: Any, vec2: Any) -> Any:
    return jnp.outer(x, vec2)


@aten("addmv")
def _addmv(x: Any, mat: Any, vec: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    return beta * x + alpha * (mat @ vec)


@aten("addbmm")
def _addbmm(x: Any, batch1: Any, batch2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    return beta * x + alpha * jnp.sum(batch1 @ batch2, 0)


@aten("linalg_inv")
def _linalg_inv(A: Any) -> Any:
    return jnp.linalg.inv(A)


@aten("tensordot")
def _tensordot(x: Any, other: Any, dims_self: Any, dims_other: Any) -> Any:
    return jnp.tensordot(x, other, (tuple(dims_self), tuple(dims_other)))


@aten("bilinear")
def _bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    y = jnp.einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias


# --- shapes ---------------------------------------------------------------------------------------


@aten("broadcast_tensors")
def _broadcast_tensors(tensors: Any) -> list[Any]:
    return list(jnp.broadcast_arrays(*tensors))


@aten("meshgrid")
def _meshgrid(tensors: Any, indexing: str = "ij") -> list[Any]:
    return list(jnp.meshgrid(*tensors, indexing=indexing))


@aten("unfold")
def _unfold(x: Any, dimension: int, size: int, step: int) -> Any:
    axis = dimension % x.ndim
    count = (x.shape[axis] - size) // step + 1
    places = jnp.arange(count)[:, None] * step + jnp.arange(size)
    return jnp.moveaxis(jnp.take(x, places, axis=axis), axis + 1, -1)


@aten("im2col")
def _im2col(x: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    if x.ndim == 3:  # without a batch
        return _im2col(x[None], kernel_size, dilation, padding, stride)[0]
    y = lax.conv_general_dilated_patches(
        x, tuple(kernel_size), tuple(stride), [(p, p) for p in padding],
        rhs_dilation=tuple(dilation),
    )  # fmt: skip
    return y.reshape((*y.shape[:2], -1))


def _stacked(join: Any) -> Any:
    return lambda tensors: join(tensors)


OPS["hstack"], OPS["vstack"], OPS["dstack"] = map(_stacked, (jnp.hstack, jnp.vstack, jnp.dstack))
OPS["column_stack"] = _stacked(jnp.column_stack)


@aten("moveaxis")
def _moveaxis(x: Any, source: Any, destination: Any) -> Any:
    return jnp.moveaxis(x, source, destination)


@aten("swapdims")
def _swapdims(x: Any, dim0: int, dim1: int) -> Any:
    return jnp.swapaxes(x, dim0, dim1)


@aten("tile")
def _tile(x: Any, dims: Any) -> Any:
    return jnp.tile(x, tuple(dims))


@aten("view_as", "reshape_as")
def _view_as(x: Any, other: Any) -> Any:
    return x.reshape(other.shape)


@aten("take_along_dim")
def _take_along_dim(x: Any, indices: Any, dim: Any = None) -> Any:
    if dim is None:
        return jnp.take(x.reshape(-1), indices.reshape(-1), mode="fill")
    return jnp.take_along_axis(x, indices, dim, mode="fill")


@aten("take")
def _take(x: Any, index: Any) -> Any:
    return jnp.take(x.reshape(-1), index, mode="fill")


@aten("diagonal")
def _diagonal(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return jnp.diagonal(x, offset, dim1, dim2)


@aten("diag")
def _diag(x: Any, diagonal: int = 0) -> Any:
    return jnp.diag(x, diagonal)


@aten("eye")
def _eye(n: Any, m: Any = None, dtype: Any = None, **_: Any) -> Any:
    return jnp.eye(n, m, dtype=jnp.float32 if dtype is None else kind_of(dtype))


@aten("linspace")
def _linspace(start: Any, end: Any, steps: int, dtype: Any = None, **_: Any) -> Any:
    return jnp.linspace(start, end, steps, dtype=jnp.float32 if dtype is None else kind_of(dtype))


@aten("repeat_interleave")
def _repeat_interleave(
    x: Any, repeats: Any = None, dim: Any = None, output_size: Any = None
) -> Any:
    if not isinstance(repeats, int):
        raise NotKnownError("repeat_interleave by an array gives a shape that its values tell")
    return jnp.repeat(x, repeats, dim)


@aten("pixel_unshuffle")
def _pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    *lead, channels, height, width = x.shape
    r = downscale_factor
    parts = x.reshape((*lead, channels, height // r, r, width // r, r))
    y = jnp.moveaxis(parts, (-3, -1), (-4, -3))  # (*lead, channels, r, r, height/r, width/r)
    return y.reshape((*lead, channels * r * r, height // r, width // r))


@aten("channel_shuffle")
def _channel_shuffle(x: Any, groups: int) -> Any:
    parts = x.reshape((x.shape[0], groups, x.shape[1] // groups, *x.shape[2:]))
    return jnp.swapaxes(parts, 1, 2).reshape(x.shape)


# --- bags of rows ---------------------------------------------------------------------------------


@aten("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only")
def _embedding_bag(
    weight: Any, indices: Any, offsets: Any, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Any = None, include_last_offset: bool = False,
    padding_idx: Any = None,
) -> list[Any]:  # fmt: skip
    """Sums (0), means (1) or largest (2) of the rows of each bag; empty bags are zeros."""
    bags = offsets.shape[0] - int(include_last_offset)
    count = indices.shape[0]
    own = jnp.searchsorted(offsets[:bags], jnp.arange(count), side="right") - 1
    rows = jnp.take(weight, indices, axis=0, mode="fill")
    counts = jnp.ones(count, bool)
    if padding_idx is not None and padding_idx != -1:
        counts = indices != padding_idx % weight.shape[0]
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[:, None]
    held = jax.ops.segment_sum(counts.astype(weight.dtype), own, bags)[:, None]
    if mode == 2:
        lowest = jnp.where(counts[:, None], rows, -jnp.inf)
        y = jnp.where(held > 0, jax.ops.segment_max(lowest, own, bags), 0)
    else:
        y = jax.ops.segment_sum(jnp.where(counts[:, None], rows, 0), own, bags)
        y = y / jnp.maximum(held, 1) if mode == 1 else y
    nothing = jnp.zeros((0,), computed(jnp.int64))
    return [y.astype(weight.dtype), nothing, nothing, nothing]


# --- recurrent ------------------------------------------------------------------------------------


@aten("rnn_relu")
def _rnn_relu(
    x: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: Any, train: bool,
    bidirectional: bool, batch_first: bool,
) -> Any:  # fmt: skip
    from nacre.export.importers.torch.operators import _recurrent

    names = ["Relu"] * (2 if bidirectional else 1)
    return _recurrent("RNN", (0,), x, [hx], params, has_biases, num_layers, dropout, train,
                      bidirectional, batch_first, activations=names)  # fmt: skip


def projected_lstm(
    x: Any, states: Any, params: Any, has_biases: bool, num_layers: int, bidirectional: bool,
    batch_first: bool,
) -> list[Any]:  # fmt: skip
    """An LSTM whose outputs go through a matrix (`proj_size`), which ONNX does not have.

    Source: torch.nn.LSTM; gates i f g o, h = W_hr (o · tanh(c)).
    """
    directions, each = 2 if bidirectional else 1, 5 if has_biases else 3
    x = jnp.swapaxes(x, 0, 1) if batch_first else x
    ends: tuple[list[Any], list[Any]] = ([], [])
    for layer in range(num_layers):
        outputs: list[Any] = []
        for direction in range(directions):
            at = layer * directions + direction
            own = list(params[at * each : (at + 1) * each])
            inner, recurrent, project = own[0], own[1], own[-1]
            bias = own[2] + own[3] if has_biases else 0
            given = x[::-1] if direction else x

            def step(state: Any, row: Any) -> Any:
                h, c = state
                gates = row + h @ recurrent.T  # noqa: B023 - the scan runs at once
                i, f, g, o = jnp.split(gates, 4, axis=-1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                h = (jax.nn.sigmoid(o) * jnp.tanh(c)) @ project.T  # noqa: B023
                return (h, c), h

            begin = states[0][at], states[1][at]
            (h, c), y = lax.scan(step, begin, given @ inner.T + bias)
            outputs.append(y[::-1] if direction else y)
            ends[0].append(h)
            ends[1].append(c)
        x = jnp.concatenate(outputs, -1)
    x = jnp.swapaxes(x, 0, 1) if batch_first else x
    return [x, jnp.stack(ends[0]), jnp.stack(ends[1])]


_lstm = OPS["lstm"]


@aten("lstm")
def _lstm_of_both(
    x: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: Any, train: bool,
    bidirectional: bool, batch_first: bool,
) -> Any:  # fmt: skip
    directions, each = 2 if bidirectional else 1, 5 if has_biases else 3
    if len(params) != num_layers * directions * each:
        return _lstm(x, hx, params, has_biases, num_layers, dropout, train, bidirectional,
                     batch_first)  # fmt: skip
    if train and dropout and num_layers > 1:
        raise GraphError("dropout in training: export the model after model.eval()")
    return projected_lstm(x, hx, params, has_biases, num_layers, bidirectional, batch_first)


__all__ = ["projected_lstm"]
