"""No file and no config makes nacre read another file of the reader's machine.

CVE-2025-12058 (a vocabulary that is a path), CVE-2026-1462 (a SavedModel that is a path),
CVE-2026-1669 (arrays whose bytes lie elsewhere), and links in a folder model.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import FileFormatError, NacreError, SerializationError
from nacre.saving import deserialize_keras_object, load_model
from tests.field import hostile
from tests.field.hostile import DOORS, Config, graph, layer, stack


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the reader's that is no part of any model."""
    path = tmp_path / "secret.txt"
    path.write_text("1\n2\n")
    return path


def lookups(path: Any) -> dict[str, Config]:
    """Configs of all layers that read a vocabulary, with a path in its place."""
    plain = {"name": "e", "vocabulary": str(path)}
    return {
        "StringLookup": layer("StringLookup", **plain),
        "IntegerLookup": layer("IntegerLookup", **plain),
        "TextVectorization": layer("TextVectorization", **plain),
        "inverted": layer("StringLookup", **plain, invert=True),
        "weighted": layer("StringLookup", **plain, output_mode="tf_idf", idf_weights=[1.0, 2.0]),
    }


def wrapped(config: Config) -> dict[str, Config]:
    """The same layer at other depths."""
    feature = "keras.src.layers.preprocessing.feature_space"
    inner = layer("Feature", feature, dtype="string", preprocessor=config, output_mode="int")
    return {
        "in a pipeline": layer("Pipeline", name="e", layers=[config]),
        "in a wrapper": layer("TimeDistributed", name="e", layer=config),
        "in a stack": stack(config),
        "in a graph": graph(config),
        "in a feature space": layer("FeatureSpace", "keras.utils", features={"a": inner}),
        "in a list": {"a": [config]},
    }


def refused(call: Callable[[], Any]) -> None:
    with pytest.raises(NacreError, match="vocabulary file|must not read other files"):
        call()


@pytest.mark.parametrize("door", DOORS)
def test_a_vocabulary_in_a_file_is_no_path(door: str, secret: Path, tmp_path: Path) -> None:
    for index, config in enumerate(lookups(secret).values()):
        folder = tmp_path / str(index)
        folder.mkdir()
        model = stack(config)
        if door == "command":
            with pytest.raises(SerializationError):
                DOORS[door](model, folder)
        else:
            refused(lambda m=model, f=folder: DOORS[door](m, f))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel of the reader's."""
    path = tmp_path_factory.mktemp("saved") / "m"
    model = nacre.Sequential([layers.Input((4,)), layers.Dense(4)])
    model.save(path, verify=False)
    return path


@pytest.mark.parametrize("door", DOORS)
def test_a_saved_model_in_a_file_is_no_path(door: str, saved: Path, tmp_path: Path) -> None:
    evil = layer("TFSMLayer", name="e", filepath=str(saved), call_endpoint="serving_default")
    for index, model in enumerate((graph(evil), stack(evil))):
        folder = tmp_path / str(index)
        folder.mkdir()
        rule = "refused" if door == "command" else "must not read other files"
        with pytest.raises(NacreError, match=rule):
            DOORS[door](model, folder)


def test_a_saved_model_in_a_trusted_config_is_read(saved: Path) -> None:
    kind = layer("TFSMLayer", name="e", filepath=str(saved), call_endpoint="serving_default")
    with pytest.raises(NacreError, match="must not read other files"):
        deserialize_keras_object(stack(kind))
    model = deserialize_keras_object(stack(kind), safe_mode=False)
    assert model(np.ones((2, 4), "float32")).shape == (2, 4)


def test_a_vocabulary_in_a_config_is_no_path(secret: Path) -> None:
    for name, config in lookups(secret).items():
        refused(lambda c=config: layers.deserialize(c))
        refused(lambda c=config: deserialize_keras_object(c))
        cls = getattr(layers, config["class_name"])
        refused(lambda k=cls, c=config: k.from_config(c["config"]))
        for depth, outer in wrapped(config).items():
            refused(lambda o=outer: deserialize_keras_object(o))
            assert depth and name


