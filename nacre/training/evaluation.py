"""`evaluate`: the loss and the metrics on data that is not learnt from."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.callbacks.runner import CallbackList
from nacre.core import tree
from nacre.core.errors import DataError, message
from nacre.core.open_program import OpenProgram
from nacre.data.prefetch import prefetched
from nacre.data.rows import sent
from nacre.data.sources import ArraySource, BatchSource, used
from nacre.training import pace, prepare
from nacre.training.arguments import verbosity, whole_number
from nacre.training.compile import CompiledTraining
from nacre.training.programs import finisher, host_logs
from nacre.training.state import State
from nacre.training.step import custom_step, reports_itself, test_step
from nacre.training.whole_steps import WholeSteps

_CHANGING = ("other", "metrics")


def evaluate(
    model: Any,
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    verbose: Any,
    sample_weight: Any,
    steps: int | None,
    callbacks: Any,
    return_dict: bool,
    **kwargs: Any,
) -> Any:
    """The loss and the metrics; see `Model.evaluate`."""
    who = f"{model._who()}.evaluate"
    prepare.refuse_unknown(who, kwargs, evaluate)
    trainer = prepare.require_compiled(model, "evaluate")
    source = prepare.make_source(x, y, sample_weight, who)
    rows = whole_number(batch_size, "batch_size", who, 32)
    steps = whole_number(steps, "steps", who)
    verbose = verbosity(verbose, who)
    prepare.require_flag(return_dict, "return_dict", who)
    with used(source) as keep:
        source = keep(prepare.staged(model, source, rows, who))
        run = EvaluationRun(model, trainer, source, rows, steps, who)
        runner = CallbackList.of(callbacks, model, verbose, run.steps)
        if verbose:
            trainer.say_choices()
        return as_result(run.run(runner), return_dict)


def as_result(logs: dict[str, Any], return_dict: bool) -> Any:
    """Logs as Keras returns them: a dict, a list in order, or one number."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


