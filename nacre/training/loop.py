"""`fit`: epochs over a source of data, with callbacks around compiled programs.

Arrays that fit stay on the device and a program runs many steps a dispatch, picking rows by an
order drawn on the host. Larger arrays are sent in chunks through the same program. Batches from
generators run one step a dispatch. Logs stay on the device until somebody looks.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import jax
import numpy as np

from nacre.callbacks.runner import CallbackList, handles_non_finite_loss
from nacre.core import tree
from nacre.core.errors import message
from nacre.core.random import host_generator
from nacre.core.terminal import show
from nacre.core.warning import warn
from nacre.data.prefetch import prefetched
from nacre.data.rows import aligned_empty, sent
from nacre.data.sources import (
    ArraySource,
    BatchSource,
    used,
)
from nacre.training import checks, evaluation, pace, prepare
from nacre.training.arguments import (
    require_number,
    validation_epochs,
    verbosity,
    whole_number,
)
from nacre.training.compile import CompiledTraining
from nacre.training.last_good import LastGood, Ran, not_finite
from nacre.training.model_programs import ModelPrograms, TrainableFlags, training_programs
from nacre.training.planning import run_plan
from nacre.training.programs import host_logs
from nacre.training.weights import class_weights_for, weighed_batch, with_class_weights
from nacre.training.whole_steps import WholeSteps


def fit(
    model: Any,
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    epochs: int,
    verbose: Any,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: bool,
    class_weight: dict[int, float] | None,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
    validation_freq: int | list[int],
    **kwargs: Any,
) -> Any:
    """Train `model`; see `Model.fit`."""
    who = f"{model._who()}.fit"
    prepare.refuse_unknown(who, kwargs, fit)
    trainer = prepare.require_compiled(model, "fit")
    rows = whole_number(batch_size, "batch_size", who, 32)
    epochs = whole_number(epochs, "epochs", who, 1, least=0)
    initial_epoch = whole_number(initial_epoch, "initial_epoch", who, 0, least=0)
    steps = whole_number(steps_per_epoch, "steps_per_epoch", who)
    held_rows = whole_number(validation_batch_size, "validation_batch_size", who, rows)
    held_steps = whole_number(validation_steps, "validation_steps", who)
    frequency = validation_epochs(validation_freq, who)
    require_number(0 if validation_split is None else validation_split, "validation_split", who)
    verbose = verbosity(verbose, who)
    if initial_epoch >= epochs:
        warn(_no_epoch(who, initial_epoch, epochs))
    prepare.require_flag(shuffle, "shuffle", who, ("batch",))
    source = prepare.make_source(x, y, sample_weight, who, shuffle=bool(shuffle))
    source, validation = prepare.validation_source(validation_data, validation_split, source, who)
    with used(source, validation) as keep:
        source = keep(prepare.staged(model, source, rows, who, bool(shuffle)))
        run = TrainRun(model, trainer, source, rows, steps, shuffle, who, class_weight)
        held_out = None
        if validation is not None:
            held_who = f"{who}, validation"
            validation = keep(prepare.staged(model, validation, held_rows, held_who))
            held_out = evaluation.EvaluationRun(
                model, trainer, validation, held_rows, held_steps, held_who
            )
        runner = CallbackList.of(
            callbacks, model, verbose, run.steps, epochs=epochs, add_history=True
        )
        validated = _validated(initial_epoch, epochs, frequency)
        runner.check_run(
            run_plan(
                model,
                trainer,
                first_epoch=initial_epoch,
                epochs=epochs,
                steps=run.steps,
                validated=None if held_out is None else validated,
            )
        )
        if verbose:
            trainer.say_choices()
        run.go(runner, range(initial_epoch, epochs), held_out, validated, verbose)
    return model.history


class TrainRun:
    """One call of `fit`."""

    def __init__(
        self,
        model: Any,
        trainer: CompiledTraining,
        source: ArraySource | BatchSource,
        rows: int,
        steps: int | None,
        shuffle: bool,
        who: str,
        class_weight: Any = None,
    ) -> None:
        self.model, self.trainer, self.who = model, trainer, who
        self.shuffle = bool(shuffle)
        if isinstance(source, ArraySource):
            rows = min(rows, source.num_rows)
            available = -(-source.num_rows // rows)
        else:
            available = source.num_batches
        self.steps = available if steps is None else steps
        self._available, self._told_of_passes = available, False
        self.rows = rows
        y_pred = prepare.prepare(model, trainer, source, rows, training=True, who=who)
        by_class = class_weights_for(trainer, class_weight, y_pred, who)
        self.source = with_class_weights(source, by_class)
        self._programs = training_programs(model, trainer)
        self._flags = TrainableFlags(model)
        self.state = self._programs.state
        self.values: Any = None
        self.background: ThreadPoolExecutor | None = None
        self._rest_ready: Future[Any] | None = None
        self._rest_of: ModelPrograms | None = None  # what `_rest_ready` belongs to
        self.rng = host_generator(None)
        self._resident: Any = None  # the arrays on the device, sent once a fit
        self._permutation: Any = None
        self._next_batch: int | None = None
        self._pending: list[tuple[int, Any]] = []
        self._epoch = 0
        self._scales_loss = hasattr(trainer.optimizer, "inner_optimizer")
        self._last_good = LastGood(self.state, is_wanted=not self._scales_loss)
        self._has_run = False
        self._put: Any = None  # what was put into the variables last
        self._is_continued = False
        self._hold: Any = None
        self._logs: Any = {}
        self._last_logs: dict[str, Any] = {}  # of the last epoch
        self._last_shown = 0.0
        self._whole = WholeSteps()
        self._tell_of_passes()

    # ------------------------------------------------------------ epochs

    def go(
        self,
        runner: CallbackList,
        epochs: range,
        held_out: Any,
        validated: Collection[int],
        verbose: int,
    ) -> None:
        """Run the epochs; whatever happens, the model ends with the newest values."""
        self.model.stop_training = False
        self.runner, self.verbose = runner, verbose
        begun = time.perf_counter()
        with self._whole, self.state.held(self.who, self.sync) as self._hold:
            runner.on_train_begin()
            try:
                self._run_epochs(epochs, held_out, validated)
            except BaseException as reason:
                if isinstance(reason, KeyboardInterrupt) and verbose:
                    seconds = time.perf_counter() - begun
                    show(
                        f"\nStopped by Ctrl-C after {seconds:.1f} s. The model is as its last step "
                        "left it; the epochs so far are in model.history."
                    )
                self._leave(reason)
                raise
            self._leave(None)

    def _run_epochs(self, epochs: range, held_out: Any, validated: Collection[int]) -> None:
        model, runner = self.model, self.runner
        for epoch in epochs:
            model.reset_metrics()
            runner.on_epoch_begin(epoch)
            self._flags.tell_changes(self.who)
            self._last_logs = logs = self._one_epoch(epoch)
            if epoch == epochs[-1]:
                self._check_last_weights()
            self.sync()
            self._tell_of_passes()
            if not logs:  # the source had nothing left: there was no epoch
                break
            if held_out is not None and epoch in validated:
                found = held_out.run(runner)
                logs.update({f"val_{k}": v for k, v in found.items()})
            runner.on_epoch_end(epoch, logs)
            if model.stop_training:
                break

    def _leave(self, reason: BaseException | None) -> None:
        """Whatever happened, the model ends with the newest values, and callbacks end."""
        self.sync()
        if self.background is not None:
            self.background.shutdown(wait=False, cancel_futures=True)
        if self._has_run:
            self.trainer.optimizer.finalize_variable_values(self.state.groups["trainable"])
        self.runner.on_train_end(self._last_logs, reason=reason)

    def _one_epoch(self, epoch: int) -> dict[str, Any]:
        self._pending, self._logs, self._epoch = [], {}, epoch
        self._last_shown = time.perf_counter()
        if isinstance(self.source, BatchSource):
            done = self._batches_epoch(self.source.epoch(self.steps, go_on=True))
            self._check_length(epoch, done)
        elif self.trainer.run_eagerly:
            done = self._batches_epoch(self._array_batches())
        elif self.source.fits_device():
            self._resident_epoch()
        else:
            self._streamed_epoch()
        self._look(0, force=True)
        return self._host_logs() if self._logs else {}

    def _check_length(self, epoch: int, done: int) -> None:
        if self.steps is None:
            self.steps = done
        elif done < self.steps and not self.model.stop_training:
            warn(
                message(
                    self.who,
                    f"the source should give {self.steps} batches an epoch; training ends here",
                    f"{done} in epoch {epoch + 1}",
                    "A generator is used up after one pass: let it run for ever and give "
                    "steps_per_epoch, or use a PyDataset.",
                ),
            )
            self.model.stop_training = True

    def _tell_of_passes(self) -> None:
        """Say once that an epoch is longer than the data, which is walked again."""
        source = self.source
        again = isinstance(source, BatchSource) and source.began_again
        too_few = self._available is not None and self.steps > self._available
        one_pass = isinstance(source, BatchSource) and source.one_pass
        if self._told_of_passes or one_pass or not (again or too_few):
            return
        self._told_of_passes = True
        warn(
            message(
                self.who,
                f"an epoch has {self.steps} steps and the data fewer batches, so it goes on with "
                "them from their beginning",
                "" if self._available is None else f"{self._available} batches",
                "Leave steps_per_epoch out for epochs of one pass.",
            )
        )

    def _order(self) -> np.ndarray:
        count = self.source.num_rows
        if not self.shuffle:
            return np.arange(count, dtype=np.int32)
        return self.rng.permutation(count).astype(np.int32)

    def _resident_epoch(self) -> None:
        """All rows are on the device; a dispatch runs as many steps as the pace says."""
        if self._resident is None:
            self._resident = self.source.whole()
        arrays = self._resident
        full, rest = divmod(self.source.num_rows, self.rows)
        for permutation, start, stop, done in self._stretches():
            order = jax.device_put(permutation)
            last, offset = min(stop, full), done - start
            if stop > full and start < last:
                # Once a first step ran nothing is traced here any more, so the program of the
                # smaller last batch can be made beside the steps that follow.
                first = min(last, start + pace.FIRST_COUNTS[0])
                self._loop_over(arrays, order, first, start, offset)
                self._start_background(arrays, order, rest)
                start = first
            self._loop_over(arrays, order, last, start, offset)
            if stop > full:
                self._dispatch_rest(arrays, order, full * self.rows, rest, full + offset)

    def _stretches(self) -> Iterator[tuple[np.ndarray, int, int, int]]:
        """(order of rows, first batch, batch to stop before, steps done) for one epoch.

        An epoch of fewer steps than there are batches goes on where the last one stopped; a new
        order is drawn when all rows were used.
        """
        available, done = -(-self.source.num_rows // self.rows), 0
        while done < self.steps:
            if self._next_batch is None or self._next_batch >= available:
                self._permutation, self._next_batch = self._order(), 0
            start = self._next_batch
            stop = min(available, start + self.steps - done)
            self._next_batch = stop
            yield self._permutation, start, stop, done
            done += stop - start

    def _loop_over(
        self,
        arrays: list[Any],
        order: Any,
        stop: int,
        start: int,
        step_offset: int = 0,
        are_new: bool = False,
    ) -> None:
        """Steps `start` to `stop` over the batches that `order` names in `arrays`.

        `are_new` says that the arrays are only there for these steps.
        """
        program = self._current().loop(self.source.structure, self.rows)
        position = start
        while position < stop and not self._stopping():
            k = min(self._pace().next_count(), stop - position)
            step = step_offset + position
            self._before(step)
            self._pace().start()
            first, size = position * self.rows, _bytes_of(arrays) if are_new else 0
            self._dispatch(
                Ran(
                    program,
                    _one_step_of(arrays, order, first, self.rows),
                    self._epoch,
                    step,
                    k,
                    size,
                ),
                (arrays, order, np.int32(first), np.int32(k)),
            )
            self._look(step + k, wait=True)
            self._pace().stop(k)
            position += k

    def _current(self) -> ModelPrograms:
        """The programs of the model as it is now: a callback may have set an attribute."""
        self._programs = self._programs.now()
        return self._programs

    def _stopping(self) -> bool:
        return self.model.stop_training

    def _pace(self) -> pace.Pace:
        if not hasattr(self, "_the_pace"):
            fixed = self.trainer.steps_per_execution
            if fixed is None and self.runner.has_train_batch_hooks:
                fixed = 1
            watched = self.verbose == 1
            self._the_pace = pace.Pace(fixed, pace.SEEN_SECONDS if watched else pace.UNSEEN_SECONDS)
        return self._the_pace

    def _start_background(self, arrays: list[Any], order: Any, rest: int) -> None:
        """Compile the program of the smaller last batch while full batches run."""
        programs = self._current()
        if self.background is not None or programs.has_rest(self.source.structure, rest):
            return
        shapes = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (self._values(), arrays, order)
        )
        self.background = ThreadPoolExecutor(1, thread_name_prefix="nacre-compile")
        program = programs.rest(self.source.structure, rest)
        self._rest_of = programs
        self._rest_ready = self.background.submit(
            lambda: program.compiled_for(*shapes, np.int32(0))
        )

    def _dispatch_rest(self, arrays: list[Any], order: Any, row: int, rest: int, step: int) -> None:
        if self._stopping():
            return
        self._before(step)
        program: Any = self._current().rest(self.source.structure, rest)
        if self._rest_ready is not None and self._rest_of is self._programs:
            program = self._rest_ready.result()
        arguments = (arrays, order, np.int32(row))
        self._dispatch(Ran(program, lambda _: arguments, self._epoch, step, 1), arguments)
        self._look(step + 1)

    def _streamed_epoch(self) -> None:
        """Rows are sent in chunks; the next chunk is made while the present one is used."""
        full, rest = divmod(self.source.num_rows, self.rows)
        most = max(min(full, self.steps), 1)
        steps_a_chunk = min(self.source.batches_per_chunk(self.rows), most)
        size = steps_a_chunk * self.rows
        identity = jax.device_put(np.arange(size, dtype=np.int32))

        def chunks() -> Iterator[tuple[int, int, list[Any]]]:
            for order, start, stop, done in self._stretches():
                for first in range(start, min(stop, full), steps_a_chunk):
                    count = min(steps_a_chunk, min(stop, full) - first)
                    rows = order[first * self.rows : (first + count) * self.rows]
                    picked = self.source.rows(rows)
                    if count < steps_a_chunk:  # one shape, so one program
                        picked = [_padded(a, size) for a in picked]
                    yield done + first - start, count, sent(picked)
                if stop > full:
                    yield done + full - start, 0, sent(self.source.rows(order[full * self.rows :]))

        with closing(prefetched(chunks(), ahead=1)) as ready:
            for step, count, arrays in ready:
                if self._stopping():
                    return
                if count:
                    self._loop_over(arrays, identity, count, 0, step, are_new=True)
                else:
                    positions = jax.device_put(np.arange(rest, dtype=np.int32))
                    self._dispatch_rest(arrays, positions, 0, rest, step)

    def _array_batches(self) -> Iterator[Any]:
        for order, start, stop, _ in self._stretches():
            for batch in range(start, stop):
                picked = self.source.rows(order[batch * self.rows : (batch + 1) * self.rows])
                yield self.source.pack(picked)

    def _batches_epoch(self, batches: Iterator[Any]) -> int:
        done = 0
        for batch in batches:
            self._before(done)
            leaves = tree.flatten(batch)
            program = self._current().single(batch)
            self._dispatch(_one_batch(program, leaves, self._epoch, done), (leaves,))
            done += 1
            self._look(done)
            if self._stopping():
                break
        return done

    # ------------------------------------------------------------ values, logs, hooks

    def _values(self) -> Any:
        if self.values is None:
            # Whether callbacks changed anything since the last step, a learning rate or weights.
            put, self._put = self._put, None
            self._is_continued = put is not None and self.state.holds(put, LastGood.groups)
            self.values = self.state.donate()
        return self.values

    def sync(self) -> None:
        """Put the newest values into the model's variables."""
        with self._hold.lock:
            if self.values is not None:
                self._whole.put(self._put_values)

    def _put_values(self) -> None:
        self.state.commit(self.values)
        self._put, self.values = self.values, None

    def _before(self, step: int) -> None:
        if self.runner.has_train_batch_hooks:
            self.sync()
            self.runner.on_train_batch_begin(step)

    def _dispatch(self, ran: Ran, arguments: tuple[Any, ...]) -> None:
        """Run steps of a program."""

        def keep(result: Any) -> None:
            self.values, self._logs, bad = result
            self._has_run = True
            self._pending.append((ran.step, bad))
            self._last_good.remember(ran)

        with self._hold.lock:  # another thread may ask for the last committed step
            values = self._values()
            if not self._last_good.before(values, self._is_continued):
                self._not_finite(ran.step)
                if self._stopping():
                    return
                values = self._values()
            self._is_continued = True
            self._whole.run(keep, ran.program, values, *arguments)

    def _look(self, done: int, wait: bool = False, force: bool = False) -> None:
        """Check for losses that are no numbers, tell callbacks and the bar."""
        hooks = self.runner.has_train_batch_hooks
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
            self.runner.on_train_batch_end(done - 1, logs)
        if now - self._last_shown >= pace.SEEN_SECONDS or done == self.steps:
            self._last_shown = now
            self.runner.progress(done, lambda: self._host_logs())

    def _host_logs(self) -> dict[str, Any]:
        return host_logs(self._logs, self.trainer.report_names(self.model))

    def _check_losses(self) -> None:
        pending, self._pending = self._pending, []
        flags = jax.device_get([bad for _, bad in pending])
        if self._scales_loss:
            return  # a loss scale that is too large is found and lowered by the optimizer
        for (step, _), bad in zip(pending, flags, strict=True):
            if int(bad) >= 0:
                self._not_finite(step + int(bad))
                return

    def _check_last_weights(self) -> None:
        """What the last steps spoiled no later loss would show."""
        values = self.values
        if values is None and self._put is not None:
            # Not what was put: a callback that trained a step gave those arrays away.
            values = self.state.read()
        if values is not None and not self._last_good.ends_well(values):
            self._not_finite((self.steps or 1) - 1)

    def _not_finite(self, step: int) -> None:
        """Go back to the last good values; then callbacks decide, or it is an error."""
        values = self._values()
        found = self._last_good.find(values)
        if found is not None:
            step = found.step
            self.values = {**values, **found.values}
        self._last_good.forget()
        handlers = [c for c in self.runner.callbacks if handles_non_finite_loss(c)]
        if not handlers:
            self.sync()
            in_data = self.source.non_finite() if isinstance(self.source, ArraySource) else ""
            cause = checks.small_tables(self.model)
            raise not_finite(self.who, found, self._epoch, step, in_data, cause)
        self.sync()
        for callback in handlers:
            callback.on_non_finite_loss(step, {"loss": float("nan")})


