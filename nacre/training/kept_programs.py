"""The compiled programs of `fit`, made once for a compiled model and kept with it."""

from __future__ import annotations

from typing import Any

from nacre.core import tree
from nacre.core.errors import message
from nacre.core.warning import warn
from nacre.data.sources import ArraySource
from nacre.training.compile import CompiledTraining
from nacre.training.programs import finisher, loop_program, rest_program, single_program
from nacre.training.state import State
from nacre.training.step import custom_step, reports_itself, train_step


class KeptPrograms:
    """The compiled programs of training, kept with the compiled model."""

    def __init__(self, model: Any, trainer: CompiledTraining, state: State) -> None:
        self.model, self.trainer, self.state = model, trainer, state
        self.custom = custom_step(model, "train_step") is not None
        self.keeps_logs = self.custom or reports_itself(model)
        self.cache = trainer.programs
        # A hyperparameter that stands in the program as a constant is part of its key; so are the
        # flags of layers without trainable weights, whose statistics stand still when frozen.
        self.flags = [(layer, layer.trainable) for layer in model._flatten_layers()]
        flags = tuple(flag for _, flag in self.flags)
        self.key = ("train", state.key(), trainer.optimizer.trace_key(), flags)
        self._resident: Any = None

    def resident(self, source: ArraySource) -> list[Any]:
        """The arrays on the device, sent once a fit."""
        if self._resident is None:
            self._resident = source.whole()
        return self._resident

    def tell_changed_flags(self, who: str) -> None:
        """Warn, once, when `trainable` was changed since these programs were asked for."""
        changed = [layer.name for layer, flag in self.flags if layer.trainable != flag]
        if not changed:
            return
        self.flags = []
        warn(
            message(
                who,
                "`trainable` is read when fit begins",
                f"changed while it runs: {', '.join(changed[:10])}",
                "It holds from the next compile() and fit() on: train in two parts, "
                "fit(epochs=5), then compile() and fit(initial_epoch=5, epochs=10).",
            )
        )

    def _step(self) -> Any:
        return train_step(self.model, self.trainer, self.state)

    def _finish(self) -> Any:
        return finisher(self.model, self.trainer, self.state, self.custom)

    def _kept(self, key: Any, make: Any) -> Any:
        key = (*self.key, key)
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    def loop(self, source: Any, rows: int) -> Any:
        """The program for full batches."""
        return self._kept(
            ("loop", rows, _structure_key(source.structure)),
            lambda: loop_program(
                self._step(), self._finish(), _packer(source.structure), rows, self.keeps_logs
            ),
        )

    def has_rest(self, source: Any, rest: int) -> bool:
        """Whether the program for a last, smaller batch was made in an earlier fit."""
        return (*self.key, ("rest", rest, _structure_key(source.structure))) in self.cache

    def rest(self, source: Any, rest: int) -> Any:
        """The program for a last, smaller batch."""
        return self._kept(
            ("rest", rest, _structure_key(source.structure)),
            lambda: rest_program(
                self._step(), self._finish(), _packer(source.structure), rest, self.keeps_logs
            ),
        )

    def single(self, batch: Any, eager: bool) -> Any:
        """The program for one batch that is handed over."""
        return self._kept(
            ("single", eager, _structure_key(batch)),
            lambda: single_program(
                self._step(), self._finish(), _packer(batch), self.keeps_logs, compiled=not eager
            ),
        )


def _empty(structure: Any) -> Any:
    """A structure without its arrays, which a kept program must not hold on to."""
    return tree.map_structure(lambda leaf: None if leaf is None else 0, structure)


def _structure_key(structure: Any) -> str:
    return repr(_empty(structure))


def _packer(structure: Any) -> Any:
    empty = _empty(structure)
    return lambda leaves: tree.pack_sequence_as(empty, leaves)
