"""Models at addresses, through fsspec: its store in memory stands for those far away."""

from __future__ import annotations

import sys

import fsspec
import numpy as np
import pytest

import nacre
from nacre.core.addresses import AddressError
from nacre.core.errors import ArgumentError, FileFormatError, MissingPackageError
from tests.saving.helpers import small


@pytest.fixture
def store():
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def equal_weights(a, b) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_models_go_to_an_address_and_come_back(name, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small()
    model.save(f"memory://folder/{name}")
    assert equal_weights(nacre.models.load_model(f"memory://folder/{name}"), model)
    assert list(store.store) == [f"/folder/{name}"] and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "w.safetensors", "w.npz", "m.keras"])
def test_weights_go_to_an_address_and_come_back(name, store):
    one, other = small(), small()
    (one.save if name == "m.keras" else one.save_weights)(f"memory://{name}")
    other.load_weights(f"memory://{name}")
    assert equal_weights(one, other)


def test_chains_and_addresses_of_the_disk_are_read(store, tmp_path):
    model = small()
    model.save("memory://m.keras")
    assert equal_weights(nacre.models.load_model("simplecache::memory://m.keras"), model)
    model.save(f"file://{tmp_path}/m.keras")
    model.save(f"file://{tmp_path}/m.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]
    assert equal_weights(nacre.models.load_model(f"file://{tmp_path}/m.keras"), model)
    with pytest.raises(ArgumentError, match="must be free"):
        model.save(f"file://{tmp_path}/m.keras", overwrite=False)


def test_overwrite_false_looks_at_the_address(store):
    model = small()
    model.save("memory://m.keras", overwrite=False)
    with pytest.raises(ArgumentError, match="must be free"):
        model.save("memory://m.keras", overwrite=False)


def test_what_is_not_there_or_no_file_is_told(store):
    small().save("memory://folder/m.keras")
    with pytest.raises(FileNotFoundError, match=r"no 'n\.keras' at the address"):
        nacre.models.load_model("memory://folder/n.keras")
    with pytest.raises(ArgumentError, match="there must be one file"):
        nacre.models.load_model("memory://folder")
    store.pipe_file("/x.keras", b"nothing")
    with pytest.raises(FileFormatError, match=r"'x\.keras'"):
        nacre.models.load_model("memory://x.keras")


def test_formats_of_several_files_and_unknown_endings_are_refused(store):
    model = small()
    with pytest.raises(ArgumentError, match="formats of one file"):
        model.save_weights("memory://checkpoint.ckpt")
    with pytest.raises(ArgumentError, match="formats of one file"):
        model.save("memory://folder", zipped=False)
    with pytest.raises(FileFormatError, match="must end in"):
        model.save("memory://m.xyz")
    assert not store.store


def test_missing_packages_and_unknown_kinds_are_named(monkeypatch):
    with pytest.raises(ArgumentError, match="a kind that fsspec knows"):
        nacre.models.load_model("nothing-like-it://m.keras")
    monkeypatch.setitem(sys.modules, "fsspec.implementations.sftp", None)
    with pytest.raises(MissingPackageError, match="sftp://"):
        nacre.models.load_model("sftp://name:secret@host/m.keras")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingPackageError, match=r"nacre\[fsspec\]"):
        small().save("memory://m.keras")


class Moving(fsspec.AbstractFileSystem):
    """A store that moves files, and takes no more than `room` bytes."""

    protocol = "moving"
    cachable = False
    files: dict[str, bytes] = {}
    room = 1 << 30
    loses = 0

    def _open(self, path, mode="rb", **kwargs):
        import io

        system = self

        class Upload(io.BytesIO):
            def write(self, data):
                if self.tell() + len(data) > system.room:
                    raise RuntimeError("quota")
                return super().write(data)

            def close(self):
                if not self.closed:
                    system.files[path] = self.getvalue()[system.loses :]
                super().close()

            def discard(self):
                super().close()

        return io.BytesIO(self.files[path]) if mode == "rb" else Upload()

    def info(self, path, **kwargs):
        if path not in self.files:
            raise FileNotFoundError(path)
        return {"name": path, "size": len(self.files[path]), "type": "file"}

    def mv(self, path1, path2, **kwargs):
        self.files[path2] = self.files.pop(path1)

    def rm_file(self, path):
        self.files.pop(path, None)


@pytest.mark.parametrize(("name", "value"), [("room", 100), ("loses", 1)])
def test_a_failing_store_keeps_its_old_file(name, value, monkeypatch):
    fsspec.register_implementation("moving", Moving, clobber=True)
    monkeypatch.setattr(Moving, "files", {})
    model = small()
    model.save("moving://m.keras")
    before = dict(Moving.files)
    monkeypatch.setattr(Moving, name, value)
    with pytest.raises(AddressError, match="must be written completely"):
        small().save("moving://m.keras")
    assert Moving.files == before and len(before) == 1


def test_checkpoints_of_a_training_are_written_to_an_address(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = small()
    model.compile("sgd", "mse")
    x, y = np.ones((4, 3)), np.ones((4, 2))
    callback = nacre.callbacks.ModelCheckpoint("memory://run/m-{epoch}.keras")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[callback])
    assert sorted(store.store) == ["/run/m-1.keras", "/run/m-2.keras"]
    assert not list(tmp_path.iterdir())
    assert equal_weights(nacre.models.load_model("memory://run/m-2.keras"), model)
    kept = nacre.callbacks.ModelCheckpoint("memory://run/m-{epoch}.keras", keep_last=1)
    with pytest.raises(ArgumentError, match="need files on a disk"):
        model.fit(x, y, verbose=0, callbacks=[kept])
