"""Write the weights of a model as a checkpoint of TensorFlow, for tf.keras and for `load_weights`.

The graph of objects has what tf.keras 2.15.1 finds its own by: layers of a model with a graph by
their number, all else by attribute; a variable that no attribute holds by its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.atomic import write_file
from nacre.core.errors import ArgumentError, FileFormatError, message
from nacre.core.variable import Variable
from nacre.core.wire.bundle import files_of, write_bundle
from nacre.core.wire.tensorflow.objects import (
    ObjectReference,
    SerializedTensor,
    TrackableObject,
    TrackableObjectGraph,
)
from nacre.layers.base.layer import Layer
from nacre.models import Model, Sequential
from nacre.optimizers import Optimizer
from nacre.saving.checkpoint_graph import GRAPH, VALUE
from nacre.saving.checkpoint_optimizer import SCALARS, saved_name
from nacre.saving.legacy_layout import unique_layers
from nacre.saving.optimizer_state import own_slot

_END = f"/.ATTRIBUTES/{VALUE}"
_COUNTER = SCALARS["iteration"][0]
# Attributes under which nacre itself keeps layers and variables, and tf.keras does not.
_OWN = frozenset("_layers _graph_layers _own_variables _trainer _functional optimizer".split())


@dataclass
class _Object:
    """A node of the graph.

    Attributes:
        path: How it was reached, as the keys of arrays have it.
    """

    path: str
    children: list[tuple[str, int]] = field(default_factory=list)
    variable: Variable | None = None
    name: str = ""

    def content(self) -> TrackableObject:
        children = [ObjectReference(node_id=at, local_name=name) for name, at in self.children]
        found = TrackableObject(children=children)
        if self.variable is not None:
            key = self.path + _END
            found.attributes.append(
                SerializedTensor(name=VALUE, full_name=self.name, checkpoint_key=key)
            )
        return found


def save(model: Any, path: Path, who: str) -> None:
    """Write a model's weights, and the optimizer's state of a compiled one.

    The data is in place before the index that tells of it. One that is killed between the two while
    it replaces a checkpoint of the same name leaves one that is told to be damaged: names with the
    number of the epoch, as `ModelCheckpoint` makes them, keep the older ones.

    Raises:
        FileFormatError: What was written differs from memory.
        ArgumentError: TensorFlow has no dtype for an array, or a layer holds a model it is in.
    """
    optimizer = getattr(model, "optimizer", None)
    graph = _Graph(who)
    graph.add(model, "")
    if isinstance(optimizer, Optimizer) and getattr(model, "compiled", False):
        graph.add_optimizer(optimizer, model)
    try:
        index, data = write_bundle(graph.arrays())
    except ValueError as error:
        raise ArgumentError(
            message(who, "a checkpoint's arrays must be of TensorFlow's dtypes", str(error))
        ) from None
    state = f'model_checkpoint_path: "{path.name}"\nall_model_checkpoint_paths: "{path.name}"\n'
    index_file, data_file = files_of(path)
    files = {data_file: data, index_file: index, path.with_name("checkpoint"): state.encode()}
    for target, content in files.items():
        write_file(target, content, partial(_check, content=content, who=who))


def _check(source: Any, content: bytes, who: str) -> None:
    """Raise unless a written file holds exactly these bytes."""
    if Path(source).read_bytes() != content:
        raise FileFormatError(
            message(
                who,
                "what was written must be what is in memory",
                f"other bytes in '{Path(source).name}'",
                "The disk may be full or faulty.",
            )
        )


class _Graph:
    """The objects of a model, each once."""

    def __init__(self, who: str) -> None:
        self.objects: list[_Object] = []
        self._who = who
        self._places: dict[int, int] = {}
        self._open: set[int] = set()  # ids of what is being added, with all within

    def arrays(self) -> dict[str, np.ndarray | bytes]:
        """The values of all variables, and the graph itself, by the keys of a checkpoint."""
        arrays: dict[str, np.ndarray | bytes] = {}
        for found in self.objects:
            if found.variable is not None:
                array = found.variable.numpy()
                if found.path == f"optimizer/{_COUNTER}":
                    array = array.astype("int64")  # as in TensorFlow
                arrays[found.path + _END] = array
        graph = TrackableObjectGraph(nodes=[found.content() for found in self.objects])
        arrays[GRAPH] = graph.write()
        return arrays

    def add(self, thing: Any, path: str) -> int:
        """Add an object and all within it; gives its place."""
        if id(thing) in self._open:
            raise ArgumentError(
                message(
                    self._who,
                    "no layer may hold a model or layer that it is in, whose weights would be its "
                    "own",
                    f"'{path}'",
                    "Write another format, save_weights('name.weights.h5').",
                )
            )
        place = self._places.get(id(thing))
        if place is not None:
            return place
        place = self._places[id(thing)] = len(self.objects)
        found = _Object(path)
        self.objects.append(found)
        if isinstance(thing, Variable):
            found.variable, found.name = thing, thing.path
            return place
        self._open.add(id(thing))
        for name, child in _children(thing):
            found.children.append((name, self.add(child, _joined(path, name))))
        self._open.discard(id(thing))
        return place

    def add_optimizer(self, optimizer: Optimizer, model: Any) -> None:
        """Add the state of an optimizer, as the attribute of the model."""
        found, listed = _Object("optimizer"), _Object("optimizer/_variables")
        self.objects[0].children.append(("optimizer", len(self.objects)))
        self.objects += [found, listed]
        found.children.append(("_variables", len(self.objects) - 1))
        number = 0
        for variable in _as_listed(optimizer, model):
            place = len(self.objects)
            scalar = next(iter(SCALARS.get(variable.name, ())), None)
            path = f"optimizer/{scalar}" if scalar else f"optimizer/_variables/{number}"
            name = saved_name(optimizer, variable)
            self.objects.append(_Object(path, variable=variable, name=name))
            if scalar:
                found.children.append((scalar, place))
            if scalar in (None, _COUNTER):  # tf.keras does not list the others
                listed.children.append((str(number), place))
                number += 1


def _as_listed(optimizer: Optimizer, model: Any) -> list[Variable]:
    """An optimizer's variables in the order that tf.keras has of the variables they are for."""
    trainable = optimizer._trainable_variables
    places = {id(variable): index for index, variable in enumerate(trainable)}
    found = (places.get(id(variable)) for variable in _in_order(model))
    order = list(dict.fromkeys(place for place in found if place is not None))
    if len(order) != len(trainable):  # of variables that are nobody's
        return list(optimizer.variables)
    slots = [own_slot(variable, trainable) for variable in optimizer.variables]
    by_slot = {slot: v for slot, v in zip(slots, optimizer.variables, strict=True) if slot}
    return [
        variable if slot is None else by_slot[slot[0], order[slot[1]]]
        for slot, variable in zip(slots, optimizer.variables, strict=True)
    ]


