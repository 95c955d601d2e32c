"""Element by element."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.c.forms._form import added, form, given, unary
from nacre.export.targets.c.types import TYPES, count, is_float, number, suffix
from nacre.export.targets.c.unit import Body

_COMPARE = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}  # fmt: skip


def each(make: Body, node: Node, expression: object) -> None:
    """A loop over the result: the expression of elements of the inputs, which broadcast."""
    (result,) = node.outputs
    inputs = [v for v in node.inputs if v is not None]
    if all(v.shape in (result.shape, ()) for v in inputs):
        with make.loop(count(result.shape)) as i:
            elements = [f"{make.of(v)}[{'0' if v.shape == () else i}]" for v in inputs]
            make.line(f"{make.of(result)}[{i}] = {_said(make, result, expression, elements)};")
        return
    with make.loops(result.shape) as indices:
        elements = [make.spread(v, indices) for v in inputs]
        said = _said(make, result, expression, elements)
        make.line(f"{make.at(result, indices)} = {said};")


def _said(make: Body, result: Value, expression: object, elements: Sequence[str]) -> str:
    assert callable(expression)
    return str(expression(*elements))


def _unary(op: str, make: Body, node: Node) -> None:
    each(make, node, lambda x: unary(make, op, node.outputs[0].dtype, x))


for _op in (
    "abs neg sign floor ceil round square sqrt rsqrt cbrt exp exp2 expm1 log log1p sin cos tan "
    "asin acos atan sinh cosh tanh asinh acosh atanh erf erfc erf_inv lgamma digamma not sigmoid "
    "relu relu6 selu silu mish softplus softsign log_sigmoid hard_sigmoid hard_silu"
).split():
    form(_op)(functools.partial(_unary, _op))


@form("is_finite")
def _is_finite(make: Body, node: Node) -> None:
    each(make, node, lambda x: f"isfinite({x}) != 0")


@form("leaky_relu")
def _leaky_relu(make: Body, node: Node) -> None:
    slope = number(node.attributes["negative_slope"], node.outputs[0].dtype)
    each(make, node, lambda x: f"{x} >= 0 ? {x} : {slope} * {x}")


@form("prelu")
def _prelu(make: Body, node: Node) -> None:
    each(make, node, lambda x, alpha: f"{x} >= 0 ? {x} : {alpha} * {x}")


@form("elu")
def _elu(make: Body, node: Node) -> None:
    dtype = node.outputs[0].dtype
    alpha = number(node.attributes["alpha"], dtype)
    each(make, node, lambda x: f"{x} > 0 ? {x} : {alpha} * expm1{suffix(dtype)}({x})")


@form("celu")
def _celu(make: Body, node: Node) -> None:
    dtype = node.outputs[0].dtype
    alpha = number(node.attributes["alpha"], dtype)
    each(make, node, lambda x: f"{x} > 0 ? {x} : {alpha} * expm1{suffix(dtype)}({x} / {alpha})")


@form("gelu")
def _gelu(make: Body, node: Node) -> None:
    name = "gelu_tanh" if node.attributes["approximate"] else "gelu"
    each(make, node, lambda x: f"{make.helper(name, node.outputs[0].dtype)}({x})")


@form("add", "sub", "mul")
def _sum(make: Body, node: Node) -> None:
    sign = {"add": "+", "sub": "-", "mul": "*"}[node.op]
    each(make, node, lambda x, y: added(node.outputs[0].dtype, x, y, sign))


@form("div", "rem", "pow", "atan2", "max", "min")
def _pair(make: Body, node: Node) -> None:
    dtype = node.outputs[0].dtype

    def said(x: str, y: str) -> str:
        if node.op in ("max", "min"):
            return f"{make.helper(node.op, dtype)}({x}, {y})"
        if is_float(dtype):
            name = {"rem": "fmod"}.get(node.op, node.op)
            return f"{x} / {y}" if node.op == "div" else f"{name}{suffix(dtype)}({x}, {y})"
        name = "power" if node.op == "pow" else node.op
        unsigned = "u" if dtype.startswith("u") and node.op != "pow" else ""
        return f"{make.helper(unsigned + name, dtype)}({x}, {y})"

    each(make, node, said)


@form("and", "or", "xor")
def _bits(make: Body, node: Node) -> None:
    sign, type_ = {"and": "&", "or": "|", "xor": "^"}[node.op], make.type(node.outputs[0])
    each(make, node, lambda x, y: f"({type_})({x} {sign} {y})")


@form("shift_left", "shift_right", "shift_right_signed")
def _shift(make: Body, node: Node) -> None:
    dtype = node.outputs[0].dtype
    type_, _, wide = TYPES[dtype]
    bits = int("".join(c for c in dtype if c.isdigit()))
    own = f"uint{bits}_t"

    def said(x: str, y: str) -> str:
        outside = f"({wide})({y}) >= {bits}u"
        if node.op == "shift_left":
            return f"{outside} ? 0 : ({type_})(({wide})({own}){x} << ({wide}){y})"
        if node.op == "shift_right":
            return f"{outside} ? 0 : ({type_})(({wide})({own}){x} >> ({wide}){y})"
        # As all compilers have it: the sign is put in.
        return f"({type_})({x} >> ({outside} ? {bits - 1} : (int){y}))"

    each(make, node, said)


@form(*_COMPARE)
def _compared(make: Body, node: Node) -> None:
    each(make, node, lambda x, y: f"{x} {_COMPARE[node.op]} {y}")


@form("select")
def _select(make: Body, node: Node) -> None:
    each(make, node, lambda condition, x, y: f"{condition} ? {x} : {y}")


@form("clamp")
def _clamp(make: Body, node: Node) -> None:
    dtype = node.outputs[0].dtype
    low, high = make.helper("max", dtype), make.helper("min", dtype)
    each(make, node, lambda x, a, b: f"{high}({low}({x}, {a}), {b})")


@form("cast")
def _cast(make: Body, node: Node) -> None:
    x, to = given(node, 0), node.outputs[0].dtype
    each(make, node, lambda element: converted(make, element, x.dtype, to))


def converted(make: Body, x: str, dtype: str, to: str) -> str:
    """An element as another dtype; what an integer does not hold becomes the nearest it does."""
    type_ = TYPES[to][0]
    if to == "bool":
        return f"{x} != 0"
    if not is_float(dtype) or is_float(to):
        return f"({type_}){x}"
    bits, signed = int("".join(c for c in to if c.isdigit())), not to.startswith("u")
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    low, high = number(least, dtype), number(most + 1, dtype)
    inside = f"{x} >= {high} ? {number(most, to)} : ({type_}){x}"
    return f"{x} != {x} ? 0 : {x} <= {low} ? {number(least, to)} : {inside}"


@form("bitcast")
def _bitcast(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    make.copy(make.of(result), make.of(x), x.dtype, x.shape)