@pytest.mark.parametrize("part", ["optimizer", "loss", "metrics", "weighted_metrics"])
def test_compile_arguments_read_no_path(part: str, secret: Path, tmp_path: Path) -> None:
    for config in lookups(secret).values():
        training = {"optimizer": "sgd", "loss": "mse", "metrics": None, part: config}
        model = stack(layer("Dense", name="d", units=1))
        with pytest.raises(SerializationError, match="must not read other files"):
            deserialize_keras_object({**model, "compile_config": training})
        training["optimizer_config"] = training.pop("optimizer")
        path = hostile.h5_file(model, tmp_path / "m.h5", "3.15.1", training)
        with pytest.raises(NacreError):
            load_model(path)
        built = nacre.Sequential([nacre.Input((4,)), layers.Dense(1)])
        refused(lambda b=built, c=config, p=part: b.compile_from_config({"loss": "mse", p: c}))


@pytest.mark.parametrize("name", ["optimizers", "losses", "metrics", "initializers", "regularizers",
                                  "constraints", "activations", "quantizers", "layers"])  # fmt: skip
def test_get_and_deserialize_of_every_namespace_read_no_path(name: str, secret: Path) -> None:
    module = getattr(nacre, name)
    for config in lookups(secret).values():
        for function in ("get", "deserialize"):
            if hasattr(module, function):
                refused(lambda f=function, c=config: getattr(module, f)(c))


