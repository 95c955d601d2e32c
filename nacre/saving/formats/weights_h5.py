"""Files of weights alone: Keras 3's `.weights.h5`, the older `.h5`, and shards of the first."""

from __future__ import annotations

from functools import partial
from typing import Any

from nacre.core.errors import FileFormatError, message
from nacre.core.regions import Content, Region
from nacre.saving import archive, building, hdf5, legacy_layout, own_part, weights
from nacre.saving.files import Source
from nacre.saving.formats import shards
from nacre.saving.formats.native import KERAS_VERSION, read_folder


def to_content(model: Any) -> tuple[Content, list[Any]]:
    """A `.weights.h5` file, and the arrays in it; a compiled model's optimizer is included."""
    groups = weights.collect(model, optimizer=bool(getattr(model, "compiled", False)))
    return weights.content(groups, note=partial(building.note, model)), groups


def check(source: Any, groups: list[Any], who: str) -> None:
    """Raise unless a written `.weights.h5` holds exactly these arrays."""
    with hdf5.open_file(source, who, verify=False) as file:
        weights.compare(file, groups, who)


def to_legacy_content(model: Any) -> tuple[Content, list[Any]]:
    """An `.h5` file of weights in the older layout, and the arrays in it."""
    names, groups = legacy_layout.collect(model)

    def fill(region: Region) -> None:
        with hdf5.Writer(region) as root:
            legacy_layout.write(root, names, groups, KERAS_VERSION)
            building.note(model, root)

    return fill, groups


def check_legacy(source: Any, groups: list[Any], who: str) -> None:
    """Raise unless a written `.h5` holds exactly these arrays."""
    with hdf5.open_file(source, who, verify=False) as file:
        legacy_layout.compare(file, groups, who)


def load(model: Any, source: Source, by_name: bool, skip_mismatch: bool) -> None:
    """Set a model's weights from a file of any kind that has some.

    Raises:
        WeightsMismatchError: They do not fit; everything is listed.
    """
    who = source.who
    if source.kind not in ("h5_model", "legacy_weights"):
        if by_name:
            raise FileFormatError(
                message(
                    who,
                    "by_name=True needs a file that lists layers by name, an .h5 of Keras 1 or 2",
                    "a Keras 3 file",
                    "Use skip_mismatch=True, or copy layer by layer with get_weights().",
                )
            )
        with _open_keras3(source) as file:
            has_optimizer = bool(getattr(model, "compiled", False))
            weights.restore(model, file, who, skip_mismatch, optimizer=has_optimizer)
        return
    with hdf5.open_file(source.opened(), who) as file:
        root = hdf5.subgroup(file, "model_weights", who) if source.kind == "h5_model" else file
        if root is not None and not hdf5.has_attribute(root, "layer_names"):
            root = hdf5.subgroup(root, "model_weights", who) or root
        if root is None:
            raise FileFormatError(message(who, "the file must hold weights", "a config alone"))
        version = hdf5.text_attribute(file, "keras_version") or ""
        version = version or hdf5.text_attribute(root, "keras_version") or ""
        legacy_layout.restore(model, root, who, by_name, skip_mismatch, version)


def _open_keras3(source: Source) -> Any:
    who = source.who
    if source.kind == "weights":
        return hdf5.open_file(source.opened(), who)
    if source.kind == "sharded_weights":
        assert source.path is not None
        return shards.open_joined(source.path, who)
    if source.kind == "saved_model":
        assert source.path is not None
        return own_part.open_weights(source.path, who)
    if source.kind == "native_folder":
        assert source.path is not None
        files = read_folder(source.path)
    else:
        files = archive.unpack(source.opened(), (archive.WEIGHTS,), who, in_place=True)
    if archive.WEIGHTS not in files:
        raise FileFormatError(
            message(who, f"a .keras file must hold {archive.WEIGHTS}", "an archive without it")
        )
    return hdf5.open_file(files[archive.WEIGHTS], who)


__all__ = ["check", "check_legacy", "load", "to_content", "to_legacy_content"]
