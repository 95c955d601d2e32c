"""`XlaCallModule`: a whole program in StableHLO, as Keras 3 on JAX exports it."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core.stablehlo import callable_module
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import GraphError, is_known


@op("XlaCallModule")
def _call(node: Node, *inputs: Any) -> Any:
    """Compiled for the shapes that come."""
    if node.get("function_list"):
        raise GraphError("a program of StableHLO that calls functions of TensorFlow")
    if node.get("has_token_input_output"):
        raise GraphError("a program of StableHLO with tokens")
    arrays = [jnp.asarray(value) if is_known(value) else value for value in inputs]
    if node.has_gradient:  # which a node behind it has
        arrays = [lax.stop_gradient(array) for array in arrays]
    key = tuple((tuple(a.shape), np.dtype(a.dtype).name) for a in arrays)
    if key not in node.kept:
        structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays]
        platforms = [bytes(name).decode() for name in node.get("platforms") or []]
        try:
            node.kept[key] = callable_module(bytes(node["module"]), structs, platforms)
        except (ValueError, RuntimeError) as error:
            raise GraphError(f"a program of StableHLO: {error}") from error
    return tuple(node.kept[key](*arrays))
