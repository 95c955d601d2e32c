"""One driver for all recurrent cells: scans, their gradients, masks, order and precision.

Autodiff through a scan adds to the weight gradients in every step. Here the loop keeps its gates,
the backward loop only carries the state gradients, and each weight gradient is one product over all
steps. Where a compiled kernel of `recurrent_native.py` fits, it takes the place of both loops.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from nacre.ops.kernels import placement as places
from nacre.ops.kernels.derivatives import define_derivatives, derived_by_hand, push

States = tuple[Array, ...]
HALF_DTYPES = ("bfloat16", "float16")


class Cell(NamedTuple):
    """The functions of one kind of cell; made once, so that it hashes as a static argument.

    project:   (x, weights) -> (projected inputs for all steps, what the loop needs of the weights)
    step:      (loop weights, states, projected_t) -> (states, saved for the way back)
    transpose: weights -> what the backward loop needs of them
    unstep:    (that, state gradients, saved_t, states_t, previous_t)
               -> (gradients of the previous states, gradients of the step's projected inputs)
    collect:   (x, previous h, saved, step gradients, weights) -> gradients of (x, weights)
    """

    project: Callable[..., Any]
    step: Callable[..., Any]
    transpose: Callable[..., Any] | None = None
    unstep: Callable[..., Any] | None = None
    collect: Callable[..., Any] | None = None


def run(
    cell: Cell,
    native: Callable[..., Any] | None,
    x: Array,
    states: States,
    weights: tuple[Array | None, ...],
    mask: Array | None,
    reverse: bool,
    return_sequences: bool,
    zero_output_for_mask: bool,
) -> tuple[Array, States]:
    """Put arrays in working precision and order, run the cell, and undo both.

    Args:
        native: (return_sequences, x, states, weights, mask) -> (outputs, states), the compiled
            kernel to use when it fits; see `recurrent_native.kernel`. Batch-major, as here.
    """
    result_dtype = x.dtype
    if result_dtype.name in HALF_DTYPES:
        dtype = jnp.float32 if places.platform() == "cpu" else result_dtype
        x, weights = x.astype(dtype), jax.tree.map(lambda w: w.astype(dtype), weights)
        states = jax.tree.map(lambda s: s.astype(jnp.float32), states)
    mask = None if mask is None else mask.astype(bool)
    if reverse:
        x, mask = jnp.flip(x, 1), None if mask is None else jnp.flip(mask, 1)
    if native is not None:
        outputs, states = native(return_sequences, x, states, weights, mask)
    else:
        outputs, states = run_loops(cell, return_sequences, x, states, weights, mask)
    if mask is not None:
        outputs = _mask_outputs(outputs, mask, return_sequences, zero_output_for_mask)
    return jax.tree.map(lambda array: array.astype(result_dtype), (outputs, states))


def run_loops(
    cell: Cell,
    sequences: bool,
    x: Array,
    states: States,
    weights: tuple[Array | None, ...],
    mask: Array | None,
) -> tuple[Array, States]:
    """Run the cell by scans, which want (time, batch, ·)."""
    runner = _run_plain if cell.unstep is None else _run_fast
    x, mask = time_major(x), time_major_mask(mask)
    outputs, states = runner(cell, sequences, x, states, weights, mask)
    return (jnp.swapaxes(outputs, 0, 1) if sequences else outputs), states


def time_major(array: Array) -> Array:
    """(batch, time, ·) as (time, batch, ·), or back."""
    return jnp.swapaxes(array, 0, 1)


def time_major_mask(mask: Array | None) -> Array | None:
    """(batch, time) as (time, batch, 1)."""
    return None if mask is None else jnp.swapaxes(mask, 0, 1)[:, :, None]


def _mask_outputs(
    outputs: Array, mask: Array, return_sequences: bool, zero_output_for_mask: bool
) -> Array:
    """Put zeros where no output exists yet, or wherever the mask is False.

    A state is held over masked steps, so the state itself already is the repeated last output.
    """
    shown = mask if zero_output_for_mask else lax.cummax(mask.astype(jnp.int8), 1).astype(bool)
    return jnp.where((shown if return_sequences else shown[:, -1])[..., None], outputs, 0)


def scan_forward(
    cell: Cell, x: Array, states: States, weights: Any, mask: Any, keep: Callable[..., Any]
) -> tuple[States, Any]:
    """Scan the cell; `keep(states, saved)` says what each step leaves behind."""
    projected, loop_weights = cell.project(x, weights)

    def step(states: States, inputs: Any) -> tuple[States, Any]:
        projected_t, mask_t = inputs
        new, saved = cell.step(loop_weights, states, projected_t)
        if mask is not None:
            new = tuple(jnp.where(mask_t, a, b) for a, b in zip(new, states, strict=True))
        return new, keep(new, saved)

    return lax.scan(step, states, (projected, mask))


def _run_plain(cell, sequences, x, states, weights, mask):
    states, history = scan_forward(
        cell, x, states, weights, mask, lambda states, _: states[0] if sequences else None
    )
    return (history if sequences else states[0]), states


@derived_by_hand(nondiff_argnums=(0, 1))
def _run_fast(cell, sequences, x, states, weights, mask):
    return _run_plain(cell, sequences, x, states, weights, mask)


def _fast_forward(cell, sequences, x, states, weights, mask):
    last, (history, saved) = scan_forward(cell, x, states, weights, mask, lambda *kept: kept)
    outputs = history[0] if sequences else last[0]
    return (outputs, last), (x, states, weights, mask, history, saved)


def _fast_backward(cell, sequences, kept, gradients):
    x, initial, weights, mask, history, saved = kept
    d_outputs, d_states = gradients
    if not sequences:
        d_states, d_outputs = (d_states[0] + d_outputs, *d_states[1:]), None
    previous = previous_states(initial, history)
    d_initial, d_steps = scan_backward(
        cell, weights, mask, history, previous, saved, d_outputs, d_states
    )
    d_x, d_weights = cell.collect(x, previous[0], saved, d_steps, weights)
    d_weights = tuple(
        None if w is None else d.astype(w.dtype) for d, w in zip(d_weights, weights, strict=True)
    )
    return d_x.astype(x.dtype), d_initial, d_weights, None


def _fast_tangent(cell, sequences, kept, tangents):
    return push(functools.partial(_run_plain, cell, sequences), kept[:4], tangents)


define_derivatives(_run_fast, _fast_forward, _fast_backward, _fast_tangent)


def previous_states(initial: States, history: States) -> States:
    """The states before each step, of those after each."""
    return tuple(
        jnp.concatenate([first[None].astype(all_.dtype), all_[:-1]])
        for first, all_ in zip(initial, history, strict=True)
    )


def scan_backward(
    cell: Cell,
    weights: Any,
    mask: Array | None,
    history: States,
    previous: States,
    saved: Any,
    d_outputs: Array | None,
    d_states: States,
) -> tuple[States, Any]:
    """Scan backwards: gradients of the first states, and of every step's projected inputs."""
    assert cell.transpose is not None and cell.unstep is not None
    loop_weights, unstep = cell.transpose(weights), cell.unstep

    def step(d_states: States, inputs: Any) -> tuple[States, Any]:
        saved_t, states_t, previous_t, d_output_t, mask_t = inputs
        if d_outputs is not None:
            d_states = (d_states[0] + d_output_t, *d_states[1:])
        active = d_states
        if mask is not None:
            active = tuple(jnp.where(mask_t, d, 0) for d in d_states)
        d_previous, d_step = unstep(loop_weights, active, saved_t, states_t, previous_t)
        if mask is not None:
            d_previous = tuple(
                jnp.where(mask_t, through, held)
                for through, held in zip(d_previous, d_states, strict=True)
            )
        return d_previous, d_step

    return lax.scan(step, d_states, (saved, history, previous, d_outputs, mask), reverse=True)


# --- products -------------------------------------------------------------------------------------


def sum_dtype(array: Array) -> jnp.dtype:
    """What sums, states and gates are kept in: float32, or float64 for that."""
    return jnp.promote_types(array.dtype, jnp.float32)


def dot(a: Array, b: Array) -> Array:
    """Multiply with wide sums; a 16-bit weight takes a 16-bit partner."""
    return jnp.dot(a.astype(b.dtype), b, preferred_element_type=sum_dtype(b))


def rows(array: Array) -> Array:
    """All axes but the last as one."""
    return array.reshape(-1, array.shape[-1])


def project(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Multiply all steps at once: (·, ·, features) -> (·, ·, gates)."""
    projected = dot(x, kernel)
    return projected if bias is None else projected + bias.astype(projected.dtype)


def outer(a: Array, d: Array) -> Array:
    """Sum over steps and rows of a ⊗ d: one product with a long contraction."""
    d = rows(d)
    a = rows(a).astype(d.dtype)
    return lax.dot_general(a, d, (((0,), (0,)), ((), ())), preferred_element_type=sum_dtype(d))


def input_gradients(
    x: Array, d_projected: Array, kernel: Array, bias: Array | None
) -> tuple[Array, Array, Array | None]:
    """Gradients of the inputs, their kernel and the bias."""
    d_bias = None if bias is None else rows(d_projected).sum(0)
    return dot(d_projected, kernel.T), outer(x, d_projected), d_bias


def sigmoid(x: Array) -> Array:
    """The logistic function by one tanh, which XLA's CPU backend vectorises well."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5
