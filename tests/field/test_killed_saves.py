"""A save that ends at any moment, or cannot write, leaves the old model whole or the new one."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

import nacre
from nacre.core import atomic, temporary
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.models import load_model

KINDS = (
    "m.keras", "m.h5", "w.weights.h5", "w.h5", "w.safetensors", "w.npz", "w.ckpt", "s.weights.json",
    "h.safetensors.index.json", "folder",
)  # fmt: skip


def model_of(value: float):
    layers = [nacre.Input((3,)), *(nacre.layers.Dense(3, name=f"d{i}") for i in range(3))]
    model = nacre.Sequential(layers)
    model.set_weights([np.full(w.shape, value) for w in model.get_weights()])
    return model


def save(model, path) -> None:
    if path.name.startswith("folder"):
        model.save(path, zipped=False)
    elif path.suffix in (".keras", ".h5") and not path.name.startswith("w"):
        model.save(path)
    else:
        size = 60 / 1024**3 if path.suffix == ".json" else None
        model.save_weights(path, max_shard_size=size)


def value_in(path) -> float:
    """The one value that all weights of a saved model have."""
    if path.name[0] in "mf":
        model = load_model(path)
    else:
        model = model_of(-1.0)
        model.load_weights(path)
    (value,) = {float(v) for w in model.get_weights() for v in np.ravel(w)}
    return value


def temporary_files(folder) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith(".")]


def steps_counted(monkeypatch, act) -> list[str]:
    """Make every step of a save call `act(count, name)` before it happens."""
    happened: list[str] = []

    def watched(module, name, real):
        def step(*args, **kwargs):
            happened.append(name)
            act(len(happened), name)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, step, raising=False)

    for name in ("fsync", "chmod", "mkdir", "replace", "rename", "unlink", "rmdir"):
        watched(os, name, getattr(os, name))
    watched(atomic, "exchange", atomic.exchange)
    watched(atomic, "open", open)
    return happened


KILLED = """
import os, sys
from pathlib import Path
import pytest
from tests.field import test_killed_saves as saves

