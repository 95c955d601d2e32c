"""Sums, extremes, running sums, orders."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.torch.program import FORMS, Program, axes_of, dtype_of, listed, shape_of


def _axes(node: Node) -> list[int]:
    return axes_of(node.attributes["axes"], len(shape_of(node)))


@FORMS.form("reduce_sum")
def _reduce_sum(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """Without axes PyTorch sums over all."""
    axes, keep = _axes(node), node.attributes["keepdims"]
    if not axes:
        return inputs[0]
    return f"torch.sum({inputs[0]}, {listed(axes)}, {keep}, dtype=torch.{dtype_of(node)})"


@FORMS.form("reduce_mean")
def _reduce_mean(make: Program, node: Node, inputs: Sequence[str]) -> str:
    axes, keep = _axes(node), node.attributes["keepdims"]
    return f"torch.mean({inputs[0]}, {listed(axes)}, {keep})" if axes else inputs[0]


@FORMS.form("reduce_max", "reduce_min")
def _reduce_extreme(make: Program, node: Node, inputs: Sequence[str]) -> str:
    axes, keep = _axes(node), node.attributes["keepdims"]
    op = {"reduce_max": "amax", "reduce_min": "amin"}[node.op]
    return f"torch.{op}({inputs[0]}, {listed(axes)}, {keep})" if axes else inputs[0]


@FORMS.form("reduce_prod", "reduce_all", "reduce_any")
def _reduce_in_turn(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """One axis after the other, the last one first."""
    x, keep = inputs[0], node.attributes["keepdims"]
    dtype = f", dtype=torch.{dtype_of(node)}" if node.op == "reduce_prod" else ""
    for axis in sorted(_axes(node), reverse=True):
        x = make.let(f"torch.{node.op.removeprefix('reduce_')}({x}, {axis}, {keep}{dtype})", "less")
    return x


@FORMS.form("logsumexp")
def _logsumexp(make: Program, node: Node, inputs: Sequence[str]) -> str:
    axes, keep = _axes(node), node.attributes["keepdims"]
    return f"torch.logsumexp({inputs[0]}, {listed(axes)}, {keep})" if axes else inputs[0]


@FORMS.form("argmax", "argmin")
def _place(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x = f"{inputs[0]}.to(torch.uint8)" if dtype_of(node) == "bool" else inputs[0]
    found = f"torch.{node.op}({x}, {node.attributes['axis']}, False)"
    return f"{found}.to(torch.{node.attributes['dtype']})"


@FORMS.form("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def _running(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, axis = inputs[0], node.attributes["axis"]
    back = node.attributes["reverse"]
    x = f"torch.flip({x}, [{axis}])" if back else x
    if node.op in ("cumsum", "cumprod"):
        found = f"torch.{node.op}({x}, {axis}, dtype=torch.{dtype_of(node)})"
    elif node.op == "cumlogsumexp":
        found = f"torch.logcumsumexp({x}, {axis})"
    else:
        found = f"torch.{node.op}({x}, {axis})[0]"
    return f"torch.flip({found}, [{axis}])" if back else found


@FORMS.form("sort")
def _sort(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    """By the last key first, then by those before it, each time keeping the order of equal ones."""
    axis, keys = node.attributes["axis"], node.attributes["num_keys"]
    order = ""
    for number in range(keys - 1, -1, -1):
        key = inputs[number] if not order else f"torch.gather({inputs[number]}, {axis}, {order})"
        new, values = make.name("order"), make.name("values")
        ordered = f"torch.sort({key}, stable=True, dim={axis}, descending=False)"
        make.line(f"{values}, {new} = {ordered}")
        order = new if not order else make.let(f"torch.gather({order}, {axis}, {new})", "order")
        if len(inputs) == 1:
            return [values]
    return [f"torch.gather({x}, {axis}, {order})" for x in inputs]


@FORMS.form("top_k")
def _top_k(make: Program, node: Node, inputs: Sequence[str]) -> list[str]:
    """By a sort, which keeps the order of equal ones; PyTorch's topk may take any of them."""
    values, places = make.name("values"), make.name("places")
    make.line(f"{values}, {places} = torch.sort({inputs[0]}, stable=True, dim=-1, descending=True)")
    k = node.attributes["k"]
    return [f"{values}[..., :{k}]", f"{places}[..., :{k}].to(torch.int32)"]


@FORMS.form("searchsorted")
def _searchsorted(make: Program, node: Node, inputs: Sequence[str]) -> str:
    edges, values = inputs
    right = node.attributes["side"] == "right"
    given = f"{edges}.contiguous(), {values}.contiguous(), out_int32=True, right={right}"
    return f"torch.searchsorted({given})"
