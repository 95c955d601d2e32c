"""Configs and files as somebody hostile would write them, made by hand, for the tests beside."""

from __future__ import annotations

import base64
import io
import json
import marshal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

import nacre
from nacre.core.wire.bundle import write_bundle
from nacre.core.wire.tensorflow.objects import (
    KerasObject,
    SavedMetadata,
    SavedObject,
    SavedObjectGraph,
    SavedUserObject,
)
from nacre.core.wire.tensorflow.saved_model import MetaGraphDef, MetaInfoDef, SavedModel
from nacre.saving.own_part import digest_file

Config = dict[str, Any]
Door = Callable[[Config, Path], Any]


def code_that_writes(path: Path) -> Config:
    """A pickled lambda in a config; called, it writes a file."""
    source = f"lambda *a, **k: (__import__('pathlib').Path({str(path)!r}).write_text('x'), a[0])[1]"
    code = base64.encodebytes(marshal.dumps(eval(source).__code__)).decode("ascii")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    inner = {"code": code, "defaults": None, "closure": None, "python": python}
    return {"class_name": "__lambda__", "config": inner}


def layer(class_name: str, module: str = "keras.layers", **config: Any) -> Config:
    """The config of a layer, or of what is to pass for one."""
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": None,
    }


def function(name: str, module: str = "builtins") -> Config:
    """How a config names a function."""
    registered = "function" if module == "builtins" else name
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered,
    }


def tensor(name: str) -> Config:
    """A tensor of the graph, in the arguments of a call."""
    history = {"shape": [None, 4], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": history}


def graph(entry: Config, *args: Any, **kwargs: Any) -> Config:
    """A functional model of an input and one further entry, called with these arguments."""
    start = layer("InputLayer", name="x", batch_shape=[None, 4], dtype="float32")
    call = {"args": list(args) or [tensor("x")], "kwargs": kwargs}
    layers = [
        {**start, "name": "x", "inbound_nodes": []},
        {**entry, "name": "e", "inbound_nodes": [call]},
    ]
    config = {
        "name": "m", "trainable": True, "layers": layers,
        "input_layers": ["x", 0, 0], "output_layers": ["e", 0, 0],
    }  # fmt: skip
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    }


def stack(*layers: Config) -> Config:
    """A Sequential model."""
    start = layer("InputLayer", name="x", batch_shape=[None, 4], dtype="float32")
    config = {"name": "m", "trainable": True, "layers": [start, *layers]}
    return layer("Sequential", "keras", **config)


# -------------------------------------------------------------------- files


def empty_weights() -> bytes:
    """A weights file that holds nothing."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("layers")
    return buffer.getvalue()


def members(config: Config, weights: bytes | None = None) -> dict[str, bytes]:
    """The members of a `.keras` file."""
    return {
        "metadata.json": b'{"keras_version": "3.15.1"}',
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": empty_weights() if weights is None else weights,
    }


def keras_file(config: Config, path: Path, weights: bytes | None = None) -> Path:
    """A `.keras` file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members(config, weights).items():
            archive.writestr(name, content)
    return path


def keras_folder(config: Config, path: Path) -> Path:
    """The same, unzipped."""
    path.mkdir()
    for name, content in members(config).items():
        (path / name).write_bytes(content)
    return path


def h5_file(config: Config, path: Path, version: str, training: Config | None = None) -> Path:
    """A whole model in an `.h5` file."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(config)
        if training is not None:
            file.attrs["training_config"] = json.dumps(training)
        file.create_group("model_weights").attrs.create("layer_names", [], shape=(0,), dtype="S1")
    return path


# -------------------------------------------------------------------- doors


def _command(config: Config, folder: Path) -> Any:
    from nacre.cli import main

    status = main.main(["summary", str(keras_file(config, folder / "c.keras"))])
    if status:
        raise nacre.core.errors.SerializationError("the command refused it")


def _class_door(config: Config, folder: Path) -> Any:
    kind = {"Functional": nacre.Model, "Sequential": nacre.Sequential}[config["class_name"]]
    return kind.from_config(config["config"])


def saved_model(config: Config, path: Path) -> Path:
    """A SavedModel folder of tf.keras 2: the config stands in `keras_metadata.pb`."""
    described = {**config, "name": "m", "keras_version": "2.15.0", "trainable": True}
    entry = KerasObject(node_id=0, identifier="_tf_keras_network", metadata=json.dumps(described))
    kind = SavedUserObject(identifier="_tf_keras_network")
    tree = SavedObjectGraph(nodes=[SavedObject(user_object=kind)])
    graph = MetaGraphDef(meta_info_def=MetaInfoDef(tags=["serve"]), object_graph_def=tree)
    model = SavedModel(saved_model_schema_version=1, meta_graphs=[graph])
    path.mkdir()
    (path / "saved_model.pb").write_bytes(model.write())
    (path / "keras_metadata.pb").write_bytes(SavedMetadata(nodes=[entry]).write())
    return path


def own_saved_model(config: Config, path: Path) -> Path:
    """A SavedModel folder of nacre's: the config stands in `nacre/`."""
    saved_model(config, path)
    (path / "variables").mkdir()
    index, data = write_bundle({})
    (path / "variables" / "variables.index").write_bytes(index)
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(data)
    own = {**members(config), "arrays.json": b"{}"}
    del own["model.weights.h5"]
    own |= digest_file((path / "saved_model.pb").read_bytes())
    for name, content in own.items():
        place = path / name if "/" in name else path / "nacre" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
    return path


def _yaml(config: Config, folder: Path) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return nacre.models.model_from_yaml(yaml.safe_dump(json.loads(json.dumps(config))))


def _inside(config: Config, folder: Path) -> Any:
    """As a part of another model."""
    outer = graph({**config, "name": "e"})
    return nacre.saving.load_model(keras_file(outer, folder / "o.keras"))


load = nacre.saving.load_model

DOORS: dict[str, Door] = {
    "keras": lambda config, folder: load(keras_file(config, folder / "m.keras")),
    "bytes": lambda config, folder: load(keras_file(config, folder / "m.keras").read_bytes()),
    "folder": lambda config, folder: load(keras_folder(config, folder / "m")),
    "h5": lambda config, folder: load(h5_file(config, folder / "m.h5", "3.15.1")),
    "h5 of Keras 2": lambda config, folder: load(h5_file(config, folder / "m.h5", "2.9.0")),
    "inside": _inside,
    "hub folder": lambda config, folder: nacre.models.from_pretrained(
        keras_folder(config, folder / "m")
    ),
    "SavedModel": lambda config, folder: load(saved_model(config, folder / "m")),
    "own SavedModel": lambda config, folder: load(own_saved_model(config, folder / "m")),
    "yaml": _yaml,
    "json": lambda config, folder: nacre.models.model_from_json(json.dumps(config)),
    "config": lambda config, folder: nacre.models.model_from_config(config),
    "layers": lambda config, folder: nacre.layers.deserialize(config),
    "object": lambda config, folder: nacre.saving.deserialize_keras_object(config),
    "class": _class_door,
    "command": _command,
}
