"""Files that describe more, or something else, than they hold: nothing of this machine is read,
and no memory is taken for what is not there.

CVE-2026-1669 (arrays whose bytes lie elsewhere) and CVE-2026-0897
(a shape that no memory holds).
"""

from __future__ import annotations

import io
import json
import os
import zipfile

import h5py
import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError, NacreError
from nacre.data.dataset import saving
from nacre.models import load_model
from nacre.saving import hdf5
from tests.field import mutations
from tests.saving.helpers import small


@pytest.fixture
def secret(tmp_path):
    """A file of numbers of the reader's machine, as HDF5 and as plain bytes."""
    (tmp_path / "secret.bin").write_bytes(np.arange(64, dtype="float32").tobytes())
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["0"] = np.arange(12, dtype="float32").reshape(3, 4)
        file["v"] = np.arange(4, dtype="float32")
    return tmp_path / "secret.bin"


ELSEWHERE = ("external link", "soft link", "virtual", "external data")


def put_elsewhere(group, name, how, secret, shape):
    """Replace a dataset by one whose numbers lie in a file of the reader's."""
    if name in group:
        del group[name]
    if how == "external link":
        group[name] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/v")
    elif how == "soft link":
        group[name] = h5py.SoftLink("/layers")
    elif how == "virtual":
        layout = h5py.VirtualLayout(shape, "float32")
        layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "v", shape=shape)
        group.create_virtual_dataset(name, layout)
    else:
        place = [(str(secret), 0, h5py.h5f.UNLIMITED)]
        group.create_dataset(name, shape, "float32", external=place)


def with_weights(path, change) -> None:
    """Change the weights file within an archive."""

    def inner(name, content):
        if not name.endswith(".h5"):
            return content
        buffer = io.BytesIO(content)
        with h5py.File(buffer, "a") as file:
            change(file)
        return buffer.getvalue()

    path.write_bytes(mutations.repacked(path.read_bytes(), inner))


@pytest.mark.parametrize("how", ELSEWHERE)
def test_weights_of_tf_idf_are_not_read_from_another_file(how, secret, tmp_path):
    layer = nacre.layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b", "b c d"])
    path = tmp_path / "m.keras"
    nacre.Sequential([nacre.Input((), dtype="string"), layer]).save(path)
    place = "layers/text_vectorization/vars"

    def change(file):
        put_elsewhere(file.require_group(place), "idf_weights", how, secret, (4,))

    with_weights(path, change)

    def without_tokens(name, content):
        if name != "config.json":
            return content
        config = json.loads(content)
        for layer in config["config"]["layers"]:
            for key in ("vocabulary", "idf_weights"):
                if key in layer["config"]:
                    layer["config"][key] = None
        return json.dumps(config).encode()

    repacked = mutations.repacked(path.read_bytes(), without_tokens)
    with zipfile.ZipFile(io.BytesIO(repacked)) as archive:
        has_tokens = any(name.endswith("vocabulary.txt") for name in archive.namelist())
    path.write_bytes(repacked)
    assert has_tokens
    with pytest.raises(FileFormatError, match="'m.keras'.*(link|other files)"):
        load_model(path)


@pytest.mark.parametrize("how", ELSEWHERE)
def test_swapped_names_do_not_hide_where_an_array_lies(how, secret, tmp_path):
    path = tmp_path / "w.weights.h5"
    layers = [nacre.layers.Dense(4, name="a"), nacre.layers.Dense(4, name="b")]
    model = nacre.Sequential([nacre.Input((4,)), *layers])
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        first, second = file["layers/dense/vars"], file["layers/dense_1/vars"]
        first.attrs["name"], second.attrs["name"] = "b", "a"
        put_elsewhere(second, "1", how, secret, (4,))
    with pytest.raises(FileFormatError, match="w.weights.h5.*(link|other files)"):
        model.load_weights(path)


