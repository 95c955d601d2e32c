"""Weights of a model from a checkpoint of TensorFlow, by tf.keras or `tf.train.Checkpoint`.

In its graph of objects the layers of a model with a graph are `layer_with_weights-0`, `-1`, ...;
those of another model have the names of its attributes. The optimizer stands beside the model or
within it. (Read off checkpoints of tf.keras 2.15.1.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacre.core.errors import FileFormatError, WeightsMismatchError, listed, message
from nacre.core.registry import is_builtin
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.layers.base.layer import Layer
from nacre.models import Model
from nacre.optimizers import Optimizer
from nacre.saving import seeds
from nacre.saving.checkpoint_graph import Checkpoint, Node, StoredVariable
from nacre.saving.checkpoint_optimizer import optimizer_state
from nacre.saving.legacy_layout import (
    FileLayer,
    layer_variables,
    pairs_in_order,
    plan,
    settle,
    top_variables,
    unique_layers,
)
from nacre.saving.weights import Differences, LoadStep, run_steps

_IN_ORDER = re.compile(r"layer_with_weights-(\d+)")
_AS_IT_WAS = "Build the model as it was when the checkpoint was written."


@dataclass
class _Plan:
    """How the variables of a model are set.

    Attributes:
        places: id of a variable -> its place in the graph, where it has one.
        layer_names: Place of a layer -> its name, where that is known.
    """

    differences: Differences = field(default_factory=Differences)
    steps: list[LoadStep] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    layer_names: Mapping[int, str] = field(default_factory=dict)

    def add(self, layer: Any, variables: list[Variable], source: FileLayer) -> None:
        order = plan(layer, variables, source, "2", self.differences, self.steps)
        for variable, index in zip(variables, order or (), strict=False):
            array = source.arrays[index]
            assert isinstance(array, StoredVariable)
            self.places[id(variable)] = array.place


def load_weights(model: Any, prefix: Path, who: str, skip_mismatch: bool) -> None:
    """Set a model's weights from a checkpoint, and a compiled model's optimizer.

    Raises:
        WeightsMismatchError: They do not fit; everything is listed.
        FileFormatError: It is damaged.
    """
    file = Checkpoint(prefix, who)
    place, found = _best(model, file, who)
    if found.tables:
        warn(
            message(
                f"{who}, loaded into '{model.name}'",
                "vocabularies are not read from checkpoints",
                f"lookup tables of {listed(found.tables)}",
                "Call set_vocabulary(words) on these layers, or adapt() them again.",
            )
        )
    settle(found.differences, who, model, skip_mismatch)
    if found.differences.extra and not found.differences:
        names = listed(found.differences.extra)
        warn(f"{who}, loaded into '{model.name}': of the file alone, and left out: {names}.")
    optimizer = getattr(model, "optimizer", None)
    steps = found.steps
    if isinstance(optimizer, Optimizer):
        steps = steps + optimizer_state(model, optimizer, file, place, found.places)
    run_steps(steps + _seed_steps(model, file))


def _seed_steps(model: Any, file: Checkpoint) -> list[LoadStep]:
    at = file.nodes[0].children.get(seeds.NAME)
    if at is None:
        return []
    places = file.nodes[at].children.values()
    stored = {array.name: array for place in places if (array := file.array(place))}
    shapes = {name: array.shape for name, array in stored.items()}
    return seeds.seed_steps(model, shapes, lambda name: stored[name].read())


def restore(
    model: Any,
    file: Checkpoint,
    who: str,
    layer_names: Mapping[int, str],
    optimizer: bool,
    places: Mapping[int, int],
) -> None:
    """Set the variables of a model that is the root of a checkpoint's graph of objects.

    Args:
        model: A model that nobody has seen yet.
        file: The checkpoint.
        who: What errors call it.
        layer_names: Place of a layer -> its name, which only the files around a checkpoint tell.
        optimizer: Whether the state of the model's optimizer is set too.
        places: id -> place, of variables that have their values already.

    Raises:
        WeightsMismatchError: They do not fit; everything is listed.
        FileFormatError: It is damaged.
    """
    found = _Plan(places=dict(places), layer_names=layer_names)
    if not all(id(variable) in places for variable in model.variables):
        _plan_model(model, file, 0, who, found)
    settle(found.differences, who, model, skip_mismatch=False, is_new=True)
    steps = found.steps
    if optimizer:
        steps = steps + optimizer_state(model, model.optimizer, file, 0, found.places)
    run_steps(steps, is_new=True)


def _best(model: Any, file: Checkpoint, who: str) -> tuple[int, _Plan]:
    """Which object of the file is the model: the root, or one that it holds under any name."""
    root = file.nodes[0]
    named = root.children.items()
    candidates = [0, *(p for n, p in named if file.nodes[p].children and n != seeds.NAME)]
    plans: list[tuple[int, _Plan]] = []
    errors: list[WeightsMismatchError] = []
    for place in dict.fromkeys(candidates):
        try:
            plans.append((place, _planned(model, file, place, who)))
        except WeightsMismatchError as error:
            errors.append(error)
    fitting = [found for found in plans if not found[1].differences]
    if len(fitting) > 1:
        # Of several models that fit none can be told to be the one that is meant, but the one
        # that holds the others' variables too.
        names = [name for name, p in root.children.items() if p in {at for at, _ in fitting}]
        whole = max(fitting, key=lambda found: len(found[1].places))
        if sum(len(f.places) == len(whole[1].places) for _, f in fitting) > 1 and len(names) > 1:
            raise FileFormatError(
                message(
                    who,
                    f"one object of the checkpoint must fit '{model.name}'",
                    f"several that do: {listed(names)}",
                    "Write a checkpoint of the model alone: tf.train.Checkpoint(model=model).",
                )
            )
        return whole
    if fitting:
        return fitting[0]
    # The nearest: what most of the model's variables were found in.
    nearest = max(plans, key=lambda found: len(found[1].places), default=None)
    if nearest is None or (errors and not nearest[1].places):
        raise errors[0]
    return nearest


def _planned(model: Any, file: Checkpoint, place: int, who: str) -> _Plan:
    found = _Plan()
    _plan_model(model, file, place, who, found)
    return found


def _plan_model(model: Any, file: Checkpoint, place: int, who: str, found: _Plan) -> None:
    node = file.nodes[place]
    numbered = {int(m[1]): p for n, p in node.children.items() if (m := _IN_ORDER.fullmatch(n))}
    if numbered:
        places = [numbered[number] for number in sorted(numbered)]
        named = [(p, file.layer(found.layer_names.get(p, f"layer {p}"), p)) for p in places]
        sources = {id(source): (source, p) for p, source in named if source.names}
        listed_sources = [source for source, _ in sources.values()]
        pairs = pairs_in_order(model, listed_sources, who, _AS_IT_WAS)
        for layer, variables, source in pairs:
            _plan_layer(layer, variables, file, sources[id(source)][1], source, who, found)
        _plan_own(model, file, node, found)
        return
    layers = {id(layer): layer for layer in unique_layers(model)}
    for path, value, at in _attributes(model, file, node):
        if isinstance(value, Layer) and layers.pop(id(value), None) is not None:
            variables = layer_variables(value)
            source = file.layer(path, at)
            if variables or source.names:
                _plan_layer(value, variables, file, at, source, who, found)
        elif value is None and (names := file.layer(path, at).names):
            found.differences.extra.append(f"{path} ({len(names)} arrays)")
    for layer in layers.values():
        found.differences.missing += [variable.path for variable in layer_variables(layer)]
    _plan_own(model, file, node, found)


def _plan_layer(
    layer: Any,
    variables: list[Variable],
    file: Checkpoint,
    place: int,
    source: FileLayer,
    who: str,
    found: _Plan,
) -> None:
    if variables and all(id(variable) in found.places for variable in variables):
        return
    if file.tables_within(place):
        found.tables.append(layer.name)
    if isinstance(layer, Model) and layer.layers:
        _plan_model(layer, file, place, who, found)
    elif is_builtin(type(layer)) or not _plan_attributes(layer, variables, file, place, found):
        found.add(layer, variables, source)


def _plan_attributes(
    layer: Any, variables: list[Variable], file: Checkpoint, place: int, found: _Plan
) -> bool:
    """Plan a layer of the user's by its attributes, which say more than the names of variables:
    those of layers within may lack their layer's. False where they do not tell all."""
    pairs: list[tuple[Any, list[Variable], FileLayer]] = []

    def collect(holder: Any, at: int) -> None:
        for path, value, inner in _attributes(holder, file, file.nodes[at]):
            array = file.array(inner)
            if isinstance(value, Variable) and array is not None:
                pairs.append((holder, [value], FileLayer(path, [file.nodes[inner].name], [array])))
            elif isinstance(value, Layer) and is_builtin(type(value)):
                pairs.append((value, layer_variables(value), file.layer(path, inner)))
            elif isinstance(value, Layer):
                collect(value, inner)

    collect(layer, place)
    told = [id(variable) for _, own, _ in pairs for variable in own]
    arrays = sum(len(source.arrays) for _, _, source in pairs)
    if sorted(told) != sorted(map(id, variables)) or arrays != len(file.layer("", place).arrays):
        return False
    for holder, own, source in pairs:
        found.add(holder, own, source)
    return True


