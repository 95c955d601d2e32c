"""Files that layers keep beside their weights, such as a vocabulary: `assets/<group>/<name>`.

A layer takes part by having `save_assets(folder)` and `load_assets(folder)`; the folder's place in
the archive is the layer's group in the weights file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nacre.core.names import to_snake_case
from nacre.core.regions import StoredPart
from nacre.core.registry import plain_config
from nacre.layers.base.layer import Layer
from nacre.models.graph import graph_of
from nacre.saving import hdf5
from nacre.saving.layout import entries

FOLDER = "assets/"


def collect(model: Any) -> dict[str, bytes]:
    """The files of all layers that have some, by their names in the archive."""
    found: dict[str, bytes] = {}
    for entry in entries(model, optimizer=False):
        if not hasattr(entry.owner, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            entry.owner.save_assets(folder)
            for path in sorted(Path(folder).iterdir()):
                if path.is_file():
                    found[f"{FOLDER}{entry.path}/{path.name}"] = path.read_bytes()
    return found


def fill_vocabularies(config: dict[str, Any], model: Any) -> list[str]:
    """Write what `adapt` found into a model's config, for a format without files beside it.

    Args:
        config: The model's config, which is changed.
        model: The model.

    Returns:
        Names of layers whose findings no config holds, as they are within a layer.
    """
    written: set[int] = set()
    _fill_vocabularies(config, model, written)
    missing = []
    for entry in entries(model, optimizer=False):
        if id(entry.owner) not in written and hasattr(entry.owner, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                entry.owner.save_assets(folder)
                if any(Path(folder).iterdir()):
                    missing.append(entry.owner.name)
    return missing


def _fill_vocabularies(config: dict[str, Any], model: Any, written: set[int]) -> None:
    inner = config.get("config")
    by_name = {layer.name: layer for layer in getattr(model, "layers", [])}
    for data in inner.get("layers", []) if isinstance(inner, dict) else []:
        arguments = data.get("config")
        layer = by_name.get(arguments.get("name")) if isinstance(arguments, dict) else None
        if layer is None or not isinstance(arguments, dict):
            continue
        if not getattr(layer, "adapts", False):
            _fill_vocabularies(data, layer, written)
            continue
        written |= {id(part) for part in layer._flatten_layers()}
        if "vocabulary" in arguments and arguments["vocabulary"] is None:
            if not layer.get_vocabulary(include_special_tokens=False):
                continue
            tokens = layer.get_vocabulary()
            arguments["vocabulary"] = plain_config(tokens)
            found: dict[str, Any] = {}
            layer.save_own_variables(found)
            if "idf_weights" in found:
                arguments["idf_weights"] = np.asarray(found["idf_weights"]).tolist()[: len(tokens)]


# Where an entry of a config says which group its layer has. Files do not hold it: it is written
# into the config after it was read, over whatever stands there.
_GROUP_KEY = "saved_at"


def add_group_paths(config: dict[str, Any], path: str = "") -> None:
    """Write into a model's config which group each layer has in the archive.

    Args:
        config: The model's config, which is changed.
        path: Group of the model.

    The groups of layers that do not exist yet follow from the classes in the config.
    """
    config[_GROUP_KEY] = path.rstrip("/")
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(layers, list):
        return
    counts: dict[str, int] = {}
    for data in layers:
        if not isinstance(data, dict):
            continue
        kind = str(data.get("class_name"))
        is_op = ".ops" in str(data.get("module"))
        if is_op or (kind == "InputLayer" and config.get("class_name") == "Sequential"):
            continue
        name = to_snake_case(kind)
        count = counts.get(name, 0)
        counts[name] = count + 1
        group_path = f"{path}layers/{name}_{count}" if count else f"{path}layers/{name}"
        add_group_paths(data, f"{group_path}/")


class AdaptedRestorer:
    """Gives layers what `adapt` found as soon as they are made, before the graph calls them.

    Args:
        files: The members of the archive.
        weights: The open weights file.
        who: What errors call the file.
    """

    def __init__(
        self, files: Mapping[str, bytes | StoredPart | hdf5.Outline], weights: h5py.Group, who: str
    ) -> None:
        self._files = files
        self._weights = weights
        self._who = who

    def __call__(self, instance: Any, config: dict[str, Any]) -> None:
        """Restore an object that was made from `config`, and all it holds by now."""
        group_path = config.get(_GROUP_KEY)
        if not isinstance(group_path, str) or not isinstance(instance, Layer):
            return
        if graph_of(instance) is None:  # else its layers had their turn
            restore(instance, self._files, group_path)
            self._restore_arrays(instance, group_path)

    def _restore_arrays(self, instance: Layer, group_path: str) -> None:
        for entry in entries(instance, optimizer=False):
            if not isinstance(entry.owner, Layer) or not getattr(entry.owner, "adapts", False):
                continue
            path = "/".join(filter(None, (group_path, entry.path, "vars")))
            arrays = hdf5.Arrays(hdf5.subgroup(self._weights, path, self._who), self._who)
            values = {name: arrays.numbers(name) for name in arrays}
            if values:
                entry.owner.load_own_variables(values)


def restore(
    root: Any, files: Mapping[str, bytes | StoredPart | hdf5.Outline], group_path: str = ""
) -> None:
    """Give every layer its files back. Only plain names within a layer's group are written out.

    Args:
        root: A model or a layer.
        files: The members of the archive.
        group_path: The group of `root`.
    """
    beginning = f"{FOLDER}{group_path}/" if group_path else FOLDER
    if not any(name.startswith(beginning) for name in files):
        return
    for entry in entries(root, optimizer=False):
        if not hasattr(entry.owner, "load_assets"):
            continue
        group = "/".join(filter(None, (group_path, entry.path)))
        beginning = f"{FOLDER}{group}/"
        own = {
            n[len(beginning) :]: c
            for n, c in files.items()
            if n.startswith(beginning) and isinstance(c, bytes)
        }
        own = {name: content for name, content in own.items() if is_plain_name(name)}
        if not own:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, content in own.items():
                (Path(folder) / name).write_bytes(content)
            entry.owner.load_assets(folder)


def is_plain_name(name: str) -> bool:
    """Whether a name stays in the folder it is joined to."""
    return bool(name) and name not in (".", "..") and not any(c in name for c in '/\\:"\0')


__all__ = [
    "FOLDER",
    "AdaptedRestorer",
    "collect",
    "is_plain_name",
    "add_group_paths",
    "fill_vocabularies",
    "restore",
]
