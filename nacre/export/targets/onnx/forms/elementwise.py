"""Ops that take each element for itself. They keep the order of axes that their inputs have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nacre.core.wire.onnx import NUMBERS as NUMBER_OF
from nacre.export.graph.ir import Node
from nacre.export.targets.onnx.body import Body, Placed, dtype_of, value_of
from nacre.export.targets.onnx.forms._form import (
    FLOATS,
    NUMBERS,
    Form,
    Kernel,
    cast_back,
    cast_in,
    chosen_order,
    form,
    placed,
)

# (graph in the making, tensors of the inputs, node) -> the tensor of the result.
Inner = Callable[[Body, Sequence[str], Node], str]
_SIGNED = Kernel(NUMBERS.dtypes | {"int8"})
_ALL = Kernel(frozenset(NUMBER_OF))


def elementwise(
    *ops: str, kernel: Kernel = NUMBERS, keeps_dtype: bool = True, limit: Any = None
) -> Callable[[Inner], Form]:
    """Declare the form of ops whose inputs broadcast, and may lie in any order of axes."""

    def declare(inner: Inner) -> Form:
        def apply(make: Body, node: Node) -> str | Placed:
            values = [v for v in node.inputs if v is not None]
            rank = len(node.outputs[0].shape)
            usual = tuple(range(rank))
            order = chosen_order(make, values, rank)
            found = [
                make.ordered(v, order) if order != usual or len(v.shape) == rank else make.tensor(v)
                for v in values
            ]
            found = [cast_in(make, x, v.dtype, kernel) for x, v in zip(found, values)]
            result = inner(make, found, node)
            if keeps_dtype:
                result = cast_back(make, result, node.outputs[0].dtype, kernel)
            return placed(make, result, order)

        return form(*ops, limit=limit)(apply)

    return declare


_WHOLE = {
    "Neg": "neg", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sqrt": "sqrt",
    "Exp": "exp", "Log": "log", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin",
    "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh",
    "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Erf": "erf", "Sigmoid": "sigmoid",
    "Sub": "sub", "Mul": "mul", "Pow": "pow", "Max": "max", "Min": "min",
    "Softplus": "softplus", "Softsign": "softsign", "Selu": "selu", "Mish": "mish",
    "HardSwish": "hard_silu",
}  # fmt: skip
_OF_FLOATS = {"sinh", "cosh", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh", "selu",
              "softsign", "softplus", "hard_silu", "mish", "erf"}  # fmt: skip
_OP = {name: op for op, name in _WHOLE.items()}


def _declare_whole() -> None:
    for op, name in _WHOLE.items():

        def whole(make: Body, inputs: Sequence[str], node: Node, op: str = op) -> str:
            return make.add(op, inputs)

        of_floats = name in _OF_FLOATS
        kernel = Kernel(frozenset({"float32"})) if of_floats else _SIGNED if op == "Neg" else None
        elementwise(name, kernel=kernel or NUMBERS)(whole)


_declare_whole()


@elementwise()
def _sum(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("Add", inputs)


@form("add")
def _add(make: Body, node: Node) -> str | Placed | Sequence[str]:
    found = _as_bias(make, node)
    return _sum(make, node) if found is None else found


def _as_bias(make: Body, node: Node) -> Placed | None:
    """A vector of weights that is added to the channels of a convolution, as part of that."""
    for x, bias in (node.inputs, node.inputs[::-1]):
        assert x is not None
        data = make.data(bias)
        order, tensor = next(iter(make.orders(x).items()), ((), ""))
        made = make.made_by(tensor, "Conv") or make.made_by(tensor, "ConvTranspose")
        if made is None or data is None or bias is None or make.uses[x] != 1 or len(order) < 3:
            continue
        count = x.shape[-1]
        is_vector = data.size == count and data.shape[-1:] == (count,)
        first = (0, len(order) - 1, *range(1, len(order) - 1))
        if len(made.inputs) == 2 and is_vector and order == first and len(data.shape) <= len(order):
            made.inputs.append(make.weight([bias], lambda data: data.reshape(-1), "bias"))
            # The convolution stands before its bias was stored only if that takes a node.
            if make.nodes[-1] is not made:
                make.nodes.remove(made)
                make.nodes.append(made)
            return Placed(tensor, order)
    return None


@elementwise("abs", "sign", kernel=NUMBERS)
def _abs(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add(node.op.capitalize(), inputs)


@elementwise("square")
def _square(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("Mul", [inputs[0], inputs[0]])


@elementwise("rsqrt", kernel=FLOATS)
def _rsqrt(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("Reciprocal", [make.add("Sqrt", inputs)])


@elementwise("not", kernel=_ALL)
def _not(make: Body, inputs: Sequence[str], node: Node) -> str:
    if dtype_of(node) == "bool":
        return make.add("Not", inputs)
    # All bits turned is -x - 1, of unsigned ones the largest number less x.
    dtype = dtype_of(node)
    info = np.iinfo(dtype)
    top = make.constant(np.asarray(info.max if info.min == 0 else -1, dtype))
    wide = [cast_in(make, x, dtype, NUMBERS) for x in (top, inputs[0])]
    return cast_back(make, make.add("Sub", wide), dtype, NUMBERS)


@elementwise("is_finite", kernel=FLOATS, keeps_dtype=False)
def _is_finite(make: Body, inputs: Sequence[str], node: Node) -> str:
    # What is less than infinity, its size taken: NaN is not.
    dtype = FLOATS.computing(dtype_of(node))
    limit = make.constant(np.asarray(np.inf, dtype))
    return make.add("Less", [make.add("Abs", inputs), limit])


def _nonzero(make: Body, tensor: str, node: Node, dtype: str) -> tuple[str, str | None]:
    """A divisor, 1 where it is 0, and where that is; None where it is known to be nowhere."""
    known = make.data(value_of(node, 1))
    if known is not None and (known != 0).all():
        return tensor, None
    is_zero = make.add("Equal", [tensor, make.constant(np.asarray(0, dtype))])
    return make.add("Where", [is_zero, make.constant(np.asarray(1, dtype)), tensor]), is_zero


@elementwise("div")
def _div(make: Body, inputs: Sequence[str], node: Node) -> str:
    dtype = dtype_of(node)
    if "float" in dtype:
        return make.add("Div", inputs)
    wide = NUMBERS.computing(dtype)
    divisor, is_zero = _nonzero(make, inputs[1], node, wide)
    found = make.add("Div", [inputs[0], divisor])
    if is_zero is None:
        return found
    return make.add("Where", [is_zero, make.constant(np.asarray(-1, wide)), found])


@elementwise("rem")
def _rem(make: Body, inputs: Sequence[str], node: Node) -> str:
    dtype = dtype_of(node)
    if "float" in dtype:
        return make.add("Mod", inputs, fmod=1)
    divisor, is_zero = _nonzero(make, inputs[1], node, NUMBERS.computing(dtype))
    found = make.add("Mod", [inputs[0], divisor], fmod=1)
    return found if is_zero is None else make.add("Where", [is_zero, inputs[0], found])


def _logical(op: str, bitwise: str) -> None:
    @elementwise(op, kernel=_ALL)
    def _(make: Body, inputs: Sequence[str], node: Node) -> str:
        if dtype_of(node) == "bool":
            return make.add(op.capitalize(), inputs)
        return make.add(bitwise, inputs)


for _op in ("and", "or", "xor"):
    _logical(_op, f"Bitwise{_op.capitalize()}")


def _shifted(make: Body, x: str, by: str, dtype: str, direction: str) -> str:
    """Bits moved, zeros put in; a shift by the width or more leaves nothing."""
    bits = np.dtype(dtype).itemsize * 8
    unsigned = "uint64" if bits == 64 else "uint32" if bits == 32 else "uint8" if bits == 8 else ""
    through = f"uint{bits}"
    wide = unsigned or "uint32"
    x = make.cast(x, through) if through != dtype else x
    x = make.cast(x, wide) if wide != through else x
    count = make.cast(by, "int64")
    is_all = make.add("GreaterOrEqual", [count, make.constant(np.int64(bits))])
    count = make.cast(make.add("Where", [is_all, make.constant(np.int64(0)), count]), wide)
    moved = make.add("BitShift", [x, count], direction=direction)
    moved = make.cast(moved, "int64")
    kept = make.add("Where", [is_all, make.constant(np.int64(0)), moved])
    kept = make.cast(kept, wide)
    kept = make.cast(kept, through) if wide != through else kept
    return make.cast(kept, dtype) if through != dtype else kept


@elementwise("shift_left", "shift_right", kernel=_ALL)
def _shift(make: Body, inputs: Sequence[str], node: Node) -> str:
    direction = "LEFT" if node.op == "shift_left" else "RIGHT"
    x, by = inputs
    return _shifted(make, x, by, dtype_of(node), direction)


@elementwise("shift_right_signed", kernel=_ALL)
def _shift_signed(make: Body, inputs: Sequence[str], node: Node) -> str:
    # As a quotient towards less: the rest, which has the divisor's sign, taken off first.
    dtype = dtype_of(node)
    last = np.dtype(dtype).itemsize * 8 - 1
    count = make.add("Min", [make.cast(inputs[1], "int64"), make.constant(np.int64(min(last, 62)))])
    x = make.cast(inputs[0], "int64") if dtype != "int64" else inputs[0]
    one = make.constant(np.uint64(1))
    power = make.add("BitShift", [one, make.cast(count, "uint64")], direction="LEFT")
    power = make.cast(power, "int64")
    whole = make.add("Sub", [x, make.add("Mod", [x, power])])
    found = make.add("Div", [whole, power])
    return make.cast(found, dtype) if dtype != "int64" else found


_COMPARISONS = {
    "equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
}  # fmt: skip
_COMPARED = Kernel(NUMBERS.dtypes | {"bool", "string"})


@elementwise("equal", kernel=_COMPARED, keeps_dtype=False)
def _equal(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("Equal", inputs)


@elementwise("not_equal", kernel=_COMPARED, keeps_dtype=False)
def _not_equal(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add("Not", [make.add("Equal", inputs)])


@elementwise("less", "less_equal", "greater", "greater_equal", keeps_dtype=False)
def _compared(make: Body, inputs: Sequence[str], node: Node) -> str:
    return make.add(_COMPARISONS[node.op], inputs)


_CHOSEN = Kernel(NUMBERS.dtypes | {"string", "uint8", "bool"})


@elementwise("select", kernel=_CHOSEN)
def _select(make: Body, inputs: Sequence[str], node: Node) -> str:
    condition, on_true, on_false = inputs
    if node.outputs[0].dtype != "bool":
        return make.add("Where", inputs)
    yes = make.add("And", [condition, on_true])
    return make.add("Or", [yes, make.add("And", [make.add("Not", [condition]), on_false])])


@elementwise("clamp")
def _clamp(make: Body, inputs: Sequence[str], node: Node) -> str:
    x, low, high = inputs
    if not value_of(node, 1).shape and not value_of(node, 2).shape:
        return make.add("Clip", inputs)
    return make.add("Min", [make.add("Max", [x, low]), high])


_NARROW_INTEGERS = ("int8", "uint8", "int16", "uint16")


@elementwise("cast", kernel=_ALL)
def _cast(make: Body, inputs: Sequence[str], node: Node) -> str:
    """Floats outside of an integer's range become its nearest end, and NaN 0; Cast alone wraps
    those of narrow ones, so that a pixel of -1 would be 255, and gives what the processor gives for
    those of 32 bits. Whole numbers wrap in the model too."""
    source, dtype = dtype_of(node), node.attributes["dtype"]
    x = inputs[0]
    is_whole = dtype in (*_NARROW_INTEGERS, "int32", "uint32")
    if source not in ("float16", "bfloat16", "float32", "float64") or not is_whole:
        return make.cast(x, dtype)
    wide = source if source == "float64" else "float32"
    x = x if source == wide else make.cast(x, wide)
    limits = np.iinfo(dtype)
    if dtype in _NARROW_INTEGERS:
        x = make.add("Clip", [x, *(make.constant(n, wide) for n in (limits.min, limits.max))])
        return make.cast(x, dtype)
    # The first number that is too large is a float, the last one that is not is none in 32 bits.
    beyond = make.constant(limits.max + 1, wide)
    lowest = make.constant(limits.min, wide)
    kept = "int32" if dtype == "int32" else "int64"  # not all runtimes choose among uint32
    is_large = make.add("Not", [make.add("Less", [x, beyond])])
    zero, largest = make.constant(0, kept), make.constant(limits.max, kept)
    ends = make.add("Where", [make.add("IsNaN", [x]), zero, largest])
    found = make.cast(make.add("Clip", [x, lowest]), kept)
    found = make.add("Where", [is_large, ends, found])
    return found if dtype == kept else make.cast(found, dtype)


__all__ = ["elementwise"]
