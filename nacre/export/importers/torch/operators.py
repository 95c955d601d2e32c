"""What each operator of ATen computes, by its name, with the names that its arguments have there.

`self` and `input` are `x` here. Forms that are ONNX's too are computed by its functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.onnx import ops as _ops
from nacre.export.importers.onnx.registry import OPS as _ONNX
from nacre.export.importers.onnx.registry import Node
from nacre.export.importers.onnx.values import (
    GraphError,
    NotKnownError,
    axis_of,
    checked_shape,
    computed,
)

F = TypeVar("F", bound=Callable[..., Any])

OPS: dict[str, Callable[..., Any]] = {}
_LAST = 1 << 62  # ends of slices from here on mean "to the end"
assert _ops is not None  # its import registers them

# ScalarType of torch/_export/serde/schema.py, by the names of NumPy.
DTYPES: dict[int, str] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
}  # fmt: skip


def aten(*names: str) -> Callable[[F], F]:
    """Register the function of operators, all overloads of a name."""

    def register(function: F) -> F:
        for name in names:
            OPS[name] = function
        return function

    return register


def _onnx(op: str, *inputs: Any, version: int = 18, **attributes: Any) -> Any:
    """What an operator of ONNX gives."""
    given = {name: value for name, value in attributes.items() if value is not None}
    node = Node(op, "", op, version, given, [], ["y"])
    return _ONNX["", op].function(node, *inputs)


def kind_of(number: Any) -> Any:
    """The dtype in which JAX computes what is of PyTorch's number.

    Raises:
        GraphError: There is none.
    """
    if number not in DTYPES:
        raise GraphError(f"the dtype {number} of PyTorch")
    return computed(jnp.dtype(DTYPES[number]))


def _float(x: Any) -> Any:
    """Whole numbers become floats."""
    return x.astype(jnp.float32) if x.dtype.kind in "iub" else x


# --- element by element ---------------------------------------------------------------------------

_FLOATS: dict[str, Callable[[Any], Any]] = {
    "acos": jnp.arccos, "acosh": jnp.arccosh, "asin": jnp.arcsin, "asinh": jnp.arcsinh,
    "atan": jnp.arctan, "atanh": jnp.arctanh, "cos": jnp.cos, "cosh": jnp.cosh, "erf": lax.erf,
    "erfc": lax.erfc, "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1, "log": jnp.log,
    "log10": jnp.log10, "log1p": jnp.log1p, "log2": jnp.log2, "reciprocal": lambda x: 1 / x,
    "rsqrt": lax.rsqrt, "sigmoid": jax.nn.sigmoid, "sin": jnp.sin, "sinh": jnp.sinh,
    "sqrt": jnp.sqrt, "tan": jnp.tan, "tanh": jnp.tanh, "log_sigmoid": jax.nn.log_sigmoid,
}  # fmt: skip
_SAME: dict[str, Callable[[Any], Any]] = {
    "signbit": jnp.signbit,
    "abs": jnp.abs, "neg": jnp.negative, "sign": jnp.sign, "ceil": jnp.ceil, "floor": jnp.floor,
    "trunc": jnp.trunc, "square": jnp.square, "relu6": jax.nn.relu6,
    "relu": lambda x: jnp.maximum(x, jnp.zeros((), x.dtype)), "silu": jax.nn.silu,
    "mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)), "selu": jax.nn.selu,
    "hardswish": lambda x: x * jnp.clip(x + 3, 0, 6) / 6, "bitwise_not": jnp.invert,
    "hardsigmoid": lambda x: jnp.clip(x / 6 + 0.5, 0, 1), "logical_not": jnp.logical_not,
    "isnan": jnp.isnan, "isinf": jnp.isinf, "isfinite": jnp.isfinite,
    "frac": lambda x: x - jnp.trunc(x),
}  # fmt: skip


def _with_float(function: Any) -> Any:
    return lambda x: function(_float(x))


def _plain(function: Any) -> Any:
    return lambda x: function(x)


for _name, _function in _FLOATS.items():
    OPS[_name] = _with_float(_function)
for _name, _function in _SAME.items():
    OPS[_name] = _plain(_function)

_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "mul": jnp.multiply, "maximum": jnp.maximum, "minimum": jnp.minimum, "eq": jnp.equal,
    "ne": jnp.not_equal, "gt": jnp.greater, "ge": jnp.greater_equal, "lt": jnp.less,
    "le": jnp.less_equal, "logical_and": jnp.logical_and, "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor, "bitwise_and": jnp.bitwise_and, "bitwise_or": jnp.bitwise_or,
    "bitwise_xor": jnp.bitwise_xor, "remainder": jnp.remainder, "fmod": jnp.fmod,
    "floor_divide": jnp.floor_divide, "atan2": jnp.arctan2, "copysign": jnp.copysign,
    "heaviside": jnp.heaviside, "__and__": jnp.bitwise_and, "__or__": jnp.bitwise_or,
    "__xor__": jnp.bitwise_xor, "__lshift__": jnp.left_shift, "__rshift__": jnp.right_shift,
    "bitwise_left_shift": jnp.left_shift, "bitwise_right_shift": jnp.right_shift,
}  # fmt: skip


def _of_two(function: Any) -> Any:
    return lambda x, other: function(x, other)


for _name, _two in _TWO.items():
    OPS[_name] = _of_two(_two)


@aten("add")
def _add(x: Any, other: Any, alpha: Any = 1) -> Any:
    return jnp.logical_or(x, other) if _are_bools(x, other) else x + _times(other, alpha)


def _are_bools(*values: Any) -> bool:
    return all(str(getattr(v, "dtype", "")) == "bool" for v in values)


def _times(x: Any, alpha: Any) -> Any:
    return x if isinstance(alpha, int | float) and alpha == 1 else x * alpha


@aten("sub")
def _sub(x: Any, other: Any, alpha: Any = 1) -> Any:
    return x - _times(other, alpha)


@aten("rsub")
def _rsub(x: Any, other: Any, alpha: Any = 1) -> Any:
    return other - _times(x, alpha)


@aten("div", "divide", "true_divide")
def _div(x: Any, other: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "floor":
        return jnp.floor_divide(x, other)
    if rounding_mode == "trunc":
        kind = jnp.result_type(x, other)
        if kind.kind in "iu":  # floats do not hold all of them
            return lax.div(*jnp.broadcast_arrays(*(jnp.asarray(v, kind) for v in (x, other))))
        return jnp.trunc(_float(jnp.asarray(x)) / other).astype(kind)
    return jnp.true_divide(x, other)


@aten("round")
def _round(x: Any, decimals: int = 0) -> Any:
    if not decimals:
        return jnp.round(x)
    scale = 10.0 ** abs(decimals)
    return jnp.round(x * scale) / scale if decimals > 0 else jnp.round(x / scale) * scale


@aten("pow")
def _pow(x: Any, exponent: Any) -> Any:
    return jnp.power(x, exponent)


@aten("clamp", "clip")
def _clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if min is None else jnp.maximum(x, min)
    return x if max is None else jnp.minimum(x, max)


@aten("clamp_min")
def _clamp_min(x: Any, min: Any) -> Any:
    return jnp.maximum(x, min)


@aten("clamp_max")
def _clamp_max(x: Any, max: Any) -> Any:
    return jnp.minimum(x, max)


@aten("hardtanh")
def _hardtanh(x: Any, min_val: Any = -1, max_val: Any = 1) -> Any:
    return jnp.clip(x, min_val, max_val)


@aten("leaky_relu")
def _leaky_relu(x: Any, negative_slope: Any = 0.01) -> Any:
    return jnp.where(x >= 0, x, x * negative_slope)


@aten("elu")
def _elu(x: Any, alpha: Any = 1, scale: Any = 1, input_scale: Any = 1) -> Any:
    return jnp.where(x > 0, x * scale, scale * alpha * jnp.expm1(jnp.minimum(x, 0) * input_scale))


@aten("celu")
def _celu(x: Any, alpha: Any = 1.0) -> Any:
    return jax.nn.celu(x, alpha)


@aten("prelu")
def _prelu(x: Any, weight: Any) -> Any:
    if weight.size > 1 and x.ndim > 1:
        weight = weight.reshape((1, -1) + (1,) * (x.ndim - 2))
    return jnp.where(x >= 0, x, x * weight)


@aten("gelu")
def _gelu(x: Any, approximate: str = "none") -> Any:
    return jax.nn.gelu(x, approximate=approximate == "tanh")


@aten("softplus")
def _softplus(x: Any, beta: Any = 1, threshold: Any = 20) -> Any:
    return jnp.where(x * beta > threshold, x, jax.nn.softplus(x * beta) / beta)


@aten("glu")
def _glu(x: Any, dim: int = -1) -> Any:
    a, b = jnp.split(x, 2, axis=dim)
    return a * jax.nn.sigmoid(b)


@aten("where")
def _where(condition: Any, x: Any, other: Any) -> Any:
    return jnp.where(condition, x, other)


@aten("masked_fill")
def _masked_fill(x: Any, mask: Any, value: Any) -> Any:
    return jnp.where(mask, jnp.asarray(value).astype(x.dtype), x)


@aten("lerp")
def _lerp(x: Any, end: Any, weight: Any) -> Any:
    return x + weight * (end - x)


@aten("addcmul")
def _addcmul(x: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Any:
    return x + value * tensor1 * tensor2


@aten(
    "clone", "contiguous", "detach", "lift_fresh_copy", "alias", "lift_fresh", "alias_copy",
    "lift", "detach_copy",
)  # fmt: skip
def _same(x: Any, memory_format: Any = None) -> Any:
    return x


@aten("dropout", "feature_dropout", "alpha_dropout")
def _dropout(x: Any, p: Any = 0.5, train: bool = False) -> Any:
    if train and p:
        raise GraphError("dropout in training: export the model after model.eval()")
    return x


@aten("native_dropout")
def _native_dropout(x: Any, p: Any = 0.5, train: bool = False) -> Any:
    return [_dropout(x, p, train), jnp.ones(x.shape, bool)]


@aten("to", "_to_copy", "type_as")
def _to(
    x: Any, other: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: Any = None, non_blocking: bool = False, copy: bool = False,
    memory_format: Any = None,
) -> Any:  # fmt: skip
    if other is not None:
        return x.astype(other.dtype)
    if dtype is None:
        return x
    kind = kind_of(dtype)
    if kind.kind in "iu" and x.dtype.kind not in "iub":
        x = jnp.trunc(x)
    return x.astype(kind)


# --- shapes ---------------------------------------------------------------------------------------


@aten("view", "reshape", "_unsafe_view", "_reshape_alias")
def _view(x: Any, size: Any = None, shape: Any = None, dtype: Any = None) -> Any:
    sizes = size if size is not None else shape
    if sizes is None:
        raise GraphError("bits that are read as another dtype")
    return x.reshape(_open(tuple(sizes), x.shape))


def _open(wanted: tuple[Any, ...], shape: Sequence[Any]) -> tuple[Any, ...]:
    """The shape with its -1 worked out where sizes are symbols."""
    at = [i for i, n in enumerate(wanted) if isinstance(n, int) and n == -1]
    if len(at) != 1 or all(isinstance(n, int) for n in (*wanted, *shape)):
        return wanted
    rest = math.prod(n for i, n in enumerate(wanted) if i != at[0])
    found = list(wanted)
    found[at[0]] = math.prod(shape) // rest
    return tuple(found)


@aten("flatten")
def _flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if not x.ndim:
        return x.reshape((1,))
    a, b = axis_of(start_dim, x.ndim), axis_of(end_dim, x.ndim)
    return x.reshape((*x.shape[:a], math.prod(x.shape[a : b + 1]), *x.shape[b + 1 :]))


@aten("unflatten")
def _unflatten(x: Any, dim: int, sizes: Any) -> Any:
    a = axis_of(dim, x.ndim)
    return x.reshape((*x.shape[:a], *_open(tuple(sizes), (x.shape[a],)), *x.shape[a + 1 :]))


@aten("permute")
def _permute(x: Any, dims: Any) -> Any:
    return jnp.transpose(x, dims)


@aten("transpose", "swapaxes")
def _transpose(x: Any, dim0: int, dim1: int) -> Any:
    return jnp.swapaxes(x, dim0, dim1)


@aten("t")
def _t(x: Any) -> Any:
    return x.T


@aten("movedim")
def _movedim(x: Any, source: Any, destination: Any) -> Any:
    return jnp.moveaxis(x, source, destination)


@aten("unsqueeze")
def _unsqueeze(x: Any, dim: int) -> Any:
    return jnp.expand_dims(x, dim)


@aten("squeeze")
def _squeeze(x: Any, dim: Any = None) -> Any:
    dims = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    ones = [axis_of(d, x.ndim) for d in dims]
    return jnp.squeeze(x, tuple(d for d in ones if isinstance(x.shape[d], int) and x.shape[d] == 1))


@aten("expand", "broadcast_to")
def _expand(x: Any, size: Any, implicit: bool = False) -> Any:
    own = (1,) * (len(size) - x.ndim) + tuple(x.shape)
    shape = [o if isinstance(n, int) and n == -1 else n for n, o in zip(size, own, strict=True)]
    return jnp.broadcast_to(x, checked_shape(shape))


@aten("expand_as")
def _expand_as(x: Any, other: Any) -> Any:
    return jnp.broadcast_to(x, other.shape)


@aten("repeat")
def _repeat(x: Any, repeats: Any) -> Any:
    return _onnx("Tile", x.reshape((1,) * (len(repeats) - x.ndim) + x.shape), _known(repeats))


def _known(sizes: Sequence[Any]) -> Any:
    found = np.empty(len(sizes), object)
    found[:] = list(sizes)
    return found


@aten("cat", "concat", "concatenate")
def _cat(tensors: Any, dim: int = 0) -> Any:
    # PyTorch passes over empty arrays of one axis.
    kept = [t for t in tensors if not (t.ndim == 1 and t.shape[0] is not None and t.shape == (0,))]
    return jnp.concatenate(kept or tensors, axis=dim)


@aten("stack")
def _stack(tensors: Any, dim: int = 0) -> Any:
    return jnp.stack(tensors, axis=dim)


@aten("select")
def _select(x: Any, dim: int, index: Any) -> Any:
    a = axis_of(dim, x.ndim)
    index = index + x.shape[a] if isinstance(index, int) and index < 0 else index
    return lax.index_in_dim(x, index, a, keepdims=False)


@aten("slice")
def _slice(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    values = [0 if start is None else start, _LAST if end is None else end, dim, step]
    first, last, axes, steps = (_known([value]) for value in values)
    return _onnx("Slice", x, first, last, axes, steps)


@aten("narrow")
def _narrow(x: Any, dim: int, start: Any, length: Any) -> Any:
    return _slice(x, dim, start, start + length)


@aten("split", "split_with_sizes")
def _split(x: Any, split_size: Any = None, split_sizes: Any = None, dim: int = 0) -> Any:
    a = axis_of(dim, x.ndim)
    sizes = split_sizes if split_sizes is not None else split_size
    if isinstance(sizes, int):
        sizes = [min(sizes, x.shape[a] - at) for at in range(0, x.shape[a], sizes)]
    if sizes is None:
        raise GraphError("a split without sizes")
    parts: list[Any] = []
    at: Any = 0
    for size in sizes:
        parts.append(lax.slice_in_dim(x, at, at + size, axis=a))
        at = at + size
    return parts


@aten("chunk")
def _chunk(x: Any, chunks: int, dim: int = 0) -> Any:
    return _split(x, -(-x.shape[axis_of(dim, x.ndim)] // chunks), dim=dim)


@aten("unbind")
def _unbind(x: Any, dim: int = 0) -> Any:
    a = axis_of(dim, x.ndim)
    return [lax.index_in_dim(x, i, a, keepdims=False) for i in range(x.shape[a])]


@aten("flip")
def _flip(x: Any, dims: Any) -> Any:
    return jnp.flip(x, tuple(dims))


@aten("roll")
def _roll(x: Any, shifts: Any, dims: Any = None) -> Any:
    return jnp.roll(x, tuple(shifts), tuple(dims)) if dims else jnp.roll(x, tuple(shifts))


@aten("tril")
def _tril(x: Any, diagonal: int = 0) -> Any:
    return jnp.tril(x, diagonal)


@aten("triu")
def _triu(x: Any, diagonal: int = 0) -> Any:
    return jnp.triu(x, diagonal)


@aten("pad")
def _pad(x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    count = len(pad) // 2
    both = [(0, 0)] * (x.ndim - count) + [(pad[2 * i], pad[2 * i + 1]) for i in range(count)][::-1]
    if mode == "constant":
        fill = jnp.asarray(0 if value is None else value).astype(x.dtype)
        return lax.pad(x, fill, [(a, b, 0) for a, b in both])
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in names:
        raise GraphError(f"padding of the mode '{mode}'")
    return jnp.pad(x, both, mode=names[mode])


OPS["constant_pad_nd"] = lambda x, pad, value=0: _pad(x, pad, "constant", value)


# --- made -----------------------------------------------------------------------------------------


def _made(size: Any, value: Any, dtype: Any, default: Any = jnp.float32) -> Any:
    kind = default if dtype is None else kind_of(dtype)
    return jnp.full(checked_shape(tuple(size)), value, kind)


@aten("zeros", "empty", "new_zeros", "new_empty")
def _zeros(size: Any, x: Any = None, dtype: Any = None, **_: Any) -> Any:
    return _made(size, 0, dtype, jnp.float32 if x is None else x.dtype)


@aten("ones", "new_ones")
def _ones(size: Any, x: Any = None, dtype: Any = None, **_: Any) -> Any:
    return _made(size, 1, dtype, jnp.float32 if x is None else x.dtype)


@aten("full", "new_full")
def _full(size: Any, fill_value: Any, x: Any = None, dtype: Any = None, **_: Any) -> Any:
    kinds = {bool: jnp.bool_, int: computed(jnp.int64)}
    default = kinds.get(type(fill_value), jnp.float32) if x is None else x.dtype
    return _made(size, fill_value, dtype, default)


@aten("zeros_like", "empty_like")
def _zeros_like(x: Any, dtype: Any = None, **_: Any) -> Any:
    return _made(x.shape, 0, dtype, x.dtype)


@aten("ones_like")
def _ones_like(x: Any, dtype: Any = None, **_: Any) -> Any:
    return _made(x.shape, 1, dtype, x.dtype)


@aten("full_like")
def _full_like(x: Any, fill_value: Any, dtype: Any = None, **_: Any) -> Any:
    return _made(x.shape, fill_value, dtype, x.dtype)


@aten("arange")
def _arange(end: Any, start: Any = 0, step: Any = 1, dtype: Any = None, **_: Any) -> Any:
    whole = not any(isinstance(v, float) for v in (start, end, step))
    kind = (computed(jnp.int64) if whole else jnp.float32) if dtype is None else kind_of(dtype)
    if not all(isinstance(v, int | float) for v in (start, end, step)):
        count = -((start - end) // step)  # the last step may be a part of one
        return (jnp.arange(count) * step + start).astype(kind)
    return jnp.arange(start, end, step).astype(kind)


@aten("scalar_tensor")
def _scalar_tensor(s: Any, dtype: Any = None, **_: Any) -> Any:
    return jnp.asarray(s, jnp.float32 if dtype is None else kind_of(dtype))


# --- indexing -------------------------------------------------------------------------------------


@aten("embedding")
def _embedding(
    weight: Any, indices: Any, padding_idx: int = -1, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:  # fmt: skip
    if padding_idx >= 0:  # its row is not trained
        row = jnp.arange(weight.shape[0])[:, None] == padding_idx
        weight = jnp.where(row, lax.stop_gradient(weight), weight)
    return jnp.take(weight, indices, axis=0, mode="fill")


@aten("index")
def _index(x: Any, indices: Any) -> Any:
    """A place that is not there gives NaN, or the largest whole number."""
    if any(i is not None and i.dtype == bool for i in indices):
        raise GraphError("a mask as an index gives a shape that only its values tell")
    at = tuple(slice(None) if i is None else i for i in indices)
    return x.at[at].get(mode="fill")


@aten("index_select")
def _index_select(x: Any, dim: int, index: Any) -> Any:
    return jnp.take(x, index, axis=dim, mode="fill")


@aten("gather")
def _gather(x: Any, dim: int, index: Any, sparse_grad: bool = False) -> Any:
    return _onnx("GatherElements", x, index, axis=dim)


@aten("scatter")
def _scatter(x: Any, dim: int, index: Any, src: Any = None, value: Any = None) -> Any:
    updates = jnp.broadcast_to(jnp.asarray(value), index.shape) if src is None else src
    if tuple(updates.shape) != tuple(index.shape):
        updates = updates[tuple(slice(0, n) for n in index.shape)]
    return _onnx("ScatterElements", x, index, updates, axis=dim)


@aten("scatter_add")
def _scatter_add(x: Any, dim: int, index: Any, src: Any) -> Any:
    updates = src[tuple(slice(0, n) for n in index.shape)]
    return _onnx("ScatterElements", x, index, updates, axis=dim, reduction="add")


# --- reductions -----------------------------------------------------------------------------------


def _axes(dim: Any) -> Any:
    if dim is None or (isinstance(dim, list | tuple) and not dim):
        return None
    return tuple(dim) if isinstance(dim, list | tuple) else dim


def _added_up(x: Any, dtype: Any) -> Any:
    """Numbers in the dtype that their sums or products have: whole ones are int64 in PyTorch."""
    if dtype is not None:
        return x.astype(kind_of(dtype))
    return x.astype(computed(jnp.int64)) if x.dtype.kind in "iub" else x


@aten("sum")
def _sum(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    return jnp.sum(_added_up(x, dtype), _axes(dim), keepdims=keepdim)


@aten("mean")
def _mean(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    x = x if dtype is None else x.astype(kind_of(dtype))
    return jnp.mean(x, _axes(dim), keepdims=keepdim)


@aten("prod")
def _prod(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    return jnp.prod(_added_up(x, dtype), _axes(dim), keepdims=keepdim)


@aten("amax")
def _amax(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return jnp.max(x, _axes(dim), keepdims=keepdim)


@aten("amin")
def _amin(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return jnp.min(x, _axes(dim), keepdims=keepdim)


def _extreme(reduce: Any, place: Any) -> Any:
    def found(x: Any, dim: Any = None, keepdim: bool = False, other: Any = None) -> Any:
        if other is not None:
            return (jnp.maximum if reduce is jnp.max else jnp.minimum)(x, other)
        if dim is None:
            return reduce(x)
        return [reduce(x, dim, keepdims=keepdim), place(x, dim, keepdims=keepdim)]

    return found


OPS["max"], OPS["min"] = _extreme(jnp.max, jnp.argmax), _extreme(jnp.min, jnp.argmin)


@aten("argmax")
def _argmax(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return jnp.argmax(x, dim, keepdims=keepdim)


@aten("argmin")
def _argmin(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return jnp.argmin(x, dim, keepdims=keepdim)


@aten("all")
def _all(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return jnp.all(x, _axes(dim), keepdims=keepdim)


@aten("any")
def _any(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return jnp.any(x, _axes(dim), keepdims=keepdim)


def _spread(root: bool) -> Any:
    def found(
        x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False,
        correction: Any = None,
    ) -> Any:  # fmt: skip
        less = (1 if unbiased else 0) if correction is None else correction
        variance = jnp.var(x, _axes(dim), ddof=less, keepdims=keepdim)
        return jnp.sqrt(variance) if root else variance

    return found


OPS["var"], OPS["std"] = _spread(False), _spread(True)


@aten("cumsum")
def _cumsum(x: Any, dim: int, dtype: Any = None) -> Any:
    return jnp.cumsum(_added_up(x, dtype), axis=dim)


@aten("topk")
def _topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    return list(_onnx("TopK", x, np.asarray([k]), axis=dim, largest=int(largest)))


@aten("sort")
def _sort(x: Any, dim: int = -1, descending: bool = False, stable: Any = None) -> Any:
    order = jnp.argsort(x, axis=dim, stable=True, descending=descending)
    return [jnp.take_along_axis(x, order, dim), order]


@aten("argsort")
def _argsort(x: Any, dim: int = -1, descending: bool = False, stable: Any = None) -> Any:
    return jnp.argsort(x, axis=dim, stable=True, descending=descending)


@aten("median")
def _median(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Of an even number the lower of the two in the middle; NaN, and its place, where one is."""
    axis = 0 if dim is None else dim
    values = x.reshape(-1) if dim is None else x
    order = jnp.argsort(values, axis=axis, stable=True)
    at = jnp.take(order, jnp.array([(values.shape[axis] - 1) // 2]), axis=axis)
    if jnp.issubdtype(x.dtype, jnp.floating):
        first = jnp.argmax(jnp.isnan(values), axis=axis, keepdims=True).astype(at.dtype)
        at = jnp.where(jnp.isnan(values).any(axis=axis, keepdims=True), first, at)
    found = jnp.take_along_axis(values, at, axis)
    if dim is None:
        return found.reshape(())
    return [v if keepdim else v.squeeze(axis) for v in (found, at)]


@aten("one_hot")
def _one_hot(x: Any, num_classes: int = -1) -> Any:
    if num_classes < 0:
        raise NotKnownError("one_hot without num_classes counts them in the values")
    return jax.nn.one_hot(x, num_classes, dtype=computed(jnp.int64))


@aten("softmax", "_softmax")
def _softmax(x: Any, dim: int, dtype: Any = None, half_to_float: bool = False) -> Any:
    return jax.nn.softmax(x if dtype is None else x.astype(kind_of(dtype)), axis=dim)


@aten("log_softmax", "_log_softmax")
def _log_softmax(x: Any, dim: int, dtype: Any = None, half_to_float: bool = False) -> Any:
    return jax.nn.log_softmax(x if dtype is None else x.astype(kind_of(dtype)), axis=dim)


@aten("_safe_softmax")
def _safe_softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    """Zeros where all is -inf, as in rows of attention that see nothing."""
    sees_nothing = jnp.all(x == -jnp.inf, axis=dim, keepdims=True)
    return jnp.where(sees_nothing, 0, _softmax(x, dim, dtype))


@aten("logsumexp")
def _logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Any:
    return jax.nn.logsumexp(x, _axes(dim), keepdims=keepdim)


@aten("linalg_vector_norm")
def _vector_norm(
    x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    absolute = jnp.abs(x if dtype is None else x.astype(kind_of(dtype)))
    if abs(ord) == math.inf:
        return (jnp.max if ord > 0 else jnp.min)(absolute, _axes(dim), keepdims=keepdim)
    if ord == 0:
        return jnp.sum((absolute != 0).astype(absolute.dtype), _axes(dim), keepdims=keepdim)
    if ord == 2:
        return jnp.sqrt(jnp.sum(absolute * absolute, _axes(dim), keepdims=keepdim))
    return jnp.sum(absolute**ord, _axes(dim), keepdims=keepdim) ** (1 / ord)


# --- products -------------------------------------------------------------------------------------


@aten("linear")
def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    y = x @ weight.T
    return y if bias is None else y + bias


@aten("matmul", "mm", "bmm")
def _matmul(x: Any, other: Any = None, mat2: Any = None) -> Any:
    return jnp.matmul(x, other if mat2 is None else mat2)


@aten("addmm")
def _addmm(x: Any, mat1: Any, mat2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    return _times(x, beta) + _times(mat1 @ mat2, alpha)


@aten("baddbmm")
def _baddbmm(x: Any, batch1: Any, batch2: Any, beta: Any = 1, alpha: Any = 1) -> Any:
    return _times(x, beta) + _times(batch1 @ batch2, alpha)


@aten("einsum")
def _einsum(equation: str, tensors: Any, path: Any = None) -> Any:
    return jnp.einsum(equation, *tensors)


@aten("scaled_dot_product_attention")
def _attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: Any = 0.0,
    is_causal: bool = False, scale: Any = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    if dropout_p:
        raise GraphError("dropout in attention: export the model after model.eval()")
    if enable_gqa:
        key, value = (jnp.repeat(v, query.shape[-3] // v.shape[-3], axis=-3) for v in (key, value))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * factor) @ jnp.swapaxes(key, -1, -2)
    if is_causal:
        rows, columns = (jnp.arange(n) for n in scores.shape[-2:])
        attn_mask = columns[None, :] <= rows[:, None]
    if attn_mask is not None:
        is_bool = attn_mask.dtype == bool
        scores = jnp.where(attn_mask, scores, -jnp.inf) if is_bool else scores + attn_mask
    shares = _safe_softmax(scores.astype(jnp.float32), -1).astype(query.dtype)
    return shares @ value


# --- layers ---------------------------------------------------------------------------------------


def _many(value: Any, count: int) -> list[Any]:
    value = list(value) if isinstance(value, list | tuple) else [value]
    return value * count if len(value) == 1 else value


@aten("conv1d", "conv2d", "conv3d")
def _conv(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Any:  # fmt: skip
    rank = weight.ndim - 2
    if x.ndim == rank + 1:  # without a batch
        return _conv(x[None], weight, bias, stride, padding, dilation, groups)[0]
    given: dict[str, Any] = {"strides": _many(stride, rank), "dilations": _many(dilation, rank)}
    if isinstance(padding, str):
        given["auto_pad"] = "SAME_UPPER" if padding == "same" else "VALID"
    else:
        given["pads"] = _many(padding, rank) * 2
    return _onnx("Conv", x, weight, bias, group=groups, **given)


@aten("convolution")
def _convolution(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> Any:  # fmt: skip
    if transposed:
        return _conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _conv(x, weight, bias, stride, padding, dilation, groups)


@aten("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv_transpose(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    rank = weight.ndim - 2
    if x.ndim == rank + 1:  # without a batch
        given = weight, bias, stride, padding, output_padding, groups, dilation
        return _conv_transpose(x[None], *given)[0]
    return _onnx(
        "ConvTranspose", x, weight, bias, strides=_many(stride, rank), group=groups,
        pads=_many(padding, rank) * 2, output_padding=_many(output_padding, rank),
        dilations=_many(dilation, rank),
    )  # fmt: skip


def _of_batches(rank: int, pool: Callable[..., Any]) -> Callable[..., Any]:
    """A pool of so many sizes, also of an array without a batch."""

    def pooled(x: Any, *args: Any, **kwargs: Any) -> Any:
        if x.ndim == rank + 1:
            return pool(x[None], *args, **kwargs)[0]
        return pool(x, *args, **kwargs)

    return pooled


def _max_pool(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:  # fmt: skip
    rank = x.ndim - 2
    kernel = _many(kernel_size, rank)
    return _onnx(
        "MaxPool", x, kernel_shape=kernel, strides=_many(stride or kernel, rank),
        pads=_many(padding, rank) * 2, dilations=_many(dilation, rank), ceil_mode=int(ceil_mode),
    )  # fmt: skip


def _avg_pool(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: Any = None,
) -> Any:  # fmt: skip
    if divisor_override is not None:
        raise GraphError("an average with a divisor of its own")
    rank = x.ndim - 2
    kernel = _many(kernel_size, rank)
    return _onnx(
        "AveragePool", x, kernel_shape=kernel, strides=_many(stride or kernel, rank),
        pads=_many(padding, rank) * 2, ceil_mode=int(ceil_mode),
        count_include_pad=int(count_include_pad),
    )  # fmt: skip


def _adaptive_avg_pool(x: Any, output_size: Any) -> Any:
    for axis, count in enumerate(_many(output_size, x.ndim - 2), 2):
        x = _cells(x, axis, count)
    return x


def _cells(x: Any, axis: int, count: Any) -> Any:
    """The means of parts of about the same size."""
    size = x.shape[axis]
    if count is None or count is size:
        return x
    if count == 1:
        return jnp.mean(x, axis, keepdims=True)
    if not isinstance(size, int):
        raise GraphError("adaptive pooling of a size that is not known")
    ends = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    parts = [lax.slice_in_dim(x, a, b, axis=axis) for a, b in ends]
    return jnp.concatenate([jnp.mean(part, axis, keepdims=True) for part in parts], axis)


for _rank in (1, 2, 3):
    OPS[f"max_pool{_rank}d"] = _of_batches(_rank, _max_pool)
    OPS[f"avg_pool{_rank}d"] = _of_batches(_rank, _avg_pool)
    for _name in (f"adaptive_avg_pool{_rank}d", f"_adaptive_avg_pool{_rank}d"):
        OPS[_name] = _of_batches(_rank, _adaptive_avg_pool)


@aten("batch_norm")
def _batch_norm(
    x: Any, weight: Any = None, bias: Any = None, running_mean: Any = None,
    running_var: Any = None, training: bool = False, momentum: Any = 0.1, eps: Any = 1e-5,
    cudnn_enabled: bool = False,
) -> Any:  # fmt: skip
    if training or running_mean is None:
        raise GraphError("batch normalization in training: export the model after model.eval()")
    shape = (1, -1) + (1,) * (x.ndim - 2)
    y = (x - running_mean.reshape(shape)) * lax.rsqrt(running_var + eps).reshape(shape)
    return _scaled(y, weight, bias, shape)


@aten("_native_batch_norm_legit_no_training")
def _native_batch_norm(x: Any, *args: Any, **kwargs: Any) -> Any:
    nothing = jnp.zeros((0,), x.dtype)  # where training has statistics of the batch
    return [_batch_norm(x, *args, **kwargs), nothing, nothing]


def _scaled(y: Any, weight: Any, bias: Any, shape: Any) -> Any:
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _normalized(x: Any, axes: Any, eps: Any) -> Any:
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    mean = jnp.mean(wide, axes, keepdims=True)
    variance = jnp.mean(jnp.square(wide - mean), axes, keepdims=True)
    return ((wide - mean) * lax.rsqrt(variance + eps)).astype(x.dtype)


@aten("layer_norm")
def _layer_norm(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: Any = 1e-5,
    cudnn_enable: bool = False,
) -> Any:  # fmt: skip
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    return _scaled(_normalized(x, axes, eps), weight, bias, tuple(normalized_shape))


@aten("rms_norm")
def _rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: Any = None) -> Any:
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    least = float(jnp.finfo(wide.dtype).eps) if eps is None else eps
    y = wide * lax.rsqrt(jnp.mean(jnp.square(wide), axes, keepdims=True) + least)
    return _scaled(y.astype(x.dtype), weight, None, tuple(normalized_shape))


@aten("group_norm")
def _group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: Any = 1e-5,
    cudnn_enabled: bool = False,
) -> Any:  # fmt: skip
    parts = x.reshape((x.shape[0], num_groups, x.shape[1] // num_groups, *x.shape[2:]))
    y = _normalized(parts, tuple(range(2, parts.ndim)), eps).reshape(x.shape)
    return _scaled(y, weight, bias, (1, -1) + (1,) * (x.ndim - 2))


@aten("instance_norm")
def _instance_norm(
    x: Any, weight: Any = None, bias: Any = None, running_mean: Any = None, running_var: Any = None,
    use_input_stats: bool = True, momentum: Any = 0.1, eps: Any = 1e-5, cudnn_enabled: bool = False,
) -> Any:  # fmt: skip
    if not use_input_stats:
        return _batch_norm(x, weight, bias, running_mean, running_var, eps=eps)
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return _scaled(_normalized(x, tuple(range(2, x.ndim)), eps), weight, bias, shape)


def _upsampled(mode: str) -> Any:
    def found(
        x: Any, output_size: Any = None, scale_factors: Any = None, align_corners: bool = False,
        **scales: Any,
    ) -> Any:  # fmt: skip
        if output_size is None and scale_factors is None:
            raise GraphError("an enlargement without sizes")
        if output_size is not None and any(v is not None for v in scales.values()):
            raise GraphError("an enlargement of sizes and scales at once")
        if align_corners and output_size is None:  # the corners of whole pixels
            sizes = zip(x.shape[2:], scale_factors, strict=True)
            output_size = [n if f == 1 else math.floor(n * f) for n, f in sizes]
        coordinates = "align_corners" if align_corners else "half_pixel"
        coordinates = "asymmetric" if mode == "nearest" else coordinates
        given: dict[str, Any] = dict(
            mode=mode, coordinate_transformation_mode=coordinates, nearest_mode="floor",
            axes=list(range(2, x.ndim)),
        )  # fmt: skip
        if output_size is not None:
            return _onnx("Resize", x, None, None, _known(output_size), **given)
        return _onnx("Resize", x, None, np.asarray(scale_factors, np.float64), **given)

    return found


for _name, _mode in (("nearest1d", "nearest"), ("nearest2d", "nearest"), ("nearest3d", "nearest"),
                     ("linear1d", "linear"), ("bilinear2d", "linear"), ("trilinear3d", "linear"),
                     ("bicubic2d", "cubic")):  # fmt: skip
    OPS[f"upsample_{_name}"] = _upsampled(_mode)


@aten("pixel_shuffle")
def _pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    return _onnx("DepthToSpace", x, blocksize=upscale_factor, mode="CRD")


def _gates(weight: Any, order: Sequence[int]) -> Any:
    parts = jnp.split(weight, len(order), axis=0)
    return jnp.concatenate([parts[i] for i in order], axis=0)


def _recurrent(
    op: str, order: Sequence[int], x: Any, states: list[Any], params: Any, has_biases: bool,
    num_layers: int, dropout: Any, train: bool, bidirectional: bool, batch_first: bool,
    **given: Any,
) -> list[Any]:  # fmt: skip
    """Layers of a recurrent operator, one behind the other; PyTorch's gates in ONNX's order."""
    directions, each = 2 if bidirectional else 1, 4 if has_biases else 2
    if len(params) != num_layers * directions * each:
        raise GraphError("a recurrent layer with projections")
    if train and dropout and num_layers > 1:
        raise GraphError("dropout in training: export the model after model.eval()")
    x = jnp.swapaxes(x, 0, 1) if batch_first else x
    ends: list[list[Any]] = [[] for _ in states]
    for layer in range(num_layers):
        own = [
            params[(layer * directions + d) * each : (layer * directions + d + 1) * each]
            for d in range(directions)
        ]
        w, r = (jnp.stack([_gates(p[i], order) for p in own]) for i in range(2))
        b = None
        if has_biases:
            b = jnp.stack([jnp.concatenate([_gates(p[i], order) for i in (2, 3)]) for p in own])
        begin = [s[layer * directions : (layer + 1) * directions] for s in states]
        direction = "bidirectional" if bidirectional else "forward"
        y, *last = _onnx(op, x, w, r, b, None, *begin, direction=direction, **given)
        x = jnp.moveaxis(y, 1, 2).reshape((y.shape[0], y.shape[2], -1))
        for kept, end in zip(ends, last, strict=True):
            kept.append(end)
    x = jnp.swapaxes(x, 0, 1) if batch_first else x
    return [x, *(jnp.concatenate(kept) for kept in ends)]


@aten("lstm")
def _lstm(
    x: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: Any, train: bool,
    bidirectional: bool, batch_first: bool,
) -> Any:  # fmt: skip
    return _recurrent("LSTM", (0, 3, 1, 2), x, list(hx), params, has_biases, num_layers,
                      dropout, train, bidirectional, batch_first)  # fmt: skip


@aten("gru")
def _gru(
    x: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: Any, train: bool,
    bidirectional: bool, batch_first: bool,
) -> Any:  # fmt: skip
    return _recurrent("GRU", (1, 0, 2), x, [hx], params, has_biases, num_layers, dropout, train,
                      bidirectional, batch_first, linear_before_reset=1)  # fmt: skip


@aten("rnn_tanh")
def _rnn_tanh(
    x: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: Any, train: bool,
    bidirectional: bool, batch_first: bool,
) -> Any:  # fmt: skip
    return _recurrent("RNN", (0,), x, [hx], params, has_biases, num_layers, dropout, train,
                      bidirectional, batch_first)  # fmt: skip


# --- sizes ----------------------------------------------------------------------------------------


@aten("sym_size")
def _sym_size(x: Any, dim: int) -> Any:
    return x.shape[dim]


SIZES: dict[str, Callable[..., Any]] = {
    "_operator.add": lambda a, b: a + b, "_operator.sub": lambda a, b: a - b,
    "_operator.mul": lambda a, b: a * b, "_operator.floordiv": lambda a, b: a // b,
    "_operator.mod": lambda a, b: a % b, "_operator.neg": lambda a: -a,
    "math.trunc": lambda x: x,
}  # fmt: skip

__all__ = ["DTYPES", "OPS", "SIZES", "kind_of"]