class Reader(layers.Layer):
    """A layer of the user's that makes a lookup from a path."""

    def __init__(self, place: Any = None, file: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place = place
        self.file = file
        self.lookup = layers.StringLookup(vocabulary=str(Path(place or self.default) / file))

    default = ""

    def call(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "place": self.place, "file": self.file}


def test_a_path_in_the_code_of_the_user_is_read(secret: Path, tmp_path: Path) -> None:
    Reader.default = str(secret)
    x = nacre.Input((4,))
    model = nacre.Model(x, Reader()(x))
    model.save(tmp_path / "m.keras")
    opened = load_model(tmp_path / "m.keras", custom_objects={"Reader": Reader})
    assert opened.layers[1].lookup.get_vocabulary() == ["[UNK]", "1", "2"]


def test_a_path_of_the_file_stays_closed_to_classes_of_the_user(secret: Path) -> None:
    custom = {"Reader": Reader}
    folder, name = str(secret.parent), secret.name
    for config in ({"place": str(secret)}, {"place": folder, "file": name}):
        outer = layer("Reader", __name__, **config)
        refused(lambda o=outer: deserialize_keras_object(o, custom_objects=custom))
        made = deserialize_keras_object(outer, custom_objects=custom, safe_mode=False)
        assert made.lookup.vocabulary_size() == 3


# -------------------------------------------------------------------- what must go on working


@pytest.mark.parametrize(
    "kind", [layers.StringLookup, layers.IntegerLookup, layers.TextVectorization]
)
def test_the_tokens_of_a_vocabulary_file_travel_with_the_model(
    kind: Any, secret: Path, tmp_path: Path
) -> None:
    layer_of_path = kind(vocabulary=secret)
    words = layer_of_path.get_vocabulary()
    assert kind.from_config(layer_of_path.get_config()).get_vocabulary() == words
    dtype = "int32" if kind is layers.IntegerLookup else "string"
    model = nacre.Sequential([nacre.Input((1,), dtype=dtype), layer_of_path])
    model.save(tmp_path / "m.keras")
    text = model.to_json()
    clone = nacre.models.clone_model(model)
    secret.unlink()  # the file opens on another machine
    for other in (load_model(tmp_path / "m.keras"), nacre.models.model_from_json(text), clone):
        assert other.layers[0].get_vocabulary() == words
    assert str(secret) not in text


def test_a_trusted_config_may_name_a_path(secret: Path, tmp_path: Path) -> None:
    config = lookups(secret)["StringLookup"]
    assert deserialize_keras_object(config, safe_mode=False).vocabulary_size() == 3
    model = stack(config)
    model["config"]["layers"][0]["config"]["dtype"] = "string"
    path = hostile.keras_file(model, tmp_path / "m.keras")
    assert load_model(path, safe_mode=False).layers[0].vocabulary_size() == 3


# -------------------------------------------------------------------- bytes that lie elsewhere


def weighted_model() -> nacre.Model:
    lookup = layers.StringLookup(output_mode="tf_idf")
    lookup.adapt(np.array([["a", "b"], ["a", "c"]]))
    return nacre.Sequential([nacre.Input((2,), dtype="string"), lookup])


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("kind", ["external bytes", "external link", "soft link", "virtual"])
def test_weights_of_tokens_are_read_from_the_file_alone(
    kind: str, swapped: bool, tmp_path: Path
) -> None:
    weighted_model().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    outside = tmp_path / "outside.h5"
    with h5py.File(outside, "w") as file:
        file["0"] = np.arange(9, dtype="float32")
    buffer = io.BytesIO(files["model.weights.h5"])
    with h5py.File(buffer, "a") as file:
        group = file["layers/string_lookup/vars"]
        good = group["idf_weights"][()]
        del group["idf_weights"]
        if kind == "external bytes":
            group.create_dataset(
                "idf_weights", good.shape, "float32", external=[(str(outside), 0, 4 * good.size)]
            )
        elif kind == "external link":
            group["idf_weights"] = h5py.ExternalLink(str(outside), "/0")
        elif kind == "soft link":
            group["idf_weights"] = h5py.SoftLink("/elsewhere")
        else:
            layout = h5py.VirtualLayout(good.shape, "float32")
            layout[:] = h5py.VirtualSource(str(outside), "0", shape=(9,))[: good.size]
            group.create_virtual_dataset("idf_weights", layout)
        if swapped:  # the group the layer's name leads to is another one, with nothing wrong
            twin = file.create_group("layers/other/vars")
            twin["idf_weights"] = good
            twin.attrs["name"] = group.attrs["name"]
            group.attrs["name"] = "other"
    files["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(tmp_path / "evil.keras", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(FileFormatError, match="a link at|bytes lie in other files"):
        load_model(tmp_path / "evil.keras")


# -------------------------------------------------------------------- links in a folder model


@pytest.mark.parametrize(
    "member", ["config.json", "metadata.json", "model.weights.h5", "assets", "assets/a/v.txt"]
)
def test_a_folder_model_follows_no_link_out_of_it(member: str, tmp_path: Path) -> None:
    weighted_model().save(tmp_path / "m", zipped=False)
    place = tmp_path / "m" / member
    target = tmp_path / "elsewhere"
    if place.exists():
        place.rename(target)
    else:
        target.write_text("secret")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)
    with pytest.raises(FileFormatError, match="link"):
        load_model(tmp_path / "m")


def test_a_folder_model_that_is_a_link_or_holds_links_within_opens(tmp_path: Path) -> None:
    weighted_model().save(tmp_path / "m", zipped=False)
    (tmp_path / "again").symlink_to(tmp_path / "m")
    assert load_model(tmp_path / "again").built
    # How the cache of a model hub lays a download out: names that are links to `blobs` beside.
    snapshot, blobs = tmp_path / "hub" / "snapshots" / "abc", tmp_path / "hub" / "blobs"
    blobs.mkdir(parents=True)
    for index, path in enumerate(p for p in (tmp_path / "m").rglob("*") if p.is_file()):
        link = snapshot / path.relative_to(tmp_path / "m")
        link.parent.mkdir(parents=True, exist_ok=True)
        (blobs / str(index)).write_bytes(path.read_bytes())
        link.symlink_to(blobs / str(index))
    assert load_model(snapshot).layers[0].vocabulary_size() == 4


def test_json_of_no_model_is_an_error_of_ours() -> None:
    for text in (
        "",
        "{",
        "[1]",
        '"a"',
        "[" * 100_000,
        json.dumps({"class_name": [], "config": {}}),
    ):
        with pytest.raises(NacreError):
            nacre.models.model_from_json(text)
