"""Arrays that Keras 1 and the cuDNN layers of Keras 2 kept in another form.

Sources of the forms: Keras 1.2 kept twelve arrays an LSTM (input weights, recurrent weights, bias
for each of the gates i, c, f, o) and nine a GRU (z, r, h); cuDNN keeps each gate's matrices
transposed and two biases a gate (NVIDIA cuDNN API, cudnnRNNMode_t).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Recipe = Callable[[list[np.ndarray]], list[np.ndarray]]


def convert(
    layer: Any,
    variables: list[Any],
    shapes: list[tuple[int, ...]],
    names: list[str],
    keras_version: str,
) -> Recipe | None:
    """A function from the file's arrays to the layer's, or None when no known form fits.

    Args:
        layer: The layer.
        variables: Its variables.
        shapes, names: Of the arrays in the file.
        keras_version: Version that wrote the file; empty for the first ones.
    """
    kind = type(layer).__name__
    wanted = [v.shape for v in variables]
    for recipe, result in _candidates(kind, layer, shapes):
        if result == wanted:
            return recipe
    return None


def _candidates(
    kind: str, layer: Any, shapes: list[tuple[int, ...]]
) -> list[tuple[Recipe, list[tuple[int, ...]]]]:
    found: list[tuple[Recipe, list[tuple[int, ...]]]] = []
    if kind == "LSTM" and len(shapes) == 12:
        # Keras 1 order i, c, f, o; ours i, f, c, o.
        found.append((lambda a: _join_gates(a, (0, 2, 1, 3)), _joined_shapes(shapes, 4)))
    if kind == "GRU" and len(shapes) == 9:
        found.append((lambda a: _join_gates(a, (0, 1, 2)), _joined_shapes(shapes, 3)))
    if kind in ("LSTM", "GRU") and len(shapes) == 3 and len(shapes[2]) == 1:
        gates = 4 if kind == "LSTM" else 3
        units = shapes[1][0]
        if shapes[2] == (2 * gates * units,):
            bias = (gates * units,) if kind == "LSTM" else (2, gates * units)
            found.append((lambda a: _from_cudnn(a, gates), [shapes[0], shapes[1], bias]))
    if shapes and len(shapes[0]) == 4 and kind.startswith("Conv2D"):
        # Theano's order: filters, channels, rows, columns, with the kernel turned around.
        turned = tuple(shapes[0][i] for i in (2, 3, 1, 0))
        found.append((_from_theano, [turned, *shapes[1:]]))
    if shapes and len(shapes[0]) == 4 and kind == "Conv1D" and shapes[0][1] == 1:
        # Keras 1 stored (length, 1, channels, filters).
        flat = (shapes[0][0], *shapes[0][2:])
        found.append((lambda a: [a[0][:, 0], *a[1:]], [flat, *shapes[1:]]))
    return found


def _joined_shapes(shapes: list[tuple[int, ...]], gates: int) -> list[tuple[int, ...]]:
    if any(len(s) != 2 for s in shapes[0::3] + shapes[1::3]) or any(
        len(s) != 1 for s in shapes[2::3]
    ):
        return []
    return [
        (shapes[0][0], shapes[0][1] * gates),
        (shapes[1][0], shapes[1][1] * gates),
        (shapes[2][0] * gates,),
    ]


def _join_gates(arrays: list[np.ndarray], order: tuple[int, ...]) -> list[np.ndarray]:
    return [
        np.concatenate([arrays[3 * gate + part] for gate in order], axis=-1) for part in range(3)
    ]


def _from_cudnn(arrays: list[np.ndarray], gates: int) -> list[np.ndarray]:
    kernel, recurrent, bias = arrays
    # Each gate's input matrix is stored column by column in a block of the right shape.
    kernels = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, gates, axis=1)]
    recurrents = [r.T for r in np.split(recurrent, gates, axis=1)]
    halves = bias.reshape(2, -1)
    joined = halves.sum(axis=0) if gates == 4 else halves
    return [np.concatenate(kernels, axis=1), np.concatenate(recurrents, axis=1), joined]


def _from_theano(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [arrays[0].transpose(2, 3, 1, 0)[::-1, ::-1], *arrays[1:]]


__all__ = ["convert"]
