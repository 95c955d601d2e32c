"""What a layer holds, found once and kept: layers, variables, metrics, and what a call depends on.

Attributes are the only record: they are walked in the order they were set, lists, tuples and dicts
included, so a list stays a list and a part that is taken away is gone. What was found is kept until
an attribute changes (`core.changes`), so that nothing is walked at every step.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeGuard

from nacre.core import changes, scope
from nacre.core.random import SeedGenerator
from nacre.core.registry import is_builtin
from nacre.core.variable import Variable, trainable_flags_version
from nacre.layers.base import calling
from nacre.metrics.metric import Metric

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer

_tokens = itertools.count()
# What most attributes are: of these none is a part, and none holds one.
_PLAIN = frozenset({str, int, float, bool, bytes, type(None), FunctionType})


def is_layer(value: object) -> TypeGuard[Layer]:
    """True for a layer."""
    return getattr(value, "_is_layer", False) is True


def parts_of(owner: Any) -> Iterator[Any]:
    """Every direct part of `owner` (variables, layers, metrics, seed generators), each once."""
    seen: set[int] = {id(owner)}
    for value in list(vars(owner).values()):
        if type(value) in _PLAIN:
            continue
        for part in parts_in(value):
            if id(part) not in seen:
                seen.add(id(part))
                yield part


def parts_in(value: Any) -> Iterator[Any]:
    """The variables, layers, metrics and seed generators that a value is, or holds."""
    if isinstance(value, Variable):
        if not value.is_view:  # it reads like a variable; those behind it are the layer's own
            yield value
    elif isinstance(value, SeedGenerator | Metric) or is_layer(value):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from parts_in(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from parts_in(item)


class Lists:
    """The variables of a layer and all within, for one setting of the `trainable` flags.

    Attributes:
        token: A number no other lists have.
        trainable, non_trainable: As Keras orders them; seed generators' states are in the second,
            and so are whole numbers, which have no gradient, whatever their flag says.
        whole_numbers: Those that their flag calls trainable.
        weights: Without seed generators.
        variables: With them.
    """

    def __init__(self, layers: list[Layer]) -> None:
        self.token = next(_tokens)
        self.weights = _unique(v for layer in layers for v in layer._direct_variables())
        self.variables = _unique(
            v for layer in layers for v in layer._direct_variables() + layer._seed_states()
        )
        flagged = _trainable_of(layers[0])
        self.trainable = [v for v in flagged if _has_gradient(v)]
        self.whole_numbers = [v for v in flagged if not _has_gradient(v)]
        chosen = {id(v) for v in self.trainable}
        self.non_trainable = [v for v in self.variables if id(v) not in chosen]
        self.non_trainable_weights = [v for v in self.weights if id(v) not in chosen]


def _unique(items: Iterator[Variable]) -> list[Variable]:
    return list({id(item): item for item in items}.values())


def _has_gradient(variable: Variable) -> bool:
    return variable.own_dtype.startswith(("float", "bfloat", "complex"))


def _trainable_of(root: Layer) -> list[Variable]:
    found: dict[int, Variable] = {}
    _add_trainable(root, found, set())
    return list(found.values())


# A function of its own, as one that is made here would refer to itself, and so keep what it found
# until Python looks for cycles; so are the others that walk.
def _add_trainable(layer: Layer, found: dict[int, Variable], seen: set[int]) -> None:
    if id(layer) in seen or not layer._trainable:
        return  # a frozen layer freezes all within it
    seen.add(id(layer))
    found.update({id(v): v for v in layer._direct_variables() if v.trainable})
    for child in layer._direct_layers():
        _add_trainable(child, found, seen)


class Inventory:
    """What a layer holds while its attributes, and those of all within, stay as they are.

    Attributes:
        token: A number no other inventory has: what a program's key says of all these attributes.
        layers: The layer and those within it, depth first, each once.
        metrics: Metrics set as attributes.
        is_own: Whether all code that a call runs is nacre's own: exact classes, no function of a
            user's among the attributes, no method replaced.
        snapshot: The attributes of all of them.
    """

    def __init__(self, root: Layer) -> None:
        self.token = next(_tokens)
        self.layers = flattened(root)
        self.metrics = list(
            {
                id(p): p for layer in self.layers for p in parts_of(layer) if isinstance(p, Metric)
            }.values()
        )
        self.snapshot = changes.Snapshot(changes.reachable(self.layers))
        self.is_own = all(map(_runs_own_code, self.layers))
        self._lists: dict[tuple[Any, ...], Lists] = {}
        self._current: Lists | None = None
        self._holds: dict[type, bool] = {}
        self._flagged = [v for layer in self.layers for v in layer._direct_variables()]
        self._flags_version = -1

    def is_current(self) -> bool:
        """Whether nothing changed since, seen at no cost a layer."""
        snapshot = self.snapshot
        return snapshot.is_current() or (
            scope.is_tracing_program() and snapshot.is_current_while_tracing()
        )

    def is_unchanged(self) -> bool:
        """Whether what changed since was something else."""
        return self.snapshot.is_unchanged()

    def holds(self, kind: type) -> bool:
        """Whether one of the layers is of a class, or of one made from it."""
        if kind not in self._holds:
            self._holds[kind] = any(isinstance(layer, kind) for layer in self.layers)
        return self._holds[kind]

    def lists(self) -> Lists:
        """The variables, by the present `trainable` flags."""
        version = trainable_flags_version()
        if version != self._flags_version:
            flags = (
                *[layer._trainable for layer in self.layers],
                *[v.trainable for v in self._flagged],
            )
            self._current = self._lists.get(flags)
            if self._current is None:
                self._current = self._lists[flags] = Lists(self.layers)
            self._flags_version = version
        assert self._current is not None
        return self._current


def flattened(root: Layer) -> list[Layer]:
    """A layer and those within it, depth first, each once."""
    found: dict[int, Layer] = {}
    _add_layers(root, found)
    return list(found.values())


def _add_layers(layer: Layer, found: dict[int, Layer]) -> None:
    if id(layer) not in found:
        found[id(layer)] = layer
        for child in layer._direct_layers():
            _add_layers(child, found)


# Attributes of nacre's own layers whose functions no call runs: they make, or penalise, weights.
_NOT_CALLED = ("_initializer", "_constraint", "kernel_regularizer", "bias_regularizer",
               "recurrent_regularizer", "embeddings_regularizer", "gamma_regularizer",
               "beta_regularizer", "depthwise_regularizer", "pointwise_regularizer")  # fmt: skip


def _runs_own_code(layer: Layer) -> bool:
    """Whether what a call of this layer alone runs is nacre's own."""
    if not calling.has_pure_calls(layer):
        return False
    return layer._graph_is_own() and all(
        is_own_value(value) for name, value in vars(layer).items() if not name.endswith(_NOT_CALLED)
    )


def is_own_value(value: Any) -> bool:
    """Whether calling what an attribute holds, if anything, would run nacre's own code."""
    if isinstance(value, list | tuple):
        return all(map(is_own_value, value))
    if isinstance(value, Mapping):
        return all(map(is_own_value, value.values()))
    if is_layer(value) or isinstance(value, type) or not callable(value):
        return True
    if isinstance(value, changes.Versioned):
        return is_builtin(type(value)) and all(map(is_own_value, vars(value).values()))
    return is_builtin(value if hasattr(value, "__module__") else type(value))


def inventory_of(layer: Layer) -> Inventory:
    """What a layer holds now."""
    kept = layer._inventories
    if kept and kept[0].is_current():
        return kept[0]
    return changes.present_state(kept, Inventory.is_unchanged, lambda: Inventory(layer))


__all__ = ["Inventory", "Lists", "flattened", "inventory_of", "is_layer", "parts_of"]
