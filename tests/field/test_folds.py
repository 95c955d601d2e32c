"""Cross-validation as people write it: a function that builds the model, one set of callbacks for all
folds, `clear_session` between them. Each fold is a training of its own, and nothing of it stays.
"""

from __future__ import annotations

import gc
import os
import sys
import weakref
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers
from nacre.core.program import programs_of

FOLDS = 5
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(40, 4)).astype("float32")
Y = X @ GENERATOR.normal(size=(4, 1)).astype("float32")


def build() -> nacre.Model:
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile(nacre.optimizers.SGD(0.3), "mse", metrics=["mae"])
    return model


def fresh_callbacks() -> list[Any]:
    return [
        callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        callbacks.ReduceLROnPlateau(patience=1),
    ]


class Kept:
    """What is left of the models that were trained."""

    def __init__(self) -> None:
        self.models: list[Any] = []
        self.programs: list[Any] = []

    def alive(self) -> tuple[int, int]:
        gc.collect()
        return sum(m() is not None for m in self.models), sum(
            p() is not None for p in self.programs
        )


def score(fold: int, watching: list[Any], kept: Kept | None = None) -> list[float]:
    nacre.utils.clear_session()
    nacre.utils.set_random_seed(fold)
    held = np.arange(len(X)) % FOLDS == fold
    model = build()
    model.fit(X[~held], Y[~held], epochs=8, batch_size=16, verbose=0, callbacks=watching,
              validation_data=(X[held], Y[held]))  # fmt: skip
    if kept is not None:
        kept.models.append(weakref.ref(model))
        kept.programs.append(weakref.ref(programs_of(model)))
    return model.evaluate(X[held], Y[held], verbose=0)


def test_each_fold_is_what_it_would_be_alone_and_nothing_of_it_stays() -> None:
    watching, kept = fresh_callbacks(), Kept()
    together = [score(fold, watching, kept) for fold in range(FOLDS)]
    assert [score(fold, fresh_callbacks()) for fold in (0, FOLDS - 1)] == [
        together[0],
        together[-1],
    ]
    assert max(loss for loss, _ in together) < 0.1
    assert kept.alive() == (1, 1)  # of the last one, which the callbacks know
    watching.clear()
    assert kept.alive() == (0, 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory of a process is read from /proc")
def test_twenty_models_leave_no_memory_behind() -> None:
    def megabytes() -> float:
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    watching = fresh_callbacks()
    for fold in range(5):  # compiled code, caches of JAX and of the allocator fill first
        score(fold % FOLDS, watching)
    before = megabytes()
    for fold in range(20):
        score(fold % FOLDS, watching)
    assert megabytes() - before < 2
