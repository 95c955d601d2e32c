"""What is read while another thread or process saves there is one save's, and so is what is left."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError
from nacre.core.save_turn import one_save_at_a_time
from nacre.saving.files import read_whole
from tests.saving.helpers import small

# Formats of several files, and one that is read in two steps.
NAMES = {"m": {}, "m.safetensors": {}, "n.safetensors": {"max_shard_size": 60}}


def filled(number: float) -> Any:
    model = small()
    model.set_weights([np.full_like(weight, number) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("name", NAMES)
def test_two_threads_save_to_one_path_while_a_third_reads(name: str, tmp_path: Path) -> None:
    path, models = tmp_path / name, [filled(1.0), filled(2.0)]
    found = tmp_path / (f"{name}.index.json" if NAMES[name] else name)
    models[0].save_weights(path, **NAMES[name])

    def save(model: Any) -> None:
        for _ in range(6):
            model.save_weights(path, **NAMES[name])

    savers = [threading.Thread(target=save, args=(model,)) for model in models]
    for saver in savers:
        saver.start()
    reader, readings = small(), 0
    while readings < 3 or any(saver.is_alive() for saver in savers):
        reader.load_weights(found)
        numbers = {float(x) for weight in reader.get_weights() for x in weight.ravel()}
        assert numbers in ({1.0}, {2.0})
        readings += 1
    for saver in savers:
        saver.join()
    reader.load_weights(found)
    assert {float(weight.ravel()[0]) for weight in reader.get_weights()} in ({1.0}, {2.0})


@pytest.mark.parametrize("error", [FileFormatError, FileNotFoundError])
def test_a_path_is_read_again_where_it_was_replaced_and_else_not(
    error: type[Exception], tmp_path: Path
) -> None:
    path, readings = tmp_path / "m", []

    def read() -> str:
        readings.append(path.read_text())
        if len(readings) == 1:
            (tmp_path / "new").write_text("new and longer")
            (tmp_path / "new").replace(path)
        if readings[-1] != "new and longer" or len(readings) > 2:
            raise error("damaged")
        return readings[-1]

    path.write_text("old")
    assert read_whole(path, read) == "new and longer"
    assert len(readings) == 2
    with pytest.raises(error):
        read_whole(str(path), read)
    assert len(readings) == 3
    with pytest.raises(error):
        read_whole(b"bytes of a file", read)


def test_saves_of_several_files_take_turns_between_processes(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="locks of folders are POSIX's")
    ask = "import fcntl, os; fcntl.flock(os.open('.', os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)"

    def is_free() -> bool:
        run = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True)
        return run.returncode == 0

    with one_save_at_a_time(tmp_path):
        with one_save_at_a_time(tmp_path):  # a save within a save
            pass
        assert not is_free()
    assert is_free()
    assert not list(tmp_path.iterdir())


FORKED_WITHIN_A_SAVE = """
import os, pathlib, sys, threading, time
from nacre.core.save_turn import one_save_at_a_time

folder = pathlib.Path(sys.argv[1])
(folder / "other").mkdir()
begun, may_end = threading.Event(), threading.Event()

def save():
    with one_save_at_a_time(folder):
        begun.set()
        may_end.wait()

saver = threading.Thread(target=save)
saver.start()
begun.wait()
read, write = os.pipe()
if not (child := os.fork()):
    with one_save_at_a_time(folder / "other"):
        os.write(write, b"other,")
    with one_save_at_a_time(folder):
        os.write(write, b"same,")
    os._exit(0)
found = os.read(read, 6)
time.sleep(0.2)  # in which a child that does not wait for its turn writes
os.write(write, b"ended,")
may_end.set()
saver.join()
for _ in range(2000):
    if os.waitpid(child, os.WNOHANG)[0]:
        break
    time.sleep(0.01)
else:
    os.kill(child, 9)
os.close(write)
print((found + os.read(read, 99)).decode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_forked_while_a_thread_saves_waits_for_its_turn_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKED_WITHIN_A_SAVE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "other,ended,same,", done.stderr


def test_an_error_in_a_save_lets_the_next_one_in(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="no"), one_save_at_a_time(tmp_path):
            raise ValueError("no")
    nacre.Sequential([nacre.Input((1,)), nacre.layers.Dense(1)]).save_weights(tmp_path / "m")


@nacre.saving.register_keras_serializable("read_while_saved")
class _Equal(nacre.layers.Layer):
    """Weights that every step lowers by the same number."""

    def build(self, input_shape: Any) -> None:
        for index in range(4):
            self.add_weight(shape=(50, 50), name=f"w{index}", initializer="zeros")

    def call(self, inputs: Any) -> Any:
        total = sum(nacre.ops.sum(weight) for weight in self.weights)
        return total + 0.0 * inputs


def _saved(name: str, verify: bool) -> Callable[[Any, Path], Any]:
    def save(model: Any, folder: Path) -> Any:
        model.save_weights(folder / name, verify=verify)
        other = nacre.Sequential([nacre.Input((1,)), _Equal()])
        other.load_weights(folder / name)
        return other.get_weights()

    return save


KEPT: dict[str, Callable[[Any, Path], Any]] = {
    "weights": _saved("m.weights.h5", True),
    "weights, unverified": _saved("m.weights.h5", False),
    "checkpoint": _saved("m", True),
    "checkpoint, unverified": _saved("m", False),
    "get_weights": lambda model, folder: model.get_weights(),
    "deepcopy": lambda model, folder: copy.deepcopy(model).get_weights(),
}


@pytest.mark.parametrize("kind", KEPT)
def test_what_is_kept_while_another_thread_trains_is_of_one_step(kind: str, tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((1,)), _Equal()])
    model.compile(nacre.optimizers.SGD(2.0**-10), lambda y_true, y_pred: y_pred)
    x = np.zeros((4000, 1), "float32")
    begun = threading.Event()
    told = nacre.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: begun.set())

    def train() -> None:
        model.fit(x, x, 1, 4, verbose=0, callbacks=[told])

    training = threading.Thread(target=train)
    training.start()
    begun.wait(60)
    times = 0
    while training.is_alive() and times < 8:
        found = KEPT[kind](model, tmp_path)
        assert len({float(x) for weight in found for x in weight.ravel()}) == 1
        times += 1
    model.stop_training = True
    training.join()
    assert times
