"""A checkpoint keeps the last files, or the best, and removes only what it wrote itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nacre.callbacks import CSVLogger, ModelCheckpoint, OrbaxCheckpoint
from nacre.core.errors import ArgumentError
from tests.callbacks.host import Host, train


class Writer(Host):
    """Writes a file with the number of the epoch; fails in one of them."""

    fails_in: int | None = None

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        if self.weight == self.fails_in:
            raise OSError(28, "No space left on device")
        Path(filepath).write_text(str(self.weight))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


VALUES = [5.0, 3.0, 4.0, 1.0, 2.0, 6.0]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ({"keep_last": 1}, [6]),
        ({"keep_last": 3}, [4, 5, 6]),
        ({"keep_best": 2}, [4, 5]),
        ({"keep_best": 4}, [2, 3, 4, 5]),
        ({"keep_last": 2, "keep_best": 1}, [4, 5, 6]),
        ({"keep_last": 2, "save_best_only": True}, [2, 4]),
        ({"keep_best": 2, "save_best_only": True}, [2, 4]),
        ({"keep_best": 3, "initial_value_threshold": 2.5}, [4, 5]),
        ({"keep_best": 2, "mode": "max"}, [1, 6]),
        ({"keep_last": 9}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_last_or_the_best_files_are_kept(rules, kept, tmp_path):
    train(ModelCheckpoint(tmp_path / "{epoch}", **rules), VALUES, host=Writer())
    assert names(tmp_path) == [str(epoch) for epoch in kept]


def test_a_model_that_is_not_among_the_best_is_not_written(tmp_path, capsys):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", keep_best=1, verbose=1)
    train(checkpoint, [2.0, 2.0, float("nan"), 3.0, 1.0], host=Writer())
    assert names(tmp_path) == ["5"]
    shown = capsys.readouterr().out
    assert shown.count("is not better") == 3 and shown.count("is best, saved") == 2


def test_nothing_is_removed_before_the_next_file_is_written(tmp_path):
    host = Writer()
    host.fails_in = 4
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", keep_last=1)
    with pytest.raises(OSError, match="No space"):
        train(checkpoint, VALUES, host=host)
    assert names(tmp_path) == ["3"]
    host.fails_in = None
    train(checkpoint, VALUES[:5], host=host)
    assert names(tmp_path) == ["5"]  # it still knows the file of the training that failed


def test_files_of_others_stay(tmp_path):
    (tmp_path / "0").write_text("mine")
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", keep_last=1)
    host = Writer()
    train(checkpoint, VALUES[:2], host=host)
    (tmp_path / "2").write_text("put here by hand")
    train(checkpoint, VALUES[:1], host=host)
    assert names(tmp_path) == ["0", "1", "2"]


def test_a_second_training_knows_what_is_there(tmp_path):
    checkpoint, host = ModelCheckpoint(tmp_path / "{epoch}-{val_loss}", keep_best=2), Writer()
    train(checkpoint, [3.0, 1.0, 2.0], host=host)
    train(checkpoint, [0.5, 4.0], host=host)
    assert names(tmp_path) == ["1-0.5", "2-1.0"]


def test_another_model_begins_anew_and_the_files_of_the_one_before_stay(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{val_loss}", keep_best=1)
    train(checkpoint, [1.0, 2.0], host=Writer())
    train(checkpoint, [4.0, 3.0], host=Writer())
    assert names(tmp_path) == ["1-1.0", "2-3.0"]


def test_a_training_that_goes_on_from_a_state_knows_what_is_there(tmp_path):
    first = ModelCheckpoint(tmp_path / "{epoch}", keep_last=2)
    train(first, VALUES[:3], host=Writer())
    second = ModelCheckpoint(tmp_path / "{epoch}", keep_last=2)
    second.restore(json.loads(json.dumps(first.state())))
    train(second, VALUES[:1], host=Writer())
    assert names(tmp_path) == ["1", "3"]


def test_a_file_of_the_best_is_not_overwritten_by_a_worse_model(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{val_loss:.0f}", keep_best=2)
    with pytest.warns(UserWarning, match="not overwritten by a worse model"):
        train(checkpoint, [1.1, 2.9, 1.3, 2.7], host=Writer())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"1": "1.0", "3": "4.0"}


def test_a_file_that_cannot_be_removed_is_told_of(tmp_path, monkeypatch):
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "remove", refuse)
    with pytest.warns(UserWarning, match="Permission denied"):
        train(ModelCheckpoint(tmp_path / "{epoch}", keep_last=1), [1.0, 1.0], host=Writer())
    assert names(tmp_path) == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keep_last": 0}, "keep_last must be"),
        ({"keep_best": "2"}, "keep_best must be"),
        ({"keep_last": 2, "filepath": "best.keras"}, "names of the files must differ"),
    ],
)
def test_numbers_that_cannot_be_kept_are_refused(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        ModelCheckpoint(**{"filepath": "{epoch}.keras", **arguments})


# ------------------------------------------------------- counting, and former arguments


def test_every_so_many_epochs(tmp_path):
    train(ModelCheckpoint(tmp_path / "{epoch}", period=2), VALUES[:5], host=Writer())
    assert names(tmp_path) == ["2", "4"]


@pytest.mark.parametrize("counted", [{"period": 3}, {"save_freq": 5}])
@pytest.mark.filterwarnings("ignore:ModelCheckpoint")
def test_epochs_and_batches_are_counted_on_in_the_next_training_of_the_model(counted, tmp_path):
    checkpoint, host = ModelCheckpoint(tmp_path / "a", **counted), Writer()
    for _ in range(2):
        train(checkpoint, [1.0], host=host)
        assert names(tmp_path) == []
    train(checkpoint, [1.0], host=host)
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "former",
    [
        {"options": None},
        {"save_format": "keras"},
        {"save_format": None},
        {"load_weights_on_restart": False},
    ],
)
def test_arguments_of_tf_keras_2_that_change_nothing_are_taken(former, tmp_path):
    train(ModelCheckpoint(tmp_path / "{epoch}.keras", **former), [1.0], host=Writer())
    assert names(tmp_path) == ["1.keras"]


@pytest.mark.parametrize(
    ("former", "words"),
    [
        ({"save_format": "tf"}, "ending of filepath says the format"),
        ({"load_weights_on_restart": True}, r"Call model.load_weights\('a.keras'\)"),
        ({"save_best": True}, "Did you mean 'save_best_only'"),
        ({"period": 0}, "period must be"),
    ],
)
def test_arguments_that_would_change_something_are_refused(former, words):
    with pytest.raises(ArgumentError, match=words):
        ModelCheckpoint("a.keras", **former)


def test_a_period_longer_than_the_training_is_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="period must be at most"):
        train(ModelCheckpoint(tmp_path / "a", period=3), [1.0], host=Writer())


@pytest.mark.parametrize("kind", ["ModelCheckpoint", "CSVLogger", "OrbaxCheckpoint"])
def test_a_folder_that_cannot_be_made_is_told_of_before_the_first_step(kind, tmp_path):
    (tmp_path / "file").touch()
    if kind == "OrbaxCheckpoint":
        pytest.importorskip("orbax.checkpoint")
    path = tmp_path / "file" / ("a.keras" if kind == "ModelCheckpoint" else "a")
    made = {"ModelCheckpoint": ModelCheckpoint, "CSVLogger": CSVLogger}.get(kind, OrbaxCheckpoint)
    host = Writer()
    with pytest.raises(OSError, match=f"{kind}: the folder to write into must be there"):
        train(made(path), [1.0], host=host)
    assert host.weight == 0