class EvaluationRun:
    """One pass over data with fixed weights; can be repeated, as for validation."""

    def __init__(
        self,
        model: Any,
        trainer: CompiledTraining,
        source: ArraySource | BatchSource,
        rows: int,
        steps: int | None,
        who: str,
    ) -> None:
        self.model, self.trainer, self.source, self.who = model, trainer, source, who
        if isinstance(source, ArraySource):
            rows = min(rows, source.num_rows)
            available = -(-source.num_rows // rows)
            self.steps = available if steps is None else min(steps, available)
        else:
            self.steps = steps if steps is not None else source.num_batches
        self.rows = rows
        prepare.prepare(model, trainer, source, rows, training=False, who=who)
        self._resident: Any = None

    def run(self, runner: CallbackList) -> dict[str, Any]:
        """Go over the data once and report."""
        model = self.model
        model.reset_metrics()
        self.state = State(model, None, model.metrics)
        self.runner = runner
        runner.on_test_begin()
        given = self.state.peek()
        self.fixed = {n: v for n, v in given.items() if n not in _CHANGING}
        self.values = {n: [v.lend() for v in self.state.groups[n]] for n in _CHANGING}
        self.logs: Any = {}
        try:
            with WholeSteps() as self._whole:
                try:
                    self._all_steps()
                finally:
                    self._whole.put(self._put_values)
            logs = self._host_logs()
        except BaseException as reason:
            runner.end_early("on_test_end", reason)
            raise
        runner.on_test_end(logs)
        return logs

    def _all_steps(self) -> None:
        if isinstance(self.source, BatchSource):
            done = 0
            for batch in self.source.epoch(self.steps, go_on=False):
                self._dispatch_batch(batch, done)
                done += 1
            if done == 0:
                raise DataError(message(self.who, "the source must give batches", "none"))
        elif self.trainer.run_eagerly:
            for step in range(self.steps):
                picked = self.source.rows(slice(step * self.rows, (step + 1) * self.rows))
                self._dispatch_batch(self.source.pack(picked), step)
        else:
            self._arrays()

    def _put_values(self) -> None:
        for name in _CHANGING:
            for variable, value in zip(self.state.groups[name], self.values[name], strict=True):
                variable.take_back(value)

    def _run_program(self, program: Any, *arguments: Any) -> None:
        def keep(result: Any) -> None:
            self.values, self.logs = result

        self._whole.run(keep, program, self.values, self.fixed, *arguments)

    def _arrays(self) -> None:
        full, rest = divmod(self.source.num_rows, self.rows)
        if self.steps <= full:
            full, rest = self.steps, 0
        if self.source.fits_device():
            if self._resident is None:
                self._resident = self.source.whole()
            self._loop_over(self._resident, full, 0)
            if rest:
                self._dispatch(self._resident, full * self.rows, 1, rest, full)
            return
        steps_a_chunk = self.source.batches_per_chunk(self.rows)

        def chunks() -> Any:
            for first in range(0, full, steps_a_chunk):
                last = min(full, first + steps_a_chunk)
                picked = self.source.rows(slice(first * self.rows, last * self.rows))
                yield first, last - first, sent(picked)

        with closing(prefetched(chunks(), ahead=1)) as ready:
            for first, count, arrays in ready:
                self._loop_over(arrays, count, first)
        if rest:
            picked = self.source.rows(slice(full * self.rows, full * self.rows + rest))
            self._dispatch(sent(picked), 0, 1, rest, full)

    def _loop_over(self, arrays: list[Any], count: int, first_step: int) -> None:
        hooks = self.runner.has_test_batch_hooks
        limit = pace.Pace(1 if hooks else self.trainer.steps_per_execution, pace.UNSEEN_SECONDS)
        position = 0
        while position < count:
            k = min(limit.next_count(), count - position)
            if limit.fixed is None and first_step + position == 0 and count <= 64:
                k = count  # too short to measure
            limit.start()
            self._dispatch(arrays, position * self.rows, k, self.rows, first_step + position)
            jax.block_until_ready(self.logs)
            limit.stop(k)
            position += k

    def _dispatch(self, arrays: list[Any], row: int, count: int, rows: int, step: int) -> None:
        hooks = self.runner.has_test_batch_hooks
        if hooks:
            self.runner.on_test_batch_begin(step)
        program = self._program(("rows", rows), self.source.structure, rows)
        self._run_program(program, arrays, np.int32(row), np.int32(count))
        self._tell(step + count, hooks)

    def _dispatch_batch(self, batch: Any, step: int) -> None:
        hooks = self.runner.has_test_batch_hooks
        if hooks:
            self.runner.on_test_batch_begin(step)
        leaves = tree.flatten(batch)
        rows = next(len(leaf) for leaf in leaves if leaf is not None)
        program = self._program(("batch", rows), batch, rows)
        self._run_program(program, sent(leaves), np.int32(0), np.int32(1))
        self._tell(step + 1, hooks)

    def _tell(self, done: int, hooks: bool) -> None:
        if hooks:
            self.runner.on_test_batch_end(done - 1, self._host_logs())
        self.runner.progress(done, lambda: self._host_logs())

    def _host_logs(self) -> dict[str, Any]:
        return host_logs(self.logs, self.trainer.report_names(self.model))

    def _program(self, kind: Any, structure: Any, rows: int) -> Any:
        eager = self.trainer.run_eagerly
        shape = repr(tree.map_structure(lambda leaf: None if leaf is None else 0, structure))
        key = ("test", self.state.key(), rows, shape, eager)
        if key not in self.trainer.programs:
            empty = tree.map_structure(lambda leaf: None if leaf is None else 0, structure)
            self.trainer.programs[key] = _evaluation_program(
                self.model, self.trainer, self.state, rows, empty, eager
            )
        return self.trainer.programs[key]


def _evaluation_program(
    model: Any, trainer: CompiledTraining, state: State, rows: int, structure: Any, eager: bool
) -> Any:
    """(changing values, fixed values, arrays, first row, count) -> (changing values, logs).

    The weights stay out of the loop's carry, so they are not copied.
    """
    step = test_step(model, trainer, state)
    custom = custom_step(model, "test_step") is not None
    finish = finisher(model, trainer, state, custom)
    keeps_logs = custom or reports_itself(model)

    def run(values: Any, fixed: Any, arrays: list[Any], first_row: Any, count: Any) -> Any:
        def batch_at(row: Any) -> Any:
            cut = [
                None if a is None else jax.lax.dynamic_slice_in_dim(a, row, rows) for a in arrays
            ]
            return tree.pack_sequence_as(structure, cut)

        def body(index: Any, carry: Any) -> Any:
            current, logs = carry
            everything, _, new_logs = step({**fixed, **current}, batch_at(first_row + index * rows))
            current = {n: everything[n] for n in _CHANGING}
            return current, (_floats(new_logs) if keeps_logs else logs)

        logs: dict[str, Any] = {}
        if keeps_logs:
            shapes = jax.eval_shape(
                lambda: _floats(step({**fixed, **values}, batch_at(first_row))[2])
            )
            logs = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        if eager:
            for index in range(int(count)):
                values, logs = body(index, (values, logs))
        else:
            from nacre.ops.kernels import placement

            with placement.inside_loop():
                values, logs = jax.lax.fori_loop(0, count, body, (values, logs))
        return values, {**finish({**fixed, **values}), **logs}

    if eager:

        def run_eagerly(*arguments: Any) -> Any:
            with jax.disable_jit():
                return run(*arguments)

        return run_eagerly
    return OpenProgram(run, donated=True)


def _floats(logs: dict[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in logs.items() if not isinstance(v, dict)}
    return {k: jnp.asarray(v, jnp.float32) for k, v in found.items()}


def test_on_batch(model: Any, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
    """The loss and the metrics on one batch; see `Model.test_on_batch`."""
    who = f"{model._who()}.test_on_batch"
    prepare.require_flag(return_dict, "return_dict", who)
    trainer = prepare.require_compiled(model, "test_on_batch")
    source = ArraySource(x, y, sample_weight, who)
    with used() as keep:
        staged = keep(prepare.staged(model, source, source.num_rows, who))
        run = EvaluationRun(model, trainer, staged, source.num_rows, None, who)
        runner = CallbackList([], add_history=False, add_progbar=False, model=model)
        return as_result(run.run(runner), return_dict)
