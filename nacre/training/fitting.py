"""`fit` and `train_on_batch`: what the user asked for, checked and made ready for the loop."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nacre.callbacks.keeping import Keeping
from nacre.callbacks.runner import CallbackList, Callbacks
from nacre.core.errors import message
from nacre.core.numbers import number
from nacre.core.random import draw_seed
from nacre.core.tensors import Count, WholeNumber
from nacre.core.terminal import show
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.feed import Feed, Stretch
from nacre.data.feeds import feed_of
from nacre.data.sources import ArraySource
from nacre.training import evaluation, inputs, prepare
from nacre.training.arguments import (
    count_of_steps,
    keeping_of,
    validation_epochs,
    verbosity,
    whole_number,
)
from nacre.training.augmentation import Augmentation
from nacre.training.compile import CompiledTraining
from nacre.training.deferred_signals import DeferredSignals
from nacre.training.few_batches import (
    first_batches,
    limited_epochs,
    limited_steps,
    overfit_share,
    trial_batches,
)
from nacre.training.loop import TrainRun, isolated
from nacre.training.model_programs import (
    ModelPrograms,
    evaluation_programs,
    training_programs,
)
from nacre.training.pace import loop_form
from nacre.training.planning import run_plan
from nacre.training.programs import host_logs
from nacre.training.state import TrainingState
from nacre.training.trials import Trial, check_left_out, without_lasting

if TYPE_CHECKING:
    from nacre.training.keeper import Keeper


def fit(
    model: Any,
    x: Any,
    y: Any,
    *,
    batch_size: WholeNumber | None,
    epochs: WholeNumber,
    verbose: Any,
    callbacks: Callbacks,
    validation_split: float,
    validation_data: Any,
    shuffle: bool | Literal["batch"],
    class_weight: Mapping[Any, Any] | list[Any] | None,
    sample_weight: Any,
    initial_epoch: WholeNumber,
    steps_per_epoch: Count | None,
    validation_steps: Count | None,
    validation_batch_size: WholeNumber | None,
    validation_freq: int | list[int],
    fast_dev_run: bool | WholeNumber = False,
    overfit_batches: float = 0,
    augment: Any = None,
    is_trial: bool = False,
    resume: Keeping | None = None,
    state: TrainingState | None = None,
    old_keywords: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """Train `model`; see `Model.fit`.

    Args:
        is_trial: Whether everything is to be as before afterwards; see `trials.py`.
        resume: Where the run is kept, so that a later process goes on with it.
        state: What an earlier `TrainRun` has `taken`.
    """
    who = f"{model._who()}.fit"
    prepare.refuse_unknown(who, old_keywords, model.fit)
    trainer = prepare.require_compiled(model, "fit")
    batch_size = whole_number(batch_size, "batch_size", who, 32)
    steps = count_of_steps(steps_per_epoch, "steps_per_epoch", who)
    validation_batch_size = whole_number(
        validation_batch_size, "validation_batch_size", who, batch_size
    )
    validation_steps = count_of_steps(validation_steps, "validation_steps", who)
    verbose = verbosity(verbose, who)
    asked = _Epochs.of(epochs, initial_epoch, validation_freq, who)
    number(who, "validation_split", 0 if validation_split is None else validation_split)
    prepare.require_flag(shuffle, "shuffle", who, ("batch",))
    num_tried = trial_batches(fast_dev_run, who)
    first = num_tried or overfit_share(overfit_batches, who)
    is_trial = is_trial or num_tried > 0
    how: bool | Literal["batch"] = "batch" if shuffle == "batch" else bool(shuffle)
    with ExitStack() as blocks:
        signals = blocks.enter_context(DeferredSignals())
        trial = blocks.enter_context(Trial(model, trainer)) if is_trial else None
        making = prepare.making(old_keywords, who)
        order = inputs.Order(False if overfit_batches else how, draw_seed(), asked.first, making)
        source, validation_source = inputs.sources_of_fit(
            model,
            x,
            y,
            sample_weight,
            validation_data=validation_data,
            validation_split=validation_split,
            who=who,
            order=order,
        )
        blocks.enter_context(inputs.workers_end(source, validation_source))
        keeping = None if is_trial else resume or keeping_of(callbacks, who)
        if keeping is not None:
            from nacre.training.keeper import check_seekable  # seldom needed

            check_seekable(keeping, source, validation_source, who)
        given = source

        def prepared() -> inputs.Source:
            ready = prepare.prepare(
                model, trainer, given, batch_size, training=True, who=who, class_weight=class_weight
            )
            return first_batches(ready, first, batch_size, who) if first else ready

        source = prepared()
        steps = None if first else steps
        steps = limited_steps(steps, source, batch_size, who)
        is_one_step = _is_one_step(source, steps, batch_size)
        inputs.warn_of_repeated_reads(source, batch_size, order, who)
        ahead = prepare.batches_ahead(old_keywords, who)
        feed = _feed(source, batch_size, steps, order, ahead, trainer.run_eagerly or is_one_step)
        blocks.callback(feed.close)
        if augment is not None or trainer.augmentation is not None:
            blocks.enter_context(_augmenting(model, trainer, augment, who))
        run = TrainRun(model, trainer, feed, source, who, signals, is_one_step, may_repeat=is_trial)
        validation = None
        if validation_source is not None:
            validation = evaluation.EvaluationRun(
                model,
                trainer,
                validation_source,
                validation_batch_size,
                validation_steps,
                f"{who}, validation",
                of_training=True,
                first=first,
            )
            blocks.callback(validation.feed.close)
        left_out: list[Any] = []
        if num_tried:
            callbacks, left_out = without_lasting(callbacks)
        runner = CallbackList.of(
            callbacks, model, verbose, feed.steps, epochs=asked.stop, add_history=True
        )
        feed.overlaps = not runner.has_train_batch_hooks
        if callbacks and runner.runs_code_of_users:
            run.watch(given, prepared)
            if validation is not None:
                validation.watch()
        keeper = None
        if keeping is not None:
            from nacre.training.run_settings import run_settings

            settings = run_settings(
                model, trainer, source, shuffle=order.shuffle,
                class_weight=class_weight, augment=augment,
            )  # fmt: skip
            keeper = _begin_to_keep(keeping, settings, run, runner, blocks)
            state = None if keeper.kept is None else keeper.kept.state
        if state is not None:
            asked = asked.from_epoch(run.resume(state, runner))
        if keeper is not None and keeper.kept is not None:
            keeper.warn_of_differences()
            if keeper.kept.is_over(asked.stop):
                warn(keeper.over(asked.stop))
                return run.give_back(keeper.kept, runner)
            if verbose:
                show(keeper.going_on(asked.stop))
        if left_out or runner.has_checks:
            _check_callbacks(run, runner, asked, validation is not None, left_out, num_tried > 0)
        if verbose:
            trainer.print_choices()
        if trial is not None:
            of_validation = (
                [] if validation is None else [evaluation_programs(model, trainer).state]
            )
            trial.begin(run.state, *of_validation)
        signals.deliver()
        numbers, validated = asked.numbers, asked.validated
        if num_tried:
            numbers, validated = numbers[:1], numbers
        with nullcontext() if keeper is None else keeper.watching_sigterm():
            history = run.run(runner, numbers, validation, validated, verbose)
    if num_tried and verbose:
        show(_tried(who, feed.steps, validation, left_out))
    return history


@dataclass(frozen=True, slots=True)
class _Epochs:
    """Which epochs are trained, and which of them end with validation.

    Args:
        first, stop: The first one, from 0, and the one to stop before.
        frequency: Every how many validation is due, or in which ones, counted from 1.
    """

    first: int
    stop: int
    frequency: int | frozenset[int]

    @classmethod
    def of(cls, epochs: Any, initial_epoch: Any, validation_freq: Any, who: str) -> _Epochs:
        """What the arguments of `fit` ask for."""
        stop = limited_epochs(whole_number(epochs, "epochs", who, 1, least=0), who)
        first = whole_number(initial_epoch, "initial_epoch", who, 0, least=0)
        if first >= stop:
            warn(_no_epoch(who, first, stop))
        return cls(first, stop, validation_epochs(validation_freq, who))

    def from_epoch(self, first: int) -> _Epochs:
        """The same for a run that goes on with an epoch."""
        return replace(self, first=first)

    @property
    def numbers(self) -> range:
        """The epochs."""
        return range(self.first, self.stop)

    @property
    def validated(self) -> Collection[int]:
        """Those that end with validation: every so many, or those listed."""
        if isinstance(self.frequency, int):
            before = self.first // self.frequency  # times that were due before the first epoch
            return range((before + 1) * self.frequency - 1, self.stop, self.frequency)
        return frozenset(e - 1 for e in self.frequency if self.first < e <= self.stop)


def _is_one_step(source: inputs.Source, steps: int | None, batch_size: int) -> bool:
    """Whether an epoch is one small step."""
    is_small = isinstance(source, ArraySource) and source.is_one_small_batch(batch_size)
    return is_small and steps in (None, 1)


def _feed(
    source: inputs.Source,
    batch_size: int,
    steps: int | None,
    order: inputs.Order,
    ahead: int | None,
    by_batch: bool,
) -> Feed:
    """What gives the steps of a training."""
    return feed_of(
        source,
        batch_size,
        steps=steps,
        shuffle=order.shuffle,
        seed=order.seed,
        by_batch=by_batch,
        ahead=ahead,
        in_chunks=isinstance(source, BatchSource) and loop_form() == "counted",
    )


def _begin_to_keep(
    keeping: Keeping, settings: Any, run: TrainRun, runner: CallbackList, blocks: ExitStack
) -> Keeper:
    """Keep a run in its folder until the blocks end, and find what was kept there before."""
    from nacre.training.keeper import opened  # seldom needed

    optimizer = run.trainer.optimizer
    keeper = blocks.enter_context(opened(keeping, run.who))
    keeper.begin(settings, run.feed, runner, optimizer)
    blocks.callback(keeper.note_end, optimizer)
    run.be_kept(keeper, runner)
    return keeper


def _check_callbacks(
    run: TrainRun,
    runner: CallbackList,
    epochs: _Epochs,
    has_validation: bool,
    left_out: list[Any],
    is_tried: bool,
) -> None:
    """Let callbacks refuse a run that they cannot work in, also those that a trial leaves out."""
    plan = run_plan(
        run.model,
        run.trainer,
        first_epoch=epochs.first,
        epochs=epochs.stop,
        steps=None if is_tried else run.feed.steps,
        validated=epochs.validated if has_validation else None,
    )
    runner.check_run(plan)
    check_left_out(left_out, run.model, plan)


@contextmanager
def _augmenting(model: Any, trainer: CompiledTraining, augment: Any, who: str) -> Generator[None]:
    """A block in which batches of training are augmented."""
    outer, known = trainer.augmentation, trainer.last_augmentation
    found = None
    if augment is not None:
        found = known if isinstance(known, Augmentation) and known.is_of(augment) else None
        found = found or Augmentation(augment, model, who)
        trainer.last_augmentation = found
    trainer.augmentation = found
    try:
        yield
    finally:
        trainer.augmentation = outer


def _tried(who: str, steps: int | None, validation: Any, left_out: list[Any]) -> str:
    """What a trial did."""
    done = f"{steps} batch{'es' if steps != 1 else ''} of training"
    if validation is not None:
        done += f" and {validation.feed.steps} of validation"
    names = ", ".join(type(callback).__name__ for callback in left_out)
    return (
        f"{who}, fast_dev_run: {done} ran. Model, optimizer, metrics, seeds and history are as "
        "before" + (f"; left out, as they write or freeze: {names}." if names else ".")
    )


def _no_epoch(who: str, initial_epoch: int, epochs: int) -> str:
    return message(
        who,
        "epochs is the number of the last epoch, so nothing is trained",
        f"initial_epoch={initial_epoch}, epochs={epochs}",
        f"To train {max(epochs, 1)} more, pass epochs={initial_epoch + max(epochs, 1)}.",
    )


def train_on_batch(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
    return_dict: bool,
    reset_metrics: bool,
) -> Any:
    """One step on one batch; see `Model.train_on_batch`."""
    who = f"{model._who()}.train_on_batch"
    prepare.require_flag(return_dict, "return_dict", who)
    prepare.require_flag(reset_metrics, "reset_metrics", who)
    trainer = prepare.require_compiled(model, "train_on_batch")
    stretch = prepare.prepared_batch(
        model, trainer, x, y, sample_weight, training=True, who=who, class_weight=class_weight
    )
    programs = training_programs(model, trainer)
    begin = model.reset_metrics if reset_metrics else _nothing
    with isolated(model, programs.state):
        logs = _one_step(programs, stretch, who, begin)
    return evaluation.as_result(host_logs(logs), trainer.report_names(model), return_dict)


def _nothing() -> None: ...


def _one_step(
    programs: ModelPrograms, stretch: Stretch, who: str, begin: Callable[[], None]
) -> dict[str, Any]:
    """Run a step and commit what it gives; returns its logs, on the device.

    Args:
        programs, stretch: The programs, and the batch.
        who: For messages.
        begin: Called first, when the variables are those of this step.
    """
    state = programs.state
    logs: list[dict[str, Any]] = []

    def commit(result: Any) -> None:
        state.commit(result[0])
        logs.append(result[1])

    with (
        DeferredSignals() as signals,
        state.in_training(who, lambda: None) as training,
        training.lock,  # another thread may ask for the last committed step
    ):
        begin()
        arguments = (stretch.arrays, stretch.order, np.int32(0), np.int32(1))
        signals.run(commit, programs.train(stretch), state.donate(), *arguments)
    return programs.written(logs[0])


def train_one_step(
    model: Any, trainer: CompiledTraining, batch: tuple[Any, Any, Any], who: str
) -> dict[str, Any]:
    """The built-in step on a batch, metrics going on; see `Model.train_step`."""
    stretch = prepare.prepared_batch(model, trainer, *batch, training=True, who=who)
    programs = training_programs(model, trainer, is_base=True)
    logs = _one_step(programs, stretch, who, lambda: None)
    return {name: logs[name] for name in trainer.report_names(model) if name in logs}


__all__ = ["fit", "train_on_batch", "train_one_step"]
