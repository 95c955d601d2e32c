"""How the form of an op in ONNX is declared: one function, by the op's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.targets.onnx.body import Body, Placed
from nacre.export.targets.support import Forms

# (graph in the making, node) -> the tensors of its results.
Form: TypeAlias = "Callable[[Body, Node], str | Placed | Sequence[str]]"
FORMS: Forms[Form] = Forms()
form = FORMS.form
# The first version of ONNX's ops that has the form of an op, where 13 has none.
SINCE: dict[str, int] = {}


def since(version: int, *ops: str) -> None:
    """Say that these ops have their form from a version of ONNX's ops on."""
    SINCE.update(dict.fromkeys(ops, version))


# What a weight may go through and still be one that is stored, as it is read.
VIEWS = ("cast", "reshape", "slice", "transpose")


def lower_nodes(make: Body, graph: Graph) -> None:
    """Add the nodes of a graph, whose inputs are bound."""
    make.begin(graph)
    for node in graph.nodes:
        make.scope = node.layer or (make.parent.scope if make.parent else "")
        if node.op in VIEWS and make.data(node.outputs[0]) is not None:
            continue  # a weight, but for how it is read: stored so
        found = FORMS.by_op[node.op](make, node)
        if isinstance(found, Placed):
            make.bind(node.outputs[0], found.name, found.order)
            continue
        results = [found] if isinstance(found, str) else list(found)
        for value, name in zip(node.outputs, results, strict=True):
            if name:
                make.bind(value, name)
    make.scope = make.parent.scope if make.parent else ""


def tensors(make: Body, node: Node) -> list[str]:
    """The tensors of a node's inputs, '' for those that are left out."""
    return ["" if value is None else make.tensor(value) for value in node.inputs]


@dataclass(frozen=True)
class Kernel:
    """What a runtime computes with: other dtypes are cast there and back.

    Attributes:
        dtypes: Those that it has.
        instead: dtype -> the one to compute in.
    """

    dtypes: frozenset[str]

    def computing(self, dtype: str) -> str:
        """The dtype to compute in for values of a dtype."""
        if dtype in self.dtypes or dtype in ("float16", "bfloat16", "string"):
            return dtype
        return next(wide for wide in _WIDER[dtype] if wide in self.dtypes)


_WIDER: dict[str, tuple[str, ...]] = {
    "bool": ("int32", "float32"),
    "int8": ("int32", "float32"),
    "uint8": ("int32", "float32"),
    "int16": ("int32", "float32"),
    "uint16": ("int32", "float32"),
    "int32": ("int64", "float64", "float32"),
    "uint32": ("int64", "float64", "float32"),
    "uint64": ("int64", "float64", "float32"),
    "int64": ("float64", "float32"),
    "float64": ("float32",),
}

# What onnxruntime's kernels for CPUs have (docs/OperatorKernels.md); casts around others.
NUMBERS = Kernel(frozenset({"float32", "float64", "int32", "int64"}))
FLOATS = Kernel(frozenset({"float32", "float64"}))
SINGLE = Kernel(frozenset({"float32"}))


def cast_in(make: Body, tensor: str, dtype: str, kernel: Kernel) -> str:
    """A tensor in the dtype that a kernel computes in."""
    wide = kernel.computing(dtype)
    return tensor if wide == dtype else make.cast(tensor, wide)


def cast_back(make: Body, tensor: str, dtype: str, kernel: Kernel) -> str:
    """What a kernel gave, in the dtype of the values."""
    return tensor if kernel.computing(dtype) == dtype else make.cast(tensor, dtype)


def chosen_order(make: Body, values: Sequence[Value], rank: int) -> tuple[int, ...]:
    """The order of axes in which an op of single elements has the least to transpose."""
    usual = tuple(range(rank))
    whole = [v for v in values if len(v.shape) == rank and make.data(v) is None]
    best, least = usual, sum(usual not in make.orders(v) for v in whole)
    for order in (order for v in whole for order in make.orders(v)):
        cost = sum(order not in make.orders(v) for v in whole)
        if cost < least and all(make.can_order(v, order) for v in values):
            best, least = order, cost
    return best


def placed(make: Body, name: str, order: tuple[int, ...]) -> str | Placed:
    """A result in an order of axes."""
    return name if order == tuple(range(len(order))) else Placed(name, order)


def like(node: Node, op: str, **attributes: object) -> Node:
    """A node as another one, of another op with the same inputs."""
    return replace(node, op=op, attributes=attributes)
