"""What every callback promises: its hooks run, and one object serves many trainings alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nacre import callbacks
from nacre.callbacks import Callback
from nacre.optimizers import SGD
from tests.callbacks.host import Host, train


def orbax_checkpoint(folder: Path) -> Callback:
    pytest.importorskip("orbax.checkpoint")
    return callbacks.OrbaxCheckpoint(folder, save_on_background=False)


MAKERS: dict[str, Callable[..., Callback]] = {
    "BackupAndRestore": lambda folder: callbacks.BackupAndRestore(folder / "backup"),
    "CSVLogger": lambda folder: callbacks.CSVLogger(folder / "log.csv"),
    "EarlyStopping": lambda folder: callbacks.EarlyStopping(patience=1, restore_best_weights=True),
    "HParamsCallback": lambda folder: callbacks.HParamsCallback(folder, {"units": 8}),
    "History": lambda folder: callbacks.History(),
    "LambdaCallback": lambda folder: callbacks.LambdaCallback(on_epoch_end=lambda e, logs: None),
    "LearningRateScheduler": lambda folder: callbacks.LearningRateScheduler(
        lambda epoch: 0.1 / (epoch + 1)
    ),
    "ModelCheckpoint": lambda folder: callbacks.ModelCheckpoint(
        folder / "{epoch}.keras", save_best_only=True
    ),
    "OrbaxCheckpoint": lambda folder: orbax_checkpoint(folder),
    "ProgbarLogger": lambda folder: callbacks.ProgbarLogger(),
    "ReduceLROnPlateau": lambda folder: callbacks.ReduceLROnPlateau(patience=1),
    "RemoteMonitor": lambda folder: callbacks.RemoteMonitor("http://127.0.0.1:9"),
    "StochasticWeightAveraging": lambda folder: callbacks.StochasticWeightAveraging(1, 0.05),
    "SwapEMAWeights": lambda folder: callbacks.SwapEMAWeights(),
    "TensorBoard": lambda folder: callbacks.TensorBoard(folder),
    "TerminateOnNaN": lambda folder: callbacks.TerminateOnNaN(),
    "TrainableSchedule": lambda folder: callbacks.TrainableSchedule({}),
}
ALL = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
VALUES = [3.0, 2.0, 4.0, 5.0, 6.0]


def host() -> Host:
    found = Host(SGD(0.1, use_ema=True))
    found.optimizer.build(found.trainable_variables)
    return found


def outcome(callback: Callback, verbose: int = 0) -> tuple[object, ...]:
    model = train(callback, VALUES, host=host(), verbose=verbose)
    return model.weight, model.saved, model.history.history, model.history.epoch


def test_every_public_callback_is_here():
    public = {
        name
        for name in callbacks.__all__
        if issubclass(getattr(callbacks, name), Callback) and name != "Callback"
    }
    assert public == set(MAKERS)


# A checkpoint keeps its best across fits, so that going on with training never overwrites a better
# file; its own tests say so.
REUSABLE = {name: make for name, make in MAKERS.items() if name != "ModelCheckpoint"}


@pytest.mark.parametrize("make", REUSABLE.values(), ids=REUSABLE)
@pytest.mark.filterwarnings("ignore:RemoteMonitor")
def test_five_folds_with_one_object_are_alike(make, tmp_path, capsys):
    callback = make(tmp_path)
    first = outcome(callback)
    for _ in range(4):
        assert outcome(callback) == first


@ALL
def test_all_hooks_can_be_called_in_any_mode(make, tmp_path, capsys):
    callback, model = make(tmp_path), host()
    callback.set_params({"verbose": 1, "epochs": 1, "steps": 1})
    callback.set_model(model)
    callback.on_train_begin({})
    callback.on_train_batch_begin(0, {})
    callback.on_train_batch_end(0, {"loss": 1.0})
    callback.on_train_end({})
    for mode in ("test", "predict"):
        getattr(callback, f"on_{mode}_begin")({})
        getattr(callback, f"on_{mode}_batch_begin")(0, {})
        getattr(callback, f"on_{mode}_batch_end")(0, {})
        getattr(callback, f"on_{mode}_end")({})
    assert model.stop_training is False


@ALL
@pytest.mark.filterwarnings("ignore:RemoteMonitor")
def test_works_beside_the_progress_bar_without_slowing_the_loop(make, tmp_path, capsys):
    callback = make(tmp_path)
    assert callback.batch_hooks() == set()
    outcome(callback, verbose=1)
    shown = capsys.readouterr().out.splitlines()
    assert sum(row.startswith("Epoch ") and " - " in row for row in shown) >= 3


@ALL
def test_it_says_what_it_remembers_be_it_nothing(
    make: Callable[..., Callback], tmp_path: Path
) -> None:
    kinds = type(make(tmp_path)).__mro__
    assert any("remembers" in vars(kind) for kind in kinds if kind is not Callback)
