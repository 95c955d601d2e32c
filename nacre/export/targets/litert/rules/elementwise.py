"""Ops that work element by element.

Whole numbers of 8 and 16 bits, and unsigned ones, are worked out in wider ones: the kernels of
these dtypes are for quantized numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.litert.body import Body, Shape, Tensor
from nacre.export.targets.litert.rules._rule import WIDER, Form, dtype_of, only, rule, widened

_FLOAT = only("float32")
# Without RSQRT, which gives NaN of 0 (seen in LiteRT 2.3 with XNNPACK): 1 / sqrt(0) is infinite.
_OF_FLOATS = {
    "floor": "FLOOR", "ceil": "CEIL", "round": "ROUND", "sqrt": "SQRT",
    "exp": "EXP", "log": "LOG", "sin": "SIN", "cos": "COS", "tanh": "TANH",
    "sigmoid": "LOGISTIC", "hard_silu": "HARD_SWISH",
}  # fmt: skip


def _of_one(kernel: str) -> Form:
    """The form of a kernel of one input that keeps dtype and shape."""

    def form(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
        return make.like(kernel, inputs[0])

    return form


for _op, _kernel in _OF_FLOATS.items():
    rule(_op, limit=_FLOAT)(_of_one(_kernel))


# The only inverse of a circular function that there is.
@rule("atan", limit=_FLOAT)
def _atan(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    return make.add("ATAN2", [x, make.filled_like(x, 1)], x.dtype, x.shape)


@rule("atan2", limit=_FLOAT)
def _atan2(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The kernel does not broadcast."""
    return _typed(make, "ATAN2", node, _whole_shape(make, node, inputs))


