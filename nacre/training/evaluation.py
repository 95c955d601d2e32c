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
from nacre.core.scope import StatelessScope
from nacre.core.variable import private_copy
from nacre.data.prefetch import prefetched
from nacre.data.rows import sent
from nacre.data.sources import ArraySource, BatchSource, used
from nacre.training import pace, prepare
from nacre.training.arguments import verbosity, whole_number
from nacre.training.compile import CompiledTraining
from nacre.training.model_programs import evaluation_programs
from nacre.training.programs import host_logs
from nacre.training.state import CHANGING, State, Values
from nacre.training.whole_steps import WholeSteps


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
        """Go over the data once and report.

        Metrics and statistics are those of this run alone: they end in the model, unless the model
        is in training, whose own they are then.
        """
        self.programs = evaluation_programs(self.model, self.trainer)
        self.state = state = self.programs.state
        self.runner = runner
        runner.on_test_begin()
        self.fixed = state.read(name for name in state.groups if name not in CHANGING)
        self.values = _beginning(self.model, state)
        self.logs: Any = {}
        try:
            with WholeSteps() as self._whole:
                try:
                    self._all_steps()
                finally:
                    self._whole.put(lambda: state.commit_unless_held(self.values))
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
        program = self.programs.evaluate(self.source.structure, rows)
        self._run_program(program, arrays, np.int32(row), np.int32(count))
        self._tell(step + count, hooks)

    def _dispatch_batch(self, batch: Any, step: int) -> None:
        hooks = self.runner.has_test_batch_hooks
        if hooks:
            self.runner.on_test_batch_begin(step)
        leaves = tree.flatten(batch)
        rows = next(len(leaf) for leaf in leaves if leaf is not None)
        program = self.programs.evaluate(batch, rows)
        self._run_program(program, sent(leaves), np.int32(0), np.int32(1))
        self._tell(step + 1, hooks)

    def _tell(self, done: int, hooks: bool) -> None:
        if hooks:
            self.runner.on_test_batch_end(done - 1, self._host_logs())
        self.runner.progress(done, lambda: self._host_logs())

    def _host_logs(self) -> dict[str, Any]:
        return host_logs(self.logs, self.trainer.report_names(self.model))


def _beginning(model: Any, state: State) -> Values:
    """The values an evaluation begins with, for a program to overwrite: metrics at their start."""
    values = state.read(CHANGING)
    with StatelessScope(state.pairs(values)) as inner:
        model.reset_metrics()
        now = {name: [inner.get_current_value(v) for v in state.groups[name]] for name in CHANGING}
    return {name: [private_copy(jnp.asarray(value)) for value in now[name]] for name in now}


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
