"""What JAX leaves without types, with them: its settings, and what it gives of its classes in C++.

Only what has no type at all is here. Functions whose results are typed, and some of whose arguments
are not, are called as they are.
"""

# That these have no types is why the file is there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

T = TypeVar("T")


def setting(name: str) -> Any:
    """A setting as it is now, in this thread.

    Args:
        name: Its name, such as "jax_enable_x64".
    """
    return getattr(jax.config, name)


def change_setting(name: str, value: object) -> None:
    """Set it for the process."""
    jax.config.update(name, value)


def as_key(data: Any) -> jax.Array:
    """A key of JAX's of its numbers, uint32 of shape (2,), whatever form is its default."""
    return jax.random.wrap_key_data(jnp.asarray(data), impl="threefry2x32")


def largest(dtype: Any) -> float:
    """The largest finite number of a dtype."""
    return float(jnp.finfo(dtype).max)


def free_memory() -> int | None:
    """Bytes of the first device's memory that nothing lies in, None where it does not tell."""
    stats = jax.local_devices()[0].memory_stats() or {}
    limit = stats.get("bytes_limit")
    return None if limit is None else max(0, limit - stats.get("bytes_in_use", 0))


def spec_of(array: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype of an array, to trace with."""
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def cond(predicate: Any, then: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """What one of two functions gives, by a traced truth."""
    return jax.lax.cond(predicate, then, otherwise)


def grad(function: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of a function with respect to its first argument, in the form of that."""
    return jax.grad(function)


def fori_loop(count: Any, body: Callable[[Any, T], T], first: T) -> T:
    """The last of `first`, `body(0, first)`, ... after a number of turns, which may be traced."""
    return jax.lax.fori_loop(0, count, body, first)


def map_rows(function: Callable[[Any], T], rows: Any) -> T:
    """What a function gives for each row, one after another, stacked."""
    return jax.lax.map(function, rows)


def put(value: Any, place: jax.sharding.Sharding) -> jax.Array:
    """An array where a sharding has it."""
    return jax.device_put(value, place)


def said_to_lie(value: Any, place: jax.sharding.Sharding) -> jax.Array:
    """A traced array that lies where a sharding has it."""
    return jax.lax.with_sharding_constraint(value, place)


__all__ = [
    "as_key",
    "change_setting",
    "cond",
    "fori_loop",
    "free_memory",
    "grad",
    "largest",
    "map_rows",
    "put",
    "said_to_lie",
    "setting",
    "spec_of",
]
