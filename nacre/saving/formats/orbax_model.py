"""Models in checkpoints of Orbax: made from their config, given their variables by path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nacre.core.errors import FileFormatError, message
from nacre.core.file_errors import naming, read_json
from nacre.core.registry import CustomObjectScope, deserialize_keras_object
from nacre.core.warning import warn
from nacre.models import mask_flow
from nacre.saving import orbax
from nacre.saving.formats import native
from nacre.saving.lambdas import take_out_code
from nacre.saving.weights import Differences, mismatch

_WEIGHTS = ("trainable_variables", "non_trainable_variables")
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
    _assign(model, values, who, is_new=True)
    if "nacre_version" not in described:
        mask_flow.set_end_at_ops(model, True)
    return model


def load_weights(model: Any, folder: Path, who: str, skip_mismatch: bool) -> None:
    """Give a model the newest weights in a folder."""
    _assign(model, _values(_newest(folder), who), who, skip_mismatch)


def _newest(folder: Path) -> Path:
    found = orbax.newest(folder)
    assert found is not None  # or it would be no checkpoint
    return found


def _values(folder: Path, who: str) -> dict[str, Any]:
    values = orbax.read(folder, "pytree", who)
    if values is None or not any(isinstance(values.get(name), dict) for name in _WEIGHTS):
        raise FileFormatError(
            message(who, "the checkpoint must hold variables", f"{folder.name} without any")
        )
    return values


def _assign(
    model: Any,
    values: Mapping[str, Any],
    who: str,
    skip_mismatch: bool = False,
    is_new: bool = False,
) -> None:
    """Set all weights, and the optimizer's state where both sides have one."""
    optimizer: Any = getattr(model, "optimizer", None)
    has_optimizer = bool(values.get(_OPTIMIZER)) and optimizer is not None
    if optimizer is not None and has_optimizer and not optimizer.built:
        optimizer.build(model.trainable_variables)
    here = {name: dict(_flat(group)) for name, group in model.get_state_tree("numpy_array").items()}
    there = {name: dict(_flat(group)) for name, group in values.items()}
    # One for both kinds of weights: what is frozen here may not have been.
    weights, saved = (
        {k: v for name in _WEIGHTS for k, v in side[name].items()} for side in (here, there)
    )
    differences = Differences()
    pairs = _pairs(weights, saved)
    found = _fitting(weights, saved, pairs, differences)
    trees = {name: {k: found[k] for k in here[name] if k in found} for name in _WEIGHTS}
    if has_optimizer:
        pairs = _optimizer_pairs(here[_OPTIMIZER], there[_OPTIMIZER], pairs)
        trees[_OPTIMIZER] = _fitting(here[_OPTIMIZER], there[_OPTIMIZER], pairs, differences)
    if differences:
        error = mismatch(who, model, differences, is_new)
        if not skip_mismatch:
            raise error
        warn(f"{error} What fits is set.")
    model.set_state_tree({name: _nested(paths) for name, paths in trees.items()})


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
    by_name: dict[_Names, _Names] = {}
    for path in there:
        last = path[-1]
        weight = max((w for w in renamed if last.startswith(f"{w}_")), key=len, default=None)
        if weight is not None:
            last = renamed[weight] + last[len(weight) :]
        by_name[(*path[1:-1], last)] = path
    return {path: by_name[path[1:]] for path in here if path[1:] in by_name}


def _is_seed(path: _Names) -> bool:
    return path[-1] == f"{_SEEDS}_state"


def _flat(values: Mapping[str, Any], path: _Names = ()) -> Iterator[tuple[Any, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, name))
        else:
            yield (*path, name), value


def _nested(paths: Mapping[_Names, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for (*outer, last), value in paths.items():
        here = made
        for name in outer:
            here = here.setdefault(name, {})
        here[last] = value
    return made


__all__ = ["load", "load_weights"]
