"""Layers called in graphs of TensorFlow, as in `tf.data.Dataset.map(layer)`.

There tensors have no values yet. The layer becomes one operation of the graph that calls it, in
Python, on NumPy arrays (`tf.numpy_function`), with the shape and dtype that the layer says it
gives. So it is the very layer with its own state, and it cannot be saved with the graph or be
derived through. `tensorflow` is recognised where it is loaded, never imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.errors import ShapeError, message
from nacre.core.kinds import is_of_library, loaded
from nacre.core.symbolic import KerasTensor


def has_graph_tensors(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether tensors of a graph of TensorFlow are among some arguments."""
    if loaded("tensorflow") is None:  # asked at every call
        return False
    return any(_is_graph_tensor(leaf) for leaf in tree.flatten((args, kwargs)))


def _is_graph_tensor(value: Any) -> bool:
    # Eager ones are of this class too, and have `numpy`.
    return is_of_library(value, "tensorflow", "Tensor") and not hasattr(value, "numpy")


def call_in_graph(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The outputs of a layer as tensors of the graph that its inputs are in.

    Raises:
        ShapeError: The number of axes of an input is not known.
    """
    tf: Any = loaded("tensorflow")
    structure = args, kwargs
    leaves = tree.flatten(structure)
    places = [place for place, leaf in enumerate(leaves) if _is_graph_tensor(leaf)]

    def called(values: list[Any]) -> Any:
        filled = list(leaves)
        for place, value in zip(places, values, strict=True):
            filled[place] = value
        args, kwargs = tree.pack_sequence_as(structure, filled)
        return layer(*args, **kwargs)

    spec, shapes = _described(layer, called, [leaves[place] for place in places])
    specs = tree.flatten(spec)
    dtypes = [tf.as_dtype(output.dtype) for output in specs]

    def run(*arrays: Any) -> list[np.ndarray]:
        outputs = tree.flatten(called([np.asarray(array) for array in arrays]))
        return [
            np.asarray(output).astype(dtype.as_numpy_dtype, copy=False)
            for output, dtype in zip(outputs, dtypes, strict=True)
        ]

    outputs = tf.numpy_function(run, [leaves[place] for place in places], dtypes)
    for output, shape in zip(outputs, shapes, strict=True):
        output.set_shape(shape)
    return tree.pack_sequence_as(spec, list(outputs))


def _described(
    layer: Any, called: Callable[[list[Any]], Any], tensors: list[Any]
) -> tuple[Any, list[tuple[int | None, ...]]]:
    """The outputs as symbolic tensors, and their shapes."""
    symbols = [_symbol(layer, tensor) for tensor in tensors]
    try:
        spec = called(symbols)
    except ShapeError:
        if any(symbol.shape for symbol in symbols):
            raise
        # Layers of texts take a single one too, whose result is a row of what a batch gives.
        spec = called([KerasTensor((None,), dtype=symbol.dtype) for symbol in symbols])
        return spec, [tuple(output.shape[1:]) for output in tree.flatten(spec)]
    return spec, [tuple(output.shape) for output in tree.flatten(spec)]


def _symbol(layer: Any, tensor: Any) -> KerasTensor:
    """A symbolic tensor of the same shape and dtype."""
    if tensor.shape.rank is None:
        raise ShapeError(
            message(
                layer._who(),
                "the number of axes of its inputs must be known",
                f"{tensor}",
                "Say it before the layer, as in image.set_shape([None, None, 3]).",
            )
        )
    return KerasTensor(tuple(tensor.shape.as_list()), dtype=tensor.dtype.name)
