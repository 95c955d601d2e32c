"""Operators that make one number of many: sums, extremes, segments, sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.export.importers.litert.quantized import is_float
from nacre.export.importers.litert.registry import (
    Step,
    StepError,
    jax_dtype,
    known,
    numbers,
    op,
    size,
    sizes,
)

_REDUCED: dict[str, Callable[..., Any]] = {
    "SUM": lambda m, x, a, k: m.sum(x, axis=a, keepdims=k, dtype=x.dtype),
    "MEAN": lambda m, x, a, k: _mean(m, x, a, k),
    "REDUCE_PROD": lambda m, x, a, k: m.prod(x, axis=a, keepdims=k, dtype=x.dtype),
    "REDUCE_MAX": lambda m, x, a, k: m.max(x, axis=a, keepdims=k),
    "REDUCE_MIN": lambda m, x, a, k: m.min(x, axis=a, keepdims=k),
    "REDUCE_ANY": lambda m, x, a, k: m.any(x, axis=a, keepdims=k),
    "REDUCE_ALL": lambda m, x, a, k: m.all(x, axis=a, keepdims=k),
}


def _mean(m: Any, x: Any, axes: Any, keep: bool) -> Any:
    if is_float(x):
        return m.mean(x, axis=axes, keepdims=keep)
    count = np.prod([x.shape[a] for a in axes], dtype=int)  # whole numbers: towards zero
    total = m.sum(x, axis=axes, keepdims=keep, dtype=x.dtype)
    return (m.sign(total) * (m.abs(total) // max(int(count), 1))).astype(x.dtype)


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    def compute(step: Step, x: Any, axes: Any) -> Any:
        at = tuple(dict.fromkeys(int(a) % max(x.ndim, 1) for a in sizes(axes, "the axes")))
        at = at if x.ndim else ()
        if x.dtype == object and not all(isinstance(n, int) for n in x.reshape(-1)):
            return _of_sizes(step, x, at)
        m = numbers(x)
        return m.asarray(function(m, x, at, bool(step["keep_dims"])))

    return compute


def _of_sizes(step: Step, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The same of symbols."""
    keep = bool(step["keep_dims"])
    if step.operator.op == "REDUCE_PROD":
        return np.asarray(np.prod(x, axis=axes, keepdims=keep), object)
    if step.operator.op == "SUM":
        return np.asarray(np.sum(x, axis=axes, keepdims=keep), object)
    raise StepError(f"{step.operator.op} of sizes that are open")


for _name, _function in _REDUCED.items():
    op(_name, known=True)(_reduced(_function))


@op("ARG_MAX", "ARG_MIN", known=True)
def _arg(step: Step, x: Any, axis: Any) -> Any:
    m = numbers(x)
    which = m.argmax if step.operator.op == "ARG_MAX" else m.argmin
    return which(x, axis=size(axis, "the axis")).astype(jax_dtype(step.outputs[0].dtype))


@op("CUMSUM")
def _cumsum(step: Step, x: Any, axis: Any) -> Any:
    x = jnp.asarray(x)
    at = size(axis, "the axis") % max(x.ndim, 1)
    x = jnp.flip(x, at) if step["reverse"] else x
    found = jnp.cumsum(x, at, dtype=x.dtype)
    if step["exclusive"]:
        found = found - x
    return jnp.flip(found, at) if step["reverse"] else found


@op("TOPK_V2")
def _top_k(step: Step, x: Any, k: Any) -> list[Any]:
    values, places = jax.lax.top_k(jnp.asarray(x), size(k, "k"))
    return [values, places.astype("int32")]


def _segments(name: str) -> Callable[..., Any]:
    start = {"SUM": 0, "PROD": 1}
    ends = {"MAX": "min", "MIN": "max"}

    def compute(x: Any, ids: Any, count: int) -> Any:
        x, ids = jnp.asarray(x), jnp.asarray(ids)
        flat = x.reshape(-1, *x.shape[ids.ndim :])
        if name in start:
            first = np.asarray(start[name], x.dtype)
        else:
            info = jnp.finfo(x.dtype) if is_float(x) else jnp.iinfo(x.dtype)
            first = np.asarray(getattr(info, ends[name]), x.dtype)
        found = jnp.full((count, *flat.shape[1:]), first)
        ids = ids.reshape(-1)
        ids = jnp.where(ids < 0, count, ids)  # those before the first are left out
        at = found.at[ids]
        put = {"SUM": at.add, "PROD": at.multiply, "MAX": at.max, "MIN": at.min}[name]
        return put(flat, mode="drop")

    return compute


@op("SEGMENT_SUM")
def _segment_sum(step: Step, x: Any, ids: Any) -> Any:
    places = known(ids, "the segments")
    return _segments("SUM")(x, places, int(places.max(initial=-1)) + 1)


def _unsorted(name: str) -> Callable[..., Any]:
    return lambda step, x, ids, count: _segments(name)(x, ids, size(count, "the count"))


for _name in ("SUM", "PROD", "MAX", "MIN"):
    op(f"UNSORTED_SEGMENT_{_name}")(_unsorted(_name))
