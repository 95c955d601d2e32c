"""Sizes and other whole numbers that must be known: `tf.shape(x)[0]`, axes, lists of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, TracedSizeError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable


class Sizes(tuple[Any, ...]):
    """`tf.shape(x)` where a size is a symbol, as while the shape of a layer's output is found.

    It computes element by element, as the tensor does that stands here where sizes are numbers.
    """

    __slots__ = ()

    dtype = np.dtype(np.int32)

    @property
    def shape(self) -> tuple[int]:
        """How many sizes there are."""
        return (len(self),)

    @property
    def ndim(self) -> int:
        """One."""
        return 1

    def __getitem__(self, key: Any) -> Any:
        found = tuple.__getitem__(self, int(key) if isinstance(key, np.ndarray) else key)
        return Sizes(found) if isinstance(key, slice) else found

    def __add__(self, other: Any) -> Any:  # type: ignore[override]
        return _each(operator.add, self, other)

    def __mul__(self, other: Any) -> Any:  # type: ignore[override]
        return _each(operator.mul, self, other)

    __rmul__ = __mul__  # type: ignore[assignment]
    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return _each(operator.sub, self, other)

    def __floordiv__(self, other: Any) -> Any:
        return _each(operator.floordiv, self, other)


def _each(function: Callable[..., Any], sizes: Sizes, other: Any) -> Any:
    if isinstance(other, jax.Array):
        return function(jnp.stack([jnp.asarray(n, sizes.dtype) for n in sizes]), other)
    if isinstance(other, KerasTensor):
        return NotImplemented
    others = other if isinstance(other, list | tuple | np.ndarray) else [other] * len(sizes)
    return Sizes(function(a, b) for a, b in zip(sizes, others, strict=True))


def plain(value: Any) -> Any:
    """Whole numbers as Python's, lists as tuples; symbols stay what they are.

    Raises:
        TracedSizeError: One is computed by the program that is being traced.
    """
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, Variable):
        value = value.numpy()
    if is_tracer(value):
        raise TracedSizeError(
            message(
                "tf",
                "sizes and axes must be known when a function is compiled",
                f"a traced tensor of shape {tuple(value.shape)}",
                "Take them from x.shape or tf.shape(x), or pass Python numbers.",
            )
        )
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return plain(np.asarray(value).tolist())
    return value


def are_known(sizes: tuple[Any, ...]) -> bool:
    """Whether every size is a number, none a symbol."""
    return all(isinstance(n, int) for n in sizes)


def sizes_of(shape: Any) -> tuple[Any, ...]:
    """A shape as a tuple, one number as one axis."""
    found = plain(shape)
    found = found if isinstance(found, tuple) else (found,)
    return tuple(n if not isinstance(n, float) else _whole(n) for n in found)


def _whole(size: float) -> int:
    if size != int(size):
        raise ArgumentError(message("tf", "sizes must be whole numbers", str(size)))
    return int(size)


__all__ = ["Sizes", "are_known", "plain", "sizes_of"]
