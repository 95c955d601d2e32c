"""The loop over time for any cell, with masks.

A cell may hold variables that change while it runs (a dropout's seed, moving averages). Inside a
device loop a variable cannot be assigned, so their values travel through the loop with the states.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from nacre.core import scope
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.variable import Variable
from nacre.layers.base.calling import signature_of
from nacre.layers.base.layer import Layer
from nacre.ops.kernels.placement import inside_loop


def call_cell(cell: Any, inputs: Any, states: list[Any], training: Any, **kwargs: Any) -> Any:
    """One step of any cell: its output, and its new states as a list."""
    if isinstance(cell, Layer) and signature_of(type(cell).call).takes_training:
        kwargs["training"] = training
    result = cell(inputs, states, **kwargs)
    if not isinstance(result, list | tuple) or len(result) != 2:
        got = f"{len(result)} values" if isinstance(result, list | tuple) else "one value"
        raise ArgumentError(
            message(type(cell).__name__, "a cell must return (output, new_states)", got)
        )
    output, new_states = result
    return output, list(new_states) if isinstance(new_states, list | tuple) else [new_states]


def draw_dropout(cell: Any, input_shape: Any, state_shapes: Any, training: Any) -> None:
    """Let a cell that can draw the dropout masks of one sequence before the loop."""
    if not hasattr(cell, "draw_dropout"):
        return
    if not isinstance(getattr(cell, "cells", None), list):
        state_shapes = state_shapes[0]  # of the hidden state
    cell.draw_dropout(input_shape, state_shapes, training)


def discard_dropout(cell: Any) -> None:
    """Let a cell forget the masks of the last sequence."""
    if hasattr(cell, "discard_dropout"):
        cell.discard_dropout()


def run_cell(
    cell: Any,
    sequences: Any,
    states: Any,
    mask: Any = None,
    training: Any = False,
    reverse: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
) -> tuple[Any, Any, Any]:
    """Step a cell through sequences.

    Args:
        cell: A layer, or any callable `(inputs, states) -> (output, states)`.
        sequences: Array, or structure of arrays, (batch, time, ...).
        states: List of first states.
        mask: (batch, time), True where a step counts. A step that does not count keeps the states
            and repeats the last output (zeros before the first step that counts).
        reverse: Start at the last step; outputs come in the order of the work.
        zero_output_for_mask: Put zeros, not the last output, where the mask is False.

    Returns:
        (last output, all outputs or None, last states)
    """
    steps = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), sequences)  # (time, batch, ...)
    mask = None if mask is None else jnp.swapaxes(jnp.asarray(mask), 0, 1).astype(bool)
    if reverse:
        steps, mask = jax.tree.map(lambda x: jnp.flip(x, 0), (steps, mask))
    one_step, changing = _pure_step(cell, jax.tree.structure(states), training)
    values = [v.raw_value for v in changing]
    first = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), steps)
    with scope.Body([]) as loop:  # keys a cell draws are fresh in every step
        with loop.iteration(0, []):
            output, new_states, _ = jax.eval_shape(one_step, first, states, values)
        _check_states(cell, states, new_states)
        # A loop's states keep their dtypes: those the cell gives.
        states = jax.tree.map(lambda s, new: jnp.asarray(s).astype(new.dtype), states, new_states)
        last_output = jax.tree.map(lambda o: jnp.zeros(o.shape, o.dtype), output)

        def body(carry: Any, inputs: Any) -> Any:
            number, before, last_output, values = carry
            step, mask_t = inputs
            with loop.iteration(number, []):
                output, after, values = one_step(step, before, values)
            number = number + 1
            if mask_t is None:
                return (number, after, output, values), output if return_sequences else None
            after = _select(mask_t, after, before)
            shown = _select(mask_t, output, last_output)
            if zero_output_for_mask:
                zeros = jax.tree.map(jnp.zeros_like, output)
                shown = _select(mask_t, output, zeros)
            return (number, after, shown, values), shown if return_sequences else None

        with inside_loop():
            carry = (jnp.int32(0), states, last_output, values)
            (_, states, last, values), outputs = lax.scan(body, carry, (steps, mask))
    for variable, value in zip(changing, values, strict=True):
        variable.assign(value)
    if return_sequences:
        outputs = jax.tree.map(lambda o: jnp.swapaxes(o, 0, 1), outputs)
    return last, outputs, states


def _check_states(cell: Any, before: Any, after: Any) -> None:
    """A loop's states keep their shapes."""
    shapes = [[tuple(leaf.shape) for leaf in jax.tree.leaves(states)] for states in (before, after)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            message(
                type(cell).__name__,
                f"a step must return states of the shapes it gets, {shapes[0]}",
                f"{shapes[1]}",
                "Let state_size tell the sizes of the states.",
            )
        )


def _select(mask: Any, new: Any, old: Any) -> Any:
    """Rows of `new` where the mask is True, else of `old`, leaf by leaf."""

    def select(a: Any, b: Any) -> Any:
        return jnp.where(mask.reshape(mask.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(select, new, old)


def _pure_step(cell: Any, structure: Any, training: Any) -> tuple[Any, list[Variable]]:
    """A step as a pure function of inputs, states and the cell's changing variables."""
    variables = cell.variables if isinstance(cell, Layer) else []
    changing = [v for v in variables if not v.trainable and not _draws_before_loop(cell)]

    def one_step(inputs: Any, states: Any, values: list[Any]) -> Any:
        if not changing:
            output, new_states = call_cell(cell, inputs, states, training)
            return output, _in_structure(cell, structure, new_states), values
        fixed = [(v, v.raw_value) for v in variables if v.trainable]
        mapping = [*fixed, *zip(changing, values, strict=True)]
        with scope.StatelessScope(mapping) as inner:
            output, new_states = call_cell(cell, inputs, states, training)
            values = [inner.get_current_value(v) for v in changing]
        return output, _in_structure(cell, structure, new_states), values

    return one_step, changing


def _in_structure(cell: Any, structure: Any, states: Any) -> Any:
    """A step's new states in the structure of the old ones."""
    leaves = jax.tree.leaves(states)
    if len(leaves) != structure.num_leaves:
        raise ArgumentError(
            message(
                type(cell).__name__,
                f"a step must return as many states as it gets, {structure.num_leaves}",
                f"{len(leaves)}",
            )
        )
    return jax.tree.unflatten(structure, leaves)


def _draws_before_loop(cell: Any) -> bool:
    """Whether the only changing variables of a cell are seeds it uses before the loop."""
    parts = getattr(cell, "cells", [cell])
    return all(hasattr(part, "draw_dropout") for part in parts)
