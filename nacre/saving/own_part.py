"""What nacre keeps of a model in a SavedModel folder, beside what TensorFlow reads there.

    nacre/config.json, metadata.json    as in a `.keras` file
    nacre/arrays.json                   group -> name -> key of the array in `variables/`
    nacre/assets/                       files of layers, such as vocabularies
    nacre/written_with                  which saved_model.pb these belong to

The arrays are those that TensorFlow restores; only what it has no variable for is there once more,
under keys of its own. So the model comes back as from a `.keras` file, whatever its classes are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import FileFormatError, message
from nacre.core.file_errors import read_json
from nacre.core.kinds import is_dict
from nacre.core.variable import Variable
from nacre.core.wire.bundle import Bundle
from nacre.core.wire.tensorflow.dtypes import NUMBERS
from nacre.core.wire.tensorflow.saved_model import FILE, VARIABLES
from nacre.saving import archive, assets, hdf5, weights
from nacre.saving.formats import native

FOLDER = "nacre"
_ARRAYS = "arrays.json"
_DIGEST = "written_with"  # tf.keras saves into a folder without emptying it
# What a damaged list of arrays, and the bundle, raise.
_DAMAGE = (ValueError, OSError, KeyError, TypeError, AttributeError)
_MEMBERS = (archive.METADATA, archive.CONFIG, _ARRAYS)


def to_files(
    model: Any, include_optimizer: bool, keys: Mapping[int, str]
) -> tuple[dict[str, bytes], dict[str, np.ndarray[Any, Any]]]:
    """The files, and the arrays that no variable of TensorFlow holds, by their keys.

    Args:
        keys: id of a variable -> key of its array.
    """
    files = native.texts_of(model, include_optimizer)
    places: dict[str, dict[str, Any]] = {}
    extra: dict[str, np.ndarray[Any, Any]] = {}
    used: set[str] = set()
    for found in weights.collect(model, include_optimizer) + weights.collect_metrics(model):
        group: dict[str, Any] = {}
        for name, value in found.arrays.items():
            key = keys.get(id(value)) if isinstance(value, Variable) else None
            array = hdf5.host_array(value)
            if key is None or key in used:  # a reader takes each array under one name
                key = f"{FOLDER}/{found.path}/{name}"
                extra[key] = array.copy()
            used.add(key)
            # The counter of steps is int64 in TensorFlow.
            group[name] = [key, array.dtype.name]
        places[found.path] = {"name": found.name, "arrays": group}
    files[_ARRAYS] = json.dumps(places).encode()
    return {f"{FOLDER}/{name}": content for name, content in files.items()}, extra


def is_there(folder: Path) -> bool:
    """Whether a folder has what nacre keeps, and nobody else saved into it since."""
    own, graph = folder / FOLDER / _DIGEST, folder / FILE
    if not own.is_file():
        return False
    archive.refuse_link(own, f"'{folder.name}'")
    archive.refuse_link(graph, f"'{folder.name}'")
    return own.read_text("ascii", "replace").strip() == digest(graph.read_bytes())


def digest(content: bytes) -> str:
    """What tells one `saved_model.pb` from another."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digest_file(content: bytes) -> dict[str, bytes]:
    """The file that says which `saved_model.pb` the folder's other files belong to."""
    return {f"{FOLDER}/{_DIGEST}": digest(content).encode()}


def load(folder: Path, who: str, custom_objects: dict[str, Any] | None, compile: bool) -> Any:
    """The model in a folder that nacre wrote."""
    archive.refuse_link(folder / FOLDER, who)
    files = archive.read_folder(folder / FOLDER, _MEMBERS, assets.FOLDER, who)
    outline = _outline(folder, files, who)
    files.pop(_ARRAYS, None)
    return native.load({**files, archive.WEIGHTS: outline}, who, custom_objects, compile)


def open_weights(folder: Path, who: str) -> Any:
    """The arrays in a folder that nacre wrote, as in a `.weights.h5`."""
    archive.refuse_link(folder / FOLDER, who)
    files = archive.read_folder(folder / FOLDER, (_ARRAYS,), assets.FOLDER, who)
    return hdf5.open_file(_outline(folder, files, who), who)


def config_of(folder: Path, who: str) -> Any:
    """The config of the model in a folder that nacre wrote."""
    archive.refuse_link(folder / FOLDER, who)
    files = archive.read_folder(folder / FOLDER, (archive.CONFIG,), assets.FOLDER, who)
    return read_json(native.member_text(files, archive.CONFIG), archive.CONFIG, who)


def _outline(folder: Path, files: Mapping[str, Any], who: str) -> Any:
    places = read_json(native.member_text(files, _ARRAYS), _ARRAYS, who)
    archive.refuse_link(folder / "variables", who)
    for part in sorted((folder / "variables").glob("variables.*")):
        archive.refuse_link(part, who)
    try:
        bundle = Bundle(folder / VARIABLES)
        return weights.outline(_groups(places, bundle, who), bundle.size_bytes)
    except _DAMAGE as error:
        raise _damaged(who, error) from error


def _damaged(who: str, error: Exception) -> FileFormatError:
    return FileFormatError(
        message(
            who,
            "the arrays of its variables must be intact",
            f"{type(error).__name__}: {error}",
            "It may be damaged or only partly copied: fetch it again.",
        )
    )


def _groups(places: Any, bundle: Bundle, who: str) -> list[weights.GroupElsewhere]:
    found: list[weights.GroupElsewhere] = []
    seen: set[str] = set()
    for path, group in places.items():
        if not is_dict(group) or ".." in str(path).split("/") or str(path).startswith("/"):
            raise ValueError(f"the group '{path}'")
        arrays: dict[str, hdf5.Elsewhere] = {}
        "/".join((str(path), str(group["name"]), *group["arrays"])).encode()  # or HDF5 has no name
        for name, (key, dtype) in group["arrays"].items():
            if key in seen:  # else a few bytes would be read as any number of arrays
                raise ValueError(f"two names for the array '{key}'")
            seen.add(key)
            arrays[str(name)] = _array(bundle, key, _dtype(dtype), who)
        found.append(weights.GroupElsewhere(str(path), str(group["name"]), arrays))
    return found


def _array(bundle: Bundle, key: str, dtype: np.dtype[Any], who: str) -> hdf5.Elsewhere:
    def read() -> np.ndarray[Any, Any]:
        try:
            return bundle.read(key).astype(dtype, copy=False)
        except _DAMAGE as error:
            raise _damaged(who, error) from error

    return hdf5.Elsewhere(bundle.entries[key].shape, dtype, read)


def _dtype(name: str) -> np.dtype[Any]:
    if name not in NUMBERS:
        raise ValueError(f"an array of {name}")
    return np.dtype(name)


__all__ = ["FOLDER", "config_of", "digest_file", "is_there", "load", "open_weights", "to_files"]
