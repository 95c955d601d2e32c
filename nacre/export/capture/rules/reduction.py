"""Primitives that reduce, accumulate and order."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.export.capture.jaxpr import Equation, body_of, dtype_name
from nacre.export.capture.lower import Call, Lowering, NoForm, composite, primitive
from nacre.export.graph.ir import Value

_REDUCTIONS = {
    "reduce_sum": "reduce_sum", "reduce_max": "reduce_max", "reduce_min": "reduce_min",
    "reduce_prod": "reduce_prod", "reduce_and": "reduce_all", "reduce_or": "reduce_any",
}  # fmt: skip


@primitive(*_REDUCTIONS)
def _reduce(low: Lowering, equation: Equation, x: Value) -> Value:
    axes = tuple(int(axis) for axis in equation.params["axes"])
    op = _REDUCTIONS[equation.primitive]
    if not axes:
        return x
    if x.dtype == "bool":
        op = {"reduce_max": "reduce_any", "reduce_min": "reduce_all"}.get(op, op)
    elif op in ("reduce_all", "reduce_any"):
        raise NoForm("bits of integers reduced")
    return low.add(op, x, axes=axes, keepdims=False)


# What one function of two numbers makes of many: its primitive, and the reduction.
_JOINED = {"add": "reduce_sum", "mul": "reduce_prod", "max": "reduce_max", "min": "reduce_min"}


@primitive("reduce")
def _by_function(low: Lowering, equation: Equation, *values: Value) -> Value:
    """A reduction by a function and a first value, where there is an op for the function."""
    body = body_of(equation.params["jaxpr"])
    kinds = [inner.primitive for inner in body.equations]
    if len(values) != 2 or len(kinds) != 1 or kinds[0] not in _JOINED or values[0].dtype == "bool":
        raise NoForm(f"a reduction by {', '.join(kinds)}")
    x, first = values
    axes = tuple(int(axis) for axis in equation.params["dimensions"])
    result = low.add(_JOINED[kinds[0]], x, axes=axes, keepdims=False)
    return low.add(kinds[0], result, first)


@primitive("argmax", "argmin")
def _places(low: Lowering, equation: Equation, x: Value) -> Value:
    (axis,) = equation.params["axes"]
    dtype = dtype_name(equation.params["index_dtype"])
    return low.add(equation.primitive, x, axis=int(axis), dtype=dtype)


@primitive("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def _running(low: Lowering, equation: Equation, x: Value) -> Value:
    params = equation.params
    return low.add(equation.primitive, x, axis=int(params["axis"]), reverse=bool(params["reverse"]))


@primitive("sort")
def _sort(low: Lowering, equation: Equation, *xs: Value) -> Any:
    params = equation.params
    return low.add_all("sort", *xs, axis=int(params["dimension"]), num_keys=int(params["num_keys"]))


@primitive("top_k")
def _top_k(low: Lowering, equation: Equation, x: Value) -> Any:
    axis = equation.params.get("axis", len(x.shape) - 1)
    if axis % len(x.shape) != len(x.shape) - 1 or not isinstance(equation.params["k"], int):
        raise NoForm("another axis than the last, or a symbolic number")
    return low.add_all("top_k", x, k=equation.params["k"])


@composite("top_k")
def _named_top_k(low: Lowering, call: Call) -> Any:
    return low.add_all("top_k", call.inputs["x"], k=int(call["k"]))


@composite("logsumexp")
def _logsumexp(low: Lowering, call: Call) -> Value | None:
    x, axis = call.inputs["x"], call["axis"]
    if not x.dtype.startswith("float"):
        return None
    axes = tuple(range(len(x.shape))) if axis is None else _tuple(axis)
    axes = tuple(a % len(x.shape) for a in axes)
    return low.add("logsumexp", x, axes=axes, keepdims=call["keepdims"])


def _tuple(axis: Any) -> tuple[int, ...]:
    return tuple(axis) if isinstance(axis, list) else (axis,)


@composite("searchsorted")
def _searchsorted(low: Lowering, call: Call) -> Value | None:
    edges, values = call.inputs["sorted_sequence"], call.inputs["values"]
    if len(edges.shape) != 1:
        return None
    if edges.dtype != values.dtype:  # compared in a dtype that both fit, as the op does
        dtype = dtype_name(jnp.promote_types(edges.dtype, values.dtype))
        if dtype not in (edges.dtype, values.dtype):  # JAX may have fewer bits than that
            return None
        edges, values = (
            value if value.dtype == dtype else low.add("cast", value, dtype=dtype)
            for value in (edges, values)
        )
    return low.add("searchsorted", edges, values, side=call["side"])


@composite("global_max_pool", "global_average_pool")
def _global_pool(low: Lowering, call: Call) -> Value | None:
    x = call.inputs["inputs"]
    if "weights" in call.inputs or not x.dtype.startswith(("float", "bfloat")):
        return None
    op = "reduce_max" if call.op == "global_max_pool" else "reduce_mean"
    axes = tuple(a % len(x.shape) for a in _tuple(call["axis"]))
    return low.add(op, x, axes=axes, keepdims=call["keepdims"])
