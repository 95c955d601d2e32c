"""LSTM, GRU and simple RNN over a whole sequence, with one big product per weight gradient.

Autodiff through a scan adds to the weight gradients in every step. Here the loop keeps its gates,
the backward loop only carries the state gradients, and each weight gradient is one product over all
steps. Whole training step of LSTM(128), 50 steps x 16 features, batch 32, two AVX-512 cores:
autodiff 7.8 ms, this 4.8. Of that a product 32x128x512 is 20 us, about one core's peak;
unrolling (5.6), stacking what is kept (4.8) or a layout with units first (same) did not help.

Longer than most files: five cells, each with its formula forward and backward, on one driver.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from nacre.ops.kernels import placement as places

Activation = str | Callable[[Array], Array]
States = tuple[Array, ...]
HALF_DTYPES = ("bfloat16", "float16")


def lstm(
    x: Array,
    h0: Array,
    c0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    *,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    mask: Array | None = None,
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Array, Array, Array]:
    """Run a long short-term memory over a sequence.

    Args:
        bias: None for no bias.
        activation: `'tanh'` (or `jax.numpy.tanh`) takes the fast gradient; any callable works.
        recurrent_activation: `'sigmoid'` (or `jax.nn.sigmoid`) likewise, for the three gates.
        mask: True where a step counts. A step that does not count keeps the states and repeats the
            last output (zeros before the first step that counts).
        reverse: Start at the last step. Outputs come in the order of the work, last step first.
        zero_output_for_mask: Put zeros, not the last output, where the mask is False.
    Shapes:
        x                 (batch, time, features)
        h0, c0            (batch, units)
        kernel            (features, 4 units)     order: input, forget, candidate, output
        recurrent_kernel  (units, 4 units)
        bias              (4 units,)
        mask              (batch, time)           bool
        returns           outputs (batch, time, units) or (batch, units); h, c (batch, units)
    Formula:
        c' = f · c + i · activation(g);  h' = o · activation(c')
    Precision:
        States and gates are float32 for 16-bit inputs; results are cast back.
    Source:
        Hochreiter & Schmidhuber 1997; gate order and mask rule as in Keras 3.
    """
    if _is_tanh(activation) and _is_sigmoid(recurrent_activation):
        cell = LSTM_CELL
    else:
        cell = _plain_lstm(_callable(activation), _callable(recurrent_activation))
    weights = (kernel, recurrent_kernel, bias)
    outputs, (h, c) = _run(
        cell, x, (h0, c0), weights, mask, reverse, return_sequences, zero_output_for_mask
    )
    return outputs, h, c


def gru(
    x: Array,
    h0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    *,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    reset_after: bool = True,
    mask: Array | None = None,
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Array, Array]:
    """Run a gated recurrent unit over a sequence.

    Args:
        reset_after: True applies the reset gate after the recurrent product (one product a step,
            and a second row of bias); False before it (two products a step).
        activation, recurrent_activation, mask, reverse, zero_output_for_mask: As in `lstm`.
    Shapes:
        x                 (batch, time, features)
        h0                (batch, units)
        kernel            (features, 3 units)     gates in the order update, reset, candidate
        recurrent_kernel  (units, 3 units)
        bias              (2, 3 units) with reset_after, else (3 units,)
        returns           outputs (batch, time, units) or (batch, units), h (batch, units)
    Formula:
        h' = z · h + (1 - z) · activation(candidate)
    Source:
        Cho et al. 2014, arXiv:1406.1078 (v1 for reset_after=True); gate order as in Keras 3.
    """
    if _is_tanh(activation) and _is_sigmoid(recurrent_activation):
        cell = GRU_AFTER_CELL if reset_after else GRU_BEFORE_CELL
    else:
        plain = _plain_gru_after if reset_after else _plain_gru_before
        cell = plain(_callable(activation), _callable(recurrent_activation))
    weights = (kernel, recurrent_kernel, bias)
    outputs, (h,) = _run(
        cell, x, (h0,), weights, mask, reverse, return_sequences, zero_output_for_mask
    )
    return outputs, h


def simple_rnn(
    x: Array,
    h0: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    *,
    activation: Activation = "tanh",
    mask: Array | None = None,
    reverse: bool = False,
    return_sequences: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Array, Array]:
    """Run a fully connected recurrence, h' = activation(x · kernel + h · recurrent_kernel + bias).

    Args:
        activation, mask, reverse, zero_output_for_mask: As in `lstm`.
    Shapes:
        x                 (batch, time, features)
        h0                (batch, units)
        kernel            (features, units)
        recurrent_kernel  (units, units)
        bias              (units,)
        returns           outputs (batch, time, units) or (batch, units), h (batch, units)
    """
    cell = SIMPLE_CELL if _is_tanh(activation) else _plain_simple(_callable(activation))
    weights = (kernel, recurrent_kernel, bias)
    outputs, (h,) = _run(
        cell, x, (h0,), weights, mask, reverse, return_sequences, zero_output_for_mask
    )
    return outputs, h


# --- one driver for all cells ---------------------------------------------------------------------


class Cell(NamedTuple):
    """The functions of one kind of cell; made once, so that it hashes as a static argument.

    project:   (x, weights) -> (projected inputs for all steps, what the loop needs of the weights)
    step:      (loop weights, states, projected_t) -> (states, saved for the way back)
    transpose: weights -> what the backward loop needs of them
    unstep:    (that, state gradients, saved_t, states_t, previous_t)
               -> (gradients of the previous states, gradients of the step's projected inputs)
    collect:   (x, previous h, saved, step gradients, weights) -> gradients of (x, weights)
    """

    project: Callable
    step: Callable
    transpose: Callable | None = None
    unstep: Callable | None = None
    collect: Callable | None = None


def _run(cell, x, states, weights, mask, reverse, return_sequences, zero_output_for_mask):
    """Put arrays in time-major order and working precision, run the cell, and undo both."""
    result_dtype = x.dtype
    if result_dtype.name in HALF_DTYPES:
        dtype = jnp.float32 if places.platform() == "cpu" else result_dtype
        x, weights = x.astype(dtype), jax.tree.map(lambda w: w.astype(dtype), weights)
        states = jax.tree.map(lambda s: s.astype(jnp.float32), states)
    x = jnp.swapaxes(x, 0, 1)  # (time, batch, features)
    mask = None if mask is None else jnp.swapaxes(mask, 0, 1)[:, :, None].astype(bool)
    if reverse:
        x, mask = jnp.flip(x, 0), None if mask is None else jnp.flip(mask, 0)
    runner = _run_plain if cell.unstep is None else _run_fast
    outputs, states = runner(cell, return_sequences, x, states, weights, mask)
    if mask is not None:
        outputs = _mask_outputs(outputs, mask, return_sequences, zero_output_for_mask)
    if return_sequences:
        outputs = jnp.swapaxes(outputs, 0, 1)  # (batch, time, units)
    return jax.tree.map(lambda array: array.astype(result_dtype), (outputs, states))


def _mask_outputs(outputs, mask, return_sequences, zero_output_for_mask):
    """Put zeros where no output exists yet, or wherever the mask is False.

    A state is held over masked steps, so the state itself already is the repeated last output.
    """
    shown = mask if zero_output_for_mask else lax.cummax(mask.astype(jnp.int8), 0).astype(bool)
    return jnp.where(shown if return_sequences else shown[-1], outputs, 0)


def _scan_forward(cell, x, states, weights, mask, keep):
    """Scan the cell; `keep(states, saved)` says what each step leaves behind."""
    projected, loop_weights = cell.project(x, weights)

    def step(states, inputs):
        projected_t, mask_t = inputs
        new, saved = cell.step(loop_weights, states, projected_t)
        if mask is not None:
            new = tuple(jnp.where(mask_t, a, b) for a, b in zip(new, states, strict=True))
        return new, keep(new, saved)

    return lax.scan(step, states, (projected, mask))


def _run_plain(cell, sequences, x, states, weights, mask):
    states, history = _scan_forward(
        cell, x, states, weights, mask, lambda states, _: states[0] if sequences else None
    )
    return (history if sequences else states[0]), states


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _run_fast(cell, sequences, x, states, weights, mask):
    return _run_plain(cell, sequences, x, states, weights, mask)


def _fast_forward(cell, sequences, x, states, weights, mask):
    last, (history, saved) = _scan_forward(cell, x, states, weights, mask, lambda *kept: kept)
    outputs = history[0] if sequences else last[0]
    return (outputs, last), (x, states, weights, mask, history, saved)


def _fast_backward(cell, sequences, kept, gradients):
    x, initial, weights, mask, history, saved = kept
    d_outputs, d_states = gradients
    previous = tuple(
        jnp.concatenate([first[None].astype(all_.dtype), all_[:-1]])
        for first, all_ in zip(initial, history, strict=True)
    )
    loop_weights = cell.transpose(weights)
    if not sequences:
        d_states = (d_states[0] + d_outputs, *d_states[1:])

    def step(d_states, inputs):
        saved_t, states_t, previous_t, d_output_t, mask_t = inputs
        if sequences:
            d_states = (d_states[0] + d_output_t, *d_states[1:])
        active = d_states
        if mask is not None:
            active = tuple(jnp.where(mask_t, d, 0) for d in d_states)
        d_previous, d_step = cell.unstep(loop_weights, active, saved_t, states_t, previous_t)
        if mask is not None:
            d_previous = tuple(
                jnp.where(mask_t, through, held)
                for through, held in zip(d_previous, d_states, strict=True)
            )
        return d_previous, d_step

    inputs = (saved, history, previous, d_outputs if sequences else None, mask)
    d_initial, d_steps = lax.scan(step, d_states, inputs, reverse=True)
    d_x, d_weights = cell.collect(x, previous[0], saved, d_steps, weights)
    d_weights = tuple(
        None if w is None else d.astype(w.dtype) for d, w in zip(d_weights, weights, strict=True)
    )
    return d_x.astype(x.dtype), d_initial, d_weights, None


_run_fast.defvjp(_fast_forward, _fast_backward)


# --- products -------------------------------------------------------------------------------------


def _dot(a: Array, b: Array) -> Array:
    """Multiply with float32 sums; a 16-bit weight takes a 16-bit partner."""
    return jnp.dot(a.astype(b.dtype), b, preferred_element_type=jnp.float32)


def _rows(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1])


def _project(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Multiply all steps at once: (time, batch, features) -> (time, batch, gates)."""
    projected = _dot(x, kernel)
    return projected if bias is None else projected + bias.astype(jnp.float32)


def _outer(a: Array, d: Array) -> Array:
    """Sum over steps and rows of a ⊗ d: one product with a long contraction."""
    d = _rows(d)
    a = _rows(a).astype(d.dtype)
    return lax.dot_general(a, d, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32)


def _input_gradients(x, d_projected, kernel, bias):
    d_x = _dot(d_projected, kernel.T)
    d_bias = None if bias is None else _rows(d_projected).sum(0)
    return d_x, _outer(x, d_projected), d_bias


def _sigmoid(x: Array) -> Array:
    """The logistic function by one tanh, which XLA's CPU backend vectorises well."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


# --- LSTM -----------------------------------------------------------------------------------------


def _lstm_scales(units: int) -> Array:
    """0.5 for the sigmoid gates, 1 for the candidate: sigmoid(z) = 0.5 tanh(0.5 z) + 0.5."""
    return jnp.repeat(jnp.array([0.5, 0.5, 1.0, 0.5], jnp.float32), units)


def _lstm_project(x, weights):
    kernel, recurrent_kernel, bias = weights
    scales = _lstm_scales(recurrent_kernel.shape[0])
    scale = lambda w: None if w is None else w * scales.astype(w.dtype)  # exact: powers of two
    return _project(x, scale(kernel), scale(bias)), scale(recurrent_kernel)


def _lstm_step(recurrent_kernel, states, projected):
    h, c = states
    scales = _lstm_scales(h.shape[-1])
    gates = jnp.tanh(projected + _dot(h, recurrent_kernel)) * scales + (1 - scales)
    i, f, g, o = jnp.split(gates, 4, -1)
    c = f * c + i * g
    return (o * jnp.tanh(c), c), gates


def _lstm_unstep(transposed, d_states, gates, states, previous):
    d_h, d_c = d_states
    i, f, g, o = jnp.split(gates, 4, -1)
    c_tanh = jnp.tanh(states[1])
    d_c = d_c + d_h * o * (1 - c_tanh * c_tanh)
    d_gates = jnp.concatenate(
        [
            d_c * g * i * (1 - i),
            d_c * previous[1] * f * (1 - f),
            d_c * i * (1 - g * g),
            d_h * c_tanh * o * (1 - o),
        ],
        -1,
    )
    return (_dot(d_gates, transposed), d_c * f), d_gates


def _lstm_collect(x, previous_h, saved, d_gates, weights):
    kernel, _, bias = weights
    d_x, d_kernel, d_bias = _input_gradients(x, d_gates, kernel, bias)
    return d_x, (d_kernel, _outer(previous_h, d_gates), d_bias)


LSTM_CELL = Cell(
    _lstm_project, _lstm_step, lambda weights: weights[1].T, _lstm_unstep, _lstm_collect
)


@functools.lru_cache(maxsize=64)
def _plain_lstm(activation, recurrent_activation) -> Cell:
    def step(recurrent_kernel, states, projected):
        h, c = states
        i, f, g, o = jnp.split(projected + _dot(h, recurrent_kernel), 4, -1)
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        return (recurrent_activation(o) * activation(c), c), None

    return Cell(lambda x, weights: (_project(x, weights[0], weights[2]), weights[1]), step)


# --- GRU, reset gate after the product ------------------------------------------------------------


def _bias_rows(bias: Array | None) -> tuple[Array | None, Array | None]:
    return (None, None) if bias is None else (bias[0], bias[1])


def _gru_after_project(x, weights):
    kernel, recurrent_kernel, bias = weights
    input_bias, recurrent_bias = _bias_rows(bias)
    return _project(x, kernel, input_bias), (recurrent_kernel, recurrent_bias)


def _gru_after_parts(loop_weights, h, projected):
    """Return gate inputs (2 units), the candidate's input part and its recurrent part."""
    recurrent_kernel, recurrent_bias = loop_weights
    inner = _dot(h, recurrent_kernel)
    if recurrent_bias is not None:
        inner = inner + recurrent_bias.astype(inner.dtype)
    split = 2 * h.shape[-1]
    return projected[:, :split] + inner[:, :split], projected[:, split:], inner[:, split:]


def _gru_after_step(loop_weights, states, projected):
    (h,) = states
    gates, outside, inside = _gru_after_parts(loop_weights, h, projected)
    gates = _sigmoid(gates)
    z, r = jnp.split(gates, 2, -1)
    candidate = jnp.tanh(outside + r * inside)
    return (candidate + z * (h - candidate),), (gates, candidate, inside)


def _gru_after_unstep(transposed, d_states, saved, states, previous):
    (d_h,) = d_states
    gates, candidate, inside = saved
    z, r = jnp.split(gates, 2, -1)
    d_candidate = d_h * (1 - z) * (1 - candidate * candidate)
    d_z = d_h * (previous[0] - candidate) * z * (1 - z)
    d_r = d_candidate * inside * r * (1 - r)
    d_inner = jnp.concatenate([d_z, d_r, d_candidate * r], -1)
    return (d_h * z + _dot(d_inner, transposed),), (d_inner, d_candidate)


def _gru_after_collect(x, previous_h, saved, d_steps, weights):
    kernel, _, bias = weights
    d_inner, d_candidate = d_steps
    split = 2 * d_candidate.shape[-1]
    d_projected = jnp.concatenate([d_inner[..., :split], d_candidate], -1)
    d_x, d_kernel, d_bias = _input_gradients(
        x, d_projected, kernel, None if bias is None else bias[0]
    )
    if bias is not None:
        d_bias = jnp.stack([d_bias, _rows(d_inner).sum(0)])
    return d_x, (d_kernel, _outer(previous_h, d_inner), d_bias)


GRU_AFTER_CELL = Cell(
    _gru_after_project,
    _gru_after_step,
    lambda weights: weights[1].T,
    _gru_after_unstep,
    _gru_after_collect,
)


@functools.lru_cache(maxsize=64)
def _plain_gru_after(activation, recurrent_activation) -> Cell:
    def step(loop_weights, states, projected):
        (h,) = states
        gates, outside, inside = _gru_after_parts(loop_weights, h, projected)
        z, r = jnp.split(recurrent_activation(gates), 2, -1)
        return (z * h + (1 - z) * activation(outside + r * inside),), None

    return Cell(_gru_after_project, step)


# --- GRU, reset gate before the product -----------------------------------------------------------


def _gru_before_project(x, weights):
    kernel, recurrent_kernel, bias = weights
    return _project(x, kernel, bias), _gru_before_kernels(recurrent_kernel)


def _gru_before_kernels(recurrent_kernel):
    split = 2 * recurrent_kernel.shape[0]
    return recurrent_kernel[:, :split], recurrent_kernel[:, split:]


def _gru_before_step(loop_weights, states, projected):
    (h,) = states
    gate_kernel, candidate_kernel = loop_weights
    split = 2 * h.shape[-1]
    gates = _sigmoid(projected[:, :split] + _dot(h, gate_kernel))
    z, r = jnp.split(gates, 2, -1)
    candidate = jnp.tanh(projected[:, split:] + _dot(r * h, candidate_kernel))
    return (candidate + z * (h - candidate),), (gates, candidate)


def _gru_before_transpose(weights):
    return tuple(part.T for part in _gru_before_kernels(weights[1]))


def _gru_before_unstep(transposed, d_states, saved, states, previous):
    (d_h,), (h,) = d_states, previous
    gates, candidate = saved
    z, r = jnp.split(gates, 2, -1)
    d_candidate = d_h * (1 - z) * (1 - candidate * candidate)
    d_reset_h = _dot(d_candidate, transposed[1])
    d_gates = jnp.concatenate(
        [d_h * (h - candidate) * z * (1 - z), d_reset_h * h * r * (1 - r)], -1
    )
    d_previous = d_h * z + d_reset_h * r + _dot(d_gates, transposed[0])
    return (d_previous,), jnp.concatenate([d_gates, d_candidate], -1)


def _gru_before_collect(x, previous_h, saved, d_projected, weights):
    kernel, _, bias = weights
    d_x, d_kernel, d_bias = _input_gradients(x, d_projected, kernel, bias)
    units = previous_h.shape[-1]
    reset = saved[0][..., units:]
    d_gate_kernel = _outer(previous_h, d_projected[..., : 2 * units])
    d_candidate_kernel = _outer(reset * previous_h, d_projected[..., 2 * units :])
    return d_x, (d_kernel, jnp.concatenate([d_gate_kernel, d_candidate_kernel], -1), d_bias)


GRU_BEFORE_CELL = Cell(
    _gru_before_project,
    _gru_before_step,
    _gru_before_transpose,
    _gru_before_unstep,
    _gru_before_collect,
)


@functools.lru_cache(maxsize=64)
def _plain_gru_before(activation, recurrent_activation) -> Cell:
    def step(loop_weights, states, projected):
        (h,) = states
        gate_kernel, candidate_kernel = loop_weights
        split = 2 * h.shape[-1]
        z, r = jnp.split(recurrent_activation(projected[:, :split] + _dot(h, gate_kernel)), 2, -1)
        candidate = activation(projected[:, split:] + _dot(r * h, candidate_kernel))
        return (z * h + (1 - z) * candidate,), None

    return Cell(_gru_before_project, step)


# --- simple recurrence ----------------------------------------------------------------------------


def _simple_project(x, weights):
    return _project(x, weights[0], weights[2]), weights[1]


def _simple_step(recurrent_kernel, states, projected):
    return (jnp.tanh(projected + _dot(states[0], recurrent_kernel)),), None


def _simple_unstep(transposed, d_states, saved, states, previous):
    d_inner = d_states[0] * (1 - states[0] * states[0])
    return (_dot(d_inner, transposed),), d_inner


SIMPLE_CELL = Cell(
    _simple_project, _simple_step, lambda weights: weights[1].T, _simple_unstep, _lstm_collect
)


@functools.lru_cache(maxsize=64)
def _plain_simple(activation) -> Cell:
    def step(recurrent_kernel, states, projected):
        return (activation(projected + _dot(states[0], recurrent_kernel)),), None

    return Cell(_simple_project, step)


# --- activations ----------------------------------------------------------------------------------


def _is_tanh(activation: Activation) -> bool:
    return activation == "tanh" or activation is jnp.tanh or activation is lax.tanh


def _is_sigmoid(activation: Activation) -> bool:
    return activation == "sigmoid" or activation is jax.nn.sigmoid or activation is lax.logistic


def _callable(activation: Activation) -> Callable[[Array], Array]:
    if callable(activation):
        return activation
    names = {
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "linear": lambda x: x,
        "relu": jax.nn.relu,
    }
    if activation not in names:
        raise ValueError(
            f"recurrent kernel: activation must be callable or one of {sorted(names)}. "
            f"Got {activation!r}. Pass the function itself."
        )
    return names[activation]
