"""`history.plot()`, and what a history keeps for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nacre.callbacks import History
from nacre.core.errors import ArgumentError, UnknownNameError


@pytest.fixture
def history():
    record = History()
    record.on_train_begin()
    for epoch in range(4):
        record.on_epoch_begin(epoch)
        logs = {"loss": 1 / (epoch + 1), "accuracy": 0.1 * epoch, "matrix": [[1.0, 2.0]]}
        if epoch % 2:
            logs |= {"val_loss": float("nan") if epoch == 1 else 0.5}
        record.on_epoch_end(epoch, logs)
    return record


@pytest.fixture
def pyplot():
    module = pytest.importorskip("matplotlib.pyplot")
    module.switch_backend("Agg")
    yield module
    module.close("all")


def test_each_metric_has_a_picture_with_its_validation(history, pyplot, tmp_path):
    figure = history.plot(save=tmp_path / "curves.png")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert all(axes.get_xlabel() == "epoch" for axes in figure.axes)
    training, validation = figure.axes[0].lines
    assert list(training.get_xdata()) == [1, 2, 3, 4]
    assert list(validation.get_xdata()) == [2, 4]  # the epochs it ran in
    assert (tmp_path / "curves.png").exists()


def test_some_metrics_can_be_asked_for(history, pyplot):
    assert [axes.get_ylabel() for axes in history.plot("accuracy").axes] == ["accuracy"]
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        history.plot(["acuracy"])


def test_a_history_without_epochs_has_nothing_to_show():
    with pytest.raises(ArgumentError, match="epoch"):
        History().plot()


def test_a_history_knows_how_long_its_epochs_took(history):
    assert len(history.seconds) == 4 and all(second > 0 for second in history.seconds)


def test_matplotlib_is_imported_by_the_first_picture_alone():
    code = "import sys, nacre; nacre.callbacks.History(); print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
