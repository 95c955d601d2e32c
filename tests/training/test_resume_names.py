"""A training goes on in a process that made the model before, as a notebook's cell that runs twice.

Automatic names count on there: `dense` is `dense_2` the second time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers
from nacre.core.errors import ArgumentError
from nacre.training.manifest import differences
from nacre.training.run_settings import renamed_since

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4)).astype("float32")
Y = (X.sum(1, keepdims=True) > 0).astype("float32")


AUTOMATIC = ("dense_4_auc", "dense_4_loss", "dense_5_auc_1", "dense_5_loss")


class Stop(callbacks.Callback):
    """Ends the training as Ctrl-C does, after an epoch."""

    remembers = ()

    def __init__(self, epoch: int) -> None:
        self.at = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.at:
            raise KeyboardInterrupt


def cell(listed: Any = (), folder: Any = None, width: int = 3, first: str | None = None) -> Any:
    """What a cell of a notebook does; two outputs and metrics have automatic names too."""
    nacre.utils.set_random_seed(1)
    x = nacre.Input((4,))
    hidden = layers.Dropout(0.2)(layers.Dense(width, name=first)(x))
    outputs = [layers.Dense(1, activation="sigmoid")(hidden) for _ in range(2)]
    model = nacre.Model(x, outputs)
    model.compile("adam", ["mse"] * 2, metrics=[[nacre.metrics.AUC()] for _ in outputs])
    often = {} if folder is None else {"resume": folder, "resume_every_steps": 1}
    history = model.fit(
        X, [Y, Y], batch_size=4, epochs=3, verbose=0, callbacks=list(listed), **often
    )
    return model, history.history


@pytest.fixture(scope="module")
def unbroken() -> Any:
    nacre.utils.clear_session()
    return cell()


def _same(ours: Any, theirs: Any) -> None:
    for one, other in zip(ours[0].get_weights(), theirs[0].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert ours[0].layers[1].name != theirs[0].layers[1].name
    assert list(ours[1].values()) == list(theirs[1].values())


def test_fit_goes_on_and_the_history_has_the_names_of_now(tmp_path: Path, unbroken: Any) -> None:
    nacre.utils.clear_session()
    log = tmp_path / "log.csv"
    with pytest.raises(KeyboardInterrupt):
        cell([Stop(1), callbacks.CSVLogger(log)], tmp_path / "run")
    ours = cell([callbacks.CSVLogger(log)], tmp_path / "run")
    assert ours[0].layers[1].name == "dense_3"
    _same(ours, unbroken)
    assert set(ours[1]) == {*AUTOMATIC, "loss"}
    assert "NA" not in [row.split(",")[1] for row in log.read_text().splitlines()]


def test_a_backup_goes_on_without_a_word(tmp_path: Path, unbroken: Any) -> None:
    nacre.utils.clear_session()
    with pytest.raises(KeyboardInterrupt):
        cell([Stop(0), callbacks.BackupAndRestore(tmp_path)])
    _same(cell([callbacks.BackupAndRestore(tmp_path)]), unbroken)


def test_what_is_over_is_given_back_under_the_names_of_now(tmp_path: Path) -> None:
    nacre.utils.clear_session()
    stopping = callbacks.EarlyStopping("loss", patience=0, restore_best_weights=True, mode="max")
    wanted = cell([stopping], tmp_path)
    with pytest.warns(UserWarning, match="so nothing is trained"):
        ours = cell([stopping], tmp_path)
    _same(ours, wanted)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"width": 4}, r"layers\[1\].config.units 3, now 4"),
        ({"first": "encoder"}, r"name dense, now encoder.*Give what it was begun with"),
    ],
)
def test_another_model_is_refused_by_what_differs(tmp_path: Path, changed: Any, text: str) -> None:
    nacre.utils.clear_session()
    with pytest.raises(KeyboardInterrupt):
        cell([Stop(0)], tmp_path)
    with pytest.raises(ArgumentError, match=f"keeps another training.*{text}"):
        cell((), tmp_path, **changed)


def test_layers_more_or_fewer_are_named_by_their_classes() -> None:
    then = {"layers": [{"class_name": "Dense", "config": {"units": 3}}]}
    now = {"layers": [*then["layers"], {"class_name": "Dropout", "config": {}}]}
    assert differences(then, now) == ["layers Dense, now Dense, Dropout"]


def test_names_that_changed_places_are_no_automatic_ones() -> None:
    def of(*names: str) -> Any:
        return {"layers": [{"name": name} for name in names]}

    assert renamed_since(of("a_1", "a_2"), of("a_2", "a_1")) == {}
    assert renamed_since(of("a_1", "a_2"), of("a_2", "a_3")) == {"a_1": "a_2", "a_2": "a_3"}
    assert renamed_since(of("a_1", "a_1"), of("a_2", "a_3")) == {}
    assert renamed_since(of("a"), of("b")) == {}


def test_what_is_called_otherwise_now_is_followed_to_where_it_is_used() -> None:
    names = {"a_1": "a_2", "a_2": "a_3"}
    then = {"name": "a_1", "from": ["a_2", 0, 0], "loss": {"a_2": "mse"}}
    now = {"name": "a_2", "from": ["a_3", 0, 0], "loss": {"a_3": "mse"}}
    assert differences(then, now, names=names) == []
    now["from"] = ["a_2", 0, 0]
    assert differences(then, now, names=names) == ["from[0] a_2, now a_2"]
