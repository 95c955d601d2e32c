"""A net of neurons, as PMML's NeuralNetwork has it, in the making.

A value of the graph is kept as what it is of the neurons so far: an affine function of them. What
is affine (layers' products, sums, moved elements, folded statistics) makes no neurons of its own;
an activation makes a layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Matrix: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Affine:
    """A value for one sample: sums of neurons' outputs.

    Attributes:
        parts: Of each layer of neurons the matrix (neurons, elements).
        bias: What is added, (elements,).
        shape: The value's, without the batch.
    """

    parts: Mapping[int, Matrix]
    bias: Matrix
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """Neurons.

    Attributes:
        of: What goes into them.
        function: PMML's name of what they make of it.
        is_softmax: Whether their outputs are then made shares of one.
    """

    of: Affine
    function: str
    is_softmax: bool = False


class Network:
    """Layers of neurons; layer 0 are the inputs."""

    def __init__(self) -> None:
        self.count = 0  # of inputs
        self.layers: list[Layer] = []
        self._starts: list[int] = []

    def input(self, shape: tuple[int, ...]) -> Affine:
        """A further input."""
        start, n = self.count, int(np.prod(shape))
        self.count += n
        self._starts.append(start)
        matrix = np.zeros((self.count, n))
        matrix[start:] = np.eye(n)
        return Affine({0: matrix}, np.zeros(n), shape)

    def settle(self, value: Affine) -> Affine:
        """An input's value, when all inputs are known."""
        matrix = value.parts[0]
        rows = np.zeros((self.count - len(matrix), matrix.shape[1]))
        return Affine({0: np.concatenate([matrix, rows])}, value.bias, value.shape)

    def activated(self, value: Affine, function: str, is_softmax: bool = False) -> Affine:
        """A layer of neurons; gives what comes of it."""
        self.layers.append(Layer(value, function, is_softmax))
        n = len(value.bias)
        return Affine({len(self.layers): np.eye(n)}, np.zeros(n), value.shape)

    def neurons(self, value: Affine) -> tuple[int, list[int]]:
        """The layer, and the neurons in it, whose outputs a value is; new ones where none are."""
        if len(value.parts) == 1 and not value.bias.any():
            ((layer, matrix),) = value.parts.items()
            rows = matrix.argmax(0)
            picks = np.zeros_like(matrix)
            picks[rows, range(len(rows))] = 1
            if layer > 0 and np.array_equal(picks, matrix):
                return layer, rows.tolist()
        made = self.activated(value, "identity")
        return len(self.layers), list(range(len(made.bias)))

    def connections(self) -> int:
        """How many there are between neurons."""
        return sum(int(np.count_nonzero(m)) for one in self.layers for m in one.of.parts.values())


def combined(
    value: Affine, factor: float, other: Affine | None = None, plus: float = 0.0
) -> Affine:
    """factor · value + plus, and another one."""
    parts = {layer: factor * matrix for layer, matrix in value.parts.items()}
    bias = factor * value.bias + plus
    for layer, matrix in (other.parts if other is not None else {}).items():
        parts[layer] = parts[layer] + matrix if layer in parts else matrix
    return Affine(parts, bias + (other.bias if other is not None else 0), value.shape)


__all__ = ["Affine", "Layer", "Matrix", "Network", "combined"]
