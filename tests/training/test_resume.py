"""`fit(resume=folder)`: what is kept, when, and what another run with the folder gets."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import callbacks, layers
from nacre.core import atomic
from nacre.core.errors import (
    ArgumentError,
    BusyError,
    DataError,
    FileFormatError,
    NonFiniteError,
)
from nacre.core.folder_lock import FolderLock
from nacre.training import evaluation, keeper, loop, state_file
from tests.training.resuming import (
    SOURCES,
    Count,
    Kill,
    Killed,
    Shuffled,
    X,
    Y,
    fit,
    model,
    new,
    same,
    shared,
    unbroken,
    values,
)


def write_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each state that is due be written before training goes on, however slow the disk is."""
    keep = keeper.Keeper.keep

    def keep_now(self: keeper.Keeper, *arguments: Any) -> None:
        keep(self, *arguments)
        self.wait()

    monkeypatch.setattr(keeper.Keeper, "keep", keep_now)


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """fit that ends in the middle as if the process were gone: nothing is kept at its end."""

    def run(folder: Path, kill: Kill, listed: Any = (), made: Any = None, **options: Any) -> None:
        write_at_once(monkeypatch)
        monkeypatch.setattr(loop.TrainRun, "_keep_at_the_end", lambda *_: None)
        with pytest.raises(Killed):
            fit(made or model(), folder, [*listed, kill], **options)
        monkeypatch.undo()

    return run


@pytest.mark.parametrize(
    ("source", "place"),
    [
        *[("arrays", place) for place in (1, 5, "validation", "end")],
        *[
            (source, place)
            for source in ("augmented", "shuffled", "loader", "dataset", "dataset ahead")
            for place in (1, "end")
        ],
    ],
    ids=str,
)
def test_a_killed_run_goes_on_with_the_same_bits(
    tmp_path: Path, killed: Any, source: str, place: Any
) -> None:
    wanted = unbroken(source)
    killed(tmp_path, Kill(1, place), [Count()], data=SOURCES[source]())
    np.random.random(3)
    made, told = model(), Count()
    same(made, fit(made, tmp_path, [told], SOURCES[source]()), wanted)
    assert (np.random.random(), told.told) == wanted[2:4]


@pytest.mark.parametrize("place", ["step", "validation"])
def test_ctrl_c_keeps_the_last_step_and_callbacks_are_told_of_each_batch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    wanted = unbroken()
    # A signal that comes while a step runs acts when it is done, before callbacks are told of it.
    kind = loop.TrainRun if place == "step" else evaluation.EvaluationRun
    real, calls = kind._report, []

    def report(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) == (15 if place == "step" else 3):
            raise KeyboardInterrupt
        real(*arguments, **options)

    monkeypatch.setattr(kind, "_report", report)
    with pytest.raises(KeyboardInterrupt):
        fit(model(), tmp_path, [Count()], resume_every_steps=1000)
    monkeypatch.undo()
    made, told = model(), Count()
    same(made, fit(made, tmp_path, [told]), wanted)
    assert told.told == wanted[3]


def test_a_run_that_is_over_gives_its_history_back_and_goes_on_with_more_epochs(
    tmp_path: Path,
) -> None:
    best = callbacks.EarlyStopping("mae", mode="min", patience=9, restore_best_weights=True)
    made = model()
    history = fit(made, tmp_path, [best, Count()])
    ended = values(made)
    again = model()
    with pytest.warns(UserWarning, match=r"came to its end in epoch 4.*Got epochs=4"):
        same(again, fit(again, tmp_path, [best, Count()]), (history.history, history.epoch, ended))
    assert again.history.epoch == [0, 1, 2, 3]
    longer, told = model(), Count()
    history = fit(longer, tmp_path, [best, told], epochs=6)
    whole, count = model(), Count()
    wanted = fit(whole, None, [best, count], epochs=6)
    assert (history.history, history.epoch) == (wanted.history, wanted.epoch)
    assert told.told == count.told


