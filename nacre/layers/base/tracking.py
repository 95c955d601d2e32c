"""Finding what a layer holds: variables, layers, metrics and seed generators.

Attributes are walked when somebody asks, in the order they were set, lists, tuples and dicts
included. Nothing is wrapped, so `self.blocks.append(layer)` is seen and a list stays a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nacre.core.random import SeedGenerator
from nacre.core.variable import Variable
from nacre.metrics.metric import Metric

# Attributes that hold bookkeeping, not parts.
_SKIPPED = frozenset(
    "_inbound_nodes _outbound_nodes _init_arguments _own_variables _losses _call_plan "
    "_predict_programs _trainer _graph _nested_inputs _nested_outputs input_spec "
    "_dtype_policy".split()
)

# Counts every change of structure; caches of variable lists compare it.
_epoch = [0]


def structure_epoch() -> int:
    """A number that changes whenever some layer got a new part."""
    return _epoch[0]


def note_change() -> None:
    """Say that some layer got a new part."""
    _epoch[0] += 1


def is_part(value: Any) -> bool:
    """True for an object that is tracked, or a container of some."""
    if isinstance(value, Variable | SeedGenerator | Metric) or getattr(value, "_is_layer", False):
        return True
    if isinstance(value, list | tuple):
        return any(is_part(item) for item in value)
    if isinstance(value, Mapping):
        return any(is_part(item) for item in value.values())
    return False


def parts_of(owner: Any) -> Iterator[tuple[str, Any]]:
    """(attribute, part) for every direct part of `owner`, each object once."""
    seen: set[int] = {id(owner)}
    for name, value in list(vars(owner).items()):
        if name in _SKIPPED:
            continue
        for part in _parts_in(value):
            if id(part) not in seen:
                seen.add(id(part))
                yield name, part


def _parts_in(value: Any) -> Iterator[Any]:
    if getattr(value, "is_view", False):
        return  # it reads like a variable; those behind it are the layer's own
    if isinstance(value, Variable | SeedGenerator | Metric) or getattr(value, "_is_layer", False):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts_in(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _parts_in(item)
