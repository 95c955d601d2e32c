"""A failure at any moment leaves the old file; nothing half-written stays."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

import nacre
from nacre.core import atomic
from nacre.core.atomic import write_file
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.saving import hdf5, load_model, weights
from nacre.saving.formats import checkpoint_writer, named_arrays
from tests.saving.helpers import small


@pytest.fixture
def saved(tmp_path):
    model = small()
    paths = [tmp_path / name for name in ("m.keras", "m.h5", "w.weights.h5", "w.h5")]
    for path in paths:
        (model.save_weights if path.name.startswith("w") else model.save)(path)
    return paths


def save(path) -> None:
    model = small()
    (model.save_weights if path.name.startswith("w") else model.save)(path)


def check_untouched(paths, before) -> None:
    assert [path.read_bytes() for path in paths] == before
    assert sorted(os.listdir(paths[0].parent)) == sorted(path.name for path in paths)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failure_while_writing_keeps_the_old_file(call, saved, monkeypatch):
    before = [path.read_bytes() for path in saved]

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, call, fail)
    for path in saved:
        with pytest.raises(OSError, match="No space left"):
            save(path)
    monkeypatch.undo()
    check_untouched(saved, before)


def test_interrupt_while_writing_keeps_the_old_file(saved, monkeypatch):
    before = [path.read_bytes() for path in saved]

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(hdf5, "write_array", stop)
    for path in saved:
        with pytest.raises(KeyboardInterrupt):
            save(path)
    monkeypatch.undo()
    check_untouched(saved, before)


def test_bytes_that_came_out_wrong_are_noticed(saved, monkeypatch):
    before = [path.read_bytes() for path in saved]
    write = os.fsync

    def flip(descriptor):
        size = os.fstat(descriptor).st_size
        # Somewhere in the arrays: a faulty disk.
        os.pwrite(descriptor, b"\xff" * 64, size // 2)
        write(descriptor)

    real = hdf5.write_array
    monkeypatch.setattr(hdf5, "write_array", lambda g, n, v: real(g, n, np.asarray(v) + 1))
    for path in saved:
        with pytest.raises(FileFormatError, match="must be what is in memory"):
            save(path)
    monkeypatch.setattr(hdf5, "write_array", real)
    monkeypatch.setattr(atomic.os, "fsync", flip)
    with pytest.raises(FileFormatError):  # the archive's checksums
        save(saved[0])
    monkeypatch.undo()
    check_untouched(saved, before)


@pytest.mark.parametrize("step", range(3))
def test_a_checkpoint_that_is_replaced_is_whole_at_every_moment(step, tmp_path, monkeypatch):
    old, new = small(), small()
    old.save_weights(tmp_path / "w")
    files = sorted(os.listdir(tmp_path))
    count = iter(range(3))
    replace = os.replace

    def stop(*paths):
        if next(count) == step:  # data, index, the name of the newest
            raise KeyboardInterrupt
        replace(*paths)

    monkeypatch.setattr(atomic.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        new.save_weights(tmp_path / "w")
    monkeypatch.undo()
    found = small()
    found.load_weights(tmp_path / "w")
    wanted = new if step == 2 else old
    for a, b in zip(found.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(os.listdir(tmp_path)) == len(files)
    for _ in range(2):
        new.save_weights(tmp_path / "w")
    assert len(os.listdir(tmp_path)) == len(files)


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "w.weights.h5", "w.safetensors", "w.npz", "w"])
def test_the_comparison_can_be_left_out(name, tmp_path, monkeypatch):
    compared = []
    real = weights.refuse_difference
    spy = lambda *given: compared.append(given) or real(*given)
    for module in (weights, named_arrays, checkpoint_writer):
        monkeypatch.setattr(module, "refuse_difference", spy)
    model = small()
    write = model.save_weights if name.startswith("w") else model.save
    write(tmp_path / name, verify=False)
    assert not compared
    write(tmp_path / name)
    assert len(compared) == len(model.weights)


def test_symbolic_links_and_permissions_stay(tmp_path):
    target = tmp_path / "real.keras"
    small().save(target)
    target.chmod(0o640)
    link = tmp_path / "link.keras"
    link.symlink_to(target)
    small().save(link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640


def test_overwrite_false_asks_or_refuses(saved, monkeypatch):
    with pytest.raises(ArgumentError, match="overwrite=True"):
        small().save(saved[0], overwrite=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    small().save(saved[0], overwrite=False)
    load_model(saved[0])


def test_missing_folder_and_wrong_endings_say_what_to_write(tmp_path):
    model = small()
    with pytest.raises(FileNotFoundError, match="mkdir"):
        model.save(tmp_path / "no" / "m.keras")
    with pytest.raises(FileFormatError, match=r"save\('saved.keras'\).*SavedModel folder"):
        model.save(tmp_path / "saved.kears")
    with pytest.raises(FileFormatError, match="save_weights"):
        model.save(tmp_path / "m.weights.h5")
    with pytest.raises(FileFormatError, match=r"\.weights\.h5"):
        model.save_weights(tmp_path / "weights.xyz")
    with pytest.raises(FileFormatError, match="zipped=False"):
        model.save(tmp_path / "m.keras", zipped=False)
    model.save(tmp_path / "plain", save_format="h5")
    assert isinstance(load_model(tmp_path / "plain"), nacre.Sequential)


def test_a_disk_that_fails_while_a_large_file_is_written_keeps_the_old_one(tmp_path, monkeypatch):
    path, piece = tmp_path / "m", bytes(20 << 20)
    path.write_bytes(b"old")
    asked = []

    def write(region):
        for _ in range(3):
            region.write(piece)

    def fail(descriptor):
        asked.append(descriptor)
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(atomic, "_to_disk", fail)
    with pytest.raises(OSError, match=r"'m' is as it was before"):
        write_file(path, write)
    assert asked
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.setattr(atomic, "_to_disk", asked.append)
    write_file(path, write)
    assert path.stat().st_size == 3 * len(piece)
