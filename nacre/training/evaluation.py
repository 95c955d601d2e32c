"""`evaluate`: the loss and the metrics on data that is not learnt from."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import jax
import numpy as np

from nacre.callbacks.runner import CallbackList, Callbacks
from nacre.core.errors import DataError, message
from nacre.core.scope import StatelessScope
from nacre.core.state import State, Values
from nacre.core.tensors import Count, WholeNumber
from nacre.core.variable import argument_copy, private_copy
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.feed import RowFeed, Stretch
from nacre.data.feeds import feed_of
from nacre.data.sources import ArraySource
from nacre.data.watched import WatchedArrays
from nacre.training import inputs, pace, prepare
from nacre.training.arguments import (
    count_of_steps,
    verbosity,
    whole_number,
)
from nacre.training.compile import CompiledTraining
from nacre.training.deferred_signals import DeferredSignals
from nacre.training.few_batches import first_batches, limited_steps
from nacre.training.model_programs import evaluation_programs
from nacre.training.programs import host_logs
from nacre.training.state import CHANGING
from nacre.training.targets_among_inputs import refuse_targets_among_inputs


def evaluate(
    model: Any,
    x: Any,
    y: Any,
    *,
    batch_size: WholeNumber | None,
    verbose: Any,
    sample_weight: Any,
    steps: Count | None,
    callbacks: Callbacks,
    return_dict: bool,
    **kwargs: Any,
) -> Any:
    """The loss and the metrics; see `Model.evaluate`."""
    who = f"{model._who()}.evaluate"
    prepare.refuse_unknown(who, kwargs, evaluate)
    trainer = prepare.require_compiled(model, "evaluate")
    batch_size = whole_number(batch_size, "batch_size", who, 32)
    steps = count_of_steps(steps, "steps", who)
    verbose = verbosity(verbose, who)
    prepare.require_flag(return_dict, "return_dict", who)
    order = inputs.Order(making=prepare.making(kwargs, who))
    source = inputs.source_of(model, x, y, sample_weight, who=who, order=order)
    refuse_targets_among_inputs(model, source, "test_step")
    ahead = prepare.batches_ahead(kwargs, who)
    with ExitStack() as ends:
        ends.enter_context(inputs.workers_end(source))
        run = EvaluationRun(model, trainer, source, batch_size, steps, who, ahead)
        ends.callback(run.feed.close)
        runner = CallbackList.of(callbacks, model, verbose, run.feed.steps)
        if verbose:
            trainer.print_choices()
        return as_result(run.run(runner), trainer.report_names(model), return_dict)


def as_result(logs: dict[str, Any], order: list[str], return_dict: bool) -> Any:
    """Logs as Keras returns them: a dict sorted by name, a list in the order of the metrics, or
    one number."""
    if return_dict:
        return logs
    names = [name for name in order if name in logs]
    values = [logs[name] for name in names + [name for name in logs if name not in names]]
    return values[0] if len(values) == 1 else values


class EvaluationRun:
    """One pass over data with fixed weights; can be repeated, as for validation."""

    def __init__(
        self,
        model: Any,
        trainer: CompiledTraining,
        source: ArraySource | BatchSource,
        batch_size: int,
        steps: int | None,
        who: str,
        ahead: int | None = None,
        *,
        of_training: bool = False,
        first: float = 0,
    ) -> None:
        self.model, self.trainer, self.who = model, trainer, who
        self._of_training, self._has_run = of_training, False
        self.is_used_up = False  # whether a generator gave fewer batches than a run of it takes
        self._given, self._batch_size, self._first = source, batch_size, first
        self._watched: WatchedArrays | None = None
        source = self._prepared()
        steps = None if first else steps
        self.feed = feed_of(
            source,
            batch_size,
            steps=limited_steps(steps, source, batch_size, who),
            continues=False,
            by_batch=trainer.run_eagerly,
            ahead=ahead,
            in_chunks=pace.loop_form() == "counted",
        )

    def _prepared(self) -> ArraySource | BatchSource:
        source = prepare.prepare(
            self.model, self.trainer, self._given, self._batch_size, training=False, who=self.who
        )
        if self._first:  # of the batches, where a training takes no more
            source = first_batches(source, self._first, self._batch_size, self.who)
        return source

    def watch(self) -> None:
        """Have arrays that callbacks change in place be read again, before the next run."""
        if isinstance(self._given, ArraySource) and isinstance(self.feed, RowFeed):
            self._watched = WatchedArrays(self._given.leaves)

    def _take_changed_data(self) -> None:
        if self._watched is not None and self._watched.have_changed():
            source = self._prepared()
            assert isinstance(source, ArraySource) and isinstance(self.feed, RowFeed)
            self.feed.take(source)

    def run(self, runner: CallbackList) -> dict[str, Any]:
        """Go over the data once and report.

        Metrics and statistics are those of this run alone: they end in the model, unless the model
        is in training, whose own they are then.
        """
        with DeferredSignals() as self._signals:
            return self._run(runner)

    def _run(self, runner: CallbackList) -> dict[str, Any]:
        self.programs = evaluation_programs(self.model, self.trainer)
        state = self.programs.state
        self.runner = runner
        runner.on_test_begin()
        self._take_changed_data()
        self.values, self.fixed = _initial_values(self.model, state)
        self.logs: Any = {}
        try:
            try:
                self._all_steps()
            finally:
                self._signals.commit(lambda: state.commit_unless_in_training(self.values))
            logs = self._host_logs()
        except BaseException as reason:
            runner.end_early("on_test_end", reason)
            raise
        runner.on_test_end(logs)
        return logs

    def _all_steps(self) -> None:
        done = 0
        hooks = self.runner.has_test_batch_hooks
        self.feed.overlaps = not hooks
        asked = self.trainer.steps_per_execution
        self._steps_a_batch, self._is_batch_open = asked or 1, False
        fixed = (asked or 1) if hooks else asked
        self._pace = pace.pace_of(fixed, pace.UNSEEN_SECONDS, unmeasured=64)
        with closing(self.feed.epoch()) as stretches:
            for stretch in stretches:
                self._run_stretch(stretch)
                done += stretch.num_steps
        if self._is_batch_open:  # of several steps, which the source ended
            self.runner.on_test_batch_end(done - 1, self._host_logs())
        self._check_length(done)
        self._has_run = True

    def _check_length(self, done: int) -> None:
        steps = self.feed.steps
        self.is_used_up = self.feed.is_one_pass and (
            done == 0 or (steps is not None and done < steps)
        )
        if done and not self.is_used_up:
            return
        rule = f"the source should give {steps} batches" if done else "the source must give batches"
        got = str(done) if done else "none"
        fix = (
            "A generator is used up after one pass: let it run for ever and give the number of "
            "steps, or use a PyDataset."
        )
        if done == 0 and not self._has_run:
            raise DataError(message(self.who, rule, got))
        end = "; training ends here" if self._of_training else ""
        warn(message(self.who, f"{rule}{end}", got, fix))

    def _run_stretch(self, stretch: Stretch) -> None:
        hooks = self.runner.has_test_batch_hooks

        def keep(result: Any) -> None:
            self.values, self.logs = result

        for position, count in self._pace.dispatches(stretch):
            step = stretch.step + position
            if hooks and not self._is_batch_open:
                self.runner.on_test_batch_begin(step)
                self._is_batch_open = True
                self.programs = self.programs.now()  # a callback may have set an attribute
            row = stretch.first_row + position * stretch.batch_size
            program = self.programs.evaluate(stretch, self._pace.program_steps(count))
            arguments = self.fixed, stretch.arrays, np.int32(row), np.int32(count)
            self._signals.run(keep, program, self.values, *arguments)
            self._report(step + count, hooks)
            self._pace.hold_back(self.logs)
            if self._pace.waits(stretch, count):
                jax.block_until_ready(self.logs)

    def _report(self, done: int, hooks: bool) -> None:
        ends = done % self._steps_a_batch == 0 or done == self.feed.steps
        if hooks and ends:  # callbacks see `steps_per_execution` steps as one
            self._is_batch_open = False
            self.runner.on_test_batch_end(done - 1, self._host_logs())
        self.runner.progress(done, self._host_logs)

    def _host_logs(self) -> dict[str, Any]:
        return host_logs(self.logs)


def _initial_values(
    model: Any, state: State, copy: Callable[[jax.Array], Any] = private_copy
) -> tuple[Values, Values]:
    """The values an evaluation starts with, with metrics reset: those it changes, for programs to
    overwrite, and all others."""
    fixed = state.read(name for name in state.groups if name not in CHANGING)
    values = state.read(CHANGING)
    with StatelessScope(state.pairs(values)) as inner:
        model.reset_metrics()
        now = {name: [inner.unread_value(v) for v in state.groups[name]] for name in CHANGING}
    # What was not set anew is the variables' own, and stays whole.
    own = {
        name: [b if b is not a else copy(a) for a, b in zip(values[name], now[name])]
        for name in now
    }
    return state.placed(own), fixed


def _values_as_they_are(state: State, copy: Callable[[jax.Array], Any]) -> tuple[Values, Values]:
    """The values a batch goes on with: those it changes, and all others."""
    values = {name: [*map(copy, group)] for name, group in state.read(CHANGING).items()}
    return values, state.read(name for name in state.groups if name not in CHANGING)


def test_on_batch(
    model: Any, x: Any, y: Any, sample_weight: Any, return_dict: bool, reset_metrics: bool
) -> Any:
    """The loss and the metrics on one batch; see `Model.test_on_batch`."""
    who = f"{model._who()}.test_on_batch"
    prepare.require_flag(return_dict, "return_dict", who)
    prepare.require_flag(reset_metrics, "reset_metrics", who)
    trainer = prepare.require_compiled(model, "test_on_batch")
    stretch = prepare.prepared_batch(model, trainer, x, y, sample_weight, training=False, who=who)
    programs = evaluation_programs(model, trainer)
    state = programs.state
    copy = private_copy if trainer.run_eagerly else argument_copy
    with DeferredSignals():
        if reset_metrics:
            values, fixed = _initial_values(model, state, copy)
        else:
            values, fixed = _values_as_they_are(state, copy)
    program = programs.evaluate(stretch, pace.program_steps(1))
    values, logs = program(values, fixed, stretch.arrays, np.int32(0), np.int32(1))
    state.commit_unless_in_training(values)
    return as_result(host_logs(logs), trainer.report_names(model), return_dict)


def test_one_step(
    model: Any, trainer: CompiledTraining, batch: tuple[Any, Any, Any], who: str
) -> dict[str, Any]:
    """The built-in step on a batch, metrics going on; see `Model.test_step`."""
    stretch = prepare.prepared_batch(model, trainer, *batch, training=False, who=who)
    programs = evaluation_programs(model, trainer, is_base=True)
    state = programs.state
    copy = private_copy if trainer.run_eagerly else argument_copy
    values, fixed = _values_as_they_are(state, copy)
    program = programs.evaluate(stretch, pace.program_steps(1))
    values, logs = program(values, fixed, stretch.arrays, np.int32(0), np.int32(1))
    state.commit_unless_in_training(values)
    return {name: logs[name] for name in trainer.report_names(model) if name in logs}
