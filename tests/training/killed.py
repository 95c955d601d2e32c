"""A training that is killed or interrupted again and again, and run again each time; see
`test_killed.py`.

Run as a script: one process loads everything and starts children by fork, before JAX has started
in it, so that a child costs no more than its own training. Prints, as JSON, what the training ended
with unbroken and after the kills, and how many kills came before its end.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

import nacre
from nacre import callbacks, layers
from nacre.training.state import arrays_by_path, training_state

EPOCHS, ROWS, BATCH = 6, 90, 8
INTERRUPTED = 3  # exit status
X = np.random.default_rng(0).normal(size=(ROWS, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Slow(callbacks.Callback):
    """Draws from NumPy's own generator, and leaves time to be killed in."""

    remembers = ("drawn",)

    def __init__(self) -> None:
        self.drawn: list[float] = []

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        time.sleep(0.004)
        if batch % 5 == 0:
            self.drawn.append(float(np.random.random()))


def train(folder: Path | None, result: Path) -> None:
    """Train to the end and write a mark of everything that it ended with."""
    nacre.utils.set_random_seed(5)
    model = nacre.Sequential(
        [
            nacre.Input((4,)),
            layers.GaussianNoise(0.1),
            layers.Dense(6, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1),
        ]
    )
    model.compile(nacre.optimizers.Adam(0.01, use_ema=True), "mse", metrics=["mae"])
    slow = Slow()
    listed = [
        slow,
        callbacks.ReduceLROnPlateau(patience=1, min_delta=0.5, factor=0.5),
        callbacks.EarlyStopping("mae", mode="min", patience=5, restore_best_weights=True),
    ]
    history = model.fit(
        X, Y, BATCH, EPOCHS, verbose=0, callbacks=listed, validation_split=0.1,
        resume=folder, resume_every_steps=None if folder is None else 1,
    )  # fmt: skip
    state = training_state(model, model.optimizer, model.metrics)
    found = hashlib.sha256()
    for path, array in sorted(arrays_by_path(model, state).items()):
        found.update(path.encode() + array.tobytes())
    found.update(repr([history.history, history.epoch, slow.drawn]).encode())
    found.update(repr(np.random.random(2)).encode() + repr(random.random()).encode())
    temporary = result.with_suffix(".part")
    temporary.write_text(found.hexdigest())
    temporary.replace(result)


def child(folder: Path | None, result: Path, log: Path) -> int:
    """The number of a process that trains."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            with log.open("a") as file:
                os.dup2(file.fileno(), 2)
            train(folder, result)
            status = 0
        except KeyboardInterrupt:
            status = INTERRUPTED
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    return process


def wait_for_state(folder: Path, process: int, known: set[str]) -> bool:
    """Wait for a state that was not there before; False when the process ended first."""
    while not set(_states(folder)) - known:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    return True


def _states(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("state-*")]


def main(place: Path, kills: int, seed: int) -> None:
    """Train unbroken, then with kills at random moments of training."""
    moments = random.Random(seed)
    whole, log = place / "whole", place / "log"
    os.waitpid(child(None, whole, log), 0)
    ends, done = [], 0
    for run in range(100):
        folder, result = place / f"run{run}", place / f"end{run}"
        folder.mkdir()
        while not result.exists():
            process = child(folder, result, log)
            if done < kills and wait_for_state(folder, process, set(_states(folder))):
                time.sleep(moments.random() * 0.12)
                # Every third time Ctrl-C: then the state of the last step is kept.
                os.kill(process, signal.SIGINT if done % 3 == 2 else signal.SIGKILL)
                done += not result.exists()
            if not _is_gone(process):
                _, status = os.waitpid(process, 0)
                if status not in (0, signal.SIGKILL, INTERRUPTED << 8):
                    raise RuntimeError(log.read_text())
        ends.append(result.read_text())
        if done >= kills:
            break
    print(json.dumps({"whole": whole.read_text(), "ends": ends, "kills": done}))


def _is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
