"""Files that layers keep beside their weights, such as a vocabulary: `assets/<group>/<name>`.

A layer takes part by having `save_assets(folder)` and `load_assets(folder)`; the folder's place in
the archive is the layer's group in the weights file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from nacre.core.names import to_snake_case
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


_LOOKUPS = ("IntegerLookup", "StringLookup", "TextVectorization")


def put_into_config(
    config: dict[str, Any], files: dict[str, bytes], weights: Any, who: str, path: str = ""
) -> None:
    """Write vocabularies into a model's config, as its graph cannot be made without them.

    Args:
        config: The model's config, which is changed.
        files: The members of the archive.
        weights: The open weights file, which holds the weights of 'tf_idf'.
        who: The archive, for errors.
        path: Group of the model.

    The groups of layers that do not exist yet follow from the classes in the config.
    """
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(layers, list):
        return
    counts: dict[str, int] = {}
    for data in layers:
        kind = str(data.get("class_name"))
        is_op = ".ops" in str(data.get("module"))
        if is_op or (kind == "InputLayer" and config.get("class_name") == "Sequential"):
            continue
        name = to_snake_case(kind)
        count = counts.get(name, 0)
        counts[name] = count + 1
        place = f"{path}layers/{name}_{count}" if count else f"{path}layers/{name}"
        content = files.get(f"{FOLDER}{place}/vocabulary.txt")
        arguments = data.get("config")
        is_plain_lookup = kind in _LOOKUPS and isinstance(arguments, dict)
        if content is not None and is_plain_lookup and arguments.get("vocabulary") is None:
            tokens: list[Any] = content.decode("utf-8").split("\n")
            arguments["vocabulary"] = (
                [int(t) for t in tokens] if kind == "IntegerLookup" else tokens
            )
            arrays = hdf5.Arrays(hdf5.subgroup(weights, f"{place}/vars", who), who)
            if arrays.dataset("idf_weights") is not None:
                counted = arrays.numbers("idf_weights").ravel()
                arguments["idf_weights"] = [float(w) for w in counted[: len(tokens)]]
        put_into_config(data, files, weights, who, f"{place}/")


def restore(model: Any, files: dict[str, bytes]) -> None:
    """Give every layer its files back. Only plain names within a layer's group are written out."""
    for entry in entries(model, optimizer=False):
        if not hasattr(entry.owner, "load_assets"):
            continue
        beginning = f"{FOLDER}{entry.path}/"
        own = {n[len(beginning) :]: c for n, c in files.items() if n.startswith(beginning)}
        own = {name: content for name, content in own.items() if is_plain(name)}
        if not own:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, content in own.items():
                (Path(folder) / name).write_bytes(content)
            entry.owner.load_assets(folder)


def is_plain(name: str) -> bool:
    """Whether a name stays in the folder it is joined to."""
    return bool(name) and name not in (".", "..") and not any(c in name for c in '/\\:"\0')


__all__ = ["FOLDER", "collect", "is_plain", "restore"]
