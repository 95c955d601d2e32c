"""The loop of `fit`: epochs over a feed, with callbacks around compiled programs.

A feed gives the batches of the steps to come, out of arrays on the device. Where they are rows of
larger arrays a program runs many steps a dispatch; batches of generators run one step each. Logs
stay on the device until somebody looks. What another run goes on from is `resumable_run.py`'s.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Collection, Generator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import numpy as np

from nacre.callbacks.runner import CallbackList, changes_trainable, tolerates_nan
from nacre.core.errors import BusyError, message
from nacre.core.state import State
from nacre.core.terminal import show
from nacre.core.variable import private_copy
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.feed import Feed, RowFeed, Stretch
from nacre.data.sources import ArraySource
from nacre.data.watched import WatchedArrays
from nacre.training import checks, inputs, pace, prepare
from nacre.training.compile import CompiledTraining
from nacre.training.compiled_ahead import CompiledAhead
from nacre.training.deferred_signals import DeferredSignals
from nacre.training.last_good import Dispatch, LastGood, NonFiniteStep, not_finite
from nacre.training.model_programs import ModelPrograms, TrainableFlags, training_programs
from nacre.training.programs import BAD_GRADIENTS, FINE, GUARDED_GROUPS, host_logs
from nacre.training.resumable_run import ResumableRun
from nacre.training.state import (
    is_in_training,
)
from nacre.training.weights import are_all_present

_MOST_GUARDED_BYTES = 64 << 20  # where code of the user's runs it has old and new values at once


class TrainRun(ResumableRun):
    """One call of `fit`.

    Args:
        model, trainer: What is trained.
        feed, source: The batches, and what they are made of.
        who: Who trains, for messages.
        signals: Those that wait while arrays are between a program and the variables.
        is_one_step: Whether an epoch is one small step.
        may_repeat: Whether an epoch that goes over its data again is no surprise.
    """

    def __init__(
        self,
        model: Any,
        trainer: CompiledTraining,
        feed: Feed,
        source: ArraySource | BatchSource,
        who: str,
        signals: DeferredSignals,
        is_one_step: bool = False,
        may_repeat: bool = False,
    ) -> None:
        super().__init__()
        self.model, self.trainer, self.who = model, trainer, who
        self.feed, self.source = feed, source
        self._warned_of_repeated_data = may_repeat  # it is no surprise then
        self._watched: WatchedArrays | None = None
        self._prepared: Callable[[], inputs.Source] | None = None
        self._is_all_present = are_all_present(source)
        self._programs = training_programs(model, trainer, is_all_present=self._is_all_present)
        self._flags = TrainableFlags(model)
        self.state = self._programs.state
        self.values: Any = None
        self._ahead = CompiledAhead()
        self._pending: list[tuple[int, Any]] = []
        self._epoch = 0
        self._skips_non_finite = trainer.optimizer_in_use.skips_non_finite_steps
        self._done = 0  # steps of the epoch
        # A step that is all of an epoch chooses itself: a copy of the weights would cost more.
        self._is_guarded = (
            is_one_step
            and not self._skips_non_finite
            and not trainer.run_eagerly
            and self.state.size_bytes(GUARDED_GROUPS) <= _MOST_GUARDED_BYTES
        )
        self._last_good = self._new_last_good()
        self._has_run = False
        self._committed: Any = None  # the values committed last
        self._is_continued = False
        self._training: Any = None
        self._logs: Any = {}
        self._last_logs: dict[str, Any] = {}  # of the last epoch
        self._last_shown = 0.0
        self._paced: tuple[Any, Any, Any] = None, None, None  # for what the pace was chosen
        self._has_summaries: bool | None = None  # whether the step summarises anything
        self._signals = signals
        self._warn_of_repeated_data()

    def _new_last_good(self) -> LastGood:
        is_wanted = not self._skips_non_finite and not self._is_guarded
        return LastGood(self.state, self._programs.copy_memory, is_wanted=is_wanted)

    def watch(self, given: inputs.Source, prepared: Callable[[], inputs.Source]) -> None:
        """Have arrays that callbacks change in place be read again, before the next epoch.

        Args:
            given: The user's arrays.
            prepared: Checks them, and makes of them what is trained on, as at first.
        """
        if isinstance(given, ArraySource) and isinstance(self.feed, RowFeed):
            self._watched, self._prepared = WatchedArrays(given.leaves), prepared

    def _take_changed_data(self) -> None:
        if self._watched is None or self._prepared is None or not self._watched.have_changed():
            return
        self.source = source = self._prepared()
        assert isinstance(source, ArraySource) and isinstance(self.feed, RowFeed)
        self.feed.take(source)
        if self._is_all_present and not are_all_present(source):
            self._is_all_present = False
            self._take_flags()

    # ------------------------------------------------------------ epochs

    def run(
        self,
        runner: CallbackList,
        epochs: range,
        validation: Any,
        validated_epochs: Collection[int],
        verbose: int,
    ) -> Any:
        """Run the epochs and return the history; the model ends with the newest values."""
        self.runner, self._verbose = runner, verbose
        self._steps_a_batch = self.trainer.steps_per_execution or 1
        begun = time.perf_counter()
        with (
            isolated(self.model, self.state),
            self.state.in_training(self.who, self.sync) as self._training,
            ExitStack() as self._later_blocks,
        ):
            if self.model.stop_training:
                self.model.stop_training = False
            if self._resumed is not None:
                self._restore(self._resumed, is_begun=False)
            runner.on_train_begin()
            self._pace = self._pace_of(runner)
            try:
                self._run_epochs(epochs, validation, validated_epochs)
                self._signals.begin_ending()
            except BaseException as reason:
                if self.keeper is not None:
                    self._keep_at_the_end(self.keeper, reason)
                if isinstance(reason, KeyboardInterrupt) and verbose:
                    seconds = time.perf_counter() - begun
                    show(
                        f"\nStopped by Ctrl-C after {seconds:.1f} s. The model is as its last step "
                        "left it; the epochs so far are in model.history."
                    )
                self._leave(reason)
                raise
            if self.keeper is None:
                self._leave(None)
            else:
                self._finish(self.keeper)
            return self.model.history

    def _pace_of(self, runner: CallbackList) -> pace.Pace:
        """How many steps a dispatch runs; a step with summaries alone, as it gives its own back."""
        fixed = 1 if runner.has_train_batch_hooks else None
        asked = self.trainer.steps_per_execution or fixed
        if self._programs.will_carry_summaries() and self._has_summaries is not False:
            asked = 1
        seconds = pace.SEEN_SECONDS if self._verbose == 1 else pace.UNSEEN_SECONDS
        return pace.pace_of(asked, seconds)

    def _write_summaries(self) -> None:
        """Write what the step that ran summarised, if anything."""
        if not self._programs.carries_summaries:
            return
        carried = self._logs
        self._logs = self._programs.written(carried)
        if self._has_summaries is None:
            self._has_summaries = len(carried) > len(self._logs)

    def _run_epochs(
        self, epochs: range, validation: Any, validated_epochs: Collection[int]
    ) -> None:
        model, runner = self.model, self.runner
        for epoch in epochs:
            self._epoch, self._done, self._is_exact = epoch, 0, False
            resumed, self._resumed = self._resumed, None
            if resumed is not None:
                self._restore(resumed)
            model.reset_metrics()
            if self._has_summaries is False and epoch == epochs[0] + 1:  # known since a step ran
                self._pace = self._pace_of(runner)
            runner.on_epoch_begin(epoch)
            reported: dict[str, Any] = {}
            if resumed is not None and resumed.step > 0:
                self._restore(resumed)  # the epoch had begun
                self._done, reported = resumed.step, dict(resumed.logs)
                self._is_batch_open = resumed.is_batch_open
            if self._flags.changed() and self._follows_flags():
                self._take_flags()
            self._flags.warn_of_changes(self.who)
            self._take_changed_data()
            self._last_logs = logs = self._one_epoch(epoch, reported)
            if epoch == epochs[-1]:
                self._check_last_weights()
            self.sync()
            self._warn_of_repeated_data()
            if not logs:  # the source had nothing left: there was no epoch
                break
            if validation is not None and epoch in validated_epochs:
                self._refuse_another_compile()
                self._begin_validation()
                found = validation.run(runner)
                if validation.is_used_up:
                    model.stop_training = True
                if not found:  # what waits for its values would wait in vain: training ends
                    break
                logs.update({f"val_{k}": v for k, v in found.items()})
            self._epoch, self._done, self._is_exact = epoch + 1, 0, False
            self._before_validation = None
            runner.on_epoch_end(epoch, logs)
            self._is_exact = True
            if model.stop_training:
                break
            if self.keeper is not None and self.keeper.is_due_at_epoch():
                self._keep(self.keeper)
        if self._resumed is not None:  # nothing was left to train
            self._restore(self._resumed)
            self._epoch, self._done = self._resumed.epoch, self._resumed.step

    def _follows_flags(self) -> bool:
        """Whether training goes on, from the next epoch, with what callbacks make trainable."""
        return any(map(changes_trainable, self.runner.callbacks))

    def _refuse_another_compile(self) -> None:
        if self.model._trainer is not self.trainer:
            raise BusyError(
                message(
                    self.who,
                    "the optimizer, loss and metrics are those it began with",
                    "a callback that called compile(), or set model.optimizer",
                    "Do so between two calls of fit; while one runs set what shall change: "
                    "model.optimizer.learning_rate = 0.01.",
                )
            )

    def _take_flags(self) -> None:
        """Go on with programs for what is the case now: for the variables that are trainable, as a
        callback of this run has set it.

        Those that stay trainable keep their optimizer state, as after another `compile`.
        """
        self.sync()
        self._ahead.close()
        self._last_good.close()
        self._use_flags()
        block = self.state.in_training(self.who, self.sync)
        self._training = self._later_blocks.enter_context(block)

    def _use_flags(self) -> None:
        prepare.settle_optimizer(self.model, self.trainer)
        self._programs = training_programs(
            self.model, self.trainer, is_all_present=self._is_all_present
        )
        self.state, self._committed = self._programs.state, None
        self._ahead, self._flags = CompiledAhead(), TrainableFlags(self.model)
        self._last_good = self._new_last_good()

    def _leave(self, reason: BaseException | None) -> None:
        """End the run, whatever happened: newest values in the model, callbacks ended.

        Ctrl-C waits for that, unless it is what ended the run.
        """
        if not isinstance(reason, KeyboardInterrupt):
            self._signals.begin_ending()
        try:
            self.sync()
            self._ahead.close()
            self._last_good.close()
            if self._has_run:
                variables = self.state.groups["trainable"]
                self.trainer.optimizer_in_use.finalize_variable_values(variables)
            self.runner.on_train_end(self._last_logs, reason=reason)
        finally:
            self._signals.end()

    def _one_epoch(self, epoch: int, reported: dict[str, Any]) -> dict[str, Any]:
        self._pending, self._logs = [], reported
        self._last_shown = time.perf_counter()
        done = self._done
        if done:
            self.runner.progress(done, self._host_logs)
            if self._is_batch_open:
                self._report(done)
        self._is_exact = True
        with closing(self.feed.epoch(epoch, done)) as stretches:
            while not self.model.stop_training and (stretch := next(stretches, None)) is not None:
                self._run_stretch(stretch)
                done = stretch.step + stretch.num_steps
        self._check_length(epoch, done)
        if self._is_batch_open:  # of several steps, which the source ended
            self._report(self._done, force=True)
        self._report(0, force=True)
        return self._host_logs() if self._logs else {}

    def _check_length(self, epoch: int, done: int) -> None:
        steps = self.feed.steps
        if steps is not None and done < steps and not self.model.stop_training:
            warn(
                message(
                    self.who,
                    f"the source should give {steps} batches an epoch; training ends here",
                    f"{done} in epoch {epoch + 1}",
                    "A generator is used up after one pass: let it run for ever and give "
                    "steps_per_epoch, or use a PyDataset.",
                ),
            )
            self.model.stop_training = True

    def _warn_of_repeated_data(self) -> None:
        """Warn once that an epoch is longer than the data, which begins again."""
        feed = self.feed
        available, steps = feed.num_batches, feed.steps
        too_few = available is not None and steps is not None and steps > available
        if self._warned_of_repeated_data or feed.is_one_pass or not (feed.has_repeated or too_few):
            return
        self._warned_of_repeated_data = True
        warn(
            message(
                self.who,
                f"an epoch has {steps} steps and the data fewer batches, so it goes on with "
                "them from their beginning",
                "" if available is None else f"{available} batches",
                "Leave steps_per_epoch out for epochs of one pass.",
            )
        )

    def _run_stretch(self, stretch: Stretch) -> None:
        """Run steps; as many a dispatch as the pace says where one program runs many."""
        source = self._pace, self._programs, stretch.arrays
        if stretch.repeats and not all(map(operator.is_, source, self._paced)):
            self._paced = self._pace, self._current(), stretch.arrays
            self._pace.go_on_with(self._programs.measured(stretch))
        for position, count in self._pace.dispatches(stretch):
            if self.model.stop_training:
                break
            step = stretch.step + position
            self._begin_batch(step)
            self._execute(self._dispatch(stretch, position, count))
            self._write_summaries()
            self._pace.hold_back(self._logs)
            self._report(step + count, wait=self._pace.waits(stretch, count))
            self._keep_if_due(count)
            if stretch.next_batch_size is not None:
                # Once a first step ran nothing is traced here any more, so the program of the
                # smaller last batch can be made beside the steps that follow.
                self._ahead.begin(self._current(), stretch, self._values)

    def _dispatch(self, stretch: Stretch, position: int, count: int) -> Dispatch:
        def arguments_of(index: int, count: int = 1) -> tuple[Any, ...]:
            row = stretch.first_row + (position + index) * stretch.batch_size
            return stretch.arrays, stretch.order, np.int32(row), np.int32(count)

        programs, steps = self._current(), self._pace.program_steps(count)
        program = programs.train(stretch, steps, self._is_guarded)
        one = program = self._ahead.program_for(programs, stretch, program)
        if steps is not None and steps > 1:
            one = programs.train(stretch, 1)
        return Dispatch(
            program,
            one,
            arguments_of,
            arguments_of(0, count),
            self._epoch,
            stretch.step + position,
            count,
            stretch.size_bytes * count // stretch.num_steps,
        )

    def _current(self) -> ModelPrograms:
        """The programs of the model as it is now: a callback may have set an attribute."""
        self._refuse_another_compile()
        self._programs = self._programs.now()
        return self._programs

    # ------------------------------------------------------------ values, logs, hooks

    def _values(self) -> Any:
        if self.values is None:
            # Whether callbacks changed anything since the last step, a learning rate or weights.
            committed, self._committed = self._committed, None
            self._is_continued = committed is not None and self.state.holds(
                committed, GUARDED_GROUPS
            )
            self.values = self.state.donate()
        return self.values

    def sync(self) -> None:
        """Commit the newest values to the model's variables."""
        with self._training.lock:
            if self.values is not None:
                self._signals.commit(self._commit_values)

    def _commit_values(self) -> None:
        self.state.commit(self.values)
        self._committed, self.values = self.values, None

    def _begin_batch(self, step: int) -> None:
        begins = not self._is_batch_open or step % self._steps_a_batch == 0
        if begins and self.runner.has_train_batch_hooks:
            self.sync()
            self._is_exact = False
            self.runner.on_train_batch_begin(step)
            if self._flags.changed() and not self._follows_flags():
                self._flags.warn_of_changes(self.who)

    def _execute(self, dispatch: Dispatch) -> None:
        """Run the steps, keep their result; first check that the values are still finite."""

        def keep(result: Any) -> None:
            self.values, self._logs, bad = result
            self._has_run, self._done = True, dispatch.step + dispatch.count
            self._is_exact, self._is_batch_open = True, self.runner.has_train_batch_hooks
            self._pending.append((dispatch.step, bad))
            self._last_good.remember(dispatch)

        with self._training.lock:  # another thread may ask for the last committed step
            values = self._values()
            if self._last_good.is_due(self._is_continued):
                if self._pending:  # a loss may be spoiled where the weights are not
                    self._check_losses()
                    values = self._values()
                if not self._last_good.copy(values, self._is_continued):
                    self._not_finite(dispatch.step)
                    values = self._values()
                if self.model.stop_training:
                    return
            self._is_continued = True
            self._signals.run(keep, dispatch.program, values, *dispatch.arguments)

    def _report(self, done: int, wait: bool = False, force: bool = False) -> None:
        """Check for losses that are not finite; update callbacks and the progress bar."""
        hooks = self.runner.has_train_batch_hooks
        if hooks and not force and done % self._steps_a_batch:
            hooks = done == self.feed.steps  # callbacks see `steps_per_execution` steps as one
        now = time.perf_counter()
        due = force or hooks or wait or now - self._last_shown >= pace.SEEN_SECONDS
        if not due:
            return
        self._check_losses()
        if done == 0:
            return
        if hooks:
            logs = self._host_logs()
            self.sync()
            self._is_exact = self._is_batch_open = False
            self.runner.on_train_batch_end(done - 1, logs)
            self._is_exact = True
        if now - self._last_shown >= pace.SEEN_SECONDS or done == self.feed.steps:
            self._last_shown = now
            self.runner.progress(done, self._host_logs)

    def _host_logs(self) -> dict[str, Any]:
        return host_logs(self._logs)

    def _check_losses(self) -> None:
        pending, self._pending = self._pending, []
        flags = [np.asarray(bad) for _, bad in pending]
        if self._skips_non_finite:
            return  # a loss scale that is too large is found and lowered by the optimizer
        for (step, _), bad in zip(pending, flags, strict=True):
            if int(bad) != FINE:
                self._not_finite(step + max(int(bad), 0), is_loss=int(bad) != BAD_GRADIENTS)
                return

    def _check_last_weights(self) -> None:
        """What the last steps spoiled no later loss would show."""
        values = self.values
        if values is None and self._committed is not None:
            # Not what was committed: a callback that trained a step donated those arrays.
            values = self.state.read()
        if values is not None and not self._last_good.ends_well(values):
            self._not_finite((self.feed.steps or 1) - 1)

    def _not_finite(self, step: int, is_loss: bool = True) -> None:
        """Go back to the last good values; then callbacks decide, or it is an error."""
        self._is_exact = False
        values = self._values()
        if self._is_guarded:  # these are those from before the step
            found = NonFiniteStep({}, self._epoch, step, is_loss)
        else:
            found = self._last_good.find(values)
        if found is not None:
            step = found.step
            self.values = {**values, **found.values}
        self._last_good.forget()
        self.sync()
        if not any(map(tolerates_nan, self.runner.callbacks)):
            in_data = self.source.non_finite() if isinstance(self.source, ArraySource) else ""
            cause = checks.small_tables(self.model)
            raise not_finite(self.who, found, self._epoch, step, in_data, cause)
        self.runner.on_non_finite_loss(step, {"loss": float("nan")})
        self._is_exact = True


@contextmanager
def isolated(model: Any, state: State) -> Generator[None]:
    """Keep the metrics and history of a `fit` around this one, whose callback started it."""
    if not is_in_training(state):
        yield
        return
    kept, history, stops = state.read(["metrics"]), model.history, model.stop_training
    kept = {name: [private_copy(value) for value in group] for name, group in kept.items()}
    try:
        yield
    finally:
        state.commit(kept)
        model.history, model.stop_training = history, stops


__all__ = ["TrainRun", "isolated"]
