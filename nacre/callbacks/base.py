"""What a callback is, and what it may ask of the model it is called by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from nacre.callbacks.run_plan import RunPlan
from nacre.core.errors import ArgumentError, message
from nacre.core.keywords import any_arguments
from nacre.core.terminal import show

Logs: TypeAlias = Any
TRAIN_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
TEST_BATCH_HOOKS = ("on_test_batch_begin", "on_test_batch_end")
PREDICT_BATCH_HOOKS = ("on_predict_batch_begin", "on_predict_batch_end")
BATCH_HOOKS = frozenset((*TRAIN_BATCH_HOOKS, *TEST_BATCH_HOOKS, *PREDICT_BATCH_HOOKS))


class Callback:
    """Called at the points of training, evaluation and prediction; override what is needed.

    Overriding a batch hook makes the loop go one batch at a time, so that it can be called after
    each; without such hooks many batches run in one dispatch.

    Attributes:
        params: `verbose`, `epochs`, `steps` of this run.
        model: The model (a `core.protocols.TrainingHost`).
        adds_logs: Names this callback adds to the logs when an epoch ends. Of one that overrides
            `on_epoch_end` or `on_test_end` and does not say so, it is unknown: what later callbacks
            watch is then looked for when the first epoch ends, not before the first step.
        tolerates_nan: Whether training may go on when a loss is NaN or infinite: then
            `on_non_finite_loss` is called in place of an error. None: where it is overridden.
        changes_trainable: Whether it sets `trainable` of layers in `on_epoch_begin`, and training
            goes on with what is trainable then. Changes by other callbacks hold from the next
            `compile` on, which is told. A training that is resumed asks for `catch_up`.
        remembers: Names of the attributes that hold what it remembers of a training; `state` and
            `restore` go by them.
        writes: Whether it writes files or sends data: `fit(fast_dev_run=True)` leaves it out.
        is_restored: True from `restore` until the training that goes on has begun. An
            `on_train_begin` that starts afresh leaves that out then.

    Example:
        >>> class Names(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, sorted(logs))
        >>> Names().on_epoch_end(0, {"loss": 0.5})
        0 ['loss']
    """

    params: Any = None  # a dict from the beginning of a run on
    model: Any = None
    adds_logs: tuple[str, ...] = ()
    tolerates_nan: bool | None = None
    changes_trainable: bool = False
    remembers: tuple[str, ...] = ()
    writes: bool = False
    is_restored: bool = False
    _messages: list[str] | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive what is known of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Receive the model."""
        self.model = model

    def batch_hooks(self) -> set[str]:
        """The batch hooks this callback needs; by default those that are overridden."""
        own = set(vars(self))
        for cls in type(self).__mro__:
            if cls is Callback:
                break
            own.update(vars(cls))
        return own & BATCH_HOOKS

    def check_run(self, plan: RunPlan) -> None:
        """Called before the first step with what is known of the training.

        Raise here for settings that cannot work, warn of settings that will do nothing.
        """

    def state(self) -> dict[str, Any]:
        """What it remembers of a training, to go on from later: data JSON can hold, and numbers
        and arrays of NumPy.

        Taken when an epoch ends, after this callback was called, it belongs to that epoch's end.
        The model, its optimizer and what callbacks wrote are not part of it.

        Example:
            >>> class Count(Callback):
            ...     remembers = ("epochs",)
            ...     epochs = 0
            ...     def on_epoch_end(self, epoch, logs=None):
            ...         self.epochs += 1
            >>> first, second = Count(), Count()
            >>> first.on_epoch_end(0)
            >>> second.restore(first.state())
            >>> second.epochs
            1
        """
        return {name: _plain(getattr(self, name)) for name in self.remembers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave: the training that begins next goes on from there.

        Give `fit` the `initial_epoch` that follows, the model and the optimizer as they were.

        Raises:
            ArgumentError: It is not the state of such a callback.
        """
        if not isinstance(state, Mapping) or set(state) != set(self.remembers):
            names = ", ".join(self.remembers) or "nothing"
            got = ", ".join(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            rule = f"a state must hold what such a callback remembers: {names}"
            raise ArgumentError(message(f"{type(self).__name__}.restore", rule, got or "nothing"))
        for name, value in state.items():
            setattr(self, name, _plain(value))
        self.is_restored = True

    def on_progress(self, step: int, logs: dict[str, Any]) -> None:
        """Called now and then during an epoch, at most ten times a second, with running logs."""

    def catch_up(self, epochs: int) -> None:
        """Set `trainable` of layers as it is after so many epochs have begun; see
        `changes_trainable`."""

    def say(self, text: str) -> None:
        """Tell the user something, at a moment when it does not disturb the progress bar."""
        if self._messages is None:
            show(text)
        else:
            self._messages.append(text)

    @any_arguments
    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Alias of `on_train_batch_begin`."""

    @any_arguments
    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Alias of `on_train_batch_end`."""

    @any_arguments
    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch of training (numbered from 0)."""

    @any_arguments
    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch and its validation; `logs` has the results, `val_` for validation."""

    @any_arguments
    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of training."""
        self.on_batch_begin(batch, logs)

    @any_arguments
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of training, with results of the epoch so far."""
        self.on_batch_end(batch, logs)

    @any_arguments
    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of evaluation or validation."""

    @any_arguments
    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of evaluation or validation."""

    @any_arguments
    def on_non_finite_loss(self, step: int, logs: Logs = None) -> None:
        """After a step (from 0, of the epoch) whose loss is NaN or infinite.

        The model has the weights from before it. Where no callback overrides this, training ends
        with a `NonFiniteError`; one that does may set `stop_training`, or return to go on with the
        next steps.
        """

    @any_arguments
    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of prediction."""

    @any_arguments
    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of prediction; `logs["outputs"]` has what it gave."""

    @any_arguments
    def on_train_begin(self, logs: Logs = None) -> None:
        """Before training. Reset state here, unless `is_restored`, so that one object serves many
        trainings."""

    @any_arguments
    def on_train_end(self, logs: Logs = None) -> None:
        """After training, also after an error or Ctrl-C."""

    @any_arguments
    def on_test_begin(self, logs: Logs = None) -> None:
        """Before evaluation or validation."""

    @any_arguments
    def on_test_end(self, logs: Logs = None) -> None:
        """After evaluation or validation."""

    @any_arguments
    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before prediction."""

    @any_arguments
    def on_predict_end(self, logs: Logs = None) -> None:
        """After prediction."""


def _plain(value: Any) -> Any:
    """A copy that later epochs leave alone: arrays and numbers of JAX as NumPy's, of their dtype,
    so that what is computed from them has the same bits."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return np.array(value)[()]
    return value
