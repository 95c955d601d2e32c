"""Models that are not built yet, built for what a file of weights holds.

nacre notes beside weights what their model was built for, and whole models say it in their config.
Of a stack of layers the arrays themselves tell it: a layer is tried for input shapes until its
variables have the shapes in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import h5py

from nacre.core import safety
from nacre.core.errors import NacreError
from nacre.core.file_errors import naming, read_json
from nacre.core.kinds import is_dict, is_list
from nacre.layers.base.layer import Layer
from nacre.models import Sequential
from nacre.saving import archive, hdf5, own_part
from nacre.saving.files import Source
from nacre.saving.formats.native import member_text, read_folder
from nacre.saving.layout import entries
from nacre.saving.weights import GroupFinder

KEY = "nacre_build_config"
_AXES = 6  # of inputs, at most
_TRIES = 40  # of a layer


def note(model: Any, root: h5py.Group) -> None:
    """Write what a model was built for beside its weights; nothing for one that always is."""
    config = model.get_build_config() if hasattr(model, "get_build_config") else None
    if config and config.get("input_shape", True) is not None:
        hdf5.write_text(root, KEY, json.dumps(config))


def build_from(model: Any, source: Source) -> None:
    """Build a model for what a file holds; leave it as it is where the file does not tell."""
    kinds = ("native", "native_folder", "weights", "legacy_weights", "h5_model", "saved_model")
    if source.kind not in kinds:
        return
    with safety.reading(True):
        safety.set_file_size(source.size_bytes)
        _build_from(model, source)


def _build_from(model: Any, source: Source) -> None:
    if source.kind == "saved_model":
        if source.path is not None and own_part.is_there(source.path):
            _build_for(model, own_part.config_of(source.path, source.who), source.who)
    elif source.kind in ("native", "native_folder"):
        _build_for(model, _in_archive(source), source.who)
    else:
        with hdf5.open_file(source.opened(), source.who) as file:
            text = hdf5.text_attribute(file, KEY)
            whole = hdf5.text_attribute(file, "model_config")
            if text is not None:
                _build_for(model, {"build_config": read_json(text, KEY, source.who)}, source.who)
            elif whole is not None:
                _build_for(model, read_json(whole, "model_config", source.who), source.who)
            if not model.built and source.kind == "weights" and isinstance(model, Sequential):
                _build_by_arrays(model, file, source.who)


def _in_archive(source: Source) -> Any:
    if source.kind == "native_folder":
        assert source.path is not None
        files = read_folder(source.path)
    else:
        files = archive.unpack(source.opened(), (archive.CONFIG,), source.who)
    return archive.read_json(member_text(files, archive.CONFIG), archive.CONFIG, source.who)


def _build_for(model: Any, told: Any, who: str) -> None:
    config = told.get("build_config") if is_dict(told) else None
    inner = told.get("config") if is_dict(told) else None
    shape = _first_shape(inner.get("layers")) if is_dict(inner) else None
    with naming(who, "what its model was built for"):
        if is_dict(config) and config.get("input_shape", True) is not None:
            model.build_from_config(dict(config))
        elif shape is not None and isinstance(model, Sequential):
            model.build(tuple(shape))


def _first_shape(layers: Any) -> list[Any] | None:
    """The input's shape in the config of a stack."""
    first = layers[0].get("config") if is_list(layers) and layers and is_dict(layers[0]) else None
    names = ("batch_shape", "batch_input_shape")
    found = [first[n] for n in names if is_list(first.get(n))] if is_dict(first) else []
    return list(found[0]) if found else None


# --- by arrays ------------------------------------------------------------------------------------


def _build_by_arrays(model: Sequential, file: h5py.Group, who: str) -> None:
    """Build a stack whose first layer with weights is its first, for the arrays of its group.

    Of shapes that differ in the number of axes alone it is the one with the fewest.
    """
    finder = GroupFinder(file, who)
    found = entries(model, optimizer=False)
    finder.resolve(found)
    first = next((entry for entry in found if entry.owner is model.layers[0]), None)
    group = None if first is None else hdf5.subgroup(file, finder.place(first), who)
    shapes = {} if group is None else dict(_shapes(group, who))
    for shape in _candidates(shapes) if shapes else ():
        if _fits(model.layers[0], shape, shapes):
            before = list(model._layers)
            try:
                model.build(shape)
                model._input_is_guessed = True  # other sizes are let in
            except (NacreError, ValueError, TypeError):  # of sizes that are not known
                model._layers = before
            return


def _shapes(group: h5py.Group, who: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Path within a layer -> shape, of its arrays."""
    for path, item in hdf5.walk(group, who, lambda *_: False):
        if isinstance(item, h5py.Dataset) and "seed" not in path:
            hdf5.check_dataset(item, who)
            yield path, hdf5.shape_of(item)


def _candidates(shapes: dict[str, tuple[int, ...]]) -> Iterator[tuple[int | None, ...]]:
    """Input shapes to try: the last size is one of the arrays'."""
    sizes = [n for shape in shapes.values() for n in (*shape[-2:-1], *shape[:1], *shape[-1:])]
    for size in (None, *dict.fromkeys(sizes)):
        for axes in range(2, _AXES):
            yield (None,) * (axes - 1) + (size,)


def _fits(layer: Layer, shape: tuple[int | None, ...], wanted: dict[str, tuple[int, ...]]) -> bool:
    """Whether a layer like this one has variables of the shapes wanted when it is built so."""
    try:
        tried: Any = type(layer).from_config(layer.get_config())
        tried.build(shape)
    except (NacreError, ValueError, TypeError):
        return False
    found = {
        f"{entry.path}/vars/{i}".lstrip("/"): tuple(variable.shape)
        for entry in entries(tried, optimizer=False)
        if isinstance(entry.owner, Layer)
        for i, variable in enumerate(entry.owner._saved_variables())
    }
    return found == wanted


__all__ = ["KEY", "build_from", "note"]
