"""A graph as the subgraphs of a file, the first of them the model's."""

from __future__ import annotations

from nacre.export.graph.ir import Graph
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules import lower_nodes


def lower(graph: Graph) -> list[Body]:
    """The subgraphs of a graph; its weights are tensors of known numbers."""
    file: list[Body] = []
    make = Body("main", file)
    tensors: dict[object, Tensor] = {
        value: make.input(value.name, value.dtype, value.shape) for value in graph.inputs
    }
    for weight in graph.weights:
        value = weight.value
        tensors[value] = Tensor(weight.path, value.dtype, value.shape, weight.data)
    make.use_sizes_of(graph, tensors)
    lower_nodes(make, graph, tensors)
    for name, value in graph.outputs:
        make.outputs.append(_own(make, tensors[value], name))
    return file


def _own(make: Body, tensor: Tensor, name: str) -> Tensor:
    """A tensor as an output of that name: a copy of an input, of a constant, of another output."""
    if tensor in make.inputs or tensor in make.outputs or tensor.data is not None:
        tensor = make.copied(tensor)
    tensor.name = name
    return tensor


__all__ = ["lower"]
