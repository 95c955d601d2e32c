"""Several cells on top of one another, as one cell."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from nacre.core.errors import ArgumentError, message
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.recurrent.recurrent_cell import OldStateKeywords, number_of_rows
from nacre.layers.recurrent.stepping import call_cell, discard_dropout, draw_dropout


@register("layers/StackedRNNCells")
class StackedRNNCells(Layer):
    """One cell made of several: each gets the output of the one before it.

    Choose it to step through all layers at once, in one loop over time.

    Args:
        cells: The cells, first one first.
    Shapes:
        inputs   (batch, features)
        states   a list with the states of each cell
        returns  the last cell's output, and the list of new states
    Example:
        >>> import nacre
        >>> cell = StackedRNNCells([nacre.layers.LSTMCell(4), nacre.layers.GRUCell(3)])
        >>> cell.state_size, cell.output_size
        ([[4, 4], 3], 3)
    """

    casts_inputs = False  # the cells do, each for itself

    def __init__(self, cells: Any, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        if not isinstance(cells, list | tuple) or not cells:
            raise ArgumentError(
                message(self._who(), "cells must be a list of one or more cells", repr(cells))
            )
        for cell in cells:
            if not callable(cell) or not hasattr(cell, "state_size"):
                raise ArgumentError(
                    message(
                        self._who(),
                        "every cell must be a layer with a call method and a state_size",
                        repr(cell),
                    )
                )
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The state size of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The output size of the last cell."""
        return output_size_of(self.cells[-1])

    def get_initial_state(
        self, batch_size: Any = None, **kwargs: Unpack[OldStateKeywords]
    ) -> list[Any]:
        """The initial states of each cell; see `LSTMCell.get_initial_state`."""
        batch_size = number_of_rows(kwargs.get("inputs") if batch_size is None else batch_size)
        return [initial_state_of(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def build(self, input_shape: Any) -> None:
        """Build each cell for the outputs of the one before it."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
                cell.built = True
            size = output_size_of(cell)
            shape = tuple(size) if isinstance(size, list | tuple) else (size,)
            input_shape = (input_shape[0], *shape)

    def call(
        self, inputs: Any, states: Any, training: Any = False, **kwargs: Any
    ) -> tuple[Any, list[Any]]:
        """One step through all cells."""
        new_states = []
        for cell, state in zip(self.cells, states, strict=True):
            state = list(state) if isinstance(state, list | tuple) else [state]
            inputs, state = call_cell(cell, inputs, state, training, **kwargs)
            new_states.append(state)
        return inputs, new_states

    def draw_dropout(self, input_shape: Any, state_shapes: Any, training: Any) -> None:
        """Let each cell draw its dropout masks for one sequence."""
        for cell, shapes in zip(self.cells, state_shapes, strict=True):
            draw_dropout(cell, input_shape, shapes, training)
            size = output_size_of(cell)
            shape = tuple(size) if isinstance(size, list | tuple) else (size,)
            input_shape = (input_shape[0], *shape)

    def discard_dropout(self) -> None:
        """Let each cell forget its masks."""
        for cell in self.cells:
            discard_dropout(cell)


def output_size_of(cell: Any) -> Any:
    """A cell's output size: what it says, else the size of its first state."""
    size = getattr(cell, "output_size", None)
    if size is not None:
        return size
    states = cell.state_size
    return states[0] if isinstance(states, list | tuple) else states


def initial_state_of(cell: Any, batch_size: Any, dtype: str) -> Any:
    """A cell's own initial states, else zeros of its state sizes, always as a list."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch_size)
    else:
        dtype = cell.compute_dtype if isinstance(cell, Layer) else dtype
        states = zero_states(cell.state_size, batch_size, dtype)
    return list(states) if isinstance(states, list | tuple) else [states]


def zero_states(sizes: Any, batch_size: Any, dtype: str) -> Any:
    """Zeros for sizes: ints, shapes (tuples), or lists of them."""
    if isinstance(sizes, list):
        return [zero_states(size, batch_size, dtype) for size in sizes]
    if isinstance(sizes, tuple) and any(isinstance(size, list | tuple) for size in sizes):
        return [zero_states(size, batch_size, dtype) for size in sizes]
    shape = tuple(sizes) if isinstance(sizes, tuple) else (sizes,)
    return jnp.zeros((batch_size, *shape), dtype)


__all__ = ["StackedRNNCells", "initial_state_of", "output_size_of", "zero_states"]
