"""Opening a file runs nothing from it, follows no link and allocates no declared size."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError, SerializationError, WeightsMismatchError
from nacre.saving import load_model
from nacre.saving.archive import unpack
from tests.saving.helpers import small

# `lambda x: x + 1` as Keras stores it; its content does not matter, it must not be reached.
LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None, "closure": None}}


def tampered(path, target, change):
    """Copy a `.keras` file with its config changed."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    change(config)
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture
def path(tmp_path):
    small().save(tmp_path / "m.keras")
    return tmp_path / "m.keras"


def test_lambda_in_a_file_is_refused(path, tmp_path):
    def add(config):
        layer = {"module": "keras.layers", "class_name": "Lambda", "registered_name": None}
        layer["config"] = {"name": "evil", "function": LAMBDA}
        config["config"]["layers"].append(layer)

    tampered(path, tmp_path / "evil.keras", add)
    with pytest.raises(SerializationError, match="Lambda 'evil'.*safe_mode=False"):
        load_model(tmp_path / "evil.keras")


def test_old_lambda_in_h5_is_refused(tmp_path):
    small().save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        function = {"function": ["4wEA", None, None], "function_type": "lambda"}
        config["config"]["layers"].append(
            {"class_name": "Lambda", "config": {"name": "old", **function}}
        )
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.9.0"
    with pytest.raises(SerializationError, match="lambda stored in the file"):
        load_model(tmp_path / "m.h5")


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("keras.src.utils", "get_file"), ("subprocess", "Popen"),
     ("numpy", "load"), ("nacre.core.registry", "_rebuild_lambda"), ("keras.config", "enable_unsafe_deserialization")],
)  # fmt: skip
def test_classes_are_never_imported_by_path(module, name, path, tmp_path):
    def change(config):
        layer = config["config"]["layers"][1]
        layer |= {"module": module, "class_name": name, "registered_name": name}

    tampered(path, tmp_path / "evil.keras", change)
    with pytest.raises(SerializationError, match="built in, registered or passed in"):
        load_model(tmp_path / "evil.keras")


def test_functions_are_never_imported_by_path(path, tmp_path):
    def change(config):
        config["config"]["layers"][1]["config"]["activation"] = {
            "module": "os", "class_name": "function", "config": "system", "registered_name": "system",
        }  # fmt: skip

    tampered(path, tmp_path / "evil.keras", change)
    with pytest.raises(SerializationError, match="registered or passed in"):
        load_model(tmp_path / "evil.keras")


def test_files_named_in_a_config_are_not_read(path, tmp_path):
    def change(config):
        layer = config["config"]["layers"][1]
        layer |= {"class_name": "StringLookup", "config": {"name": "s", "vocabulary": "/etc/hosts"}}

    tampered(path, tmp_path / "evil.keras", change)
    with pytest.raises(SerializationError, match="vocabulary file '/etc/hosts'"):
        load_model(tmp_path / "evil.keras")


def weights_of(path):
    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read("model.weights.h5"))


def with_weights(path, target, buffer) -> None:
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w") as out:
        for name in ("metadata.json", "config.json"):
            out.writestr(name, archive.read(name))
        out.writestr("model.weights.h5", buffer.getvalue())


