"""Calls all callbacks in turn, and keeps the progress bar and the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

from nacre.callbacks.base import (
    PREDICT_BATCH_HOOKS,
    TEST_BATCH_HOOKS,
    TRAIN_BATCH_HOOKS,
    Callback,
    Logs,
)
from nacre.callbacks.history import History
from nacre.callbacks.progress import ProgbarLogger
from nacre.callbacks.run_plan import Log, RunPlan
from nacre.core import readings, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.terminal import show


class _ActsAtEpochEnd(Protocol):
    """A callback of a class that does not derive from `Callback`, such as Keras's own.

    It is called at the hooks it has; `set_params` and `set_model` too, where it has them.
    """

    def on_epoch_end(self, epoch: int, logs: Any) -> Any:
        """Act after an epoch."""
        ...


# What `fit`, `evaluate` and `predict` take: objects, not their classes, in lists within lists.
Callbacks: TypeAlias = "Callback | CallbackList | _ActsAtEpochEnd | Sequence[Callbacks] | None"


_HOOKS = [name for name in vars(Callback) if name.startswith("on_")]
_FORMER_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


class CallbackList:
    """The callbacks of one run.

    They are called in the order given; history and progress bar come last, so that they see what
    the others add to the logs.

    Args:
        callbacks: One callback or a nested list of them.
        add_history: Whether to add a `History` unless there is one.
        add_progbar: Whether to add a `ProgbarLogger` unless there is one.
        model: The model they may act on.
        params: `verbose`, `epochs`, `steps`: what is known of the run.

    Raises:
        ArgumentError: Something in the list is no callback.
    Example:
        >>> runner = CallbackList([History()], epochs=2, steps=5)
        >>> runner.on_epoch_end(0, {"loss": 1.0})
        >>> runner.callbacks[0].history
        {'loss': [1.0]}
    """

    def __init__(
        self,
        callbacks: Callbacks = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        given = [c for c in tree.flatten(callbacks) if c is not None]
        for callback in given:
            _check(callback)
        self.callbacks: list[Any] = [c for c in given if not isinstance(c, History | ProgbarLogger)]
        self._history = next((c for c in given if isinstance(c, History)), None)
        if self._history is None and add_history:
            self._history = History()
        if self._history is not None:
            self.callbacks.append(self._history)
        self._bar = next((c for c in given if isinstance(c, ProgbarLogger)), None)
        if self._bar is None and add_progbar:
            self._bar = ProgbarLogger()
        if self._bar is not None:
            self.callbacks.append(self._bar)
        self._messages: list[str] = []
        for callback in self.callbacks:
            if isinstance(callback, Callback):
                callback._messages = self._messages
        self.params: dict[str, Any] = {}
        self.model: Any = None
        # Who has nothing to do at a batch costs nothing there.
        self._at_batches: dict[str, list[Any]] = {}
        for callback in self.callbacks:
            for name in _called_at(_batch_hooks(callback)):
                self._at_batches.setdefault(name, []).append(callback)
        called = self._at_batches.keys()
        self._has_train = not called.isdisjoint(TRAIN_BATCH_HOOKS)
        self._has_test = not called.isdisjoint(TEST_BATCH_HOOKS)
        self._has_predict = not called.isdisjoint(PREDICT_BATCH_HOOKS)
        self.set_params(params)
        if model is not None:
            self.set_model(model)

    @classmethod
    def of(
        cls,
        callbacks: Callbacks,
        model: Any,
        verbose: int,
        steps: int | None,
        *,
        epochs: int = 1,
        add_history: bool = False,
        add_progbar: bool = True,
    ) -> CallbackList:
        """The list for one run of `fit`, `evaluate` or `predict`: the one given, or a new one.

        A progress bar is only added where `verbose` is not 0.
        """
        if isinstance(callbacks, CallbackList):
            known = {"verbose": verbose, "epochs": epochs, "steps": steps}
            callbacks._complete(model, known, add_history)
            return callbacks
        return cls(
            callbacks,
            add_history=add_history,
            add_progbar=add_progbar and verbose != 0,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )

    def _complete(self, model: Any, params: dict[str, Any], add_history: bool) -> None:
        """Give a list that a user made what it lacks for a run of this model."""
        if add_history and self._history is None:
            self._history = History()
            at = len(self.callbacks) - (self._bar is not None)
            self.callbacks.insert(at, self._history)
        self.set_params({**params, **self.params})
        self.set_model(model)

    @property
    def has_train_batch_hooks(self) -> bool:
        """Whether some callback must be called around every training batch."""
        return self._has_train

    @property
    def has_test_batch_hooks(self) -> bool:
        """Whether some callback must be called around every evaluation batch."""
        return self._has_test

    @property
    def has_predict_batch_hooks(self) -> bool:
        """Whether some callback must be called around every prediction batch."""
        return self._has_predict

    @property
    def runs_code_of_users(self) -> bool:
        """Whether some callback is a user's, or calls a function of a user's."""
        return any(map(_runs_code_of_users, self.callbacks))

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell all callbacks what is known of the run."""
        self.params = dict(params)
        self._call("set_params", self.params)

    def set_model(self, model: Any) -> None:
        """Tell all callbacks the model."""
        self.model = model
        if self._history is not None:
            model.history = self._history
        self._call("set_model", model)

    def append(self, callback: Any) -> None:
        """Add a callback, before history and progress bar."""
        remaining = [*self.callbacks, callback]
        self.__init__(remaining, model=self.model, **self.params)  # type: ignore[misc]

    @property
    def has_checks(self) -> bool:
        """Whether some callback wants to know what is known of the run."""
        checks = [c.check_run for c in self.callbacks if isinstance(c, Callback)]
        return any(getattr(c, "__func__", None) is not Callback.check_run for c in checks)

    def check_run(self, plan: RunPlan) -> None:
        """Let callbacks refuse a run that they cannot work in.

        Each is told what those before it add to the logs.

        Raises:
            MonitorError: With the name that was probably meant.
        """
        added_by = [_added_logs(callback) for callback in self.callbacks]
        for place, (callback, added) in enumerate(zip(self.callbacks, added_by, strict=True)):
            if isinstance(callback, Callback):
                behind = zip(self.callbacks[place + 1 :], added_by[place + 1 :], strict=True)
                adders = tuple(type(c).__name__ for c, logs in behind if logs is None)
                # One that adds unknown logs may add the one it monitors.
                own = plan.after(None) if added is None else plan
                callback.check_run(replace(own, added_behind=adders) if adders else own)
            plan = plan.after(added)

    def progress(self, step: int, logs: dict[str, Any] | Callable[[], dict[str, Any]]) -> None:
        """Progress of the loop, at most ten times a second: steps done, and logs when asked for."""
        watchers = [
            c
            for c in self.callbacks
            if isinstance(c, Callback) and type(c).on_progress is not Callback.on_progress
        ]
        if watchers:
            logs = logs() if callable(logs) else logs
            for callback in watchers:
                callback.on_progress(step, logs)
        if self._bar is not None:
            self._bar.update(step, logs)

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            _call(callback, hook, *arguments)

    def _call_at_batch(self, hook: str, batch: int, logs: Logs) -> None:
        for callback in self._at_batches.get(hook, ()):
            _call(callback, hook, batch, logs or {})

    def _flush(self) -> None:
        if self._messages and self._bar is not None:
            self._bar.clear()
        for text in self._messages:
            show(text)
        self._messages.clear()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before training. When one callback fails here, those before it end."""
        for index, callback in enumerate(self.callbacks):
            try:
                _call(callback, "on_train_begin", logs or {})
            except BaseException as reason:
                self._end(self.callbacks[:index], "on_train_end", {}, reason)
                raise
            if isinstance(callback, Callback):
                callback.is_restored = False

    def on_train_end(self, logs: Logs = None, *, reason: BaseException | None = None) -> None:
        """After training: every callback gets its turn, even when one of them fails.

        Args:
            logs: The last logs.
            reason: What ended training, where it did not end by itself. Errors of callbacks do not
                take its place; they are noted with it.
        """
        if self._bar is not None:
            self._bar.clear()
        try:
            self._end(self.callbacks, "on_train_end", logs, reason)
        finally:
            self._flush()
            for callback in self.callbacks:
                if isinstance(callback, Callback):
                    callback._messages, callback.is_restored = None, False

    def end_early(self, hook: str, reason: BaseException) -> None:
        """Call `on_test_end` or `on_predict_end` of a run that an error or Ctrl-C ended.

        What callbacks put in the model's place for the run, such as averages, they undo.
        """
        if self._bar is not None:
            self._bar.cancel()
        self._end([c for c in self.callbacks if c is not self._bar], hook, {}, reason)

    def _end(
        self, callbacks: list[Any], hook: str, logs: Logs, reason: BaseException | None
    ) -> None:
        """Let each have its turn, whatever the others raise: there are weights to restore and
        files to close. Only a second Ctrl-C leaves at once."""
        raised: BaseException | None = None
        for callback in callbacks:
            try:
                _call(callback, hook, logs or {})
            except BaseException as error:
                first = reason or raised
                is_pressed = isinstance(error, KeyboardInterrupt)
                if is_pressed and isinstance(first, KeyboardInterrupt):
                    raise
                if first is None or (is_pressed and reason is None):
                    raised = error
                if first is not None:
                    text = f"{type(callback).__name__}.{hook} failed too: {error!r}"
                    first.add_note(text)
        if raised is not None and reason is None:
            raise raised

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch."""
        self._call("on_epoch_begin", epoch, {} if logs is None else logs)
        self._flush()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch. Callbacks may add to `logs`."""
        if self._bar is not None:
            self._bar.clear()
        self._call("on_epoch_end", epoch, {} if logs is None else logs)
        self._flush()

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a training batch."""
        self._call_at_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a training batch."""
        self._call_at_batch("on_train_batch_end", batch, logs)
        self._flush()

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """The same as `on_train_batch_begin`."""
        self.on_train_batch_begin(batch, logs)

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """The same as `on_train_batch_end`."""
        self.on_train_batch_end(batch, logs)

    def on_non_finite_loss(self, step: int, logs: Logs = None) -> None:
        """In place of an error where a loss is not finite: for those that tolerate it."""
        for callback in filter(tolerates_nan, self.callbacks):
            _call(callback, "on_non_finite_loss", step, logs or {})

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before evaluation or validation."""
        self._call("on_test_begin", logs or {})

    def on_test_end(self, logs: Logs = None) -> None:
        """After evaluation or validation."""
        self._call("on_test_end", logs or {})

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before an evaluation batch."""
        self._call_at_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After an evaluation batch."""
        self._call_at_batch("on_test_batch_end", batch, logs)

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before prediction."""
        self._call("on_predict_begin", logs or {})

    def on_predict_end(self, logs: Logs = None) -> None:
        """After prediction."""
        self._call("on_predict_end", logs or {})

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a prediction batch."""
        self._call_at_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a prediction batch."""
        self._call_at_batch("on_predict_batch_end", batch, logs)


def tolerates_nan(callback: Any) -> bool:
    """Whether this callback decides what happens when a loss is not finite."""
    declared = getattr(callback, "tolerates_nan", None)
    if declared is not None or not isinstance(callback, Callback):
        return bool(declared)
    hook = callback.on_non_finite_loss
    return getattr(hook, "__func__", None) is not Callback.on_non_finite_loss


def _runs_code_of_users(callback: Any) -> bool:
    held = getattr(callback, "__dict__", {}).values()
    functions = [value for value in list(held) if readings.is_function(value)]
    return readings.is_users(type(callback)) or any(map(readings.is_users, functions))


def changes_trainable(callback: Any) -> bool:
    """Whether training goes on with the layers that this callback made trainable, or froze."""
    return bool(getattr(callback, "changes_trainable", False))


def _call(callback: Any, hook: str, *arguments: Any) -> None:
    """Call a hook; of a class that does not derive from `Callback`, where it has it."""
    if isinstance(callback, Callback):
        getattr(callback, hook)(*arguments)
        return
    method = getattr(callback, hook, None) or getattr(callback, _FORMER_NAMES.get(hook, ""), None)
    if method is not None:
        method(*arguments)


def _batch_hooks(callback: Any) -> set[str]:
    """The batch hooks that a callback has something to do at."""
    if isinstance(callback, Callback):
        return callback.batch_hooks()
    names = (*TRAIN_BATCH_HOOKS, *TEST_BATCH_HOOKS, *PREDICT_BATCH_HOOKS)
    # In a library of callbacks the class that has every hook is the one whose hooks do nothing.
    kind = type(callback)
    base = [c for c in kind.__mro__ if all(name in vars(c) for name in names)][-1:]
    if base in ([], [kind]):
        return {name for name in names if callable(getattr(callback, name, None))}
    return {
        name
        for name in names
        if name in vars(callback) or getattr(kind, name) is not getattr(base[0], name)
    }


def _called_at(hooks: set[str]) -> set[str]:
    """The hooks to call for these: those of training call their former names themselves."""
    names = {former: name for name, former in _FORMER_NAMES.items()}
    return {names.get(name, name) for name in hooks}


def _added_logs(callback: Any) -> dict[str, Log] | None:
    """What a callback adds to the logs of an epoch; None when unknown."""
    if not isinstance(callback, Callback):
        return None
    own = vars(callback)
    if "adds_logs" not in own:
        classes = type(callback).__mro__
        declared = next(i for i, c in enumerate(classes) if "adds_logs" in vars(c))
        for hook in ("on_epoch_end", "on_test_end"):
            # A subclass that writes the hook anew may add more than the class it comes from says.
            if hook in own or any(hook in vars(c) for c in classes[:declared]):
                return None
    return {name: Log() for name in callback.adds_logs}


def _check(callback: Any) -> None:
    if isinstance(callback, type):
        raise ArgumentError(
            message(
                "callbacks",
                "every element must be a callback object",
                f"the class {callback.__name__}",
                f"Call it: {callback.__name__}().",
            )
        )
    if not isinstance(callback, Callback) and not any(hasattr(callback, hook) for hook in _HOOKS):
        raise ArgumentError(
            message(
                "callbacks",
                "every element must be a callback object",
                repr(callback)[:100],
                "Derive your class from nacre.callbacks.Callback, or use LambdaCallback.",
            )
        )
