"""Models in checkpoints of Orbax: made from their config, given their variables by path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nacre.callbacks.orbax_checkpoint import WEIGHTS
from nacre.core.errors import FileFormatError, message
from nacre.core.file_errors import naming, read_json
from nacre.core.names import paired_in_order
from nacre.core.nested_dicts import nested, values_by_path
from nacre.core.registry import CustomObjectScope, deserialize_keras_object
from nacre.core.warning import warn
from nacre.models import mask_flow
from nacre.saving import orbax
from nacre.saving.formats import native
from nacre.saving.lambdas import take_out_code
from nacre.saving.weights import Differences, mismatch

_OPTIMIZER = "optimizer_variables"
_Names: TypeAlias = tuple[str, ...]  # of a variable: the names above it, and its own
_SEEDS = "seed_generator"  # what Keras calls them, with a number that depends on the process


def load(folder: Path, who: str, custom_objects: dict[str, Any] | None, compile: bool) -> Any:
    """The newest model in a folder."""
    newest = _newest(folder)
    described = orbax.read(newest, "model_config", who)
    if described is None or not isinstance(described.get("config"), str):
        raise FileFormatError(
            message(
                "load_model",
                "the checkpoint must hold a whole model",
                f"{who}, a checkpoint of weights alone",
                "Build the model as it was and call model.load_weights(path).",
            )
        )
    values = _values(newest, who)
    config = read_json(described["config"], "the config", who)
    if not isinstance(config, dict) or "class_name" not in config:
        raise FileFormatError(message(who, "the config must describe a model", str(config)[:80]))
    compile_config = config.pop("compile_config", None)
    with naming(who, "model_config"):
        config, functions = take_out_code(config, who)
    with CustomObjectScope({**functions, **(custom_objects or {})}):
        with naming(who, "model_config"):
            model = deserialize_keras_object(config)
            native.require_model(model)
        if compile and compile_config:
            native.compile_model(model, compile_config, who)
    order = _order(newest, who)
    _assign(model, values, order, who, is_new=True)
    if order is None:  # written by Keras
        mask_flow.set_end_at_ops(model, True)
    return model


def load_weights(model: Any, folder: Path, who: str, skip_mismatch: bool) -> None:
    """Give a model the newest weights in a folder."""
    newest = _newest(folder)
    _assign(model, _values(newest, who), _order(newest, who), who, skip_mismatch)


def _newest(folder: Path) -> Path:
    found = orbax.newest(folder)
    assert found is not None  # or it would be no checkpoint
    return found


def _values(folder: Path, who: str) -> dict[str, Any]:
    values = orbax.read(folder, "pytree", who)
    if values is None or not any(isinstance(values.get(name), dict) for name in WEIGHTS):
        raise FileFormatError(
            message(who, "the checkpoint must hold variables", f"{folder.name} without any")
        )
    return values


def _order(folder: Path, who: str) -> dict[str, list[_Names]] | None:
    """The paths of the variables in the order of the layers; None where Keras wrote the folder."""
    note = orbax.read(folder, "nacre", who)
    if note is None:
        return None
    order = read_json(str(note.get("order")), "the order of the weights", who)
    with naming(who, "nacre"):
        return {name: [tuple(path) for path in paths] for name, paths in order.items()}


def _assign(
    model: Any,
    values: Mapping[str, Any],
    order: dict[str, list[_Names]] | None,
    who: str,
    skip_mismatch: bool = False,
    is_new: bool = False,
) -> None:
    """Set all weights, and the optimizer's state where both sides have one."""
    optimizer: Any = getattr(model, "optimizer", None)
    has_optimizer = bool(values.get(_OPTIMIZER)) and optimizer is not None
    if optimizer is not None and has_optimizer and not optimizer.built:
        optimizer.build(model.trainable_variables)
    present = model.get_state_tree("numpy_array")
    here, there = (
        {name: values_by_path(group) for name, group in side.items()} for side in (present, values)
    )
    # One for both kinds of weights: what is frozen here may not have been.
    weights, saved = (
        {k: v for name in WEIGHTS for k, v in side[name].items()} for side in (here, there)
    )
    differences = Differences()
    pairs = _pairs_by_order(here, there, order, WEIGHTS) or _pairs(weights, saved)
    found = _fitting(weights, saved, pairs, differences)
    trees = {name: {k: found[k] for k in here[name] if k in found} for name in WEIGHTS}
    if has_optimizer:
        pairs = _pairs_by_order(here, there, order, [_OPTIMIZER]) or _optimizer_pairs(
            here[_OPTIMIZER], there[_OPTIMIZER], pairs
        )
        trees[_OPTIMIZER] = _fitting(here[_OPTIMIZER], there[_OPTIMIZER], pairs, differences)
    if differences:
        error = mismatch(who, model, differences, is_new)
        if not skip_mismatch:
            raise error
        warn(f"{error} What fits is set.")
    model.set_state_tree({name: nested(paths) for name, paths in trees.items()})


