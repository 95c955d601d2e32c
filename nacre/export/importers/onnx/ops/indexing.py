"""Elements by their places: gathered, scattered."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import GraphError, axis_of, has_symbols, numbers


def _counted(places: Any, size: Any, module: Any) -> Any:
    """Places counted from the front; those below 0 count from the end."""
    return module.where(places < 0, places + size, places)


def _check(places: Any, size: Any) -> None:
    """Places that are known must be within."""
    if isinstance(places, np.ndarray) and isinstance(size, int) and places.size:
        if places.min() < -size or places.max() >= size:
            raise GraphError(f"places from {places.min()} to {places.max()} among {size}")


@op("Gather", knows=True)
def _gather(node: Node, x: Any, places: Any) -> Any:
    """A place that is not there gives NaN, or the largest whole number."""
    axis = axis_of(node.number("axis", 0), len(x.shape))
    module = numbers(x, places)
    if module is np:
        _check(places, x.shape[axis])
        return np.take(x, places.astype(np.int64), axis=axis)
    return jnp.take(x, _counted(places, x.shape[axis], jnp), axis=axis, mode="fill")


@op("GatherElements")
def _gather_elements(node: Node, x: Any, places: Any) -> Any:
    axis = axis_of(node.number("axis", 0), len(x.shape))
    # Other axes may be shorter in the places than in the array.
    at = [
        jnp.arange(n).reshape([-1 if i == a else 1 for i in range(len(x.shape))])
        for a, n in enumerate(places.shape)
    ]
    at[axis] = _counted(places, x.shape[axis], jnp)
    return x.at[tuple(at)].get(mode="fill")


@op("GatherND")
def _gather_nd(node: Node, x: Any, places: Any) -> Any:
    shared = node.number("batch_dims", 0)
    return x.at[_nd(x, places, shared)].get(mode="fill")


def _nd(x: Any, places: Any, shared: int = 0) -> tuple[Any, ...]:
    """The index of an array that the last axis of places tells, behind axes in common."""
    count = places.shape[-1]
    lead = len(places.shape) - 1
    first = [
        jnp.arange(x.shape[i]).reshape([-1 if i == a else 1 for a in range(lead)])
        for i in range(shared)
    ]
    rest = [_counted(places[..., i], x.shape[shared + i], jnp) for i in range(count)]
    return (*first, *rest)


def _scattered(x: Any, at: tuple[Any, ...], updates: Any, reduction: str) -> Any:
    method = {"none": "set", "add": "add", "mul": "multiply", "max": "max", "min": "min"}
    if reduction not in method:
        raise GraphError(f"the reduction '{reduction}'")
    return getattr(x.at[at], method[reduction])(updates.astype(x.dtype), mode="drop")


@op("ScatterElements", "Scatter")
def _scatter_elements(node: Node, x: Any, places: Any, updates: Any) -> Any:
    axis = axis_of(node.number("axis", 0), len(x.shape))
    at = [
        jnp.arange(n).reshape([-1 if i == a else 1 for i in range(len(x.shape))])
        for a, n in enumerate(places.shape)
    ]
    at[axis] = _counted(places, x.shape[axis], jnp)
    return _scattered(x, tuple(at), updates, node.text("reduction", "none"))


@op("ScatterND", knows=True)
def _scatter_nd(node: Node, x: Any, places: Any, updates: Any) -> Any:
    if numbers(x, places, updates) is np:  # such as shapes, in which a size is replaced
        if node.text("reduction", "none") != "none":
            return _added(node, x, places, updates)
        is_open = has_symbols(x) or has_symbols(updates)
        found = np.array(x, object if is_open else x.dtype)
        found[tuple(np.moveaxis(places, -1, 0))] = updates
        return found
    return _scattered(x, _nd(x, places), updates, node.text("reduction", "none"))


def _added(node: Node, x: Any, places: Any, updates: Any) -> Any:
    """The same with a reduction, of arrays that are known."""
    how = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
    reduction = node.text("reduction")
    if reduction not in how or has_symbols(x) or has_symbols(updates):
        raise GraphError(f"scattered with the reduction '{reduction}'")
    found = np.array(x)
    how[reduction].at(found, tuple(np.moveaxis(places, -1, 0)), updates)
    return found


@op("TensorScatter")
def _tensor_scatter(node: Node, cache: Any, update: Any, starts: Any = None) -> Any:
    axis = axis_of(node.number("axis", -2), len(cache.shape))
    size, count = cache.shape[axis], update.shape[axis]
    begin = jnp.zeros((cache.shape[0],), jnp.int32) if starts is None else starts
    places = begin[:, None] + jnp.arange(count)
    if node.text("mode", "linear") == "circular":
        places = places % size
    moved, new = jnp.moveaxis(cache, axis, 1), jnp.moveaxis(update, axis, 1)
    rows = jnp.arange(cache.shape[0])[:, None]
    return jnp.moveaxis(moved.at[rows, places].set(new.astype(cache.dtype)), 1, axis)


@op("ArrayFeatureExtractor", domain="ai.onnx.ml")
def _array_feature_extractor(node: Node, x: Any, places: Any) -> Any:
    found = jnp.take(x, places.reshape(-1), axis=-1, mode="fill")
    return found.reshape((1, -1)) if len(x.shape) == 1 else found


__all__: list[str] = []
