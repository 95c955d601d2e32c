"""Read a checkpoint of TensorFlow into any objects: variables, layers, models and optimizers.

Objects are found by the attributes they have in the file, as `tf.train.Checkpoint` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nacre.core.errors import WeightsMismatchError, listed, message
from nacre.core.registry import is_builtin
from nacre.core.untraced import untraced
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.layers.base.layer import Layer
from nacre.metrics import Metric
from nacre.models import Model
from nacre.optimizers import Optimizer
from nacre.saving.checkpoint_graph import Checkpoint
from nacre.saving.checkpoint_optimizer import state_of_node, trained_places
from nacre.saving.formats.checkpoint import _IN_ORDER, _Plan, _plan_layer, _plan_model
from nacre.saving.formats.checkpoint_writer import _children, _optimizer_of, is_kept
from nacre.saving.formats.growing import GrowingDict, GrowingList
from nacre.saving.legacy_layout import layer_variables, settle
from nacre.saving.weights import LoadStep, run_steps


class Restored:
    """What was read, and what waits for variables that are not there yet."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    @property
    def missing(self) -> list[str]:
        """Paths of variables that the file has nothing for."""
        return list(self._reader.missing)

    @property
    def left(self) -> list[str]:
        """Names of arrays of the file that no object took, until now."""
        return self._reader.left()


def restore_objects(root: Any, prefix: Path, who: str) -> Restored:
    """Set the variables of an object and of all it holds.

    Layers that are not built take theirs when they are, and optimizers theirs when all variables
    that they trained are there.

    Args:
        root: It tells what it holds, `_children_in_checkpoints()`.
        prefix: The beginning of the files' names.
        who: What errors call it.

    Raises:
        WeightsMismatchError: Shapes differ.
        FileFormatError: The file is damaged.
    """
    reader = _Reader(Checkpoint(prefix, who), who)
    reader.object(root, 0, "")
    reader.take()
    return Restored(reader)