def _bytes_of(arrays: list[Any]) -> int:
    return sum(a.nbytes for a in arrays if a is not None)


def _one_step_of(arrays: list[Any], order: Any, first: int, rows: int) -> Any:
    """Index of a step -> the arguments of the loop that run it alone."""
    return lambda index: (arrays, order, np.int32(first + index * rows), np.int32(1))


def _one_batch(program: Any, leaves: list[Any], epoch: int, step: int) -> Ran:
    return Ran(program, lambda _: (leaves,), epoch, step, 1, _bytes_of(leaves))


def _padded(array: Any, size: int) -> Any:
    if array is None:
        return None
    padded = aligned_empty((size, *array.shape[1:]), array.dtype)
    padded[: len(array)] = array
    padded[len(array) :] = 0
    return padded


def _no_epoch(who: str, initial_epoch: int, epochs: int) -> str:
    return message(
        who,
        "epochs is the number of the last epoch, so nothing is trained",
        f"initial_epoch={initial_epoch}, epochs={epochs}",
        f"To train {max(epochs, 1)} more, pass epochs={initial_epoch + max(epochs, 1)}.",
    )


def _validated(first: int, epochs: int, validation_freq: int | frozenset[int]) -> Collection[int]:
    """The epochs (from 0) that end with validation: every so many, or those listed (from 1)."""
    if isinstance(validation_freq, int):
        before = first // validation_freq  # times that were due before the first epoch
        return range((before + 1) * validation_freq - 1, epochs, validation_freq)
    return frozenset(e - 1 for e in validation_freq if first < e <= epochs)


