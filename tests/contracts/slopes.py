"""Gradients against central differences in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Two steps: the larger has less rounding, the smaller is less likely to step over a corner.
STEPS = np.array([3e-3, 1e-3], "float32")


def slopes(
    function: Callable[[Any], list[Any]], start: Any, random: np.random.Generator
) -> list[float]:
    """Slopes along one random direction of each part of `start`, or AssertionError.

    The function's outputs are summed with random factors of either sign, and each part moved by
    its step up or down in every element, in units of its largest element (at least 1).

    Args:
        function: Takes what `start` is, gives arrays of floats.
        start: A tuple of parts: structures of float32 arrays.
    """
    shapes = jax.eval_shape(function, start)
    factors = [
        (random.uniform(0.5, 1.0, s.shape) * random.choice((-1, 1), s.shape)).astype("float32")
        for s in shapes
    ]

    def total(values: Any) -> tuple[Any, Any]:
        parts = [o * f for o, f in zip(function(values), factors, strict=True)]
        return sum(p.sum() for p in parts), sum(jnp.abs(p).sum() for p in parts)

    @jax.jit
    def measure(start: Any, way: Any) -> Any:
        along = lambda t: total(jax.tree.map(lambda v, d: v + t * d, start, way))
        gradient = jax.grad(lambda values: total(values)[0])(start)
        dots = jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, way)
        values, sizes = jax.lax.map(along, jnp.concatenate([STEPS, -STEPS]))
        differences = (values[: len(STEPS)] - values[len(STEPS) :]) / (2 * STEPS)
        return sum(jax.tree.leaves(dots)), differences, sizes[0]

    found = []
    for chosen, part in enumerate(start):
        leaves = jax.tree.leaves(part)
        if not any(leaf.size for leaf in leaves):
            continue
        unit = max(1.0, *(float(abs(leaf).max(initial=0)) for leaf in leaves), 0.0)
        moved = lambda v, unit=unit: (unit * random.choice((-1, 1), v.shape)).astype("float32")
        way = tuple(
            jax.tree.map(moved if i == chosen else np.zeros_like, other)
            for i, other in enumerate(start)
        )
        slope, differences, size = map(np.asarray, measure(start, way))
        # Differences carry the rounding of the values, divided by the step.
        allowed = 0.01 * (1 + abs(slope)) + 4e-7 * size / STEPS
        assert (abs(differences - slope) <= allowed).any(), (slope, differences, allowed)
        found.append(float(slope))
    return found
