"""The compiled programs of `fit` and `evaluate`, kept with the model under all they depend on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from nacre.core import tree
from nacre.core.errors import message
from nacre.core.program import Program, Programs, settings_key
from nacre.core.warning import warn
from nacre.training.compile import CompiledTraining
from nacre.training.programs import (
    evaluation_program,
    finisher,
    loop_program,
    rest_program,
    single_program,
)
from nacre.training.state import State, training_state
from nacre.training.step import custom_step, reports_itself, test_step, train_step


def programs_of(model: Any) -> Programs:
    """All compiled programs of a model."""
    if model._programs is None:
        model._programs = Programs()
    return model._programs


def training_programs(model: Any, trainer: CompiledTraining) -> ModelPrograms:
    """The programs that train a model as it, its losses, metrics and optimizer are now."""
    return _model_programs("train", model, trainer)


def evaluation_programs(model: Any, trainer: CompiledTraining) -> ModelPrograms:
    """The programs that evaluate it."""
    return _model_programs("test", model, trainer)


def _model_programs(kind: str, model: Any, trainer: CompiledTraining) -> ModelPrograms:
    metrics = model.metrics
    key = _key(kind, model, trainer, metrics, model._inventory().lists().token)
    return programs_of(model).get(
        key,
        lambda: ModelPrograms(
            key,
            model,
            trainer,
            training_state(model, trainer.optimizer if kind == "train" else None, metrics),
        ),
    )


def _key(
    kind: str, model: Any, trainer: CompiledTraining, metrics: list[Any], lists_token: int
) -> tuple[Hashable, ...]:
    """All that the programs of a run depend on besides the shapes of batches."""
    attributes = (model._inventory().token, trainer.contents_token(metrics))
    return kind, lists_token, *attributes, settings_key(), trainer.run_eagerly


class ModelPrograms:
    """The programs of one kind of run, and the state they share.

    Args:
        key: See `_key`.
        model, trainer: What they run.
        state: The variables they use.
    """

    def __init__(
        self, key: tuple[Hashable, ...], model: Any, trainer: CompiledTraining, state: State
    ) -> None:
        self.model, self.trainer, self.state = model, trainer, state
        self.custom = custom_step(model, f"{key[0]}_step") is not None
        self.keeps_logs = self.custom or reports_itself(model)
        self._key = key

    def now(self) -> ModelPrograms:
        """These programs; others where an attribute was set since they were asked for.

        The state stays: which variables are trained is read when a run begins.
        """
        kind, lists_token = self._key[:2]
        key = _key(str(kind), self.model, self.trainer, self.model.metrics, lists_token)  # type: ignore[arg-type]
        if key == self._key:
            return self
        return programs_of(self.model).get(
            key, lambda: ModelPrograms(key, self.model, self.trainer, self.state)
        )

    def _get(self, key: tuple[Hashable, ...], make: Callable[[], Any]) -> Any:
        return programs_of(self.model).get((self._key, key), make)

    def _parts(self) -> tuple[State, Any, Any]:
        """State, step and what is reported after it, for a training program."""
        step = train_step(self.model, self.trainer, self.state)
        return self.state, step, finisher(self.model, self.trainer, self.state, self.custom)

    def loop(self, structure: Any, batch_size: int) -> Program:
        """The program for full batches of arrays on the device."""
        return self._get(
            ("loop", batch_size, _structure_key(structure)),
            lambda: loop_program(*self._parts(), _packer(structure), batch_size, self.keeps_logs),
        )

    def has_rest(self, structure: Any, batch_size: int) -> bool:
        """Whether the program for a last, smaller batch was made in an earlier fit."""
        key = (self._key, ("rest", batch_size, _structure_key(structure)))
        return key in programs_of(self.model)

    def rest(self, structure: Any, batch_size: int) -> Program:
        """The program for a last, smaller batch."""
        return self._get(
            ("rest", batch_size, _structure_key(structure)),
            lambda: rest_program(*self._parts(), _packer(structure), batch_size, self.keeps_logs),
        )

    def single(self, batch: Any) -> Any:
        """The program for one batch that is handed over."""
        eager = self.trainer.run_eagerly
        return self._get(
            ("single", _structure_key(batch)),
            lambda: single_program(
                *self._parts(), _packer(batch), self.keeps_logs, compiled=not eager
            ),
        )

    def evaluate(self, structure: Any, batch_size: int) -> Any:
        """The program that evaluates batches of arrays on the device."""
        return self._get(
            ("evaluate", batch_size, _structure_key(structure)),
            lambda: evaluation_program(
                self.state,
                test_step(self.model, self.trainer, self.state),
                finisher(self.model, self.trainer, self.state, self.custom),
                _packer(structure),
                batch_size,
                self.keeps_logs,
                compiled=not self.trainer.run_eagerly,
            ),
        )


class TrainableFlags:
    """The `trainable` flags of a model when a training begins.

    Args:
        model: The model.
    """

    def __init__(self, model: Any) -> None:
        self._flags = [(layer, layer.trainable) for layer in model._inventory().layers]

    def tell_changes(self, who: str) -> None:
        """Warn, once, when a flag was changed since."""
        changed = [layer.name for layer, flag in self._flags if layer.trainable != flag]
        if not changed:
            return
        self._flags = []
        warn(
            message(
                who,
                "`trainable` is read when fit begins",
                f"changed while it runs: {', '.join(changed[:10])}",
                "It holds from the next compile() and fit() on: train in two parts, "
                "fit(epochs=5), then compile() and fit(initial_epoch=5, epochs=10).",
            )
        )


def _empty(structure: Any) -> Any:
    """A structure without its arrays, which a kept program must not hold on to."""
    return tree.map_structure(lambda leaf: None if leaf is None else 0, structure)


def _structure_key(structure: Any) -> str:
    return repr(_empty(structure))


def _packer(structure: Any) -> Callable[[list[Any]], Any]:
    empty = _empty(structure)
    return lambda leaves: tree.pack_sequence_as(empty, leaves)


__all__ = [
    "ModelPrograms",
    "TrainableFlags",
    "evaluation_programs",
    "programs_of",
    "training_programs",
]