def train_on_batch(
    model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool
) -> Any:
    """One step on one batch; see `Model.train_on_batch`."""
    who = f"{model._who()}.train_on_batch"
    prepare.require_flag(return_dict, "return_dict", who)
    trainer = prepare.require_compiled(model, "train_on_batch")
    source: Any = ArraySource(x, y, sample_weight, who)
    with used() as keep:
        source = keep(prepare.staged(model, source, source.num_rows, who))
        if isinstance(source, BatchSource):
            batch = source.peek()
        else:
            batch = source.pack(source.rows(slice(None)))
        rows = next(len(leaf) for leaf in tree.flatten(batch) if leaf is not None)
        y_pred = prepare.prepare(model, trainer, source, rows, training=True, who=who)
        by_class = class_weights_for(trainer, class_weight, y_pred, who)
        if by_class is not None:
            batch = weighed_batch(by_class, batch)
    programs = training_programs(model, trainer)
    state, logs = programs.state, []
    # From a callback of a fit it is a step of its own: its metrics are not that epoch's.
    is_within = any(v.hold is not None for v in state.groups["metrics"])
    with state.held(who, lambda: None), WholeSteps() as whole:
        kept = state.read(["metrics"] if is_within else [])
        model.reset_metrics()

        def put(result: Any) -> None:
            state.commit({**result[0], **kept})
            logs.append(result[1])

        whole.run(put, programs.single(batch), state.donate(), tree.flatten(batch))
    return evaluation.as_result(host_logs(logs[0], trainer.report_names(model)), return_dict)


__all__ = ["TrainRun", "fit", "train_on_batch"]
