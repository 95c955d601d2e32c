"""The compiled programs of `fit`, made once for a compiled model and kept with it."""

from __future__ import annotations

from typing import Any

from nacre.core import tree
from nacre.data.sources import ArraySource
from nacre.training.compile import CompiledTraining
from nacre.training.programs import finisher, loop_program, rest_program, single_program
from nacre.training.state import State
from nacre.training.step import custom_step, overrides, train_step


class KeptPrograms:
    """The compiled programs of training, kept with the compiled model."""

    def __init__(self, model: Any, trainer: CompiledTraining, state: State) -> None:
        self.model, self.trainer, self.state = model, trainer, state
        self.custom = custom_step(model, "train_step") is not None
        self.keeps_logs = self.custom or overrides(model, "compute_metrics")
        self.cache = trainer.programs
        # A hyperparameter that stands in the program as a constant is part of its key.
        self.key = ("train", state.key(), trainer.optimizer.trace_key())
        self._resident: Any = None

    def resident(self, source: ArraySource) -> list[Any]:
        """The arrays on the device, sent once a fit."""
        if self._resident is None:
            self._resident = source.whole()
        return self._resident

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
