"""The classes that JAX's arrays and traced values are of, for who gives them more methods."""

from __future__ import annotations

from typing import Any

from jax._src.array import ArrayImpl
from jax.core import Tracer

# `jax.Array` is an interface that cannot be given methods; JAX itself puts them on these two.
ARRAY: type[Any] = ArrayImpl
TRACER: type[Any] = Tracer

__all__ = ["ARRAY", "TRACER"]