def _plan_own(model: Any, file: Checkpoint, node: Node, found: _Plan) -> None:
    """The variables that belong to the model itself, by the names of its attributes."""
    own = {id(variable): variable for variable in top_variables(model)}
    for _, value, at in _attributes(model, file, node):
        array = file.array(at)
        if (
            array is not None
            and isinstance(value, Variable)
            and own.pop(id(value), None) is not None
        ):
            found.add(model, [value], FileLayer(model.name, [file.nodes[at].name], [array]))
    found.differences.missing += [variable.path for variable in own.values()]


# Attributes of a model that hold no weights of its layers.
_ASIDE = frozenset(
    "optimizer keras_api root compiled_metrics compiled_loss variables trainable_variables "
    f"non_trainable_variables regularization_losses {seeds.NAME}".split()
)


def _attributes(
    holder: Any, file: Checkpoint, node: Node, beginning: str = ""
) -> Iterator[tuple[str, Any, int]]:
    """Path, value and place of what a file holds under the attributes of a model.

    A value is None where the model has no such attribute.
    """
    for name, place in node.children.items():
        if not beginning and (name in _ASIDE or name.startswith(("layer-", "layer_with_weights-"))):
            continue
        value = _member(holder, name)
        path = f"{beginning}{name}"
        if isinstance(value, list | tuple | Mapping) and not isinstance(value, Layer):
            yield from _attributes(value, file, file.nodes[place], f"{path}/")
        else:
            yield path, value, place


def _member(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(name, holder.get(int(name)) if name.isdigit() else None)
    if isinstance(holder, Sequence):
        return holder[int(name)] if name.isdigit() and int(name) < len(holder) else None
    return getattr(holder, name, None)


__all__ = ["load_weights", "restore"]
