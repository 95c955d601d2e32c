"""Random numbers. Each run gives others: these ops have no keys, and no seed in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.opset import Array, DType, Sizes, Type, op
from nacre.export.graph.rules import require


def _drawn(types: Any, attributes: Any) -> Type:
    return Type(attributes["dtype"], tuple(attributes["shape"]))


def _between(types: Any, attributes: Any) -> Type:
    require(all(t.shape == () for t in types), "low and high must be scalars")
    return _drawn(types, attributes)


@op(shapes=_between, is_random=True)
def random_uniform(
    generator: np.random.Generator, low: Array, high: Array, *, shape: Sizes, dtype: DType
) -> Array:
    """Floats from `low` until before `high`, all as likely."""
    return generator.uniform(low, high, shape).astype(dtype)  # type: ignore[call-overload]


@op(shapes=_drawn, is_random=True)
def random_normal(generator: np.random.Generator, *, shape: Sizes, dtype: DType) -> Array:
    """Floats of mean 0 and variance 1, distributed normally."""
    return generator.standard_normal(shape).astype(dtype)  # type: ignore[arg-type]


@op(shapes=_drawn, is_random=True)
def random_bits(generator: np.random.Generator, *, shape: Sizes, dtype: DType) -> Array:
    """Unsigned integers, all numbers of the dtype as likely."""
    return generator.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)  # type: ignore
