"""Random numbers: of nacre's generators, so others than ONNX Runtime draws."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.random import draw_key
from nacre.export.importers.onnx.ops.math import name_of
from nacre.export.importers.onnx.registry import Node, op
from nacre.export.importers.onnx.values import cast, checked_shape, computed, dtype_of


def _key(node: Node) -> Any:
    """A new key for each draw; the same one for a node that has a seed."""
    seed = node.get("seed")
    return draw_key() if seed is None else jax.random.key(hash(float(seed)) & 0x7FFFFFFF)


def _kind(node: Node, like: Any = None) -> np.dtype[Any]:
    number = node.get("dtype")
    if number is None:
        return np.dtype(np.float32) if like is None else np.dtype(like.dtype)
    return dtype_of(name_of(number))


def _normal(node: Node, shape: Any, kind: Any) -> Any:
    drawn = jax.random.normal(_key(node), checked_shape(shape))
    return (drawn * node.number("scale", 1.0) + node.number("mean", 0.0)).astype(computed(kind))


def _uniform(node: Node, shape: Any, kind: Any) -> Any:
    low, high = node.number("low", 0.0), node.number("high", 1.0)
    drawn = jax.random.uniform(_key(node), checked_shape(shape))
    return (drawn * (high - low) + low).astype(computed(kind))


@op("RandomNormal", kept=(-1,), draws=True)
def _random_normal(node: Node) -> Any:
    return _normal(node, node.numbers("shape", []), _kind(node))


@op("RandomUniform", kept=(-1,), draws=True)
def _random_uniform(node: Node) -> Any:
    return _uniform(node, node.numbers("shape", []), _kind(node))


@op("RandomNormalLike", kept=(-1,), draws=True)
def _random_normal_like(node: Node, x: Any) -> Any:
    return _normal(node, x.shape, _kind(node, x))


@op("RandomUniformLike", kept=(-1,), draws=True)
def _random_uniform_like(node: Node, x: Any) -> Any:
    return _uniform(node, x.shape, _kind(node, x))


@op("Bernoulli", draws=True)
def _bernoulli(node: Node, x: Any) -> Any:
    kind = computed(_kind(node, x))
    return (jax.random.uniform(_key(node), x.shape) < x).astype(kind)


@op("Multinomial", draws=True)
def _multinomial(node: Node, x: Any) -> Any:
    count = node.number("sample_size", 1)
    kind = dtype_of(name_of(node.number("dtype", 6)))
    shape = (count, x.shape[0])
    found = jax.random.categorical(_key(node), x.astype(jnp.float32), axis=-1, shape=shape)
    return cast(found.T, kind)


__all__: list[str] = []
