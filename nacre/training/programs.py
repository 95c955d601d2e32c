"""Steps put into compiled programs.

`loop_program` runs many steps in one dispatch: the batches are rows of arrays that are already on
the device, picked by an order that was drawn on the host, or lie one after another. The number of
steps is an argument, so one compilation serves every number; or it is fixed, see `pace.py`.
`single_program` runs one step, on such rows or on a batch that is handed over.

The loop carries the values of all variables as a tree (one flat vector updated in a loop is far
slower on a CPU), and the number of the first step whose loss was not finite. A guarded step gives
back the values it was given where its loss or its weights are not finite, and says so.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import leftovers
from nacre.core.kinds import is_dict
from nacre.core.layout import Layout
from nacre.core.older import is_older_meant
from nacre.core.program import Program
from nacre.core.protocols import TrainedModel
from nacre.core.scope import StatelessScope
from nacre.core.state import OUTSIDE, State, Values
from nacre.core.typed_jax import cond, fori_loop
from nacre.ops.kernels import guard_native, placement
from nacre.ops.kernels.native.table import GuardWork
from nacre.training.compile import CompiledTraining
from nacre.training.gathering import start_fetching
from nacre.training.step import Batch, StepResult

Step = Callable[[Values, Batch], StepResult]

# What a step goes back to when it is found to be spoiled; metrics do not decide whether it is.
GUARDED_GROUPS = ("trainable", "other", "optimizer", OUTSIDE)
FINE, BAD_GRADIENTS = -1, -2  # in the place of the first step whose loss was not finite


def loop_program(
    state: State,
    step: Step,
    finish: Callable[[Values], dict[str, Any]],
    pack: Callable[[list[Any]], Batch],
    batch_size: int,
    keeps_logs: bool,
    steps: int | None = None,
) -> Program:
    """(values, arrays, order, first_row, count) -> (values, logs, first bad step or -1).

    Args:
        state: The variables.
        step: The pure step.
        finish: values -> logs, run once after the loop.
        pack: flat arrays -> (x, y, sample_weight).
        batch_size: Samples of a batch.
        keeps_logs: Whether the logs of the last step are carried out of the loop (a user's own
            step may report what no metric holds).
        steps: The number of steps, fixed; None: `count` says it.
    """

    def batch_at(arrays: list[Any], order: Any, row: Any) -> Batch:
        return pack(batch_leaves(arrays, order, row, batch_size, state.layout))

    def run(values: Values, arrays: list[Any], order: Any, first_row: Any, count: Any) -> Any:
        def body(index: Any, carry: Any) -> Any:
            current, bad, logs = carry
            batch = batch_at(arrays, order, first_row + index * batch_size)
            new, loss, new_logs = step(current, batch)
            current = state.settled(_settled(new, current))
            bad = jnp.where((bad == FINE) & ~jnp.isfinite(loss), index, bad)
            return current, bad, (_as_arrays(new_logs) if keeps_logs else logs)

        logs: dict[str, Any] = {}
        if keeps_logs:
            logs = _zeros_of(lambda: _as_arrays(step(values, batch_at(arrays, order, 0))[2]))
        with placement.inside_loop():
            carry = values, jnp.int32(FINE), logs
            values, bad, logs = fori_loop(steps or count, body, carry)
        return values, {**finish(values), **logs}, bad

    return Program(run, state, donates=True, name="fit")


def single_program(
    state: State,
    step: Step,
    finish: Callable[[Values], dict[str, Any]],
    pack: Callable[[list[Any]], Batch],
    batch_size: int | None,
    keeps_logs: bool,
    compiled: bool = True,
    is_guarded: bool = False,
    donates: bool = True,
) -> Program:
    """The same for one step; without a batch size the arrays are the batch, of any size.

    A guarded one gives `BAD_GRADIENTS` where the loss is finite and weights that were finite are
    not. Then, as where the loss is not, it gives back what it was given, metrics apart. The choice
    costs next to nothing beside the update it is made in; to keep the old values beside the new
    ones takes new memory for all of them in each step.

    Args:
        is_guarded: Whether it is.
        donates: Whether the arrays of `values` are given to it.
    """

    def run(values: Values, arrays: list[Any], order: Any, first_row: Any, count: Any) -> Any:
        batch = pack(batch_leaves(arrays, order, first_row, batch_size, state.layout))
        return _one(state, step, finish, values, batch, keeps_logs, is_guarded)

    return Program(run, state, donates=donates, compiled=compiled, name="fit")


def evaluation_program(
    state: State,
    step: Step,
    finish: Callable[[Values], dict[str, Any]],
    pack: Callable[[list[Any]], Batch],
    batch_size: int | None,
    keeps_logs: bool,
    steps: int | None = None,
    compiled: bool = True,
) -> Program:
    """(changing values, fixed values, arrays, first row, count) -> (changing values, logs).

    The weights stay out of the loop's carry, so they are not copied. For `steps` see
    `loop_program`.
    """

    def run(values: Values, fixed: Values, arrays: list[Any], first_row: Any, count: Any) -> Any:
        def batch_at(row: Any) -> Batch:
            return pack(batch_leaves(arrays, None, row, batch_size, state.layout))

        def body(index: Any, carry: Any) -> Any:
            current, logs = carry
            batch = batch_at(first_row + index * (batch_size or 0))
            everything, _, new_logs = step({**fixed, **current}, batch)
            new = _settled({name: everything[name] for name in current}, current)
            new = state.settled(new)
            return new, (_as_arrays(new_logs, jnp.float32) if keeps_logs else logs)

        logs: dict[str, Any] = {}
        if keeps_logs:
            everything = {**fixed, **values}
            logs = _zeros_of(
                lambda: _as_arrays(step(everything, batch_at(first_row))[2], jnp.float32)
            )
        if compiled:
            with placement.inside_loop():
                values, logs = fori_loop(steps or count, body, (values, logs))
        else:
            for index in range(int(count)):
                values, logs = body(index, (values, logs))
        return values, {**finish({**fixed, **values}), **logs}

    return Program(run, state, donates=True, compiled=compiled, name="evaluate")


def batch_leaves(
    arrays: list[Any], order: Any, row: Any, batch_size: int | None, layout: Layout | None
) -> list[Any]:
    """The leaves of one batch.

    Args:
        arrays: Leaves on the device, None where there is none.
        order: The rows in another order than their own, or None.
        row: Where the batch begins.
        batch_size: Its samples; None where the arrays are the batch.
        layout: How it is divided among devices, if at all.
    """
    leaves = arrays
    if batch_size is not None and order is None:
        leaves = [
            None if a is None else jax.lax.dynamic_slice_in_dim(a, row, batch_size) for a in arrays
        ]
    elif batch_size is not None:
        indices = jax.lax.dynamic_slice_in_dim(order, row, batch_size)
        leaves = [None if a is None else jnp.take(a, indices, axis=0, mode="clip") for a in arrays]
    return leaves if layout is None else layout.divided(leaves)


def _one(
    state: State,
    step: Step,
    finish: Any,
    values: Values,
    batch: Batch,
    keeps_logs: bool,
    is_guarded: bool,
) -> Any:
    with placement.own_program(), placement.keeping_old_values(is_guarded):
        new, loss, logs = step(values, batch)
    new = state.settled(_settled(new, values))
    is_fine = jnp.isfinite(loss)
    bad = jnp.where(is_fine, jnp.int32(FINE), jnp.int32(0))
    logs = {**finish(new), **(_as_arrays(logs) if keeps_logs else {})}
    if is_guarded:
        with placement.own_program():
            takes_new, chosen = _chosen(is_fine, new, values)
        bad = jnp.where(is_fine & ~takes_new, jnp.int32(BAD_GRADIENTS), bad)
        new = state.settled({**new, **chosen})
    return new, logs, bad


def _chosen(is_fine: Any, new: Values, old: Values) -> tuple[Any, Values]:
    """Whether a guarded step's values are taken, and the values of the groups that it guards."""
    names = [name for name in GUARDED_GROUPS if name in new]  # the weights come first
    after, before = ([a for name in names for a in values[name]] for values in (new, old))
    floats = [i for i, array in enumerate(before) if array.dtype == jnp.float32]
    weights = len(old["trainable"])
    work = GuardWork([before[i] for i in floats], [after[i] for i in floats], weights)
    by_kernel: dict[int, Any] = {}
    if floats[:weights] == list(range(weights)) and guard_native.is_used(work):
        takes_new, arrays = guard_native.choose(is_fine, work)
        by_kernel = dict(zip(floats, arrays, strict=True))
    else:
        takes_new = is_fine & ~_are_spoiled(new["trainable"], old["trainable"])
    chosen = iter(
        by_kernel[i] if i in by_kernel else jnp.where(takes_new, after[i], before[i])
        for i in range(len(after))
    )
    return takes_new, {name: list(islice(chosen, len(new[name]))) for name in names}


