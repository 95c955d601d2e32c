"""Changes of shape that change nothing, or that another one undoes, are left out.

- a broadcast in front of an op that broadcasts
- a reshape of a reshape, a cast to a wider dtype and back, a `not` of a `not`
- a transpose of a transpose; transposes move down through what works element by element, until
  they meet another
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.rules import broadcast, compared, same_shape
from nacre.export.passes.rewriting import Rewriting, within

_UNARY = {name for name, spec in OPSET.items() if spec.is_elementwise}
_BROADCASTING = {
    name
    for name, spec in OPSET.items()
    if spec.shapes in (broadcast, compared) and len(spec.inputs) > 1
} | {"select"}


def simplify_shapes(graph: Graph) -> Graph:
    """The graph without changes of shape that it can do without."""
    return within(Rewriting(graph).run(_simpler), lambda g: Rewriting(g).run(_simpler))


def _simpler(node: Node, new: Rewriting) -> Sequence[Value] | None:
    if node.op in _BROADCASTING:
        return _without_broadcasts(node, new) or _sunk(node, new)
    if node.op in _UNARY:
        return _undone(node, new) or _sunk(node, new)
    rule = _RULES.get(node.op)
    return None if rule is None else rule(node, new)


def _maker(value: Value | None, new: Rewriting, op: str) -> Node | None:
    """The node that made a value, where it is of this op."""
    maker = None if value is None else new.maker.get(value)
    return maker if maker is not None and maker.op == op else None


def _same_node(node: Node, inputs: Sequence[Value | None], new: Rewriting) -> Value:
    return new.add(node.op, inputs, node, **node.attributes)


def _without_broadcasts(node: Node, new: Rewriting) -> Sequence[Value] | None:
    """Read what was broadcast before the op does it."""
    inputs, changed = list(node.inputs), False
    for index in range(len(inputs)):
        maker = _maker(inputs[index], new, "broadcast_to")
        if maker is None:
            continue
        tried = [*inputs[:index], maker.inputs[0], *inputs[index + 1 :]]
        types = [v.type for v in tried if v is not None]
        (result,) = OPSET[node.op].result_types(types, node.attributes, {})
        if same_shape(result.shape, node.outputs[0].shape):
            inputs, changed = tried, True
    return [_same_node(node, inputs, new)] if changed else None


def _undone(node: Node, new: Rewriting) -> Sequence[Value] | None:
    """A `not` of a `not`, a cast of a cast that loses nothing."""
    maker = _maker(node.inputs[0], new, node.op)
    if maker is None or node.op not in ("not", "cast"):
        return None
    source = maker.inputs[0]
    assert source is not None
    if node.op == "not":
        return [source]
    wide = (source.dtype, maker.attributes["dtype"])
    is_exact = source.dtype == "bool" or wide in _EXACT
    if not is_exact:
        return None
    if node.attributes["dtype"] == source.dtype:
        return [source]
    return [_same_node(node, [source], new)] if source.dtype != "bool" else None


_EXACT = {
    ("float16", "float32"),
    ("bfloat16", "float32"),
    ("float32", "float64"),
    ("int8", "int32"),
    ("uint8", "int32"),
    ("int32", "int64"),
}


def _reshape(node: Node, new: Rewriting) -> Sequence[Value] | None:
    x, shape = node.inputs[0], node.attributes["shape"]
    assert x is not None
    if same_shape(x.shape, shape):
        return [x]
    maker = _maker(x, new, "reshape")
    if maker is None:
        return None
    source = maker.inputs[0]
    assert source is not None
    return [source] if same_shape(source.shape, shape) else [_same_node(node, [source], new)]


def _broadcast_to(node: Node, new: Rewriting) -> Sequence[Value] | None:
    x = node.inputs[0]
    assert x is not None
    if same_shape(x.shape, node.attributes["shape"]):
        return [x]
    maker = _maker(x, new, "broadcast_to")
    return None if maker is None else [_same_node(node, maker.inputs, new)]


def _transpose(node: Node, new: Rewriting) -> Sequence[Value] | None:
    order = node.attributes["permutation"]
    source = node.inputs[0]
    maker = _maker(source, new, "transpose")
    if maker is not None:
        inner = maker.attributes["permutation"]
        order, source = tuple(inner[axis] for axis in order), maker.inputs[0]
    assert source is not None
    if order == tuple(range(len(order))):
        return [source]
    if maker is None:
        return None
    return [new.add("transpose", [source], node, permutation=order)]


def _sunk(node: Node, new: Rewriting) -> Sequence[Value] | None:
    """The op before the transpose that its inputs have in common."""
    found = [_maker(value, new, "transpose") for value in node.inputs]
    orders = {maker.attributes["permutation"] for maker in found if maker is not None}
    if len(orders) != 1:
        return None
    (order,) = orders
    inputs: list[Value] = []
    for value, maker in zip(node.inputs, found):
        assert value is not None
        before = maker.inputs[0] if maker is not None else _before(value, order, new, node)
        if before is None:
            return None
        inputs.append(before)
    result = _same_node(node, inputs, new)
    return [new.add("transpose", [result], node, permutation=order)]


def _before(value: Value, order: tuple[int, ...], new: Rewriting, node: Node) -> Value | None:
    """What a transpose makes a value of: a scalar, a constant, or a vector along some axis."""
    if not value.shape:
        return value
    if len(value.shape) != len(order):
        return None
    back = tuple(order.index(axis) for axis in range(len(order)))
    if sum(size != 1 for size in value.shape) <= 1:
        shape = tuple(value.shape[axis] for axis in back)
        return value if shape == value.shape else new.add("reshape", [value], node, shape=shape)
    if _maker(value, new, "constant") is None:
        return None
    return new.add("transpose", [value], node, permutation=back)


def _reduction(node: Node, new: Rewriting) -> Sequence[Value] | None:
    """A reduction of what was not transposed yet, where what is left stays in order."""
    maker = _maker(node.inputs[0], new, "transpose")
    if maker is None or node.attributes["keepdims"]:
        return None
    order = maker.attributes["permutation"]
    axes = {axis % len(order) for axis in node.attributes["axes"]}
    kept = [order[axis] for axis in range(len(order)) if axis not in axes]
    if kept != sorted(kept):
        return None
    attributes = {**node.attributes, "axes": tuple(sorted(order[axis] for axis in axes))}
    return [new.add(node.op, [maker.inputs[0]], node, **attributes)]


def _batch_normalization(node: Node, new: Rewriting) -> Sequence[Value] | None:
    maker = _maker(node.inputs[0], new, "transpose")
    if maker is None:
        return None
    order = maker.attributes["permutation"]
    attributes: dict[str, Any] = {**node.attributes, "axis": order[node.attributes["axis"]]}
    inputs = [maker.inputs[0], *node.inputs[1:]]
    result = new.add(node.op, inputs, node, **attributes)
    return [new.add("transpose", [result], node, permutation=order)]


_RULES: dict[str, Any] = {
    "batch_normalization": _batch_normalization,
    "broadcast_to": _broadcast_to,
    "reshape": _reshape,
    "transpose": _transpose,
    **dict.fromkeys(
        ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"), _reduction
    ),
}