def _fitting(
    here: Mapping[_Names, Any],
    there: Mapping[_Names, Any],
    pairs: Mapping[_Names, _Names],
    differences: Differences,
) -> dict[_Names, Any]:
    """Path here -> value there, of those whose shapes fit."""
    found: dict[_Names, Any] = {}
    for path, other in pairs.items():
        if np.shape(there[other]) == np.shape(here[path]):
            found[path] = there[other]
            continue
        shapes = f"file {np.shape(there[other])}   model {np.shape(here[path])}"
        differences.shapes.append(f"{'/'.join(path)}   {shapes}")
    differences.missing += ["/".join(path) for path in here if path not in pairs]
    taken = set(pairs.values())
    differences.extra += ["/".join(path) for path in there if path not in taken]
    return found


def _pairs_by_order(
    here: Mapping[str, Mapping[_Names, Any]],
    there: Mapping[str, Mapping[_Names, Any]],
    order: Mapping[str, list[_Names]] | None,
    groups: Iterable[str],
) -> dict[_Names, _Names]:
    """Path here -> path there, one after the other where both have as many of the same kinds.

    None of them where the order is not known.
    """
    pairs: dict[_Names, _Names] = {}
    for name in groups:
        theirs = list(there[name])
        if order is not None and set(order.get(name, [])) == there[name].keys():
            theirs = order[name]
        elif here[name].keys() != there[name].keys():
            return {}
        found = paired_in_order(list(here[name]), theirs, _kind)
        if found is None:
            return {}
        pairs.update(found)
    return pairs


def _kind(path: _Names) -> str:
    """The last word of a variable's name: `kernel`, and `momentum` of its state.

    The names above it may be others: the path of a layer in several models is that of the model
    that was built first.
    """
    return _base(path[-1]).rpartition("_")[2]


def _pairs(here: Iterable[_Names], there: Iterable[_Names]) -> dict[_Names, _Names]:
    """Path here -> path there, where the paths within the models are the same; seeds in order.

    A model that was read has variables without its own name in front; the numbers in automatic
    names depend on what else the process made.
    """
    sides: list[list[dict[Any, _Names]]] = []
    for paths in (here, there):
        named = [path for path in paths if not _is_seed(path)]
        firsts = {path[0] for path in named}
        sides.append([_by_place(named, 0)] + [_by_place(named, 1)] * (len(firsts) == 1))
    best = max(product(*sides), key=lambda pair: len(pair[0].keys() & pair[1].keys()))
    pairs = {path: best[1][place] for place, path in best[0].items() if place in best[1]}
    seeds = [
        sorted(filter(_is_seed, paths), key=lambda p: _number(p[0])) for paths in (here, there)
    ]
    if len(seeds[0]) == len(seeds[1]):
        pairs.update(zip(*seeds, strict=True))
    return pairs


def _by_place(paths: Iterable[_Names], left_out: int) -> dict[Any, _Names]:
    """Place -> path; names that differ by a number alone, as automatic ones, have places in order.

    Args:
        paths: The paths.
        left_out: How many of the first names are no part of a place.
    """
    siblings: dict[tuple[_Names, str], set[str]] = {}
    for path in paths:
        for depth in range(left_out, len(path)):
            key = path[left_out:depth], _base(path[depth])
            siblings.setdefault(key, set()).add(path[depth])
    order = {key: sorted(names, key=_number) for key, names in siblings.items()}
    return {
        tuple(
            (_base(path[depth]), order[path[left_out:depth], _base(path[depth])].index(path[depth]))
            for depth in range(left_out, len(path))
        ): path
        for path in paths
    }


def _base(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def _number(name: str) -> int:
    found = re.search(r"_(\d+)$", name)
    return int(found[1]) if found else -1


def _optimizer_pairs(
    here: Iterable[_Names], there: Iterable[_Names], weights: Mapping[_Names, _Names]
) -> dict[_Names, _Names]:
    """The same for an optimizer, whose state is named by the paths of the weights: that of
    `sequential/dense/kernel` is `adam/sequential_dense_kernel_momentum`."""
    renamed = {"_".join(other): "_".join(path) for path, other in weights.items()}
    heads = [_by_place([path[:1] for path in paths], 0) for paths in (here, there)]
    places = [{path[0]: place for place, path in side.items()} for side in heads]
    by_name: dict[tuple[Any, ...], _Names] = {}
    for path in there:
        last = path[-1]
        weight = max((w for w in renamed if last.startswith(f"{w}_")), key=len, default=None)
        if weight is not None:
            last = renamed[weight] + last[len(weight) :]
        by_name[(places[1][path[0]], *path[1:-1], last)] = path
    named = {path: (places[0][path[0]], *path[1:]) for path in here}
    return {path: by_name[name] for path, name in named.items() if name in by_name}


def _is_seed(path: _Names) -> bool:
    return path[-1] == f"{_SEEDS}_state"


__all__ = ["load", "load_weights"]