@pytest.mark.parametrize("kind", ["external_link", "soft_link", "virtual", "external_data"])
def test_arrays_elsewhere_are_refused(kind, path, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["0"] = np.zeros((3, 4), "float32")
    buffer = weights_of(path)
    with h5py.File(buffer, "a") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        if kind == "external_link":
            group["0"] = h5py.ExternalLink(str(secret), "/0")
        elif kind == "soft_link":
            group["0"] = h5py.SoftLink("/layers/dense_1/vars/0")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((3, 4), "float32")
            layout[:] = h5py.VirtualSource(str(secret), "0", shape=(3, 4))
            group.create_virtual_dataset("0", layout)
        else:
            group.create_dataset(
                "0", (3, 4), "float32", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
            )
    with_weights(path, tmp_path / "evil.keras", buffer)
    with pytest.raises(FileFormatError, match="a link at|bytes lie in other files"):
        load_model(tmp_path / "evil.keras")


def test_declared_sizes_are_compared_before_anything_is_read(path, tmp_path):
    buffer = weights_of(path)
    with h5py.File(buffer, "a") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        # Four terabytes that take no room in the file.
        group.create_dataset("0", (10**6, 10**6), "float32", chunks=(1000, 1000))
    with_weights(path, tmp_path / "bomb.keras", buffer)
    with pytest.raises(WeightsMismatchError, match="1000000"):
        load_model(tmp_path / "bomb.keras")


def test_zip_bombs_are_refused(tmp_path):
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        with archive.open("config.json", "w", force_zip64=True) as member:
            for _ in range(70):
                member.write(b" " * (1 << 20))
    with pytest.raises(FileFormatError, match="unpack to"):
        unpack(bomb, ("config.json",), "bomb")


def test_only_known_members_are_read(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil.txt", "x")
        archive.writestr("assets/evil.pkl", "x")
    assert load_model(path).built
    assert not (path.parent.parent.parent / "evil.txt").exists()


def test_deeply_nested_config_is_an_error_not_a_crash(path, tmp_path):
    with zipfile.ZipFile(tmp_path / "deep.keras", "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "[" * 100_000)
        archive.writestr("model.weights.h5", weights_of(path).getvalue())
    with pytest.raises(FileFormatError, match="must be JSON"):
        load_model(tmp_path / "deep.keras")


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_damaged_files_say_so(part, path, tmp_path):
    small().save(tmp_path / "m.h5")
    for name in ("m.keras", "m.h5"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / f"cut_{name}").write_bytes(content[: int(len(content) * part)])
        with pytest.raises((FileFormatError, OSError, KeyError)) as caught:
            load_model(tmp_path / f"cut_{name}")
        assert isinstance(caught.value, nacre.core.errors.NacreError)


def with_lambda(factor):
    layers = [nacre.Input((2,)), nacre.layers.Lambda(lambda x, shift=1: x * factor + shift)]
    return nacre.Sequential(layers)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_lambda_of_this_process_opens_again(name, tmp_path):
    with pytest.warns(UserWarning, match="holds a lambda.*safe_mode=False"):
        with_lambda(3.0).save(tmp_path / name)
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(load_model(tmp_path / name)(x), [[4.0, 4.0]])


OPENED_ELSEWHERE = """
import sys, numpy as np, nacre
from nacre.core.errors import SerializationError
try:
    nacre.models.load_model(sys.argv[1])
except SerializationError as error:
    assert "safe_mode=False" in str(error)
    print(nacre.models.load_model(sys.argv[1], safe_mode=False)(np.ones((1, 2), "float32")))
"""


def test_a_lambda_opens_elsewhere_only_when_trusted(tmp_path):
    with pytest.warns(UserWarning, match="holds a lambda"):
        with_lambda(5.0).save(tmp_path / "m.keras")
    command = [sys.executable, "-c", OPENED_ELSEWHERE, str(tmp_path / "m.keras")]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[[6. 6.]]"


def test_changed_code_of_a_known_lambda_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="holds a lambda"):
        with_lambda(7.0).save(tmp_path / "m.keras")

    def change(config):
        config["config"]["layers"][1]["config"]["function"]["config"]["closure"] = [8.0]

    tampered(tmp_path / "m.keras", tmp_path / "evil.keras", change)
    with pytest.raises(SerializationError, match="safe_mode=False"):
        load_model(tmp_path / "evil.keras")


def test_a_lambda_around_an_object_cannot_be_saved(tmp_path):
    dense = nacre.layers.Dense(2)
    model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Lambda(lambda x: dense(x))])
    with pytest.raises(SerializationError, match="numbers, strings.*'dense'.*named function"):
        model.save(tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


@pytest.mark.parametrize("member", ["metadata.json", "config.json", "model.weights.h5"])
def test_a_model_file_with_two_members_of_one_name_is_refused(member, tmp_path):
    """Scanners may look at the first and readers at the last."""
    path = tmp_path / "m.keras"
    nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(1)]).save(path)
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile's own, about the name
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (*found.items(), (member, found[member])):
                archive.writestr(name, content)
    with pytest.raises(FileFormatError, match=f"'{member}' is there 2 times"):
        load_model(path)