def test_a_run_that_a_callback_stopped_is_over_whatever_epochs_says(tmp_path: Path) -> None:
    stop = callbacks.EarlyStopping("mae", mode="min", min_delta=9, restore_best_weights=True)
    made = model()
    history = fit(made, tmp_path, [stop])
    assert history.epoch == [0, 1]
    ended, again = values(made), model()
    with pytest.warns(UserWarning, match=r"stopped by a callback in epoch 2.*Got epochs=9"):
        found = fit(again, tmp_path, [stop], epochs=9)
    same(again, found, (history.history, history.epoch, ended))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "batch size": ({"batch_size": 5}, "batch size 4"),
    "fewer samples": ({"data": (X[:21], Y[:21])}, "data.rows"),
    "other order": ({"data": (X[::-1], Y[::-1])}, "data.rows"),
    "shuffle": ({"shuffle": False}, "data.shuffle True, now False"),
    "steps": ({"steps_per_epoch": 3}, "steps 6.*Got.*steps 3"),
    "callbacks": ({"listed": [Count(), callbacks.EarlyStopping()]}, "EarlyStopping"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was ended in its second epoch."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.raises(Killed):
        fit(model(), folder, [Count(), Kill(1, "end")])
    return folder


@pytest.mark.parametrize("case", REFUSED)
def test_another_run_is_refused_and_what_differs_is_named(kept: Path, case: str) -> None:
    changed, text = REFUSED[case]
    made = model()
    before, files = made.get_weights(), sorted(kept.glob("state-*"))
    with pytest.raises((ArgumentError, DataError), match=text):
        fit(made, kept, **{"listed": [Count()], **changed})
    for ours, theirs in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(kept.glob("state-*")) == files


MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "shapes": ({"width": 5}, r"layers\[1\].config.units 3, now 5"),
    "optimizer": ({"optimizer": "sgd"}, "compile.optimizer.class_name Adam, now SGD"),
    "rate": ({"optimizer": nacre.optimizers.Adam(0.1)}, "learning_rate 0.01, now 0.1"),
    "loss": ({"loss": "mae"}, "compile.loss mse, now mae"),
    "own loss": ({"loss": lambda y, p: (y - p) ** 2}, "compile.loss"),
}


@pytest.mark.parametrize("case", MODELS)
def test_another_model_or_compile_is_refused(kept: Path, case: str) -> None:
    changed, text = MODELS[case]
    shared()
    nacre.utils.clear_session()
    nacre.utils.set_random_seed(1)
    with pytest.raises(ArgumentError, match=f"keeps another training.*{text}"):
        fit(new(**changed), kept, [Count()])


def test_code_that_moved_within_its_file_is_no_difference(tmp_path: Path) -> None:
    def made(code: str) -> nacre.Model:
        nacre.utils.clear_session()
        nacre.utils.set_random_seed(1)
        parts = [nacre.Input((4,)), layers.Lambda(eval(code)), layers.Dense(1)]
        made = nacre.Sequential(parts)
        made.compile("sgd", "mse")
        return made

    with pytest.raises(Killed):
        fit(made("lambda x: 2.0 * x"), tmp_path, [Kill(1, "end")])
    fit(made("(\n\nlambda x: 2.0 * x)"), tmp_path)


def test_another_seed_is_refused(kept: Path) -> None:
    made = model()
    nacre.utils.set_random_seed(2)
    with pytest.raises(ArgumentError, match="seed 1, now 2"):
        fit(made, kept, [Count()])


@pytest.mark.parametrize("spoil", ["cut", "one bit"])
def test_a_state_that_is_not_whole_is_never_taken(tmp_path: Path, killed: Any, spoil: str) -> None:
    killed(tmp_path, Kill(1, 3), [Count()])
    _, newest = sorted(tmp_path.glob("state-*"))

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content[:-1] if spoil == "cut" else content)

    damage(newest)
    made, told = model(), Count()
    with pytest.warns(UserWarning, match=f"the one before it is taken.*{newest.name} "):
        same(made, fit(made, tmp_path, [told]), unbroken())
    assert told.told == unbroken()[3]
    for path in tmp_path.glob("state-*"):
        damage(path)
    with pytest.raises(FileFormatError, match="must be whole.*Delete them to begin anew"):
        fit(model(), tmp_path, [Count()])


def test_a_full_disk_is_warned_of_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    real = atomic._written

    def write(path: Path, content: Any) -> Any:
        if "state" in path.name:
            written.append(1)
            if len(written) in (2, 3):
                path.write_bytes(b"a part of it")
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(atomic, "_written", write)
    write_at_once(monkeypatch)
    made = model()
    with pytest.warns(UserWarning, match="tries again. Got '.*': No space left") as told:
        same(made, fit(made, tmp_path), unbroken()[:2] + unbroken()[-1:])
    assert len(told) == 1 and len(written) > 4
    assert sorted(path.name[:5] for path in tmp_path.iterdir()) == [
        "lock",
        "manif",
        "state",
        "state",
    ]


def test_a_folder_that_cannot_be_written_to_is_an_error_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    made = model()
    with pytest.raises(ArgumentError, match="'.*file', a file"):
        fit(made, tmp_path / "file")
    with pytest.raises(OSError, match="must be written to the folder. Got '.*file/runs'"):
        fit(made, tmp_path / "file" / "runs")

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(atomic, "_written", refuse)
    with pytest.raises(PermissionError, match=r"folder.*Got '.*': Permission denied"):
        fit(made, tmp_path / "runs")
    assert int(made.optimizer.iterations) == 0


