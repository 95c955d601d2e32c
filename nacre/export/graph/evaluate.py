"""A graph run in NumPy, one node after the other: what formats are compared with.

Each result must have the dtype and shape that the graph says; what does not is an error here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import SizeExpr, multiple_of_name, size_value, symbols_in
from nacre.export.graph.text import node_text


class Evaluated:
    """What a run gave.

    Attributes:
        outputs: Results by name.
        updates: What variables hold afterwards, by path.
        values: All values of the run, by name.
    """

    def __init__(self, graph: Graph, values: Mapping[Value, np.ndarray]) -> None:
        self.outputs = {name: values[value] for name, value in graph.outputs}
        self.updates = {path: values[value] for path, value in graph.updates}
        self.values = {value.name: data for value, data in values.items()}


def evaluate(
    graph: Graph,
    inputs: Sequence[Any] | Mapping[str, Any],
    *,
    weights: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Evaluated:
    """Run a graph.

    Args:
        inputs: Arrays, in order or by name.
        weights: Numbers of variables by path, in place of those the graph has.
        seed: Of random numbers.

    Raises:
        ArgumentError: Inputs do not fit the graph.
        AssertionError: A formula gives something else than the graph says.
    Example:
        >>> from nacre.export.graph.ir import Builder
        >>> make = Builder("sum")
        >>> x = make.input("x", "float32", (2,))
        >>> total = make.add("reduce_sum", [x], {"axes": (0,), "keepdims": False})
        >>> evaluate(make.finish([("total", total)]), [[1.0, 2.0]]).outputs["total"]
        array(3., dtype=float32)
    """
    given = [inputs[v.name] for v in graph.inputs] if isinstance(inputs, Mapping) else inputs
    arrays = [_array(value, data) for value, data in zip(graph.inputs, given, strict=True)]
    sizes = bound_sizes(graph, arrays)
    values = dict(zip(graph.inputs, arrays))
    for weight in graph.weights:
        values[weight.value] = np.asarray((weights or {}).get(weight.path, weight.data))
    _run(graph, values, sizes, np.random.default_rng(seed))
    return Evaluated(graph, values)


def _array(value: Value, data: Any) -> np.ndarray:
    return np.asarray(data, object if value.dtype == "string" else value.dtype)


def bound_sizes(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[str, int]:
    """What the named sizes are for these inputs; ArgumentError where they do not fit."""
    sizes: dict[str, int] = {}
    for value, array in zip(graph.inputs, arrays):
        fits = len(value.shape) == array.ndim
        for size, actual in zip(value.shape, array.shape):
            named = multiple_of_name(size)
            if named is not None:
                sizes.setdefault(named[0], actual // named[1])
            if symbols_in(size) <= set(sizes):
                fits = fits and size_value(size, sizes) == actual
        if not fits:
            raise ArgumentError(
                message(
                    f"graph '{graph.name}'",
                    f"input '{value.name}' must be {value.type}",
                    f"shape {array.shape}" + (f", with {sizes}" if sizes else ""),
                )
            )
    return sizes


def _run(
    graph: Graph,
    values: dict[Value, np.ndarray],
    sizes: dict[str, int],
    generator: np.random.Generator,
) -> None:
    for node in graph.nodes:
        with np.errstate(all="ignore"):
            results = node_results(node, values, sizes, generator)
        for value, result in zip(node.outputs, results, strict=True):
            dtype = object if value.dtype == "string" else value.dtype
            array = np.asarray(result, dtype)
            for size, actual in zip(value.shape, array.shape):
                if str(size) in OPSET[node.op].new_sizes(node.attributes):
                    sizes.setdefault(str(size), actual)
            shape = tuple(size_value(size, sizes) for size in value.shape)
            assert array.shape == shape, f"{node_text(node)}: {array.shape} with {dict(sizes)}"
            values[value] = array


def node_results(
    node: Node,
    values: Mapping[Value, np.ndarray],
    sizes: Mapping[str, int],
    generator: np.random.Generator,
) -> tuple[Any, ...]:
    """What one node gives for values of its inputs."""
    spec = OPSET[node.op]
    inputs: list[Any] = [None if v is None else values[v] for v in node.inputs]
    if spec.is_random:
        inputs.insert(0, generator)
    if spec.graphs:
        inputs.insert(0, {k: _runner(g, sizes, generator) for k, g in node.graphs.items()})
    new = set(spec.new_sizes(node.attributes)) - set(sizes)
    attributes = {
        name: None if str(value) in new else _known(value, sizes)
        for name, value in node.attributes.items()
    }
    found = spec.formula(*inputs, **attributes)
    return found if isinstance(found, tuple) else (found,)


def _runner(graph: Graph, sizes: Mapping[str, int], generator: np.random.Generator) -> Any:
    def run(*arrays: np.ndarray) -> list[np.ndarray]:
        values = dict(zip(graph.inputs, arrays, strict=True))
        _run(graph, values, dict(sizes), generator)
        return [values[output.value] for output in graph.outputs]

    return run


def _known(value: Any, sizes: Mapping[str, int]) -> Any:
    """An attribute with its symbolic sizes as numbers."""
    if isinstance(value, SizeExpr):
        return size_value(value, sizes)
    if isinstance(value, tuple):
        return tuple(_known(part, sizes) for part in value)
    return value
