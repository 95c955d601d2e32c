"""Functions of single elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.coreml.maker import Maker, Var, mil_dtype
from nacre.export.targets.coreml.support import FLOATS, FORMS, NUMBERS, takes

_WHOLE = {
    op: op
    for op in "floor ceil round sqrt exp exp2 sin cos tan asin acos atan sinh cosh tanh atanh erf "
    "sigmoid relu relu6 silu softsign softplus".split()
} | {"abs": "abs", "sign": "sign", "square": "square"}  # fmt: skip


@FORMS.form(*_WHOLE, limit=takes(*FLOATS))
def _unary(make: Maker, node: Node) -> Var:
    return make.add(_WHOLE[node.op], x=make.input(node))


@FORMS.form("neg", limit=takes(*NUMBERS))
def _neg(make: Maker, node: Node) -> Var:
    return make.add("mul", x=make.input(node), y=_number(node, -1))


@FORMS.form("log", "rsqrt", limit=takes(*FLOATS))
def _exact(make: Maker, node: Node) -> Var:
    """MIL adds something to what it divides or takes the logarithm of; nothing is added here."""
    return make.add(node.op, x=make.input(node), epsilon=_number(node, 0))


@FORMS.form("gelu", limit=takes(*FLOATS))
def _gelu(make: Maker, node: Node) -> Var:
    mode = "TANH_APPROXIMATION" if node.attributes["approximate"] else "EXACT"
    return make.add("gelu", x=make.input(node), mode=mode)


@FORMS.form("elu", limit=takes(*FLOATS))
def _elu(make: Maker, node: Node) -> Var:
    return make.add("elu", x=make.input(node), alpha=_number(node, node.attributes["alpha"]))


@FORMS.form("leaky_relu", limit=takes(*FLOATS))
def _leaky_relu(make: Maker, node: Node) -> Var:
    slope = _number(node, node.attributes["negative_slope"])
    return make.add("leaky_relu", x=make.input(node), alpha=slope)


@FORMS.form("hard_sigmoid", limit=takes(*FLOATS))
def _hard_sigmoid(make: Maker, node: Node) -> Var:
    return make.add(
        "sigmoid_hard", x=make.input(node), alpha=_number(node, 1 / 6), beta=_number(node, 0.5)
    )


@FORMS.form("not", limit=takes("bool"))
def _not(make: Maker, node: Node) -> Var:
    return make.add("logical_not", x=make.input(node))


_BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "pow": "pow", "max": "maximum", "min": "minimum",
    "less": "less", "less_equal": "less_equal", "greater": "greater",
    "greater_equal": "greater_equal",
}  # fmt: skip


@FORMS.form(*_BINARY, limit=takes(*NUMBERS))
def _binary(make: Maker, node: Node) -> Var:
    return make.add(_BINARY[node.op], x=make.input(node), y=make.input(node, 1))


@FORMS.form("equal", "not_equal", limit=takes(*NUMBERS, "bool"))
def _compared(make: Maker, node: Node) -> Var:
    x, y = make.input(node), make.input(node, 1)
    if _dtype(node) == "bool":
        x, y = make.cast(x, "int32"), make.cast(y, "int32")
    return make.add(node.op, x=x, y=y)


@FORMS.form("div", limit=takes(*NUMBERS))
def _div(make: Maker, node: Node) -> Var:
    x, y = make.input(node), make.input(node, 1)
    if _dtype(node) != "int32":
        return make.add("real_div", x=x, y=y)
    return _towards_zero(make, x, y)


def _towards_zero(make: Maker, x: Var, y: Var) -> Var:
    """A quotient of whole numbers: MIL's is rounded down, this one towards zero; by 0, -1."""
    zero, one = np.int32(0), np.int32(1)
    by_zero = make.add("equal", x=y, y=zero)
    safe = make.add("add", x=y, y=make.cast(by_zero, "int32"))
    down = make.add("floor_div", x=x, y=safe)
    rest = make.add("sub", x=x, y=make.add("mul", x=down, y=safe))
    is_uneven = make.add("not_equal", x=rest, y=zero)
    is_up = make.add("logical_and", x=is_uneven, y=make.add("less", x=down, y=zero))
    found = make.add("add", x=down, y=make.cast(is_up, "int32"))
    keep = make.add("sub", x=one, y=make.cast(by_zero, "int32"))
    return make.add("sub", x=make.add("mul", x=found, y=keep), y=make.cast(by_zero, "int32"))


@FORMS.form("rem", limit=takes(*FLOATS))
def _rem(make: Maker, node: Node) -> Var:
    """MIL's has the sign of the divisor, this one that of x."""
    x, y = make.input(node), make.input(node, 1)
    rest = make.add("mod", x=make.add("abs", x=x), y=make.add("abs", x=y))
    return make.add("mul", x=make.add("sign", x=x), y=rest)


_LOGICAL = {"and": "logical_and", "or": "logical_or", "xor": "logical_xor"}


@FORMS.form(*_LOGICAL, limit=takes("bool"))
def _logical(make: Maker, node: Node) -> Var:
    return make.add(_LOGICAL[node.op], x=make.input(node), y=make.input(node, 1))


@FORMS.form("select")
def _select(make: Maker, node: Node) -> Var:
    """MIL's takes choices of the shape of the result."""
    condition, on_true, on_false = (make.input(node, i) for i in range(3))
    shape, dtype = node.outputs[0].shape, node.outputs[0].dtype
    values = [v for v in node.inputs if v is not None]
    if all(v.shape == shape for v in values):
        return make.add("select", cond=condition, a=on_true, b=on_false)
    zeros = make.add("fill", shape=make.vector(shape), value=np.float32(0))
    zeros = make.cast(zeros, "int32") if dtype in ("int32", "bool") else make.cast(zeros, dtype)

    def whole(x: Var, is_whole: bool) -> Var:
        if is_whole:
            return x
        number = make.cast(x, "int32") if dtype == "bool" else x
        spread = make.add("add", x=number, y=zeros)
        return make.cast(spread, "bool") if dtype == "bool" else spread

    if values[0].shape != shape:
        flags = make.add("add", x=make.cast(condition, "int32"), y=make.cast(zeros, "int32"))
        condition = make.cast(flags, "bool")
    on_true, on_false = (
        whole(on_true, values[1].shape == shape),
        whole(on_false, values[2].shape == shape),
    )
    return make.add("select", cond=condition, a=on_true, b=on_false)


@FORMS.form("cast")
def _cast(make: Maker, node: Node) -> Var:
    source, wanted = _dtype(node), node.attributes["dtype"]
    x = make.input(node)
    if wanted == "bool" and source != "bool":
        return make.add("not_equal", x=x, y=_number(node, 0))
    return make.add("cast", x=x, dtype=mil_dtype(wanted))


def _dtype(node: Node) -> str:
    value = node.inputs[0]
    assert value is not None
    return value.dtype


def _number(node: Node, number: float) -> Any:
    """A number of the dtype of a node's first input."""
    return np.asarray(number, _dtype(node))[()]
