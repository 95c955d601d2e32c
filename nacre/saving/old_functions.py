"""Functions whose meaning changed between Keras versions, under names of their own."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from nacre.core.registry import get_custom_objects, register_keras_serializable


@register_keras_serializable("nacre", "hard_sigmoid_keras2")
def hard_sigmoid_keras2(x: Any) -> Any:
    """The `hard_sigmoid` of Keras 1 and 2, with another slope than Keras 3's.

    Formula:
        min(max(0.2 x + 0.5, 0), 1)
    Source:
        Keras 2 documentation of `keras.activations.hard_sigmoid`. Keras 3: slope 1/6.
    Example:
        >>> float(hard_sigmoid_keras2(jnp.asarray(1.0)))
        0.69...
    """
    return jnp.clip(0.2 * x + 0.5, 0.0, 1.0)


# Also under its plain name, which is what configs of layers that use it hold.
get_custom_objects()["hard_sigmoid_keras2"] = hard_sigmoid_keras2

# How a config names it.
OLD_HARD_SIGMOID = {
    "module": "nacre.saving",
    "class_name": "function",
    "config": "hard_sigmoid_keras2",
    "registered_name": "nacre>hard_sigmoid_keras2",
}

__all__ = ["OLD_HARD_SIGMOID", "hard_sigmoid_keras2"]
