"""Sums and the like over axes, places of extremes, sorting, running sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import (
    GraphError,
    axis_of,
    cast,
    has_symbols,
    integer,
    ints,
    known,
    numbers,
)


def axes_of(node: Node, rank: int, given: Any, default: tuple[int, ...] | None) -> tuple[int, ...]:
    """The axes that an attribute tells, or since a later version an input."""
    found = node.numbers("axes") if given is None else list(ints(given))
    if not found:
        return tuple(range(rank)) if default is None else default
    return tuple(axis_of(axis, rank) for axis in found)


def _log_sum_exp(x: Any, axis: Any, keepdims: bool) -> Any:
    if not x.size:
        return jnp.log(jnp.sum(jnp.exp(x), axis=axis, keepdims=keepdims))
    largest = jnp.max(x, axis=axis, keepdims=True)
    largest = lax.stop_gradient(jnp.where(jnp.isfinite(largest), largest, 0))
    total = jnp.log(jnp.sum(jnp.exp(x - largest), axis=axis, keepdims=True)) + largest
    return total if keepdims else jnp.squeeze(total, axis)


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceL1": lambda x, axis, keepdims: jnp.sum(jnp.abs(x), axis=axis, keepdims=keepdims),
    "ReduceL2": lambda x, axis, keepdims: jnp.sqrt(jnp.sum(x * x, axis=axis, keepdims=keepdims)),
    "ReduceLogSum": lambda x, axis, keepdims: jnp.log(jnp.sum(x, axis=axis, keepdims=keepdims)),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMean": lambda x, axis, keepdims: jnp.mean(x, axis=axis, keepdims=keepdims),
    "ReduceSumSquare": lambda x, axis, keepdims: jnp.sum(x * x, axis=axis, keepdims=keepdims),
}


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def computed(node: Node, x: Any, axes: Any = None) -> Any:
        # Over no axes, what is done to each number is done all the same: its square, its logarithm.
        found = _axes(node, x, axes) or ()
        return function(x, found, bool(node.number("keepdims", 1))).astype(x.dtype)

    return computed


def _axes(node: Node, x: Any, given: Any) -> tuple[int, ...] | None:
    """The axes; None where there are none to reduce."""
    is_none = not node.numbers("axes") if given is None else not np.size(known(given))
    if is_none and node.number("noop_with_empty_axes", 0):
        return None
    return axes_of(node, len(x.shape), given, None)


for _name, _function in _REDUCTIONS.items():
    op(_name, kept=(1,))(_reduction(_function))


def _known_reduction(name: str) -> Callable[..., Any]:
    def computed(node: Node, x: Any, axes: Any = None) -> Any:
        found = _axes(node, x, axes)
        if found is None:
            return x
        keeps = bool(node.number("keepdims", 1))
        if has_symbols(x):
            return np.asarray(getattr(np, name)(x, axis=found, keepdims=keeps), object)
        if name in ("max", "min") and any(x.shape[a] == 0 for a in found):
            return _of_nothing(name, x, found, keeps)
        return getattr(numbers(x), name)(x, axis=found, keepdims=keeps).astype(x.dtype)

    return computed


def _of_nothing(name: str, x: Any, axes: tuple[int, ...], keeps: bool) -> Any:
    """The extreme of no numbers: the other end of those that there are."""
    if x.dtype == bool:
        end: Any = name == "min"
    elif x.dtype.kind in "iu":
        limits = np.iinfo(x.dtype)
        end = limits.min if name == "max" else limits.max
    else:
        end = -np.inf if name == "max" else np.inf
    shape = [1 if a in axes else n for a, n in enumerate(x.shape) if keeps or a not in axes]
    return numbers(x).full(shape, end, x.dtype)


for _name, _known_name in (
    ("ReduceMax", "max"), ("ReduceMin", "min"), ("ReduceSum", "sum"), ("ReduceProd", "prod"),
):  # fmt: skip
    op(_name, knows=True, kept=(1,))(_known_reduction(_known_name))


def _extreme(name: str) -> Callable[..., Any]:
    def computed(node: Node, x: Any) -> Any:
        axis = axis_of(node.number("axis", 0), len(x.shape))
        find = getattr(jnp, name)
        if node.number("select_last_index", 0):
            found = x.shape[axis] - 1 - find(jnp.flip(x, axis), axis=axis, keepdims=True)
        else:
            found = find(x, axis=axis, keepdims=True)
        found = cast(found, np.int64)
        return found if node.number("keepdims", 1) else jnp.squeeze(found, axis)

    return computed


op("ArgMax")(_extreme("argmax"))
op("ArgMin")(_extreme("argmin"))


@op("TopK", kept=(1,))
def _top_k(node: Node, x: Any, k: Any = None) -> Any:
    """Equal numbers stand in the order of their places."""
    count = integer(k) if k is not None else node.number("k", 0)
    axis = axis_of(node.number("axis", -1), len(x.shape))
    if isinstance(x.shape[axis], int) and not 0 <= count <= x.shape[axis]:
        raise GraphError(f"the {count} largest of {x.shape[axis]} are asked for")
    order = jnp.argsort(x, axis=axis, stable=True, descending=bool(node.number("largest", 1)))
    places = lax.slice_in_dim(order, 0, count, axis=axis)
    return jnp.take_along_axis(x, places, axis), cast(places, np.int64)


def _running(function: Any, start: int) -> Callable[..., Any]:
    def computed(node: Node, x: Any, axis: Any = None) -> Any:
        at = axis_of(node.number("axis", 0) if axis is None else integer(axis), len(x.shape))
        is_backward, leaves_own = node.number("reverse", 0), node.number("exclusive", 0)
        x = jnp.flip(x, at) if is_backward else x
        found = function(x, axis=at).astype(x.dtype)
        if leaves_own:
            first = jnp.full_like(lax.slice_in_dim(found, 0, 1, axis=at), start)
            found = jnp.concatenate(
                [first, lax.slice_in_dim(found, 0, found.shape[at] - 1, axis=at)], at
            )
        return jnp.flip(found, at) if is_backward else found

    return computed


op("CumSum", kept=(1,))(_running(jnp.cumsum, 0))
op("CumProd", kept=(1,))(_running(jnp.cumprod, 1))


@op("Hardmax")
def _hardmax(node: Node, x: Any) -> Any:
    shape, flat, axis = _flattened(node, x)
    places = jnp.expand_dims(jnp.argmax(flat, axis=axis), axis)
    steps = jnp.expand_dims(
        jnp.arange(flat.shape[axis]), tuple(i for i in range(flat.ndim) if i != axis % flat.ndim)
    )
    return (steps == places).astype(x.dtype).reshape(shape)


@op("Softmax")
def _softmax(node: Node, x: Any) -> Any:
    shape, flat, axis = _flattened(node, x)
    return _normalized(flat, axis)[0].reshape(shape).astype(x.dtype)


@op("LogSoftmax")
def _log_softmax(node: Node, x: Any) -> Any:
    shape, flat, axis = _flattened(node, x)
    return _normalized(flat, axis)[1].reshape(shape).astype(x.dtype)


def _normalized(x: Any, axis: int) -> tuple[Any, Any]:
    """Softmax and its logarithm; of 16 bits, in float32."""
    wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
    largest = lax.stop_gradient(jnp.max(wide, axis=axis, keepdims=True))
    shifted = wide - largest
    exponents = jnp.exp(shifted)
    total = jnp.sum(exponents, axis=axis, keepdims=True)
    return exponents / total, shifted - jnp.log(total)


def _flattened(node: Node, x: Any) -> tuple[Any, Any, int]:
    """The shape, the array and the axis: until operator set 12 all from the axis on are one."""
    rank = len(x.shape)
    if node.version >= 13:
        return x.shape, x, axis_of(node.number("axis", -1), rank)
    axis = axis_of(node.number("axis", 1), rank) if rank > 1 else min(node.number("axis", 1), rank)
    last = (
        int(np.prod([n for n in x.shape[axis:]]))
        if all(isinstance(n, int) for n in x.shape[axis:])
        else -1
    )
    first: Any = 1
    for size in x.shape[:axis]:
        first = first * size
    return x.shape, x.reshape((first, last)), 1


__all__ = ["axes_of"]