def _in_order(thing: Any) -> Iterator[Variable]:
    """All variables; a model's own come behind those of its layers, in tf.keras."""
    if isinstance(thing, Variable):
        yield thing
        return
    children = [child for _, child in _children(thing)]
    if isinstance(thing, Model):
        children.sort(key=lambda child: isinstance(child, Variable))
    elif isinstance(thing, Layer):
        children.sort(key=lambda child: not isinstance(child, Variable))
    for child in children:
        yield from _in_order(child)


def _joined(path: str, name: str) -> str:
    escaped = name.replace(".", "..").replace("/", ".S")
    return f"{path}/{escaped}" if path else escaped


def _children(thing: Any) -> Iterator[tuple[str, Any]]:
    """What a layer, a model or a container holds, by the names that tf.keras has for it."""
    if isinstance(thing, Mapping):
        yield from ((str(key), value) for key, value in thing.items() if _is_held(value))
        return
    if isinstance(thing, list | tuple):
        yield from ((str(i), value) for i, value in enumerate(thing) if _is_held(value))
        return
    if isinstance(thing, Sequential) or (isinstance(thing, Model) and thing._graph is not None):
        with_weights = 0
        for number, layer in enumerate(unique_layers(thing)):
            if layer.weights:
                yield f"layer_with_weights-{with_weights}", layer
                with_weights += 1
            yield f"layer-{number}", layer
    held: set[int] = set()
    for name, value in vars(thing).items():
        if name not in _OWN and _is_held(value):
            held.add(id(value))
            yield name, value
    for variable in thing._direct_variables():
        if id(variable) not in held:
            yield variable.name, variable


def _is_held(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_held(element) for element in value.values())
    if isinstance(value, list | tuple):
        return any(_is_held(element) for element in value)
    return isinstance(value, Layer | Variable)


__all__ = ["save"]
