"""What `jax.vmap` makes of a compiled call: one call for all samples, not one for each.

A call takes a mapped axis in one of two ways. Where nothing is summed over the rows of a batch, the
axis is joined to the first one: `over_rows`. Where each sample has sums or weights of its own, the
handler sees one more axis in front of all its arrays and goes through it by itself. Either way the
numbers of a sample are those that a call of its own gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_batching import custom_vmap

from nacre.core.tracing import is_tracer


def over_rows(
    run: Callable[..., Any],
    is_rows: Sequence[bool],
    *arrays: Array,
    otherwise: Callable[..., Any] | None = None,
) -> Any:
    """`run(*arrays)`; a mapped axis becomes part of the first axis of the arrays of rows.

    Args:
        run: Gives one array or several, each with the rows of the first array on its first axis.
        is_rows: Which arrays have those rows on their first axis, or a 1 that stands for them all.
            The first one does.
        otherwise: What is mapped instead where one of the others is; `run` by default.
    Example:
        >>> product = lambda x: over_rows(jnp.matmul, (True, False), x, jnp.ones((3, 4)))
        >>> jax.vmap(product)(jnp.ones((5, 2, 3))).shape
        (5, 2, 4)
    """
    if not any(map(is_tracer, arrays)):
        return run(*arrays)
    mapped = custom_vmap(run)

    def rule(size: int, is_mapped: Sequence[bool], *arrays: Array) -> Any:
        pairs = zip(is_mapped, is_rows, strict=True)
        if any(here and not rows for here, rows in pairs):
            axes = [0 if here else None for here in is_mapped]
            results = jax.vmap(otherwise or run, axes, axis_size=size)(*arrays)
        else:
            count = arrays[0].shape[1 if is_mapped[0] else 0]
            joined = (
                _joined(array, here, size, count) if rows else array
                for array, here, rows in zip(arrays, is_mapped, is_rows, strict=True)
            )
            split = lambda y: jnp.reshape(y, (size, count, *y.shape[1:]))
            results = jax.tree.map(split, mapped(*joined))
        return results, jax.tree.map(lambda _: True, results)

    mapped.def_vmap(rule)
    return mapped(*arrays)


def _joined(array: Array, is_mapped: bool, size: int, count: int) -> Array:
    """(size · count, ...) of (size, count, ...), where either may be missing or 1."""
    array = array if is_mapped else array[None]
    rest = array.shape[2:]
    return jnp.reshape(jnp.broadcast_to(array, (size, count, *rest)), (size * count, *rest))
