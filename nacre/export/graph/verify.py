"""What must hold of a graph, checked: between passes, before a file is written, after one is read.

All faults are found at once, each with its place; the error lists them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from nacre.core.dtypes import ALLOWED_DTYPES
from nacre.core.errors import GraphError, listed, message, nearest
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET, OpSpec, Type, attribute_fault
from nacre.export.graph.rules import same_shape
from nacre.export.graph.sizes import symbols_in


def verify(graph: Graph) -> Graph:
    """The graph, in which everything holds.

    Raises:
        GraphError: Something does not; it lists all that does not.
    Example:
        >>> from nacre.export.graph.ir import Builder
        >>> make = Builder("empty")
        >>> x = make.input("x", "float32", (2,))
        >>> verify(make.finish([("y", x)])).name
        'empty'
    """
    found = list(faults(graph))
    if found:
        raise GraphError(
            message(
                f"graph '{graph.name}'",
                "what it says must hold together",
                f"{len(found)} fault{'s' if len(found) > 1 else ''}:\n  "
                + listed(found, separator="\n  "),
            )
        )
    return graph


def faults(graph: Graph) -> Iterator[str]:
    """All that is wrong with a graph."""
    bound: set[str] = set(replace(graph, nodes=()).symbols())
    yield from _faults(graph, bound)


def _faults(graph: Graph, bound: set[str]) -> Iterator[str]:
    known: set[Value] = set()
    names: dict[str, Value] = {}
    given = (*graph.inputs, *(weight.value for weight in graph.weights))
    yield from _new_values("the graph", given, known, names, bound)
    for weight in graph.weights:
        actual = Type(_dtype_name(weight.data), weight.data.shape)
        if actual != weight.value.type:
            said = weight.value.type
            yield f"weight '{weight.path}': its numbers are {actual}, the graph says {said}"
    for index, node in enumerate(graph.nodes):
        place = f"node {index} ({node.op}{' of ' + node.layer if node.layer else ''})"
        for value in node.inputs:
            if value is not None and value not in known:
                yield f"{place}: input '{value.name}' was not made before it"
        yield from _node_faults(place, node)
        if node.op in OPSET:
            bound.update(OPSET[node.op].new_sizes(node.attributes))
        for name, inner in node.graphs.items():
            yield from (f"{place}: {name}: {fault}" for fault in _faults(inner, bound))
        yield from _new_values(place, node.outputs, known, names, bound)
    yield from _result_faults(graph, known)


def _dtype_name(array: np.ndarray) -> str:
    return "string" if array.dtype.kind in "OSUT" else array.dtype.name


def _new_values(
    place: str,
    values: Iterable[Value],
    known: set[Value],
    names: dict[str, Value],
    bound: set[str],
) -> Iterator[str]:
    for value in values:
        if value in known:
            yield f"{place}: '{value.name}' is made a second time"
        elif value.name in names:
            yield f"{place}: there is a value '{value.name}' already"
        if value.dtype not in ALLOWED_DTYPES:
            yield f"{place}: '{value.name}' has an unknown dtype {value.dtype!r}"
        unbound = symbols_in(*value.shape) - bound
        if unbound:
            sizes = ", ".join(sorted(unbound))
            yield f"{place}: '{value.name}' has sizes that no input has: {sizes}"
        known.add(value)
        names[value.name] = value


def _node_faults(place: str, node: Node) -> Iterator[str]:
    spec = OPSET.get(node.op)
    if spec is None:
        hint = nearest(node.op, OPSET)
        yield f"{place}: there is no such op" + (f"; did you mean '{hint}'?" if hint else "")
        return
    wrong = list(_form_faults(spec, node))
    yield from (f"{place}: {fault}" for fault in wrong)
    if wrong:
        return
    types = [None if value is None else value.type for value in node.inputs]
    try:
        wanted = spec.result_types(types, node.attributes, node.graphs)
    except ValueError as error:
        yield f"{place}: {error}"
        return
    actual = [value.type for value in node.outputs]
    if len(wanted) != len(actual):
        yield f"{place}: it gives {len(wanted)} values, the node has {len(actual)}"
        return
    for one, other in zip(wanted, actual):
        if one.dtype != other.dtype or not same_shape(one.shape, other.shape):
            yield f"{place}: it gives {one}, the node says {other}"


def _form_faults(spec: OpSpec, node: Node) -> Iterator[str]:
    """What is wrong with the number of inputs, the attributes, the names of graphs."""
    fixed = len(spec.inputs) - spec.variadic
    fits = len(node.inputs) >= fixed if spec.variadic else len(node.inputs) == fixed
    if not fits:
        yield f"it takes {fixed} inputs{' or more' if spec.variadic else ''}: {len(node.inputs)}"
        return
    for index, value in enumerate(node.inputs):
        name = spec.inputs[min(index, len(spec.inputs) - 1)]
        if value is None and name not in spec.optional:
            yield f"input '{name}' must not be left out"
    for name in spec.attributes.keys() - node.attributes.keys():
        yield f"attribute '{name}' is missing"
    for name, value in node.attributes.items():
        if name not in spec.attributes:
            yield f"it has no attribute '{name}'"
        elif fault := attribute_fault(spec.attributes[name], value):
            yield f"attribute '{name}': {fault}: {value!r}"
    if spec.graphs != ("*",) and set(node.graphs) != set(spec.graphs):
        yield f"its graphs must be {list(spec.graphs)}: {list(node.graphs)}"


def _result_faults(graph: Graph, known: set[Value]) -> Iterator[str]:
    named: set[str] = set()
    for name, value in graph.outputs:
        if value not in known:
            yield f"output '{name}': there is no such value"
        if name in named:
            yield f"there are two outputs '{name}'"
        named.add(name)
    weights = {weight.path: weight for weight in graph.weights}
    if len(weights) != len(graph.weights):
        yield "two weights have one path"
    updated: set[str] = set()
    for path, value in graph.updates:
        weight = weights.get(path)
        if weight is None:
            yield f"update of '{path}': there is no such weight"
        elif weight.value.type != value.type:
            yield f"update of '{path}': {value.type} cannot replace {weight.value.type}"
        if value not in known:
            yield f"update of '{path}': there is no such value"
        if path in updated:
            yield f"'{path}' is updated twice"
        updated.add(path)