def test_one_process_at_a_time_keeps_a_run_in_a_folder(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from nacre.core.folder_lock import FolderLock;"
        "lock = FolderLock(pathlib.Path(sys.argv[1]), 'fit'); print('held', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {other.pid} on .*, since"):
            fit(model(), tmp_path)
    finally:
        other.kill()
        other.communicate()

    class Again(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            with pytest.raises(BusyError, match="which is this one"):
                FolderLock(tmp_path, "fit")

    fit(model(), tmp_path, [Again()], epochs=1)


def test_a_bad_batch_is_the_same_error_after_a_resume_and_never_kept(tmp_path: Path) -> None:
    spoiled = X.copy()
    spoiled[13] = np.nan
    for _ in range(2):
        with pytest.raises(NonFiniteError, match="step 4 of the epoch, epoch 1; x holds nan"):
            fit(model(), tmp_path, data=(spoiled, Y), shuffle=False)
    arrays, data = state_file.read(sorted(tmp_path.glob("state-*"))[-1])
    assert data["position"]["step"] <= 3
    assert all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f")


def generator() -> Any:
    yield X[:4], Y[:4]


class Forgetful(Shuffled):
    state = restore = None


SEEKLESS: dict[str, tuple[Any, str]] = {
    "generator": (generator, "generator as x.*Give arrays, or batches by index in a PyDataset"),
    "iterable": (lambda: Repeated(), "Repeated as x.*state_dict"),
    "own order": (Forgetful, "Forgetful as x: it changes at on_epoch_end.*Give it state"),
}


class Repeated:
    def __iter__(self) -> Any:
        return generator()


@pytest.mark.parametrize("case", SEEKLESS)
def test_data_that_cannot_go_on_in_the_middle_says_so_before_the_first_step(
    tmp_path: Path, case: str
) -> None:
    make, text = SEEKLESS[case]
    made = model()
    with pytest.raises(DataError, match=text):
        fit(made, tmp_path / "runs", data=(make(), None))
    with pytest.raises(DataError, match=text.replace(" as x", " as validation_data")):
        fit(made, tmp_path / "runs", validation_data=make())
    assert int(made.optimizer.iterations) == 0 and not (tmp_path / "runs").exists()


def test_what_callbacks_change_and_do_not_remember_is_named(tmp_path: Path, killed: Any) -> None:
    class Patience(callbacks.Callback):
        def __init__(self) -> None:
            self.best, self.limit = None, 3

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.best = logs["loss"]

    killed(tmp_path, Kill(1, "end"), [Patience()])
    with pytest.warns(UserWarning, match=r"not remembered: Patience.best. List such"):
        fit(model(), tmp_path, [Patience()])


def test_other_versions_or_another_processor_are_warned_of(
    tmp_path: Path, killed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(tmp_path, Kill(1, "end"), [Count()])
    now = keeper.run_manifest()
    older = {**now, "processor": "one with feathers", "date": "long ago", "cores": 3}
    monkeypatch.setattr(keeper, "run_manifest", lambda: older)
    with pytest.warns(
        UserWarning, match=r"may be others. Got processor .*, now one with feathers.$"
    ):
        fit(model(), tmp_path, [Count()])
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["versions"] == now["versions"]
    assert [run["cores"] for run in manifest["resumed"]] == [3]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"resume_every_steps": 0}, "resume_every_steps must be a positive int"),
        ({"resume_every_seconds": 0}, "resume_every_seconds must be a positive number"),
        ({"resume": None, "resume_every_steps": 5}, "Pass resume='runs/1' too"),
        ({"resume": 7}, "resume must be the path of a folder. Got int"),
    ],
)
def test_arguments_are_checked(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError, match=text):
        model().fit(X, Y, verbose=0, **{"resume": tmp_path, **options})


def test_where_it_goes_on_is_said_and_the_bar_counts_from_there(
    tmp_path: Path, killed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    killed(tmp_path, Kill(1, 3))
    capsys.readouterr()
    fit(model(), tmp_path, verbose=2, epochs=2)
    said = capsys.readouterr().out
    assert f"Going on with the training in '{tmp_path}': epoch 2/2, after step 3." in said
    assert "Epoch 2/2" in said and "Epoch 1/2" not in said


def test_the_same_model_goes_on_after_an_error_whatever_the_run_had_set(
    tmp_path: Path, killed: Any
) -> None:
    lower = callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=10, factor=0.5)
    unfreeze = callbacks.TrainableSchedule({0: {"dense": False}, 2: {"dense": True}})
    made = model()
    # The rate and the flag were set after the last state.
    killed(tmp_path, Kill(2, "end"), [unfreeze, lower], made)
    assert fit(made, tmp_path, [unfreeze, lower]).epoch == [0, 1, 2, 3]
    made.layers[0].trainable = True
    other = model()
    fit(other, tmp_path / "other", epochs=1)
    other.optimizer.learning_rate = 0.5  # by the user, which is not to be lost in silence
    with pytest.raises(ArgumentError, match="learning_rate 0.01, now 0.5"):
        fit(other, tmp_path / "other")