def _are_spoiled(new: list[Any], old: list[Any]) -> Any:
    """Whether weights that were finite are no more; the old ones are seldom looked at."""
    return cond(_are_finite(new), lambda: jnp.zeros((), bool), lambda: _are_finite(old))


def _are_finite(arrays: list[Any]) -> Any:
    """Whether all numbers are finite, those of weights that were trained before too."""
    floats = [a for a in arrays if jnp.issubdtype(a.dtype, jnp.inexact)]
    return jnp.all(jnp.array([jnp.isfinite(a).all() for a in floats]))


def _settled(new: Values, old: Values) -> Values:
    """New values in the dtypes the variables have, so that one program serves every step."""
    return jax.tree.map(_in_dtype_of, new, old)


def _in_dtype_of(new: Any, old: jax.Array) -> jax.Array:
    return jnp.asarray(new, old.dtype)


def _zeros_of(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Zeros in the form of what a function makes, which runs as a trial."""
    with leftovers.cleared(is_trial=True):
        specs = jax.eval_shape(make)
    return {name: jnp.zeros(spec.shape, spec.dtype) for name, spec in specs.items()}


def _as_arrays(logs: dict[str, Any], dtype: Any = None) -> dict[str, Any]:
    return {k: jnp.asarray(v, dtype) for k, v in logs.items() if not is_dict(v)}


def finisher(
    model: TrainedModel, trainer: CompiledTraining, state: State, custom: bool
) -> Callable[[Values], dict[str, Any]]:
    """values -> what is reported, from the metrics' variables."""

    def finish(values: Values) -> dict[str, Any]:
        if custom:
            return {}
        metrics = (metric for _, metric in trainer.named_metrics(model))
        leftovers.lose(metrics, leftovers.FIX_OF_METRICS)
        with StatelessScope(state.pairs(values)):
            return {k: jnp.asarray(v) for k, v in trainer.results(model).items()}

    return finish


def host_logs(logs: dict[str, Any]) -> dict[str, Any]:
    """Logs fetched from the device: Python floats, arrays where there are several numbers.

    They are sorted by name, as in Keras: in the history, in what callbacks see, in `evaluate`.
    Scripts of tf.keras 2 have them as they were made, the loss first.
    """
    start_fetching(logs)
    in_order = logs.items() if is_older_meant() else sorted(logs.items())
    fetched = {name: np.asarray(value) for name, value in in_order}
    return {n: float(v) if np.ndim(v) == 0 else v for n, v in fetched.items()}


__all__ = [
    "batch_leaves",
    "evaluation_program",
    "finisher",
    "host_logs",
    "loop_program",
    "single_program",
]