class _Reader:
    def __init__(self, file: Checkpoint, who: str) -> None:
        self._file, self._who = file, who
        self.plan = _Plan()
        self.missing: list[str] = []
        self.optimizers: list[tuple[Optimizer, int]] = []
        self.of_optimizers: set[int] = set()
        self._seen: dict[int, Any] = {}  # by id, kept so that no other object gets it
        self._told: set[int] = set()  # ids of variables that are missing
        self._bound: set[int] = set()  # places that an object was found for
        self._waiting: set[int] = set()  # ids of layers that are not built
        self._variables: dict[int, Variable] = {}

    def object(self, thing: Any, place: int, path: str) -> None:
        """Plan one object, and all it holds."""
        if id(thing) in self._seen:
            return
        self._seen[id(thing)] = thing
        self._bound.add(place)
        if isinstance(thing, Optimizer):
            self.optimizers.append((thing, place))
        elif isinstance(thing, Variable):
            self._variable(thing, place, path)
        elif isinstance(thing, Layer):
            if not thing.built and self._file.layer(path, place).names:
                self._wait_for(thing, place, path)
            else:
                self._layer(thing, place, path)
            self._optimizer_of(thing, place, path)
        else:
            if hasattr(type(thing), "_when_given"):
                thing._when_given = partial(self._given, thing, place, path)
            self._holder(thing, place, path)
            self._watch_all(thing, place, path)

    def take(self) -> None:
        """Set what is planned; optimizers wait until all that they trained is there."""
        steps, self.plan.steps = self.plan.steps, []
        run_steps(steps)
        optimizers, self.optimizers = self.optimizers, []
        for optimizer, place in optimizers:
            if self._waiting and not self._knows_trained(optimizer, place):
                self.optimizers.append((optimizer, place))
            else:
                run_steps(self.optimizer_steps(optimizer, place))

    def left(self) -> list[str]:
        """Names of arrays that nothing took."""
        taken = set(self.plan.places.values()) | self.of_optimizers
        nodes = enumerate(self._file.nodes)
        return [node.key for at, node in nodes if node.key and at not in taken]

    def _given(self, thing: Any, place: int, path: str, name: str, child: Any) -> None:
        """What an object gets as an attribute after it was restored takes its values, and what a
        list or a dict gets as an element."""
        at = self._file.nodes[place].children.get(name)
        if at is None or at in self._bound or not (is_kept(child) or type(child) in (list, dict)):
            return
        inner = f"{path}/{name}" if path else name
        with untraced():
            self.object(child, at, inner)
            self._watch(thing, name, child, at, inner)
            self.take()

    def _watch_all(self, thing: Any, place: int, path: str) -> None:
        """Watch the lists and dicts that an object holds, and those within."""
        places = self._file.nodes[place].children
        for name, child in _containers(thing):
            if name in places:
                inner = f"{path}/{name}" if path else name
                self._watch(thing, name, child, places[name], inner)

    def _watch(self, thing: Any, name: str, child: Any, place: int, path: str) -> None:
        """Put a list that tells of its growth where an object, or a list, holds a plain one; so
        with dicts."""
        is_plain = type(child) in (list, dict) and not isinstance(thing, Layer)
        if not is_plain or not self._file.nodes[place].children:
            return
        made: Any = None

        def given(name: str, value: Any) -> None:
            self._given(made, place, path, name, value)

        made = GrowingList(child, given) if type(child) is list else GrowingDict(child, given)
        self._seen[id(made)] = made
        if isinstance(thing, GrowingList):
            list.__setitem__(thing, int(name), made)
        elif isinstance(thing, GrowingDict):
            dict.__setitem__(thing, next(key for key in thing if str(key) == name), made)
        else:
            vars(thing)[name] = made
        self._watch_all(made, place, path)

    def _wait_for(self, layer: Any, place: int, path: str) -> None:
        """Take a layer's values when it is built; those of the layers within when they are."""
        if self._is_made_of_attributes(layer, place):
            self._parts(layer, place, path)
        self._waiting.add(id(layer))
        layer._when_built = partial(self._built, layer, place, path)

    def _is_made_of_attributes(self, layer: Any, place: int) -> bool:
        """Whether what it holds is found by attributes: a user's own, whose parts may be built by
        its first call, each at its time."""
        numbered = any(map(_IN_ORDER.fullmatch, self._file.nodes[place].children))
        return not numbered and not is_builtin(type(layer))

    def _built(self, layer: Any, place: int, path: str) -> None:
        self._waiting.discard(id(layer))
        known = len(self.missing)
        with untraced():
            if self._is_made_of_attributes(layer, place):
                self._parts(layer, place, path)
                self._none_for(layer, place, path)
                self._wait_for_attributes(layer, place, path)
            else:
                self._layer(layer, place, path)
            self.take()
        if self.missing[known:]:
            warn_of_missing(self._who, self.missing[known:])

    def _wait_for_attributes(self, layer: Any, place: int, path: str) -> None:
        """Variables and layers that the first call of a user's layer makes are set as attributes
        after it counts as built."""
        places = self._file.nodes[place].children.values()
        if not self._bound.issuperset(places):
            layer._when_given = partial(self._given, layer, place, path)

    def _parts(self, layer: Any, place: int, path: str) -> None:
        places = self._file.nodes[place].children
        for name, child in _children(layer):
            if name in places:
                self.object(child, places[name], f"{path}/{name}")

    def _none_for(self, layer: Any, place: int, path: str) -> None:
        """Keep the names of what a layer holds and the file has not."""
        places = self._file.nodes[place].children
        for name, child in _children(layer):
            if name not in places and id(child) not in self._seen:
                self._absent(child, f"{path}/{name}")

    def _absent(self, thing: Any, path: str) -> None:
        """Keep the names of variables that the file has nothing for, now or when they are made."""
        self.missing += [f"{path}{rest}" for rest in _paths_within(thing)]
        layers = thing._flatten_layers() if isinstance(thing, Layer) else []
        self._told |= {id(variable) for layer in layers for variable in layer.variables}
        for layer in layers:
            if not layer.built and id(layer) not in self._seen:
                layer._when_built = partial(self._built_in_vain, layer, path)

    def _built_in_vain(self, layer: Any, path: str) -> None:
        new = {id(v): v for v in layer.variables if id(v) not in self._told}
        names = [f"{path}/{variable.path}" for variable in new.values()]
        self._told |= new.keys()
        self.missing += names
        if names:
            warn_of_missing(self._who, names)

    def _knows_trained(self, optimizer: Optimizer, place: int) -> bool:
        known = set(self.plan.places.values())
        return known.issuperset(trained_places(optimizer, self._file, place))

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

    def _optimizer_of(self, layer: Any, place: int, path: str) -> None:
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
                self._absent(child, inner)

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


def _containers(thing: Any) -> list[tuple[str, Any]]:
    """The plain lists and dicts that an object, a list or a dict holds."""
    if isinstance(thing, GrowingList):
        held = list(enumerate(thing))
    elif isinstance(thing, GrowingDict):
        held = list(thing.items())
    else:
        held = list(vars(thing).items()) if hasattr(type(thing), "_when_given") else []
    return [(str(name), child) for name, child in held if type(child) in (list, dict)]


def warn_of_missing(who: str, names: list[str]) -> None:
    """Tell what a file has nothing for."""
    warn(f"{who}: the file has nothing for {listed(names, 6)}; they stay as is.")


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


__all__ = ["Restored", "restore_objects", "warn_of_missing"]
