"""Read a checkpoint of TensorFlow into any objects: variables, layers, models and optimizers.

Objects are found by the attributes they have in the file, as `tf.train.Checkpoint` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nacre.core.errors import NotBuiltError, WeightsMismatchError, message
from nacre.core.variable import Variable
from nacre.layers.base.layer import Layer
from nacre.metrics import Metric
from nacre.models import Model
from nacre.optimizers import Optimizer
from nacre.saving.checkpoint_graph import Checkpoint
from nacre.saving.checkpoint_optimizer import state_of_node, trained_places
from nacre.saving.formats.checkpoint import _Plan, _plan_layer, _plan_model
from nacre.saving.formats.checkpoint_writer import _children, _optimizer_of
from nacre.saving.legacy_layout import layer_variables, settle
from nacre.saving.weights import LoadStep, run_steps


@dataclass
class Restored:
    """What was read.

    Attributes:
        missing: Paths of variables that the file has nothing for.
        left: Names of arrays of the file that no object took.
    """

    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def restore_objects(root: Any, prefix: Path, who: str) -> Restored:
    """Set the variables of an object and of all it holds.

    Args:
        root: It tells what it holds, `_children_in_checkpoints()`.
        prefix: The beginning of the files' names.
        who: What errors call it.

    Raises:
        WeightsMismatchError: Shapes differ.
        NotBuiltError: A model or layer has no variables yet.
        FileFormatError: The file is damaged.
    """
    file = Checkpoint(prefix, who)
    reader = _Reader(file, who)
    reader.object(root, 0, "")
    steps = reader.plan.steps
    run_steps(steps)
    for optimizer, place in reader.optimizers:
        run_steps(reader.optimizer_steps(optimizer, place))
    taken = set(reader.plan.places.values()) | reader.of_optimizers
    names = [node.key for at, node in enumerate(file.nodes) if node.key and at not in taken]
    return Restored(reader.missing, names)


class _Reader:
    def __init__(self, file: Checkpoint, who: str) -> None:
        self._file, self._who = file, who
        self.plan = _Plan()
        self.missing: list[str] = []
        self.optimizers: list[tuple[Optimizer, int]] = []
        self.of_optimizers: set[int] = set()
        self._seen: set[int] = set()
        self._variables: dict[int, Variable] = {}

    def object(self, thing: Any, place: int, path: str) -> None:
        """Plan one object, and all it holds."""
        if id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        if isinstance(thing, Optimizer):
            self.optimizers.append((thing, place))
        elif isinstance(thing, Variable):
            self._variable(thing, place, path)
        elif isinstance(thing, Layer):
            self._layer(thing, place, path)
        else:
            self._holder(thing, place, path)

    def _variable(self, variable: Variable, place: int, path: str) -> None:
        array = self._file.array(place)
        if array is None:
            self.missing.append(path)
            return
        if tuple(array.shape) != tuple(variable.shape):
            rule = f"'{path}' must have the shape of the variable, {tuple(variable.shape)}"
            raise WeightsMismatchError(message(self._who, rule, f"{tuple(array.shape)}"))
        self._variables[id(variable)] = variable
        self.plan.places[id(variable)] = place
        step = LoadStep(lambda: [array.read()], lambda arrays: variable.take(arrays[0]))
        self.plan.steps.append(step)

    def _layer(self, layer: Any, place: int, path: str) -> None:
        if not layer.variables and self._file.layer(path, place).names:
            rule = f"'{path}' must have its variables before they are set from a file"
            fix = "Call it once on a batch, or on tf.zeros of its shape, and restore then."
            raise NotBuiltError(message(self._who, rule, "one that is not built", fix))
        found = _Plan(places=self.plan.places)
        if isinstance(layer, Model):
            _plan_model(layer, self._file, place, self._who, found)
        else:
            variables = layer_variables(layer)
            source = self._file.layer(path, place)
            if variables or source.names:
                _plan_layer(layer, variables, self._file, place, source, self._who, found)
        settle(found.differences, self._who, layer, skip_mismatch=False)
        self.plan.steps += found.steps
        self._variables |= {id(v): v for v in layer.variables}
        optimizer = _optimizer_of(layer)
        at = self._file.nodes[place].children.get("optimizer")
        if optimizer is not None and at is not None:
            self.object(optimizer, at, f"{path}/optimizer")

    def _holder(self, thing: Any, place: int, path: str) -> None:
        places = self._file.nodes[place].children
        for name, child in _children(thing):
            inner = f"{path}/{name}" if path else name
            if name in places:
                self.object(child, places[name], inner)
            else:
                self.missing += [f"{inner}{rest}" for rest in _paths_within(child)]

    def optimizer_steps(self, optimizer: Optimizer, place: int) -> Any:
        """How an optimizer's state is set, once all that it may train is known."""
        places = self.plan.places
        if not optimizer.built:
            by_place = {at: self._variables[key] for key, at in places.items()}
            trained = trained_places(optimizer, self._file, place)
            known = [by_place[at] for at in trained if at in by_place]
            if len(known) < len(trained):
                rule = "all variables that an optimizer trained must be among the objects"
                got = f"{len(known)} of {len(trained)}"
                fix = "Name the model in the Checkpoint too: Checkpoint(optimizer=..., model=...)."
                raise WeightsMismatchError(message(self._who, rule, got, fix))
            if known:
                optimizer.build(known)
        self.of_optimizers |= set(_within(self._file, place))
        return state_of_node(optimizer, self._file, self._file.nodes[place], places)


def _within(file: Checkpoint, place: int) -> Iterator[int]:
    seen, left = set[int](), [place]
    while left:
        at = left.pop()
        if at not in seen:
            seen.add(at)
            yield at
            left += file.nodes[at].children.values()


def _paths_within(thing: Any) -> list[str]:
    """The variables below an object that has no place in a file."""
    if isinstance(thing, Variable):
        return [""]
    if isinstance(thing, Layer | Metric | Optimizer):
        return [f"/{variable.path}" for variable in thing.variables]
    return [f"/{name}{rest}" for name, child in _children(thing) for rest in _paths_within(child)]


__all__ = ["Restored", "restore_objects"]
