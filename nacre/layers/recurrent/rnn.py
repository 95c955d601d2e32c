"""The layer that steps any cell through time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Unpack, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core import safety, tree
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.registry import register
from nacre.core.shapes import differ
from nacre.core.variable import Variable
from nacre.layers.base.calling import numbers_as_array
from nacre.layers.base.keywords import CellKeywords
from nacre.layers.base.layer import Layer
from nacre.layers.base.masking import without_absent
from nacre.layers.recurrent import whole_sequence
from nacre.layers.recurrent.recurrent_cell import OldStateKeywords, number_of_rows
from nacre.layers.recurrent.stacked import StackedRNNCells, initial_state_of
from nacre.layers.recurrent.stepping import discard_dropout, draw_dropout, run_cell


class _States:
    """Holds the state variables of a stateful layer, apart from its weights."""

    def __init__(self, nested: Any) -> None:
        self.nested = nested

    @property
    def flat(self) -> list[Variable]:
        return [leaf for leaf in tree.flatten(self.nested) if leaf is not None]


class RNNKeywords(CellKeywords, total=False):
    """With tf.keras 2's order of axes."""

    time_major: Any


@register("layers/RNN")
class RNN(Layer):
    """Step a cell, or a list of cells on top of one another, through sequences.

    Choose it for cells of your own; `LSTM`, `GRU` and `SimpleRNN` are shorter for the classic ones.

    Args:
        cell: A layer with `call(inputs, states) -> (output, new_states)`, `state_size` (an int, or
            a list with one size a state) and, if it differs from the first state's, `output_size`;
            or a list of such layers.
        return_sequences: Whether to return the outputs of all steps instead of the last one.
        return_state: Whether to return the last states too.
        go_backwards: Whether to begin with the last step; outputs, and their mask, come in the
            order of the work. (Keras 3.15 passes the mask on as it came, beside other steps.)
        stateful: Whether a batch begins with the states the batch before it ended with.
        unroll: Accepted; a loop on the device is as fast and compiles in less time.
        zero_output_for_mask: Whether masked steps give zeros instead of the last output.
    Shapes:
        sequences      (batch, time, ...)
        initial_state  one array a state, (batch, state_size)
        mask           (batch, time), True where a step counts
        returns        (batch, output_size), or (batch, time, output_size) with return_sequences;
                       with return_state a tuple of that and each state
    Raises:
        ArgumentError: The cell lacks `call` or `state_size`, or the batch size of a stateful layer
            is not fixed.
    Example:
        >>> import nacre
        >>> layer = RNN([nacre.layers.LSTMCell(4), nacre.layers.GRUCell(3)], return_sequences=True)
        >>> layer(nacre.ops.ones((2, 5, 6))).shape
        (2, 5, 3)
    """

    casts_inputs = False  # the cell does, for itself

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Unpack[RNNKeywords],
    ) -> None:
        time_major = kwargs.pop("time_major", False)
        kwargs.pop("implementation", None)
        super().__init__(**kwargs)
        if time_major:
            raise ArgumentError(
                message(
                    self._who(),
                    "inputs must have the batch axis first",
                    "time_major=True",
                    "Swap the axes with Permute, or nacre.ops.swapaxes(x, 0, 1).",
                )
            )
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        self._check_cell(cell)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self._states: _States | None = None

    def _check_cell(self, cell: Any) -> None:
        missing = [name for name in ("call", "state_size") if not hasattr(cell, name)]
        if missing:
            raise ArgumentError(
                message(
                    self._who(),
                    "a cell must have a call method and a state_size",
                    f"{type(cell).__name__} without {' and '.join(missing)}",
                    "state_size is an int, or a list with one int a state.",
                )
            )

    @property
    def state_size(self) -> Any:
        """The sizes of the states, as the cell gives them; one bare size becomes a list."""
        size = self.cell.state_size
        return list(size) if isinstance(size, list | tuple) else [size]

    # ------------------------------------------------------------------------------- building

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell for one step, and the states of a stateful layer."""
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build(_step_shapes(sequences_shape))
            self.cell.built = True
        if self.stateful and self._states is None:
            self._make_states(sequences_shape)

    def _make_states(self, sequences_shape: Any) -> None:
        batch_size = sequences_shape[0]
        if batch_size is None:
            raise ArgumentError(
                message(
                    self._who(),
                    "a stateful layer needs a fixed batch size",
                    f"input of shape {tuple(sequences_shape)}",
                    "Use Input(batch_shape=(batch, time, features)) before it.",
                )
            )
        shape = tuple(sequences_shape)
        shapes = jax.eval_shape(lambda: self._zero_states_for_shape(shape))
        for state in jax.tree.leaves(shapes):
            safety.reserve(math.prod(state.shape) * state.dtype.itemsize, self._who())
        with jax.ensure_compile_time_eval():
            first = self._zero_states_for_shape(shape)
            self._states = _States(
                jax.tree.map(
                    lambda s: Variable(
                        np.zeros(s.shape, s.dtype), trainable=False, name="rnn_state"
                    ),
                    first,
                )
            )

    def _zero_states_for_shape(self, shape: tuple[int | None, ...]) -> Any:
        return self.get_initial_state(shape[0])

    def get_initial_state(self, batch_size: Any = None, **kwargs: Unpack[OldStateKeywords]) -> Any:
        """The states a batch begins with when none are given.

        Args:
            batch_size: How many sequences; or the sequences, as in tf.keras 2.
            kwargs: `inputs`, as it is called there.
        """
        batch_size = number_of_rows(kwargs.get("inputs") if batch_size is None else batch_size)
        return initial_state_of(self.cell, batch_size, self.compute_dtype)

    def _seed_states(self) -> list[Variable]:
        """The variables that are no weights: seeds, and the states of a stateful layer."""
        states = [] if self._states is None else self._states.flat
        return [*super()._seed_states(), *states]

    @property
    def states(self) -> Any:
        """The state variables of a stateful layer, else None."""
        return None if self._states is None else self._states.nested

    def reset_states(self, states: Any = None) -> None:
        """Set the states of a stateful layer to zeros, or to the given arrays."""
        if self._states is None:
            return
        variables = self._states.flat
        values = [None] * len(variables) if states is None else tree.flatten(states)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(np.zeros(variable.shape, "float32") if value is None else value)

    def reset_state(self) -> None:
        """Set the states of a stateful layer to zeros."""
        self.reset_states()

    # ------------------------------------------------------------------------------- calling

    if not TYPE_CHECKING:  # a checker takes the base's, which has the types of `call`

        def __call__(self, sequences: Any, *args: Any, **kwargs: Any) -> Any:
            """Apply the layer; `[sequences, state, ...]` is understood, as in tf.keras 2."""
            if kwargs.get("initial_state") is None and not args and _holds_states(sequences):
                sequences, *kwargs["initial_state"] = sequences
            return super().__call__(sequences, *args, **kwargs)

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = False
    ) -> Any:
        """Step through the sequences."""
        mask = self._checked_mask(mask, sequences)
        sequences = jax.tree.map(lambda x: without_absent(x, mask), sequences)
        states = self._first_states(sequences, initial_state)
        last, outputs, states = self.inner_loop(sequences, states, mask, training)
        if self._states is not None:
            for variable, value in zip(self._states.flat, jax.tree.leaves(states), strict=True):
                variable.assign(value)
        result = outputs if self.return_sequences else last
        return (result, *states) if self.return_state else result

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: Any = False
    ) -> tuple[Any, Any, Any]:
        """The loop over time: last output, all outputs, last states."""
        arguments = {
            "mask": mask,
            "training": training,
            "reverse": self.go_backwards,
            "zero_output_for_mask": self.zero_output_for_mask,
            "return_sequences": self.return_sequences,
        }
        step_shape = _step_shape(jax.tree.leaves(sequences)[0].shape)
        state_shapes = jax.tree.map(lambda s: tuple(s.shape), initial_state)
        draw_dropout(self.cell, step_shape, state_shapes, training)
        try:
            if whole_sequence.fits(self.cell, training):
                return whole_sequence.run(self.cell, sequences, initial_state, **arguments)
            return run_cell(self.cell, sequences, initial_state, **arguments)
        finally:
            discard_dropout(self.cell)

    def _checked_mask(self, mask: Any, sequences: Any) -> Any:
        """One mask (batch, time), or None."""
        mask = numbers_as_array(mask) if isinstance(mask, list | tuple) else mask
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        if mask is None:
            return None
        mask, wanted = jnp.asarray(mask), jax.tree.leaves(sequences)[0].shape[:2]
        if mask.ndim == 3 and mask.shape[-1] == 1:
            mask = mask[..., 0]
        if mask.ndim != 2 or any(map(differ, mask.shape, wanted)):
            raise ShapeError(
                message(
                    self._who(),
                    f"mask must have the axes (batch, time) of the sequences, {tuple(wanted)}",
                    f"a mask of shape {tuple(mask.shape)}",
                )
            )
        return mask

    def _first_states(self, sequences: Any, initial_state: Any) -> Any:
        batch = jax.tree.leaves(sequences)[0].shape[0]
        if initial_state is None:
            if self._states is None:
                return self._zero_states(sequences)
            self._check_batch(batch)
            return jax.tree.map(lambda v: v.value, self._states.nested)
        if not isinstance(initial_state, list | tuple):
            initial_state = [initial_state]
        nested = self._zero_states(sequences)
        leaves, wanted = jax.tree.leaves(initial_state), jax.tree.leaves(nested)
        if len(leaves) != len(wanted) or not all(hasattr(leaf, "shape") for leaf in leaves):
            raise ShapeError(
                message(
                    self._who(),
                    f"initial_state must hold {len(wanted)} array(s), one for each state",
                    f"{len(leaves)} of type {', '.join(type(leaf).__name__ for leaf in leaves)}",
                    "Pass them as a list: initial_state=[...].",
                )
            )
        for given, zeros in zip(leaves, wanted, strict=True):
            if given.shape[1:] != zeros.shape[1:] or differ(given.shape[0], batch):
                raise ShapeError(
                    message(
                        self._who(),
                        f"states must have the shapes {[tuple(w.shape) for w in wanted]}",
                        f"{[tuple(s.shape) for s in leaves]}",
                    )
                )
        values = [
            jnp.asarray(leaf).astype(zeros.dtype)
            for leaf, zeros in zip(leaves, wanted, strict=True)
        ]
        return jax.tree.unflatten(jax.tree.structure(nested), values)

    def _zero_states(self, sequences: Any) -> Any:
        return self.get_initial_state(jax.tree.leaves(sequences)[0].shape[0])

    def _check_batch(self, batch: Any) -> None:
        expected = cast("_States", self._states).flat[0].shape[0]
        if isinstance(batch, int) and batch != expected:
            raise ShapeError(
                message(
                    self._who(),
                    f"a stateful layer takes batches of {expected}, its size when it was built",
                    f"a batch of {batch}",
                    "Leave out the last, smaller batch, or build the model for the other size.",
                )
            )

    def compute_mask(self, sequences: Any, mask: Any) -> Any:
        """The mask of the outputs when all steps are returned, in their order; None for states."""
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        output_mask = mask if self.return_sequences else None
        if output_mask is not None and len(output_mask.shape) == 3:
            output_mask = ops.squeeze(output_mask, axis=-1)  # (batch, time, 1), as `call` takes it
        if output_mask is not None and self.go_backwards:
            output_mask = ops.flip(output_mask, axis=1)  # outputs come in the order of the work
        if not self.return_state:
            return output_mask
        return [output_mask] + [None for _ in tree.flatten(self.state_size)]


def _step_shape(shape: Any) -> tuple[Any, ...]:
    """The shape of one step: without the time axis."""
    return (shape[0], *shape[2:])


def _step_shapes(shapes: Any) -> Any:
    """The shapes of one step, for a shape or a structure of shapes."""
    if isinstance(shapes, dict):
        return {key: _step_shapes(shape) for key, shape in shapes.items()}
    if all(size is None or isinstance(size, int) for size in shapes):
        return _step_shape(shapes)
    return [_step_shapes(shape) for shape in shapes]


def _holds_states(inputs: Any) -> bool:
    """Whether inputs are a list of one sequence and states, which lack its time axis."""
    if not isinstance(inputs, list | tuple) or len(inputs) < 2:
        return False
    if not all(hasattr(item, "shape") for item in inputs):
        return False
    first, *rest = (len(item.shape) for item in inputs)
    return all(ndim < first for ndim in rest)
