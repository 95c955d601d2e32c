"""Checkpoints of TensorFlow: `save_weights(path)` of tf.keras, and `tf.train.Checkpoint`.

Arrays lie in a bundle (`core/wire/bundle.py`). One string among them is a graph of the objects that
were saved, with the attribute under which each was found: layers of a model with a graph are
`layer_with_weights-0`, `-1`, ...; those of another model have the names of its attributes. The
optimizer's arrays stand beside the model or within it.

Source: tensorflow/core/protobuf/trackable_object_graph.proto; the names read off checkpoints of
tf.keras 2.15.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import FileFormatError, WeightsMismatchError, listed, message
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.core.wire import protobuf
from nacre.core.wire.bundle import Bundle, dtype_of
from nacre.layers.base.layer import Layer
from nacre.models import Model
from nacre.optimizers import Optimizer
from nacre.saving.legacy_layout import (
    FileLayer,
    layer_variables,
    pairs_in_order,
    plan,
    settle,
    top_variables,
    unique_layers,
)
from nacre.saving.weights import Differences, LoadStep, optimizer_steps, run_steps
from nacre.training.state import tell_paths

_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_IN_ORDER = re.compile(r"layer_with_weights-(\d+)")
_VALUE = "VARIABLE_VALUE"
_AS_IT_WAS = "Build the model as it was when the checkpoint was written."


# --- what is in it --------------------------------------------------------------------------------


@dataclass
class _Node:
    """An object that was saved.

    Attributes:
        children: The attribute, key or index of each object within -> its place in the graph.
        key: Name of its array, of a variable alone.
        name: What a variable was called, such as `dense/kernel`.
        slots: (name of a slot, variable's place, slot's place), of an optimizer before Keras 2.11.
        has_table: It is a lookup table.
    """

    children: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    name: str = ""
    slots: list[tuple[str, int, int]] = field(default_factory=list)
    has_table: bool = False


@dataclass(frozen=True)
class _Array:
    """An array of a checkpoint, and the place of its variable in the graph."""

    file: Checkpoint
    key: str
    place: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.file.bundle.entries[self.key].shape

    def read(self) -> np.ndarray:
        return self.file.read(self.key)


class Checkpoint:
    """The arrays and the graph of objects of a checkpoint.

    Raises:
        FileFormatError: It is damaged, or has no graph of objects.
    """

    def __init__(self, prefix: Path, who: str) -> None:
        self.who = who
        try:
            self.bundle = Bundle(prefix)
            if _GRAPH not in self.bundle:
                raise self._without_graph()
            content = self.bundle.read(_GRAPH)
            data = content.item() if content.dtype == object and content.size == 1 else b""
            self.nodes = [_node(part) for part in _parts(memoryview(data), 1)]
        except (ValueError, OSError) as error:
            raise _damaged(who, error) from error
        places = range(len(self.nodes))
        linked = [place for node in self.nodes for place in node.children.values()]
        linked += [place for node in self.nodes for slot in node.slots for place in slot[1:]]
        if not self.nodes or any(place not in places for place in linked):
            raise _damaged(who, ValueError("a link of its graph leads nowhere"))

    def read(self, key: str) -> np.ndarray:
        """An array.

        Raises:
            FileFormatError: It is damaged.
        """
        try:
            return self.bundle.read(key)
        except (ValueError, OSError, KeyError) as error:
            raise _damaged(self.who, error) from error

    def array(self, place: int) -> _Array | None:
        """The array of a variable; None for what is none, and for strings and handles."""
        key = self.nodes[place].key
        entry = None if key is None else self.bundle.entries.get(key)
        if key is None or entry is None or dtype_of(entry.dtype) is None:
            return None
        return _Array(self, key, place)

    def layer(self, name: str, place: int) -> FileLayer:
        """All arrays of an object and of what is within it, in the order of the graph."""
        arrays = [array for at in self._within(place) if (array := self.array(at)) is not None]
        names = [self.nodes[array.place].name for array in arrays]
        firsts = {text.split("/")[0] for text in names}
        return FileLayer(firsts.pop() if len(firsts) == 1 else name, names, arrays)

    def tables_within(self, place: int) -> bool:
        """Whether there is a lookup table among an object's."""
        return any(self.nodes[at].has_table for at in self._within(place))

    def _within(self, place: int) -> Iterator[int]:
        seen: set[int] = set()
        waiting = [place]
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            yield at
            waiting += reversed(self.nodes[at].children.values())

    def _without_graph(self) -> FileFormatError:
        return FileFormatError(
            message(
                self.who,
                "a checkpoint must tell which object each array belongs to",
                f"names alone, {listed(list(self.bundle.entries), 4)}: one of TensorFlow 1",
                "Open it in TensorFlow and write it by tf.train.Checkpoint(model=model).write(p).",
            )
        )


def _damaged(who: str, error: Exception) -> FileFormatError:
    return FileFormatError(
        message(
            who,
            "a checkpoint's files must be whole",
            str(error),
            "Files belonging to it are NAME.index and NAME.data-00000-of-00001: fetch them again.",
        )
    )


def _parts(data: memoryview, number: int) -> Iterator[memoryview]:
    return (protobuf.message(value) for found, value in protobuf.fields(data) if found == number)


