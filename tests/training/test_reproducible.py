"""The same seed in two fresh processes gives the same bits, whatever they draw random numbers for."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers

X = np.random.default_rng(0).normal(size=(24, 6, 6, 3)).astype("float32")
Y = (np.arange(24) % 3).astype("int32")


class Workers(nacre.utils.PyDataset):
    """Batches of several threads, each with a generator of its own."""

    def __init__(self) -> None:
        super().__init__(workers=3)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        rows = slice(4 * index, 4 * index + 4)
        noise = np.random.default_rng([7, index]).normal(size=X[rows].shape)
        return X[rows] + noise.astype("float32"), Y[rows]


class Drawing(Workers):
    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return x + np.random.random(), y


def mark(data: Any = (X, Y), changes: Any = None, **options: Any) -> str:
    """Hash of the weights after a training."""
    nacre.utils.set_random_seed(11)
    model = nacre.Sequential(
        [
            nacre.Input((6, 6, 3)),
            layers.RandomFlip(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    augment = None if changes is None else changes()
    model.fit(*data, epochs=2, verbose=0, augment=augment, **options)
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()


def marks() -> list[str]:
    return [mark(batch_size=5), mark((Workers(),)), mark(changes=lambda: [layers.MixUp()])]


def test_two_processes_with_one_seed_end_with_the_same_bits() -> None:
    script = "from tests.training.test_reproducible import marks; print(*marks())"
    found = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert found[0] == found[1] and len(set(found[0])) == 3


def test_workers_that_draw_from_one_generator_are_warned_of_where_a_seed_was_given() -> None:
    with pytest.warns(UserWarning, match=r"Drawing: .* no fixed order.*workers=3.*default_rng"):
        mark((Drawing(),))
