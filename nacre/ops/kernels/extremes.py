"""The largest and the smallest along axes, with gradients that reach what they are taken of.

JAX sends the gradient of an extreme to the elements equal to it. A compiler may compute an element
twice, once for the extreme and once for the comparison, and round the two differently (a fused
multiply-add in one, XLA on a CPU). Then no element is equal to the extreme, and its gradient is
lost without a word. Here one place is found by its index, a whole number that no rounding changes,
and always has its share; elements equal to it share with it, as in JAX and TensorFlow.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.tracing import is_tracer
from nacre.ops.kernels.derivatives import computed_once, define_derivatives, derived_by_hand

Axes = int | tuple[int, ...] | None


def largest(x: jax.Array, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """`jnp.max`, with such a gradient.

    Example:
        >>> jax.grad(largest)(jnp.array([1.0, 3.0, 3.0])).tolist()
        [0.0, 0.5, 0.5]
    """
    return _extreme(x, axis, keepdims, is_largest=True)


def smallest(x: jax.Array, axis: Axes = None, keepdims: bool = False) -> jax.Array:
    """`jnp.min`, with such a gradient.

    Example:
        >>> jax.grad(smallest)(jnp.array([1.0, 3.0, 3.0])).tolist()
        [1.0, 0.0, 0.0]
    """
    return _extreme(x, axis, keepdims, is_largest=False)


def _extreme(x: jax.Array, axis: Axes, keepdims: bool, is_largest: bool) -> jax.Array:
    if not (is_tracer(x) and jnp.issubdtype(x.dtype, jnp.floating)):
        return _by_jax(is_largest)(x, axis=axis, keepdims=keepdims)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    places = tuple(a + x.ndim if a < 0 else a for a in axes)
    found = _reduced(places, is_largest, x)
    return found if keepdims else jnp.squeeze(found, places)


def _by_jax(is_largest: bool) -> Any:
    return jnp.max if is_largest else jnp.min


@derived_by_hand(nondiff_argnums=(0, 1))
def _reduced(axes: tuple[int, ...], is_largest: bool, x: jax.Array) -> jax.Array:
    return _by_jax(is_largest)(x, axis=axes, keepdims=True)


def _forward(axes: tuple[int, ...], is_largest: bool, x: jax.Array):
    x = computed_once(x)
    found = _by_jax(is_largest)(x, axis=axes, keepdims=True)
    places = _places(axes, x)
    one = places == _first_place(axes, is_largest, x, found, places)
    equal = one | (x == found)
    count = jnp.sum(equal, axis=axes, keepdims=True, dtype="int32")
    # Compared anew in another part of the program, none but the one may be equal.
    return found, (jnp.where(count == 1, one, equal), count.astype(x.dtype))


def _places(axes: tuple[int, ...], x: jax.Array) -> jax.Array:
    """The number of each element among those that are reduced to one."""
    number: Any = jnp.zeros(x.shape, "int32")
    for axis in axes:
        number = number * x.shape[axis] + jax.lax.broadcasted_iota("int32", x.shape, axis)
    return number


def _first_place(
    axes: tuple[int, ...], is_largest: bool, x: jax.Array, found: jax.Array, places: jax.Array
) -> jax.Array:
    """The place of the first element that is the extreme; of the first NaN, where there is one."""
    none = jnp.iinfo("int32").max
    is_it = (x == found) | jnp.isnan(x)
    equal = jnp.min(jnp.where(is_it, places, none), axis=axes, keepdims=True)

    def searched() -> jax.Array:
        ends = tuple(range(-len(axes), 0))
        moved = jnp.moveaxis(x, axes, ends)
        flat = jnp.reshape(moved, (*moved.shape[: x.ndim - len(axes)], -1))
        index = (jnp.argmax if is_largest else jnp.argmin)(flat, axis=-1).astype("int32")
        return jnp.expand_dims(index, axes)

    # Ten times as slow, and needed only where something was rounded in two ways. And what a branch
    # gives is computed once for all that reads it.
    return jax.lax.cond(jnp.any(equal == none), searched, lambda: equal)


def _backward(axes: tuple[int, ...], is_largest: bool, kept, gradient: jax.Array):
    taken, count = kept
    return (jnp.where(taken, gradient / count, 0),)


def _tangent(axes: tuple[int, ...], is_largest: bool, kept, tangents):
    taken, count = kept
    return jnp.sum(jnp.where(taken, tangents[0], 0), axis=axes, keepdims=True) / count


define_derivatives(_reduced, _forward, _backward, _tangent)
