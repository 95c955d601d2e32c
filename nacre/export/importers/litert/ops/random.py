"""Operators that draw: numbers of nacre's, not those that LiteRT would draw from the seeds."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.random import draw_key
from nacre.export.importers.litert.ops.shaping import room
from nacre.export.importers.litert.registry import Step, jax_dtype, op, size, sizes


@op("RANDOM_UNIFORM")
def _uniform(step: Step, shape: Any) -> Any:
    new = sizes(shape, "the shape")
    room(new, "float32", False)
    return jax.random.uniform(draw_key(), new)


@op("RANDOM_STANDARD_NORMAL")
def _normal(step: Step, shape: Any) -> Any:
    new = sizes(shape, "the shape")
    room(new, "float32", False)
    return jax.random.normal(draw_key(), new)


@op("MULTINOMIAL")
def _multinomial(step: Step, logits: Any, count: Any) -> Any:
    logits, number = jnp.asarray(logits), size(count, "the count")
    drawn = jax.random.categorical(draw_key(), logits[:, None], shape=(logits.shape[0], number))
    return drawn.astype(jax_dtype(step.outputs[0].dtype))