@rule("neg")
def _neg(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return widened(make, inputs, lambda xs: make.like("NEG", xs[0]))


@rule("abs")
def _abs(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    def work(xs: list[Tensor]) -> Tensor:
        if xs[0].dtype != "int64":
            return make.like("ABS", xs[0])
        return binary(make, "MAXIMUM", xs[0], make.like("NEG", xs[0]))

    return widened(make, inputs, work)


# --- two inputs -----------------------------------------------------------------------------------


def _known_broadcast(left: Shape, right: Shape) -> tuple[object, ...]:
    """The shape of both together, where each size is 1 or the other's."""
    count = max(len(left), len(right))
    pairs = zip((*[1] * (count - len(left)), *left), (*[1] * (count - len(right)), *right))
    return tuple(b if a == 1 else a for a, b in pairs)


def binary(make: Body, op: str, x: Tensor, y: Tensor, dtype: str = "") -> Tensor:
    """An operator of two tensors, which broadcast."""
    shape = _known_broadcast(x.shape, y.shape)
    return make.add(op, [x, y], dtype or x.dtype, shape)  # type: ignore[arg-type]


def _typed(make: Body, op: str, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """An operator of all inputs with the shape of the node's result, and the dtype of theirs."""
    return make.add(op, inputs, inputs[0].dtype, node.outputs[0].shape)


_BINARY = {"add": "ADD", "sub": "SUB", "mul": "MUL", "max": "MAXIMUM", "min": "MINIMUM"}


@rule(*_BINARY)
def _binary(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    if dtype_of(node) == "bool":
        ops = {"max": "LOGICAL_OR", "min": "LOGICAL_AND", "mul": "LOGICAL_AND", "add": "LOGICAL_OR"}
        return _typed(make, ops[node.op], node, inputs)
    return widened(make, inputs, lambda xs: _typed(make, _BINARY[node.op], node, xs))


def _no_wide_quotient(node: Node) -> str | None:
    if dtype_of(node) == "int64":
        return "Cast to int32 for the quotient."
    return None


@rule("div", limit=_no_wide_quotient)
def _div(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    if dtype_of(node) == "float32":
        return _typed(make, "DIV", node, inputs)

    if dtype_of(node) == "uint32":
        return _unsigned_quotient(make, node, inputs)

    def work(xs: list[Tensor]) -> Tensor:
        by, is_zero = _divisor(make, xs[1])
        quotient = _typed(make, "DIV", node, [xs[0], by])
        if is_zero is None:
            return quotient
        # By zero: all bits, as XLA gives it.
        minus = make.constant(-1, quotient.dtype)
        return make.add("SELECT_V2", [is_zero, minus, quotient], quotient.dtype, quotient.shape)

    return widened(make, inputs, work)


def _unsigned_quotient(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """Of half of x, which has no sign, then doubled; it is right or one too small.

    Source: H. S. Warren, Hacker's Delight, 2nd edition, section 9-3. By a y that has its highest
    bit set the quotient is 1 or 0.
    """
    x, y = _whole_shape(make, node, inputs)
    wide_x, wide_y = make.cast(x, "int64"), make.cast(y, "int64")
    shape = x.shape
    one = make.constant(np.ones((), "uint32"))
    half = make.add("RIGHT_SHIFT", [x, broadcast(make, one, shape)], "uint32", shape)
    by = _bits_as(make, y, "int32")
    usable = binary(make, "MAXIMUM", by, make.constant(1, "int32"))
    found = make.cast(binary(make, "DIV", _bits_as(make, half, "int32"), usable), "int64")
    found = binary(make, "ADD", found, found)
    left = binary(make, "SUB", wide_x, binary(make, "MUL", found, wide_y))
    more = make.cast(binary(make, "GREATER_EQUAL", left, wide_y, "bool"), "int64")
    found = binary(make, "ADD", found, more)
    zero = make.constant(0, "int32")
    fits = make.cast(binary(make, "GREATER_EQUAL", wide_x, wide_y, "bool"), "int64")
    is_large = binary(make, "LESS", by, zero, "bool")
    found = make.add("SELECT_V2", [is_large, fits, found], "int64", shape)
    is_zero = binary(make, "EQUAL", by, zero, "bool")
    all_bits = make.constant(2**32 - 1, "int64")
    found = make.add("SELECT_V2", [is_zero, all_bits, found], "int64", shape)
    return make.cast(found, "uint32")


def _divisor(make: Body, y: Tensor) -> tuple[Tensor, Tensor | None]:
    """A divisor with 1 for 0, which would end the run, and where it was 0; None for nowhere."""
    if y.data is not None and (y.data != 0).all():
        return y, None
    zero, one = make.constant(0, y.dtype), make.constant(1, y.dtype)
    is_zero = binary(make, "EQUAL", y, zero, "bool")
    return make.add("SELECT_V2", [is_zero, one, y], y.dtype, y.shape), is_zero


@rule("rem")
def _rem(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The kernel's remainder has the sign of y: that of the absolute ones gets the sign of x."""

    def work(xs: list[Tensor]) -> Tensor:
        x, y = xs
        zero = make.constant(0, x.dtype)
        is_zero = None
        if x.dtype != "float32":
            y, is_zero = _divisor(make, y)
        size = lambda v: binary(make, "MAXIMUM", v, make.like("NEG", v))
        found = _typed(make, "FLOOR_MOD", node, [size(x), size(y)])
        negative = binary(make, "LESS", x, zero, "bool")
        opposite = make.like("NEG", found)
        found = make.add("SELECT_V2", [negative, opposite, found], x.dtype, found.shape)
        if is_zero is not None:  # then all of x is left
            found = make.add("SELECT_V2", [is_zero, x, found], x.dtype, found.shape)
        return found

    return widened(make, inputs, work)


def _narrow_power(node: Node) -> str | None:
    return "Cast to float32." if dtype_of(node) in ("int64", "uint32") else None


@rule("pow", limit=_narrow_power)
def _pow(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return widened(make, inputs, lambda xs: _typed(make, "POW", node, xs))


_COMPARED = {
    "equal": "EQUAL", "not_equal": "NOT_EQUAL", "less": "LESS", "less_equal": "LESS_EQUAL",
    "greater": "GREATER", "greater_equal": "GREATER_EQUAL",
}  # fmt: skip


@rule(*_COMPARED, limit=lambda node: "Cast to int32." if dtype_of(node) == "string" else None)
def _compared(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    wider = WIDER.get(dtype_of(node), dtype_of(node))
    if wider == "bool" and node.op not in ("equal", "not_equal"):
        wider = "int32"
    xs = [make.cast(x, wider) for x in inputs]
    return make.add(_COMPARED[node.op], xs, "bool", node.outputs[0].shape)


@rule("select")
def _select(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    condition, *choices = inputs
    value = node.outputs[0]
    return widened(
        make, choices, lambda xs: make.add("SELECT_V2", [condition, *xs], xs[0].dtype, value.shape)
    )


@rule("cast")
def _cast(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """NaN as a whole number is 0 in the model; LiteRT's CAST gives the largest one."""
    (x,), dtype = inputs, node.attributes["dtype"]
    if x.data is None and "float" in x.dtype and "int" in dtype:
        is_nan = make.add("NOT_EQUAL", [x, x], "bool", x.shape)
        zero = make.constant(np.zeros((), x.dtype))
        x = make.add("SELECT_V2", [is_nan, zero, x], x.dtype, x.shape)
    return make.cast(x, dtype)


# --- bits -----------------------------------------------------------------------------------------

_BITS = ("bool", "int32", "int8", "uint8", "int16", "uint16", "uint32")


def _whole_shape(make: Body, node: Node, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Tensors in the shape of the result: kernels of bits do not broadcast."""
    return [broadcast(make, x, node.outputs[0].shape) for x in inputs]


def broadcast(make: Body, x: Tensor, shape: Shape) -> Tensor:
    """A tensor repeated to a shape."""
    if x.shape == tuple(shape):
        return x
    return make.add("BROADCAST_TO", [x, make.sizes(shape)], x.dtype, shape)


@rule("and", "or", "xor", limit=only(*_BITS))
def _of_bits(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    dtype = dtype_of(node)
    if dtype == "bool":
        op = {"and": "LOGICAL_AND", "or": "LOGICAL_OR", "xor": "NOT_EQUAL"}[node.op]
        return make.add(op, inputs, "bool", node.outputs[0].shape)
    x, y = _whole_shape(make, node, inputs)
    if node.op == "xor":
        return _typed(make, "BITWISE_XOR", node, [x, y])
    both = _typed(make, "STABLEHLO_AND", node, [x, y])
    if node.op == "and":
        return both
    one = _typed(make, "BITWISE_XOR", node, [x, y])  # x or y = (x xor y) xor (x and y)
    return _typed(make, "BITWISE_XOR", node, [one, both])


@rule("not", limit=only(*_BITS))
def _not(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    if x.dtype == "bool":
        return make.like("LOGICAL_NOT", x)
    all_bits = make.constant(np.asarray(-1).astype(x.dtype))
    return binary(make, "BITWISE_XOR", x, all_bits)


@rule("bitcast", limit=only("float32", "int32", "uint32"))
def _bitcast(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    return _bits_as(make, inputs[0], node.attributes["dtype"])


def _bits_as(make: Body, x: Tensor, dtype: str) -> Tensor:
    return x if x.dtype == dtype else make.add("BITCAST", [x], dtype, x.shape)


@rule("shift_left", "shift_right", "shift_right_signed", limit=only(*_BITS[1:]))
def _shift(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    x, y = _whole_shape(make, node, inputs)
    dtype = x.dtype
    if dtype in ("int32", "uint32"):
        return _shifted(make, node.op, x, y)
    if node.op == "shift_right":  # of the bits that there are, the sign among them
        x = make.cast(x, dtype if dtype.startswith("u") else f"u{dtype}")
    moved = _shifted(make, node.op, make.cast(x, "int32"), make.cast(y, "int32"))
    return make.cast(moved, dtype)


def _shifted(make: Body, op: str, x: Tensor, y: Tensor) -> Tensor:
    """Shifts by the width or more leave nothing, or the sign, which kernels do not say."""
    dtype = x.dtype
    by = _bits_as(make, y, "int32")
    last = make.constant(31, "int32")
    limited = binary(make, "MINIMUM", by, last)
    if op == "shift_left":
        left = _bits_as(make, x, "int32")
        moved = make.add("STABLEHLO_SHIFT_LEFT", [left, limited], "int32", x.shape)
    else:
        kind = "uint32" if op == "shift_right" else "int32"
        pair = [_bits_as(make, x, kind), _bits_as(make, limited, kind)]
        moved = make.add("RIGHT_SHIFT", pair, kind, x.shape)
        moved = _bits_as(make, moved, "int32")
    if op != "shift_right_signed":
        inside = binary(make, "LESS_EQUAL", by, last, "bool")
        nothing = make.constant(0, "int32")
        moved = make.add("SELECT_V2", [inside, moved, nothing], "int32", x.shape)
    return _bits_as(make, moved, dtype)
