"""What the reference and contract tests share: a case's layer, built, and one pure call of it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import nacre
from tests.cases.layers import LAYER_CASES
from tests.cases.reading import call_arguments, load_facts, load_reference, numbered
from tests.cases.spec import LayerCase, build_layer

ARRAYS = load_reference("layers")
FACTS = load_facts("layers")
CASES = [case for case in LAYER_CASES if case.id in FACTS]

_seen: set[str] = set()
# The first case of every class: for checks that compile.
FIRST_CASES = [c for c in CASES if not (c.layer in _seen or _seen.add(c.layer))]


def on_device(value: Any) -> Any:
    """The same structure with NumPy arrays as JAX arrays."""
    return jax.tree.map(lambda x: jnp.asarray(x) if isinstance(x, np.ndarray) else x, value)


def arguments_of(case: LayerCase, arrays: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of the case's call, as JAX arrays."""
    positional, keywords = call_arguments(case, arrays)
    return on_device(positional), on_device(keywords)


def built_layer(case: LayerCase, dtype: str | None = None) -> Any:
    """The layer, built by tracing a call: nothing is compiled."""
    before = nacre.core.policies.dtype_policy() if dtype else None
    if dtype:
        nacre.core.policies.set_dtype_policy(dtype)
    try:
        layer = build_layer(case, nacre)
        positional, keywords = arguments_of(case, ARRAYS[case.id])
        jax.eval_shape(lambda: layer(*positional, **keywords))
    finally:
        if dtype:
            nacre.core.policies.set_dtype_policy(before)
    return layer


def reference_weights(case: LayerCase) -> list[np.ndarray]:
    """The values the reference was computed with, in the order of `layer.weights`."""
    return numbered(ARRAYS[case.id], "weight")


def run_pure(
    case: LayerCase, layer: Any, arrays: dict[str, Any], weights: list[Any], training: bool
) -> tuple[list[Any], list[Any], list[Any]]:
    """One call as a pure function: outputs, the weights after it, the losses it added."""
    positional, keywords = arguments_of(case, arrays)
    mapping = list(zip(layer.weights, weights, strict=True))
    with nacre.StatelessScope(mapping, collect_losses=True) as scope:
        outputs = layer(*positional, **keywords, training=training)
        losses = list(layer.losses)
        updated = [scope.get_current_value(v) for v in layer.weights]
    return jax.tree.leaves(outputs), updated, losses