exchange = saves.atomic.exchange
for kind in [*saves.KINDS, "folder without exchange"]:
    path = Path(sys.argv[1]) / kind
    path.mkdir()
    path = path / kind.split(" ")[0]
    saves.atomic.exchange = exchange if " " not in kind else lambda *_: False
    saves.save(saves.model_of(1.0), path)
    model = saves.model_of(2.0)
    for step in range(1, 100):
        child = os.fork()
        if child == 0:
            patch = pytest.MonkeyPatch()
            saves.steps_counted(patch, lambda count, name: count == step and os._exit(9))
            saves.save(model, path)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        left = len(saves.temporary_files(path.parent))
        print(kind, saves.value_in(path), left, status, sep=",", flush=True)
        if status == 0:
            break
        saves.save(saves.model_of(1.0), path)
        assert not saves.temporary_files(path.parent), saves.temporary_files(path.parent)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What was found after a save of each kind was killed at each of its steps."""
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path_factory.mktemp("killed"))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.split(",") for line in result.stdout.splitlines()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.slow  # the fixture takes seven seconds
@pytest.mark.parametrize("kind", [*KINDS, "folder without exchange"])
def test_a_save_killed_at_any_step_leaves_the_old_or_the_new_model(kind, killed):
    found = [line[1:] for line in killed if line[0] == kind]
    assert {line[0] for line in found} == {"1.0", "2.0"}
    assert found[-1][1:] == ["0", "0"]  # the last one came to its end, and left nothing
    assert len(found) > 3


def outcome_of_save(model, path) -> OSError | None:
    try:
        save(model, path)
    except OSError as error:
        return error
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_at_any_step_keeps_the_old_model_and_says_so(kind, tmp_path, monkeypatch):
    path = tmp_path / kind
    save(model_of(1.0), path)
    before = sorted(os.listdir(tmp_path))
    refused = 0
    for last in range(1, 100):
        with monkeypatch.context() as patch:

            def fail(count, name, last=last):
                if count >= last and name in ("open", "fsync", "mkdir", "replace"):
                    raise OSError(errno.ENOSPC, "No space left on device")

            happened = steps_counted(patch, fail)
            error = outcome_of_save(model_of(2.0), path)
        if error is None:
            break
        refused += 1
        assert error.errno == errno.ENOSPC
        assert "as it was before" in str(error) or "was not made" in str(error)
        if value_in(path) == 1.0:
            assert sorted(os.listdir(tmp_path)) == before
    assert refused >= 3
    assert len(happened) < 99
    assert value_in(path) == 2.0
    assert not temporary_files(tmp_path)


@pytest.mark.parametrize(
    ("code", "kind", "fix"),
    [(errno.EROFS, OSError, "can be written"), (errno.EACCES, PermissionError, "may write"),
     (errno.EDQUOT, OSError, "quota"), (errno.EIO, OSError, "Look at the disk")],
)  # fmt: skip
def test_errors_of_the_system_say_what_is_there_now(code, kind, fix, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(code, os.strerror(code))

    save(model_of(1.0), tmp_path / "old.keras")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind, match=rf"'new.keras' was not made.*{os.strerror(code)}.*{fix}"):
        save(model_of(2.0), tmp_path / "new.keras")
    with pytest.raises(kind, match="'old.keras' is as it was before"):
        model_of(2.0).save(tmp_path / "old.keras")
    assert os.listdir(tmp_path) == ["old.keras"]


def test_temporary_files_of_a_running_save_stay(tmp_path):
    path = tmp_path / "m.keras"
    running = temporary.temporary_name(path)  # of this process, which lives
    running.write_bytes(b"x")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    dead = running.with_name(running.name.replace(f"-{os.getpid()}-", f"-{process.pid}-"))
    elsewhere = running.with_name(f".m.keras.00000000-{process.pid}-00000000.tmp")
    long_ago = running.with_name(f".m.keras.00000001-{process.pid}-00000000.tmp")
    foreign = tmp_path / ".m.keras.notes.tmp"  # not of nacre's
    for place in (dead, elsewhere, long_ago, foreign):
        place.write_bytes(b"x")
    os.utime(long_ago, (0, 0))
    save(model_of(1.0), path)
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["m.keras", running.name, elsewhere.name, foreign.name]
    )


def test_shards_of_a_running_save_stay(tmp_path):
    path = tmp_path / "s.weights.json"
    running = temporary.temporary_name(path)
    running.touch()
    shard = tmp_path / f"s_00000_{'0' * 12}.weights.h5"
    shard.touch()
    save(model_of(1.0), path)
    assert shard.exists()
    running.unlink()
    save(model_of(2.0), path)
    assert not shard.exists()
    assert value_in(path) == 2.0


def test_shards_of_another_list_stay(tmp_path):
    for name in ("s.weights.json", "s_2.weights.json"):
        save(model_of(1.0), tmp_path / name)
    before = {name for name in os.listdir(tmp_path) if name.startswith("s_2")}
    save(model_of(2.0), tmp_path / "s.weights.json")
    assert before <= set(os.listdir(tmp_path))
    assert value_in(tmp_path / "s_2.weights.json") == 1.0
    assert value_in(tmp_path / "s.weights.json") == 2.0


def test_shards_that_keras_wrote_in_place_are_taken_away_with_their_list(tmp_path):
    path = tmp_path / "s.weights.json"
    save(model_of(1.0), path)
    text = path.read_text()
    for name in list(os.listdir(tmp_path)):
        if name.endswith(".h5") and name.count("_") == 2:  # Keras's names
            (tmp_path / name).rename(tmp_path / f"{name[:7]}.weights.h5")
            text = text.replace(name, f"{name[:7]}.weights.h5")
    path.write_text(text)
    assert value_in(path) == 1.0
    save(model_of(2.0), path)
    assert value_in(path) == 2.0
    assert not (tmp_path / "s_00001.weights.h5").exists()
    first = min(tmp_path.glob("s_00000_*.h5"))  # Keras opens its own name of the first shard
    assert (tmp_path / "s_00000.weights.h5").samefile(first)


def test_a_shard_that_was_exchanged_is_noticed(tmp_path):
    path = tmp_path / "s.weights.json"
    save(model_of(1.0), path)
    (tmp_path / "other").mkdir()
    save(model_of(2.0), tmp_path / "other" / path.name)
    ours, theirs = (
        sorted(folder.glob("*_00001_*.h5"))[0] for folder in (tmp_path, tmp_path / "other")
    )
    ours.write_bytes(theirs.read_bytes())
    with pytest.raises(FileFormatError, match=rf"'{ours.name}'.*what its name says"):
        value_in(path)


def test_a_folder_put_aside_comes_back(tmp_path):
    save(model_of(1.0), tmp_path / "folder")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    aside = temporary.temporary_name(tmp_path / "folder", "old")
    aside = aside.with_name(aside.name.replace(f"-{os.getpid()}-", f"-{process.pid}-"))
    (tmp_path / "folder").rename(aside)
    assert value_in(tmp_path / "folder") == 1.0
    assert not temporary_files(tmp_path)


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "w.weights.h5", "w.h5", "s.weights.json"])
def test_devices_pipes_and_folders_are_not_saved_over(name, tmp_path):
    path = tmp_path / name
    path.mkdir()
    with pytest.raises(ArgumentError, match="a folder"):
        save(model_of(1.0), path)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ArgumentError, match="device, pipe or socket"):
        save(model_of(1.0), path)
    assert stat.S_ISFIFO(path.lstat().st_mode)
    with pytest.raises(FileFormatError, match="device or pipe"):
        load_model(path)
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(ArgumentError, match="device, pipe or socket"):
        save(model_of(1.0), path)


@pytest.mark.parametrize("ending", [".keras", ".h5", ".weights.h5", ".weights.json"])
def test_the_longest_name_works(ending, tmp_path):
    room = 255 - len(ending) - (22 if ending == ".weights.json" else 0)
    path = tmp_path / f"{'ä' * (room // 2)}{'a' * (room % 2)}{ending}"
    model = model_of(1.0)
    for _ in range(2):
        if ending == ".weights.json":
            model.save_weights(path, max_shard_size=1)
        elif ending == ".weights.h5":
            model.save_weights(path)
        else:
            model.save(path)
    assert not temporary_files(tmp_path)


def test_a_name_that_is_too_long_says_so(tmp_path):
    with pytest.raises(OSError, match=r"[Ff]ile name too long"):
        model_of(1.0).save(tmp_path / f"{'a' * 300}.keras")
    with pytest.raises(FileFormatError, match="name too long"):
        load_model(tmp_path / f"{'a' * 300}.keras")
    with pytest.raises(ArgumentError, match="zero byte"):
        model_of(1.0).save(f"{tmp_path}/a\0b.keras")
