"""What is left of a training that `TensorBoard` watched, however it ended."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre import layers, summary
from nacre.callbacks import Callback, TensorBoard
from nacre.summary import event_file
from tests.summary.event_files import event_files, scalars

from .host import train

ROOT = Path(__file__).resolve().parents[2]
X, Y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")


def compiled():
    model = nacre.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


class Ends(Callback):
    def __init__(self, error=None):
        self.error, self.ended = error, 0

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2 and self.error is not None:
            raise self.error

    def on_train_end(self, logs=None):
        self.ended += 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_ends_a_training_the_files_are_whole_and_closed(error, tmp_path):
    board, model = TensorBoard(tmp_path), compiled()
    with pytest.raises(error):
        model.fit(X, Y, epochs=5, verbose=0, callbacks=[board, Ends(error())])
    assert [step for step, _ in scalars(tmp_path, "train")["epoch_loss"]] == [0, 1]
    assert not board._run.writers and not summary.should_record_summaries()
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[board])
    assert len(event_files(tmp_path)) == 2


def test_a_killed_process_leaves_all_epochs_that_ended(tmp_path):
    program = f"""
        import os
        from nacre.callbacks import TensorBoard
        from tests.callbacks.host import train
        class Dies(TensorBoard):
            def on_train_batch_end(self, batch, logs=None):
                super().on_train_batch_end(batch, logs)
                if self._epoch == 2 and batch == 1:
                    os._exit(9)
        train(Dies({str(tmp_path)!r}, update_freq="batch"), [1.0, 2.0, 3.0])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, check=False)
    assert done.returncode == 9
    assert [step for step, _ in scalars(tmp_path, "train")["epoch_loss"]] == [0, 1]


def test_a_full_disk_ends_training_with_the_model_as_it_was_learnt(tmp_path, monkeypatch):
    model, ends = compiled(), Ends()

    class Fills(Callback):
        """Fills the disk in the second epoch."""

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                monkeypatch.setattr(event_file, "record", full)

    def full(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(file):
        if event_file.record is full:
            raise file._told(OSError(errno.ENOSPC, ""))
        return true_flush(file)

    true_flush = event_file.EventFile.flush
    monkeypatch.setattr(event_file, "record", event_file.record)
    monkeypatch.setattr(event_file.EventFile, "flush", flush)
    callbacks = [Fills(), TensorBoard(tmp_path), ends]
    with pytest.raises(OSError) as error:
        model.fit(X, Y, epochs=5, verbose=0, callbacks=callbacks)
    assert error.value.errno == errno.ENOSPC
    assert ends.ended == 1 and int(model.optimizer.iterations) == 2
    assert not summary.should_record_summaries()
    monkeypatch.undo()
    assert scalars(tmp_path, "train")["epoch_loss"][0][0] == 0
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[callbacks[1]])


def test_a_folder_that_cannot_be_written_is_told_before_the_first_step(tmp_path):
    (tmp_path / "logs").write_text("a file")
    model = compiled()
    before = model.get_weights()
    with pytest.raises(OSError, match="TensorBoard: an event file must be made in this folder"):
        model.fit(X, Y, verbose=0, callbacks=[TensorBoard(tmp_path / "logs")])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert not summary.should_record_summaries()


def test_one_object_serves_several_trainings_and_models(tmp_path):
    board = TensorBoard(tmp_path, update_freq="batch")
    for _ in range(2):
        compiled().fit(X, Y, batch_size=4, verbose=0, callbacks=[board])
    assert [step for step, _ in scalars(tmp_path, "train")["batch_loss"]] == [1, 2, 1, 2]


def test_two_at_once_write_to_their_own_folders(tmp_path):
    boards = [TensorBoard(tmp_path / name) for name in "ab"]
    train(boards, [1.0, 2.0])
    assert scalars(tmp_path, "a/train") == scalars(tmp_path, "b/train")
    assert not summary.should_record_summaries()