@pytest.mark.parametrize("how", ELSEWHERE)
def test_no_door_reads_arrays_that_lie_elsewhere(how, secret, tmp_path):
    model = small()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "m.h5")
    model.save_weights(tmp_path / "w.h5")
    model.save_weights(tmp_path / "s.weights.json", max_shard_size=1)
    text = (tmp_path / "s.weights.json").read_text()
    (shard,) = tmp_path.glob("s_*_*.h5")
    shard.rename(tmp_path / "s_00000.weights.h5")  # Keras's name, which holds no hash
    (tmp_path / "s.weights.json").write_text(text.replace(shard.name, "s_00000.weights.h5"))
    model.save(tmp_path / "folder", zipped=False)
    places = {
        "m.h5": ("m.h5", "model_weights/hidden/sequential/hidden/bias"),
        "w.h5": ("w.h5", "hidden/sequential/hidden/bias"),
        "s.weights.json": ("s_00000.weights.h5", "optimizer/vars/3"),
        "folder": ("folder/model.weights.h5", "optimizer/vars/3"),
    }
    for door, (name, place) in places.items():
        with h5py.File(tmp_path / name, "a") as file:
            found: list[str] = []
            file.visit(found.append)
            if place not in found:
                place = next(p for p in found if p.endswith("hidden/bias"))
            group, _, last = place.rpartition("/")
            shape = file[place].shape
            put_elsewhere(file[group], last, how, secret, shape)
        target = small()
        target.compile("adam", "mse")
        opened = load_model if door in ("m.h5", "folder") else target.load_weights
        with pytest.raises(NacreError, match="(link|other files)"):
            opened(tmp_path / door)


# -------------------------------------------------------------------- links among files


def test_a_link_in_a_folder_model_is_not_followed(tmp_path):
    small().save(tmp_path / "folder", zipped=False)
    (tmp_path / "secret").write_text("{}")
    config = tmp_path / "folder" / "config.json"
    config.rename(tmp_path / "folder" / "real.json")
    config.symlink_to("real.json")  # within the folder
    assert load_model(tmp_path / "folder").built
    config.unlink()
    config.symlink_to(tmp_path / "secret")
    with pytest.raises(FileFormatError, match="config.json.*a link to"):
        load_model(tmp_path / "folder")


def test_linked_assets_and_linked_folders_of_assets_are_not_read(tmp_path):
    layer = nacre.layers.StringLookup()
    layer.adapt(["a", "b"])
    model = nacre.Sequential([nacre.Input((1,), dtype="string"), layer])
    model.save(tmp_path / "folder", zipped=False)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "vocabulary.txt").write_text("password")
    assets = tmp_path / "folder" / "assets" / "layers"
    for path in assets.rglob("vocabulary*"):
        path.unlink()
        path.symlink_to(tmp_path / "secrets" / "vocabulary.txt")
    with pytest.raises(FileFormatError, match="vocabulary.*a link to"):
        load_model(tmp_path / "folder")


def test_a_snapshot_of_the_hub_opens(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0123"
    blobs.mkdir()
    snapshot.parent.mkdir()
    small().save(snapshot, zipped=False)
    for number, path in enumerate(sorted(snapshot.iterdir())):
        path.rename(blobs / str(number))
        path.symlink_to(os.path.join("..", "..", "blobs", str(number)))
    assert load_model(snapshot).built


def test_linked_numbers_of_a_checkpoint_are_not_read(tmp_path):
    (tmp_path / "a").mkdir()
    small().save_weights(tmp_path / "a" / "ckpt")
    data = tmp_path / "a" / "ckpt.data-00000-of-00001"
    data.rename(tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileFormatError, match="a link to"):
        small().load_weights(tmp_path / "a" / "ckpt")
    data.unlink()
    (tmp_path / "elsewhere").rename(data)
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "a").glob("ckpt.*"):  # the user's own links, of a whole checkpoint
        (tmp_path / "b" / path.name).symlink_to(path)
    small().load_weights(tmp_path / "b" / "ckpt")


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path):
    small().save(tmp_path / "folder", zipped=False)
    (tmp_path / "folder" / "config.json").unlink()
    os.mkfifo(tmp_path / "folder" / "config.json")
    with pytest.raises(FileFormatError, match="config.json.*pipe"):
        load_model(tmp_path / "folder")


def test_an_array_of_a_saved_model_is_read_under_one_name(tmp_path):
    small().save(tmp_path / "m", verify=False)
    places = tmp_path / "m" / "nacre" / "arrays.json"
    group = next(g for g in json.loads(places.read_text()).values() if g["arrays"])
    name, (key, dtype) = next(iter(group["arrays"].items()))
    for arrays in (
        {name: [key, dtype], "again": [key, dtype]},
        {name: [key, "U100000000"]},
        {name: [key, "(100000000,)f4"]},
        {"\ud800": [key, dtype]},
    ):
        places.write_text(json.dumps({"layers/dense": {"name": "hidden", "arrays": arrays}}))
        with pytest.raises(FileFormatError, match="'m'.*intact"):
            load_model(tmp_path / "m")