def _node(data: memoryview) -> _Node:
    node = _Node()
    for part in _parts(data, 1):
        child = dict(protobuf.fields(part))
        node.children[_text(child.get(2, _NOTHING))] = protobuf.number(child.get(1, 0))
    for part in _parts(data, 2):
        attribute = dict(protobuf.fields(part))
        name = _text(attribute.get(1, _NOTHING))
        if name == _VALUE:
            node.name = _text(attribute.get(2, _NOTHING))
            node.key = _text(attribute.get(3, _NOTHING))
        node.has_table |= name.endswith("table-keys")
    for part in _parts(data, 3):
        slot = dict(protobuf.fields(part))
        variable, value = (protobuf.number(slot.get(number, 0)) for number in (1, 3))
        node.slots.append((_text(slot.get(2, _NOTHING)), variable, value))
    return node


_NOTHING = memoryview(b"")


def _text(value: int | memoryview) -> str:
    return bytes(protobuf.message(value)).decode("utf-8", "replace")


# --- into a model ---------------------------------------------------------------------------------


@dataclass
class _Plan:
    """How the variables of a model are set.

    Attributes:
        places: id of a variable -> its place in the graph, where it has one.
    """

    differences: Differences = field(default_factory=Differences)
    steps: list[LoadStep] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)

    def add(self, layer: Any, variables: list[Variable], source: FileLayer) -> None:
        order = plan(layer, variables, source, "2", self.differences, self.steps)
        for variable, index in zip(variables, order or (), strict=False):
            array = source.arrays[index]
            assert isinstance(array, _Array)
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
        steps = steps + _optimizer_steps(model, optimizer, file, place, found, who)
    run_steps(steps)


def _best(model: Any, file: Checkpoint, who: str) -> tuple[int, _Plan]:
    """Which object of the file is the model: the root, or one that it holds under any name."""
    root = file.nodes[0]
    candidates = [0, *(p for p in root.children.values() if file.nodes[p].children)]
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
        sources = {id(s): (s, p) for p in places if (s := file.layer(f"layer {p}", p)).names}
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
    if file.tables_within(place):
        found.tables.append(layer.name)
    if isinstance(layer, Model) and layer.layers:
        _plan_model(layer, file, place, who, found)
    else:
        found.add(layer, variables, source)


def _plan_own(model: Any, file: Checkpoint, node: _Node, found: _Plan) -> None:
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
_ASIDE = frozenset("optimizer keras_api root compiled_metrics compiled_loss".split())


def _attributes(
    holder: Any, file: Checkpoint, node: _Node, beginning: str = ""
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


# --- its optimizer --------------------------------------------------------------------------------


class _Listed:
    """Arrays of an optimizer by number."""

    def __init__(self, arrays: list[_Array]) -> None:
        self._arrays = arrays

    def shape(self, name: str) -> tuple[int, ...]:
        return self._arrays[int(name)].shape

    def numbers(self, name: str) -> np.ndarray:
        return self._arrays[int(name)].read()


def _optimizer_steps(
    model: Any, optimizer: Optimizer, file: Checkpoint, place: int, found: _Plan, who: str
) -> list[LoadStep]:
    node = _optimizer_node(file, place)
    if node is None:
        return []
    if not optimizer.built:
        tell_paths(model, optimizer)
        optimizer.build(model.trainable_variables)
    names = ("inner_optimizer", "_optimizer")
    inner = next((node.children[name] for name in names if name in node.children), None)
    if inner is not None:
        node = file.nodes[inner]
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    slots = _slots_by_variable(file, node)
    places = [found.places.get(id(variable)) for variable in optimizer._trainable_variables]
    arrays = [file.array(node.children[n]) for n in _COUNTERS if n in node.children]
    for at in places:
        arrays += slots.get(at, ()) if at is not None else ()
    known = [array for array in arrays if array is not None]
    keys = [str(index) for index in range(len(known))]
    return optimizer_steps(optimizer, _Listed(known), keys, who)


_COUNTERS = ("_iterations", "iter", "_learning_rate", "learning_rate")


def _optimizer_node(file: Checkpoint, place: int) -> _Node | None:
    for holder in (file.nodes[place], file.nodes[0]):
        for at in holder.children.values():
            node = file.nodes[at]
            if not node.children.keys().isdisjoint(("_iterations", "iter", "inner_optimizer")):
                return node
    return None


def _slots_by_variable(file: Checkpoint, node: _Node) -> dict[int, list[_Array]]:
    """What an optimizer keeps for each variable, by its place in the graph, in the file's order."""
    found: dict[int, list[_Array]] = {}
    for _, variable, slot in node.slots:
        array = file.array(slot)
        if array is not None:
            found.setdefault(variable, []).append(array)
    listed_at = node.children.get("_variables")
    if listed_at is None:
        return found
    # Keras 2.11 and later names a slot after its variable, `Adam/m/dense/kernel`.
    places: dict[str, list[int]] = {}
    for place, other in enumerate(file.nodes):
        if other.key is not None:
            places.setdefault(other.name, []).append(place)
    for at in file.nodes[listed_at].children.values():
        array, parts = file.array(at), file.nodes[at].name.split("/", 2)
        variables = places.get(parts[2], ()) if len(parts) == 3 else ()
        if array is not None and len(variables) == 1:
            found.setdefault(variables[0], []).append(array)
    return found


__all__ = ["Checkpoint", "load_weights"]
