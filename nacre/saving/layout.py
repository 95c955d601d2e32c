"""Where each object's arrays stand in a Keras 3 weights file: the rules of its group names.

Keras 3 walks the attributes of a model and gives every layer and optimizer it meets a group. The
rules below were found by comparing files of Keras 3.15.1 with the objects that wrote them:

1. An object's own arrays are `<path>/vars/0`, `1`, ...; the group `vars` has the attribute `name`,
   the object's name. It is there for objects without arrays, too. The model's path is empty.
2. Attributes are visited in the order of their names, those that begin with `_` last; properties
   count as attributes. The first attribute that leads to an object gives its path; later ones
   write nothing.
3. A model with a graph, and a `Sequential`, visits `layers` before everything else; another model
   visits it in its place among the names.
4. The elements of a list, tuple or dict are named after their classes in snake case, `dense`,
   `dense_1`, ...; an element that was visited before takes its number and writes nothing. A
   container within a container is called `container`.
5. Layers and optimizers are written; metrics and losses are not. A `SeedGenerator` that is an
   attribute gets a group in files by nacre and by the first versions of Keras 3; newer versions
   neither write nor miss it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nacre.core.names import to_snake_case
from nacre.core.origins import is_own_bug
from nacre.core.random import SeedGenerator
from nacre.core.weak_cache import weak_cache
from nacre.layers.base.layer import Layer
from nacre.models import Model, Sequential
from nacre.optimizers import Optimizer

# Properties that a plain layer or model has too, or that mirror others: never paths in a file. An
# attribute that a class of the user's sets under such a name is a path like any other; what nacre
# notes itself is in slots. (Keras leaves out some of them, `_layers`, and loses their weights.)
_MIRRORS = frozenset(
    "_functional _graph _graph_layers _layers _nested_inputs _nested_outputs _trainer "
    "_own_variables _inbound_nodes _outbound_nodes _init_arguments _call_plan history metrics "
    "weights variables "
    "loss input output inputs outputs losses _losses".split()
)

# Classes that Keras calls otherwise than it exports them; groups and `.h5` configs have this name.
INNER_NAMES = {"GroupQueryAttention": "GroupedQueryAttention", "Function": "Functional"}


@dataclass(frozen=True)
class Entry:
    """One object and the group it has in the file.

    Attributes:
        path: Group, such as `layers/lstm/cell`; empty for the model itself.
        owner: The layer, optimizer or seed generator.
        container: Group of the list or dict the object is an element of, else None.
    """

    path: str
    owner: Any
    container: str | None = None


def entries(root: Any, optimizer: bool = True) -> list[Entry]:
    """All objects below `root` with their groups, in the order Keras writes them.

    Args:
        root: A model or a layer.
        optimizer: Whether the optimizer of a compiled model is among them.

    Example:
        >>> import nacre
        >>> model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
        >>> [entry.path for entry in entries(model)]
        ['', 'layers/dense']
    """
    found: list[Entry] = []
    _visit(root, "", None, set(), found, optimizer)
    return found


def _visit(
    owner: Any,
    path: str,
    container: str | None,
    seen: set[int],
    found: list[Entry],
    optimizer: bool,
) -> None:
    if id(owner) in seen:
        return
    seen.add(id(owner))
    found.append(Entry(path, owner, container))
    if isinstance(owner, SeedGenerator):
        return
    for name, value in _attributes(owner):
        if name == "optimizer" and isinstance(owner, Model) and not optimizer:
            continue
        inner = f"{path}/{name}" if path else name
        if _has_group(value) or isinstance(value, SeedGenerator):
            _visit(value, inner, None, seen, found, optimizer)
        elif isinstance(value, list | tuple | Mapping):
            _visit_elements(value, inner, seen, found, optimizer)


def _visit_elements(
    container: Any, path: str, seen: set[int], found: list[Entry], optimizer: bool
) -> None:
    elements = container.values() if isinstance(container, Mapping) else container
    counts: dict[str, int] = {}
    for element in list(elements):
        is_container = isinstance(element, list | tuple | dict)
        if not is_container and not _has_group(element):
            continue
        kind = type(element).__name__
        name = "container" if is_container else to_snake_case(INNER_NAMES.get(kind, kind))
        count = counts.get(name, 0)
        counts[name] = count + 1
        inner = f"{path}/{name}_{count}" if count else f"{path}/{name}"
        if is_container:
            _visit_elements(element, inner, seen, found, optimizer)
        else:
            _visit(element, inner, path, seen, found, optimizer)


def _has_group(value: Any) -> bool:
    return isinstance(value, Layer | Optimizer)


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of the attributes that may lead to layers, in Keras's order."""
    has_layers = isinstance(owner, Model)
    layers_first = has_layers and (owner._graph is not None or isinstance(owner, Sequential))
    if layers_first:
        yield "layers", owner.layers
    names = set(vars(owner)) | set(_properties(type(owner)))
    if isinstance(owner, Sequential):
        names.discard("_layers")  # which `layers` says
    if has_layers:
        names.add("layers")
    for name in sorted(names, key=lambda n: f"~{n}" if n.startswith("_") else n):
        if name == "layers" and layers_first:
            continue
        if name.startswith("__"):
            continue
        try:
            value = getattr(owner, name)
        except AttributeError:  # of what `build` has yet to make, or a part of this kind lacks
            continue
        except Exception as error:  # a property that has no value in this state
            if is_own_bug(error):
                raise
            continue
        yield name, value


@weak_cache
def _properties(cls: type) -> tuple[str, ...]:
    """Properties a class adds to those all layers, models and optimizers have."""
    bases = (Layer, Model, Sequential, Optimizer)
    return tuple(
        name
        for base in cls.__mro__
        if base not in bases and not any(base in b.__mro__ for b in bases)
        for name, value in vars(base).items()
        if isinstance(value, property) and not name.startswith("__") and name not in _MIRRORS
    )


__all__ = ["INNER_NAMES", "Entry", "entries"]