def test_a_compressed_element_of_a_data_set_is_no_bomb(tmp_path, monkeypatch):
    nacre.data.Dataset.from_tensors(np.zeros(1 << 22, "float32")).save(tmp_path / "d", "GZIP")
    assert len(list(nacre.data.Dataset.load(tmp_path / "d"))) == 1
    monkeypatch.setattr(saving, "_RATIO_MATTERS_ABOVE", 1 << 20)
    with pytest.raises(NacreError, match="elements.nacre.*hold over"):
        list(nacre.data.Dataset.load(tmp_path / "d"))


def test_a_checksum_of_safetensors_under_another_name_is_noticed(tmp_path):
    path = tmp_path / "w.safetensors"
    small().save_weights(path)
    path.write_bytes(path.read_bytes().replace(b"nacre.crc32", b"nacre.crc3:"))
    with pytest.raises(FileFormatError, match="'w.safetensors'.*checksum under another name"):
        small().load_weights(path)


def test_a_linked_shard_is_not_read(tmp_path):
    path = tmp_path / "list" / "s.weights.json"
    path.parent.mkdir()
    small().save_weights(path, max_shard_size=1)
    (shard,) = path.parent.glob("s_*_*.h5")
    shard.rename(tmp_path / "elsewhere.h5")
    shard.symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(FileFormatError, match="a link to"):
        small().load_weights(path)


# -------------------------------------------------------------------- sizes


def test_the_total_of_an_archive_counts_and_not_each_member(tmp_path):
    path = tmp_path / "m.keras"
    small().save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(25):
            with archive.open(f"assets/{number}.txt", "w") as member:
                for _ in range(6):
                    member.write(bytes(1 << 20))
    with pytest.raises(FileFormatError, match=r"'m.keras'.*28 members that unpack to"):
        load_model(path)


def test_an_archive_of_large_plain_weights_opens(tmp_path):
    path = tmp_path / "m.keras"
    model = nacre.Sequential([nacre.Input((2000,)), nacre.layers.Dense(1000)])
    model.set_weights([np.zeros(w.shape) for w in model.get_weights()])
    model.save(path)
    content = mutations.repacked(path.read_bytes(), lambda name, content: content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    assert load_model(buffer.getvalue()).built  # 8 MB of zeros from 12 kB: no harm, so no refusal


@pytest.mark.parametrize("filters", [{}, {"compression": "gzip"}])
def test_arrays_far_larger_than_what_is_stored_are_not_unpacked(filters, tmp_path):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        for number in range(40):  # 16 MB each, 640 in all, of next to nothing
            name = f"vars/{number}"
            dataset = file.create_dataset(name, (1 << 22,), "float32", chunks=(1 << 20,), **filters)
            if filters:
                dataset[:10] = 1
    with hdf5.open_file(str(path), "'f.h5'") as file:
        arrays = hdf5.Arrays(hdf5.subgroup(file, "vars", "'f.h5'"), "'f.h5'")
        with pytest.raises(FileFormatError, match=r"'f.h5'.*size of what is stored"):
            arrays.check()


@pytest.mark.parametrize("shape", [(1 << 60,), (1 << 31, 1 << 31), (1 << 62, 4, 4)])
def test_sizes_beyond_any_memory_are_refused(shape, tmp_path):
    path = tmp_path / "w.weights.h5"
    small().save_weights(path)
    with h5py.File(path, "a") as file:
        group = file["layers/dense/vars"]
        del group["1"]
        space = h5py.h5s.create_simple(shape)
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_chunk((1,) * len(shape))
        h5py.h5d.create(group.id, b"1", h5py.h5t.IEEE_F32LE, space, create)
    with pytest.raises(NacreError, match="w.weights.h5"):
        small().load_weights(path)
    with hdf5.open_file(str(path), "'w.weights.h5'") as file:
        arrays = hdf5.Arrays(file["layers/dense/vars"], "'w.weights.h5'")
        with pytest.raises(FileFormatError, match="size of what is stored"):
            arrays["1"]


def test_one_text_under_many_references_is_counted_each_time(tmp_path):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        hdf5.write_names(file, "names", ["x" * 10_000, *["y"] * 2000])
    content = bytearray(path.read_bytes())
    first = content.index((10_000).to_bytes(4, "little"))
    reference = content[first : first + 16]
    for number in range(2000):  # 20 MB from 60 kB
        content[first + 16 * number : first + 16 * number + 16] = reference
    path.write_bytes(content)
    with hdf5.open_file(str(path), "'f.h5'") as file:
        with pytest.raises(FileFormatError, match=r"'f.h5'.*longer than where it lies"):
            hdf5.names_attribute(file, "names")
