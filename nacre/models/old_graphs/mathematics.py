"""`tf.math`, `tf.linalg` and the operators, as graphs of tf.keras 2 name them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.models.old_graphs.table import (
    FUNCTIONS,
    Value,
    check_num_elements,
    device_dtype_name,
    function,
    is_tensor,
    pair,
    refuse,
    tensor,
)

Axis = Any  # None, a number, or a list of numbers


def _unary(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: operation(tensor(x))


def _binary(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: operation(*pair(x, y))


_UNARY: dict[str, Callable[..., Any]] = {
    name: getattr(ops, name)
    for name in (
        "abs negative square exp expm1 sign sin cos tan sinh cosh tanh sqrt rsqrt log log1p "
        "reciprocal floor ceil round erf erfinv log_sigmoid sigmoid softplus logical_not"
    ).split()
} | {
    "asin": ops.arcsin, "acos": ops.arccos, "atan": ops.arctan, "asinh": ops.arcsinh,
    "acosh": ops.arccosh, "atanh": ops.arctanh, "rint": ops.round, "is_finite": ops.isfinite,
    "is_inf": ops.isinf, "is_nan": ops.isnan, "erfc": lambda x: 1.0 - ops.erf(x),
    "bessel_i0": ops.i0,
}  # fmt: skip
_BINARY: dict[str, Callable[..., Any]] = {
    name: getattr(ops, name)
    for name in (
        "add subtract multiply equal not_equal greater greater_equal less less_equal maximum "
        "minimum logical_and logical_or logical_xor divide_no_nan"
    ).split()
} | {
    "divide": ops.divide, "truediv": ops.divide, "floordiv": ops.floor_divide,
    "floormod": ops.mod, "mod": ops.mod, "pow": ops.power,
}  # fmt: skip
for _name, _operation in _UNARY.items():
    FUNCTIONS[f"math.{_name}"] = FUNCTIONS[_name] = _unary(_operation)
for _name, _operation in _BINARY.items():
    FUNCTIONS[f"math.{_name}"] = FUNCTIONS[_name] = _binary(_operation)
FUNCTIONS["__operators__.add"] = FUNCTIONS["math.add"]
FUNCTIONS["math.atan2"] = FUNCTIONS["atan2"] = lambda y, x: ops.arctan2(*pair(y, x))
FUNCTIONS["compat.v1.floor_div"] = FUNCTIONS["floor_div"] = FUNCTIONS["math.floordiv"]
FUNCTIONS["compat.v1.div"] = FUNCTIONS["math.divide"]
for _name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    FUNCTIONS[f"bitwise.{_name}"] = _binary(getattr(ops, _name))


def _where_zero(condition: Value, otherwise: Value) -> Any:
    """`otherwise`, and 0 where the condition holds, of a gradient that is finite there."""
    return ops.where(condition, ops.zeros_like(otherwise), otherwise)


@function("math.reciprocal_no_nan")
def reciprocal_no_nan(x: Value) -> Any:
    return ops.divide_no_nan(ops.ones_like(x), x)


@function("math.multiply_no_nan")
def multiply_no_nan(x: Value, y: Value) -> Any:
    x, y = pair(x, y)
    return _where_zero(ops.equal(y, 0), ops.multiply(x, y))


@function("math.squared_difference")
def squared_difference(x: Value, y: Value) -> Any:
    return ops.square(ops.subtract(*pair(x, y)))


def _times_log(name: str, log: Callable[[Any], Any], divides: bool = False) -> None:
    def times_log(x: Value, y: Value) -> Any:
        x, y = pair(x, y)
        none = ops.equal(x, 0)
        y = ops.where(none, ops.ones_like(y), y)
        return _where_zero(none, ops.divide(x, y) if divides else ops.multiply(x, log(y)))

    FUNCTIONS[f"math.{name}"] = times_log


_times_log("xlogy", ops.log)
_times_log("xlog1py", ops.log1p)
_times_log("xdivy", ops.log, divides=True)


@function("math.add_n", "add_n")
def add_n(inputs: list[Value]) -> Any:
    total = tensor(inputs[0])
    for one in inputs[1:]:
        total = ops.add(total, one)
    return total


@function("math.polyval")
def polyval(coeffs: list[Value], x: Value) -> Any:
    total = ops.full_like(x, 0) if not coeffs else ops.full_like(x, coeffs[0])
    for one in coeffs[1:]:
        total = total * x + one
    return total


# -------------------------------------------------------------------- over axes


def _axis(axis: Axis) -> Axis:
    return tuple(int(a) for a in axis) if isinstance(axis, list | tuple) else axis


def _reduction(operation: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(input_tensor: Value, axis: Axis = None, keepdims: bool = False) -> Any:
        return operation(tensor(input_tensor), axis=_axis(axis), keepdims=bool(keepdims))

    return reduce


for _name, _operation in {
    "sum": ops.sum, "mean": ops.mean, "max": ops.max, "min": ops.min, "prod": ops.prod,
    "std": ops.std, "variance": ops.var, "logsumexp": ops.logsumexp, "any": ops.any,
    "all": ops.all,
}.items():  # fmt: skip
    FUNCTIONS[f"math.reduce_{_name}"] = FUNCTIONS[f"reduce_{_name}"] = _reduction(_operation)


@function("math.reduce_euclidean_norm")
def reduce_euclidean_norm(input_tensor: Value, axis: Axis = None, keepdims: bool = False) -> Any:
    squares = ops.square(tensor(input_tensor))
    return ops.sqrt(ops.sum(squares, axis=_axis(axis), keepdims=bool(keepdims)))


@function("math.count_nonzero")
def count_nonzero(
    input: Value, axis: Axis = None, keepdims: bool = False, dtype: Any = "int64"
) -> Any:
    counted = ops.cast(ops.not_equal(input, 0), device_dtype_name(dtype))
    return ops.sum(counted, axis=_axis(axis), keepdims=bool(keepdims))


@function("math.zero_fraction", "nn.zero_fraction")
def zero_fraction(value: Value) -> Any:
    return ops.mean(ops.cast(ops.equal(value, 0), "float32"))


def _cumulative(name: str, operation: Callable[..., Any], first: float) -> None:
    def cumulate(x: Value, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Any:
        x = ops.flip(x, axis=axis) if reverse else tensor(x)
        result = operation(x, axis=axis)
        if exclusive:
            axis = axis % len(x.shape)
            before = [slice(None)] * axis
            start = ops.full_like(ops.get_item(x, (*before, slice(0, 1))), first)
            rest = ops.get_item(result, (*before, slice(None, -1)))
            result = ops.concatenate([start, rest], axis=axis)
        return ops.flip(result, axis=axis) if reverse else result

    FUNCTIONS[f"math.{name}"] = FUNCTIONS[name] = cumulate


_cumulative("cumsum", ops.cumsum, 0)
_cumulative("cumprod", ops.cumprod, 1)


def _extreme(name: str, operation: Callable[..., Any]) -> None:
    def extreme(input: Value, axis: int | None = None, output_type: Any = "int64") -> Any:
        # TensorFlow takes axis 0 for None.
        return ops.cast(
            operation(tensor(input), axis=0 if axis is None else axis),
            device_dtype_name(output_type),
        )

    FUNCTIONS[f"math.{name}"] = FUNCTIONS[name] = extreme


_extreme("argmax", ops.argmax)
_extreme("argmin", ops.argmin)


@function("math.top_k", "nn.top_k")
def top_k(input: Value, k: int = 1, sorted: bool = True, index_type: Any = "int32") -> Any:
    values, indices = ops.top_k(input, k, sorted=sorted)
    return [values, ops.cast(indices, device_dtype_name(index_type))]


@function("sort")
def sort(values: Value, axis: int = -1, direction: str = "ASCENDING") -> Any:
    result = ops.sort(values, axis=axis)
    return ops.flip(result, axis=axis) if direction == "DESCENDING" else result


@function("argsort")
def argsort(
    values: Value, axis: int = -1, direction: str = "ASCENDING", stable: bool = False
) -> Any:
    values = ops.negative(values) if direction == "DESCENDING" else tensor(values)
    return ops.argsort(values, axis=axis)


@function("searchsorted")
def searchsorted(
    sorted_sequence: Value, values: Value, side: str = "left", out_type: Any = "int32"
) -> Any:
    """Of each last axis: how many elements stand before a value."""
    ours, other = ops.expand_dims(sorted_sequence, -2), ops.expand_dims(values, -1)
    before = ops.less(ours, other) if side == "left" else ops.less_equal(ours, other)
    return ops.sum(ops.cast(before, device_dtype_name(out_type)), axis=-1)


@function("math.segment_sum")
def segment_sum(data: Value, segment_ids: Value) -> Any:
    if is_tensor(segment_ids) and not isinstance(segment_ids, np.ndarray):
        raise refuse("math.segment_sum", "segment_ids must be constant", "a tensor")
    ids = np.asarray(segment_ids)
    return ops.segment_sum(data, ids, num_segments=int(ids.max()) + 1)


# -------------------------------------------------------------------- linear algebra


@function("linalg.matmul", "matmul")
def matmul(
    a: Value,
    b: Value,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    output_type: Any = None,
    **others: Any,
) -> Any:
    a, b = pair(a, b)
    a = ops.swapaxes(a, -1, -2) if transpose_a or adjoint_a else a
    b = ops.swapaxes(b, -1, -2) if transpose_b or adjoint_b else b
    result = ops.matmul(a, b)
    return result if output_type is None else ops.cast(result, device_dtype_name(output_type))


@function("linalg.matvec")
def matvec(a: Value, b: Value, transpose_a: bool = False, **others: Any) -> Any:
    a, b = pair(a, b)
    a = ops.swapaxes(a, -1, -2) if transpose_a else a
    return ops.squeeze(ops.matmul(a, ops.expand_dims(b, -1)), axis=-1)


@function("tensordot")
def tensordot(a: Value, b: Value, axes: Any) -> Any:
    return ops.tensordot(*pair(a, b), axes=axes)


@function("linalg.matrix_transpose")
def matrix_transpose(a: Value, conjugate: bool = False) -> Any:
    return ops.swapaxes(a, -1, -2)


@function("compat.v1.norm", "norm", "linalg.norm")
def norm(
    tensor: Value, ord: Any = "euclidean", axis: Axis = None, keepdims: Any = None, **others: Any
) -> Any:
    keepdims = bool(keepdims or others.get("keep_dims"))
    size = ops.abs(tensor)
    if ord in ("euclidean", "fro", 2):
        if ord == 2 and isinstance(axis, list | tuple) and len(axis) == 2:
            raise refuse("norm", "ord=2 of matrices is not read", f"axis={axis}")
        return ops.sqrt(ops.sum(ops.square(size), axis=_axis(axis), keepdims=keepdims))
    if isinstance(axis, list | tuple) and len(axis) > 1:
        raise refuse("norm", "ord of matrices must be 'euclidean'", f"ord={ord!r}")
    if ord in (np.inf, "inf"):
        return ops.max(size, axis=_axis(axis), keepdims=keepdims)
    return ops.power(ops.sum(ops.power(size, ord), axis=_axis(axis), keepdims=keepdims), 1 / ord)


@function("math.l2_normalize", "nn.l2_normalize", "linalg.l2_normalize")
def l2_normalize(x: Value, axis: Axis = None, epsilon: float = 1e-12, dim: Axis = None) -> Any:
    squares = ops.sum(ops.square(x), axis=_axis(dim if axis is None else axis), keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(squares, epsilon)))


@function("linalg.diag_part")
def diag_part(input: Value, k: int = 0, **others: Any) -> Any:
    return ops.diagonal(input, offset=k, axis1=-2, axis2=-1)


@function("linalg.diag")
def diag(diagonal: Value, k: int = 0, **others: Any) -> Any:
    if k != 0:
        raise refuse("linalg.diag", "k must be 0", k)
    size = diagonal.shape[-1]
    if isinstance(size, int):
        check_num_elements("linalg.diag", size, size)
    places = jnp.arange(size)
    eye = places[:, None] == places[None]
    column = ops.expand_dims(diagonal, -1)
    return ops.where(eye, column, ops.zeros_like(column))


@function("linalg.band_part")
def band_part(input: Value, num_lower: int, num_upper: int) -> Any:
    rows, columns = input.shape[-2:]
    if isinstance(rows, int) and isinstance(columns, int):
        check_num_elements("linalg.band_part", rows, columns)
    distance = jnp.arange(rows)[:, None] - jnp.arange(columns)[None]
    lower = (num_lower < 0) | (distance <= num_lower)
    kept = lower & ((num_upper < 0) | (-distance <= num_upper))
    return ops.where(kept, input, ops.zeros_like(input))


FUNCTIONS["linalg.inv"] = lambda input, **others: ops.inv(input)
FUNCTIONS["linalg.det"] = ops.det
FUNCTIONS["linalg.cholesky"] = ops.cholesky
FUNCTIONS["linalg.trace"] = lambda x: ops.trace(x, axis1=-2, axis2=-1)
