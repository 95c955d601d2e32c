"""Graphs as functions of TensorFlow: each op by its form, in `rules/`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nacre.core.wire.tensorflow.graph import FunctionDef
from nacre.export.graph.ir import Graph
from nacre.export.targets.graphdef.body import Body, Kind, known_shape
from nacre.export.targets.graphdef.rules import lower_nodes


@dataclass(frozen=True)
class Lowered:
    """A function that was made of a graph.

    Attributes:
        name: The function's.
        graph: What it was made of.
        bound: Paths of the variables that are its last arguments, as resources.
    """

    name: str
    graph: Graph
    bound: tuple[str, ...]


def lower(graph: Graph, name: str, library: list[FunctionDef]) -> Lowered:
    """Add the function of a graph, and of all graphs within, to a library.

    Its arguments are the graph's inputs, then the variables; those with updates are assigned when
    all nodes have read them.
    """
    make = Body(name, library)
    tensors: dict[object, str] = {}
    for value in graph.inputs:
        tensors[value] = make.argument(value.name, value.dtype, known_shape(value.shape))
    resources = {w.path: make.argument(f"unknown_{w.path}", "resource") for w in graph.weights}
    reads: list[str] = []
    for weight in graph.weights:
        kind = Kind(weight.value.dtype)
        tensors[weight.value] = make.add("ReadVariableOp", [resources[weight.path]], dtype=kind)
        reads.append("^" + tensors[weight.value].split(":")[0])
    make.use_sizes_of(graph, tensors)
    lower_nodes(make, graph, tensors)
    for path, value in graph.updates:
        dtype = Kind(value.dtype)
        resource = resources[path]
        # After every read, so that no result depends on which of the two came first.
        make.run_before_return(
            make.effect("AssignVariableOp", [resource, tensors[value], *reads], dtype=dtype)
        )
    results = [(name, tensors[value], value.dtype) for name, value in graph.outputs]
    library.append(make.finish(results))
    return Lowered(name, graph, tuple(resources))


__all__: Sequence[str] = ["Lowered", "lower"]
