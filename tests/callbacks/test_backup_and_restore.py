"""`BackupAndRestore`: a training that was interrupted goes on exactly, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import callbacks
from nacre.core.errors import ArgumentError, WeightsMismatchError
from tests.training.resuming import Kill, Killed, X, Y, fit, model, new, same, unbroken, values


def train(made: nacre.Model, folder: Path, *others: Any, **options: Any) -> Any:
    return fit(made, None, [*others, callbacks.BackupAndRestore(folder, **options)])


@pytest.mark.parametrize("save_freq", ["epoch", 2])
def test_a_training_that_crashed_ends_with_the_same_bits_and_the_whole_history(
    tmp_path: Path, save_freq: Any
) -> None:
    wanted, folder = unbroken(), tmp_path / "backup"
    with pytest.raises(Killed):
        train(model(), folder, Kill(2, 4), save_freq=save_freq)
    assert sorted(path.name for path in folder.glob("state-*"))
    made = model()
    same(made, train(made, folder, save_freq=save_freq), wanted)
    assert not folder.exists()


def test_what_is_not_its_own_stays_in_the_folder_and_the_backup_may_too(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep")
    train(model(), tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]
    train(model(), tmp_path, delete_checkpoint=False)
    made = model()
    with pytest.warns(UserWarning, match="came to its end in epoch 4"):
        same(made, train(made, tmp_path, delete_checkpoint=False), unbroken())


def test_what_cannot_go_on_exactly_is_warned_of_and_another_model_refused(tmp_path: Path) -> None:
    def batches() -> Any:
        while True:
            for first in range(0, 20, 4):
                yield X[first : first + 4], Y[first : first + 4]

    def run(made: nacre.Model, *listed: Any) -> Any:
        return made.fit(batches(), epochs=3, steps_per_epoch=3, verbose=0, callbacks=list(listed))

    made = model()
    run(made)
    wanted = values(made)
    backup = callbacks.BackupAndRestore(tmp_path)
    with pytest.warns(UserWarning, match="generator as x"), pytest.raises(Killed):
        run(model(), Kill(1, 1), backup)
    nacre.utils.clear_session()
    with pytest.warns(UserWarning, match="generator as x"), pytest.raises(WeightsMismatchError):
        run(new(5), backup)
    made = model()
    made.optimizer.learning_rate = 0.5
    warnings.filterwarnings("ignore", ".*generator as x")
    with pytest.warns(UserWarning, match=r"another training.*learning_rate 0\.01, now 0\.5"):
        run(made, backup)
    # Those that were used are taken from a generator: one that repeats itself goes on exactly.
    for path, value in values(made).items():
        np.testing.assert_array_equal(value, wanted[path], err_msg=path)


def test_sigterm_ends_training_after_the_step_when_it_was_kept(tmp_path: Path) -> None:
    class Terminated(Kill):
        def _end(self, place: Any) -> None:
            if (self.epoch, place) == self.at:
                signal.raise_signal(signal.SIGTERM)

    options: dict[str, Any] = {"save_freq": False, "save_before_preemption": True}
    with pytest.raises(SystemExit) as raised:
        train(model(), tmp_path, Terminated(1, "end"), **options)
    assert raised.value.code == 143 and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    made = model()
    same(made, train(made, tmp_path, **options), unbroken())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"backup_dir": ""}, "backup_dir must be the path of a folder"),
        ({"save_freq": "batch"}, "save_freq must be a positive int .batches. or 'epoch'"),
        ({"save_freq": False}, "save_freq"),
        ({"save_frequency": 3}, "save_freq"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        callbacks.BackupAndRestore(**{"backup_dir": "runs", **options})


def test_two_of_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="one BackupAndRestore is enough"):
        train(model(), tmp_path / "a", callbacks.BackupAndRestore(tmp_path / "b"))
