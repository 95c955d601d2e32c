"""How the form of an op in TensorFlow is declared: one function, by the op's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from nacre.export.graph.ir import Graph, Node, dtype_of, rank_of
from nacre.export.graph.ir import value_of as value
from nacre.export.graph.rules import is_float
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.support import Forms

# (function in the making, node, its tensors) -> the tensors of its results.
Form: TypeAlias = "Callable[[Body, Node, Sequence[str]], str | Sequence[str]]"
FORMS: Forms[Form] = Forms()
rule = FORMS.form


def lower_nodes(make: Body, graph: Graph, tensors: dict[object, str]) -> None:
    """Add the nodes of a graph to a function; `tensors` gets the tensors of their results."""
    for node in graph.nodes:
        make.scope = node.layer
        inputs = ["" if v is None else tensors[v] for v in node.inputs]
        found = form_of(make, node.op)(make, node, inputs)
        results = [found] if isinstance(found, str) else list(found)
        tensors.update(zip(node.outputs, results, strict=True))
    make.scope = ""


def form_of(make: Body, op: str) -> Form:
    """The form of an op, for the program that the function is made for."""
    return (FORMS.by_op if make.forms is None else make.forms)[op]


def kind_of(node: Node, index: int = 0) -> Kind:
    """The dtype of an input, as an attribute."""
    return Kind(dtype_of(node, index))


def cast(make: Body, tensor: str, source: str, target: str) -> str:
    """A tensor in another dtype; itself where it has it."""
    if source == target:
        return tensor
    return make.add("Cast", [tensor], SrcT=Kind(source), DstT=Kind(target), Truncate=False)


def cast_numbers(make: Body, tensor: str, source: str, target: str) -> str:
    """A tensor of any numbers in another dtype: floats beyond an integer's limits become the limit
    and NaN becomes 0. TensorFlow's Cast leaves those to the processor, which on x86 gives the
    smallest int32, or its lowest bits."""
    if not is_float(source) or np.dtype(target).kind not in "iu":
        return cast(make, tensor, source, target)
    limits, kind = np.iinfo(target), Kind(source)
    with np.errstate(over="ignore"):  # infinity in float16, which is what is beyond there
        ends = make.like(float(limits.min), source), make.like(float(limits.max + 1), source)
    # The first number beyond is a power of two, so floats of all widths hold it.
    below = make.add("Less", [tensor, ends[0]], T=kind)
    above = make.add("GreaterEqual", [tensor, ends[1]], T=kind)
    is_nan = make.add("NotEqual", [tensor, tensor], T=kind, incompatible_shape_error=True)
    found = cast(make, tensor, source, target)
    for where, number in ((above, limits.max), (below, limits.min), (is_nan, 0)):
        chosen = [where, make.constant(int(number), target), found]
        found = make.add("SelectV2", chosen, T=Kind(target))
    return found


def transpose(make: Body, tensor: str, order: Sequence[int], dtype: str) -> str:
    """A tensor with its axes in another order; itself where that is the same."""
    if list(order) == list(range(len(order))):
        return tensor
    return make.add("Transpose", [tensor, make.ints(*order)], T=Kind(dtype), Tperm=Kind("int32"))


def reshape(make: Body, tensor: str, sizes: str, dtype: str) -> str:
    """A tensor in the shape that a vector tells."""
    return make.add("Reshape", [tensor, sizes], T=Kind(dtype), Tshape=Kind("int32"))


def reduce(make: Body, op: str, tensor: str, axes: Sequence[int], dtype: str, keep: bool) -> str:
    """A tensor reduced along axes."""
    axes_tensor = make.ints(*axes)
    if op in ("All", "Any"):
        return make.add(op, [tensor, axes_tensor], Tidx=Kind("int32"), keep_dims=keep)
    return make.add(op, [tensor, axes_tensor], T=Kind(dtype), Tidx=Kind("int32"), keep_dims=keep)


__all__ = [
    "FORMS", "Form", "cast", "cast_numbers", "dtype_of", "form_of", "kind_of", "lower_nodes",
    "rank_of", "reduce", "reshape", "rule", "transpose", "value",
]  # fmt: skip
