"""Trainings that leave no trace: `fit(fast_dev_run=...)` and `lr_find`.

What a trial changes is put back however it ends, by Ctrl-C or an error too: the values of all
variables (weights, statistics, seeds, metrics, the optimizer's state, and what code uses that no
layer holds), the history, and the generators of Python, NumPy and this package. What stays is what
any first call makes: a model that was not built is built, its optimizer has its state.
"""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import Any

import numpy as np

from nacre.callbacks.base import Callback
from nacre.callbacks.run_plan import RunPlan
from nacre.callbacks.runner import changes_trainable
from nacre.core import tree
from nacre.core.random import global_generator, seeds_drawn
from nacre.core.state import Copies, State
from nacre.training.compile import CompiledTraining
from nacre.training.deferred_signals import DeferredSignals


class Trial:
    """A block that a training leaves as if it had not been.

    Args:
        model, trainer: What is trained.
    """

    def __init__(self, model: Any, trainer: CompiledTraining) -> None:
        self._model, self._trainer = model, trainer
        self._copies = Copies()
        self._states = ExitStack()

    def __enter__(self) -> Trial:
        model, trainer = self._model, self._trainer
        seed = global_generator().state
        self._seed = seed, seed.numpy()
        self._python, self._seeds_drawn = random.getstate(), seeds_drawn()
        self._numpy = np.random.get_state()
        self._of_model = model.history, model.stop_training
        self._flags = [(layer, layer.trainable) for layer in model._inventory().layers]
        self._of_trainer = trainer.has_trained, trainer.settled
        return self

    def begin(self, *states: State) -> None:
        """Called before the first step, when the model is built: these variables are kept.

        Args:
            states: Those of all programs that are going to run.
        """
        if seeds_drawn() != self._seeds_drawn:  # by layers that were built, once and for all
            self._python = random.getstate()
        for state in states:
            self._states.enter_context(state.copied(self._copies))

    def __exit__(self, *_: object) -> None:
        self._states.close()
        with DeferredSignals() as signals:
            signals.commit(self._put_back)

    def _put_back(self) -> None:
        self._copies.put_back()
        variable, key = self._seed
        variable.assign(key)
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        self._model.history, self._model.stop_training = self._of_model
        for layer, flag in self._flags:  # containers first, which set those within
            if layer.trainable != flag:
                layer.trainable = flag
        self._trainer.has_trained, self._trainer.settled = self._of_trainer


def without_lasting(callbacks: Any) -> tuple[list[Any], list[Any]]:
    """(callbacks whose effects can be undone, those that write or freeze layers)."""
    given = [c for c in tree.flatten(getattr(callbacks, "callbacks", callbacks)) if c is not None]
    lasting = [c for c in given if getattr(c, "writes", False) is True or changes_trainable(c)]
    return [c for c in given if not any(c is one for one in lasting)], lasting


def check_left_out(callbacks: list[Any], model: Any, plan: RunPlan) -> None:
    """Let callbacks that are left out refuse the training they are meant for.

    Args:
        callbacks: They.
        model: The model.
        plan: What is known of the whole training.
    """
    for callback in callbacks:
        if isinstance(callback, Callback):
            before, callback.model = callback.model, model
            try:
                callback.check_run(plan)
            finally:
                callback.model = before


__all__ = ["Trial", "check_left_out", "without_lasting"]
