"""Weights kept in 16 bits: half the file, for formats whose runtimes widen them when they load."""

from __future__ import annotations

from dataclasses import replace

import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it
import numpy as np

from nacre.export.graph.ir import Graph, Node, Value, Weight

_FEWEST = 256  # elements: of smaller ones (biases, statistics) nothing is won
LARGEST_FLOAT16 = 65504.0  # of float16


def narrow_weights(graph: Graph, dtype: str = "float16") -> Graph:
    """The graph with its large float32 weights in 16 bits, each made float32 again by a cast.

    Weights with numbers that float16 does not hold stay as they are.

    Args:
        dtype: 'float16' or 'bfloat16'.
    """
    weights: list[Weight] = []
    casts: list[Node] = []
    for weight in graph.weights:
        data = weight.data
        is_large = weight.value.dtype == "float32" and data.size >= _FEWEST
        if not is_large or (dtype == "float16" and np.any(np.abs(data) > LARGEST_FLOAT16)):
            weights.append(weight)
            continue
        narrow = Value(f"{weight.value.name}_{dtype}", dtype, weight.value.shape)
        weights.append(replace(weight, value=narrow, data=data.astype(dtype)))
        casts.append(Node("cast", (narrow,), (weight.value,), {"dtype": "float32"}))
    return replace(graph, weights=tuple(weights), nodes=(*casts, *graph.nodes))


__all__ = ["LARGEST_FLOAT16", "narrow_weights"]
