"""Ops that work element by element."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.torch.program import FORMS, Program, dtype_of, is_float

# Ops whose form is one expression: {0}, {1} ... are the inputs.
_PLAIN = {
    "abs": "torch.abs({0})",
    "neg": "torch.neg({0})",
    "floor": "torch.floor({0})",
    "ceil": "torch.ceil({0})",
    "round": "torch.round({0})",
    "square": "{0} * {0}",
    "sqrt": "torch.sqrt({0})",
    "rsqrt": "torch.rsqrt({0})",
    "exp": "torch.exp({0})",
    "exp2": "torch.exp2({0})",
    "expm1": "torch.expm1({0})",
    "log": "torch.log({0})",
    "log1p": "torch.log1p({0})",
    "sin": "torch.sin({0})",
    "cos": "torch.cos({0})",
    "tan": "torch.tan({0})",
    "asin": "torch.asin({0})",
    "acos": "torch.acos({0})",
    "atan": "torch.atan({0})",
    "sinh": "torch.sinh({0})",
    "cosh": "torch.cosh({0})",
    "tanh": "torch.tanh({0})",
    "asinh": "torch.asinh({0})",
    "acosh": "torch.acosh({0})",
    "atanh": "torch.atanh({0})",
    "erf": "torch.erf({0})",
    "erfc": "torch.erfc({0})",
    "erf_inv": "torch.erfinv({0})",
    "lgamma": "torch.lgamma({0})",
    "sigmoid": "torch.sigmoid({0})",
    "not": "torch.bitwise_not({0})",
    "is_finite": "torch.isfinite({0})",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "pow": "torch.pow({0}, {1})",
    "max": "torch.maximum({0}, {1})",
    "min": "torch.minimum({0}, {1})",
    "atan2": "torch.atan2({0}, {1})",
    "and": "torch.bitwise_and({0}, {1})",
    "or": "torch.bitwise_or({0}, {1})",
    "xor": "torch.bitwise_xor({0}, {1})",
    "equal": "torch.eq({0}, {1})",
    "not_equal": "torch.ne({0}, {1})",
    "less": "torch.lt({0}, {1})",
    "less_equal": "torch.le({0}, {1})",
    "greater": "torch.gt({0}, {1})",
    "greater_equal": "torch.ge({0}, {1})",
    "select": "torch.where({0}, {1}, {2})",
    "clamp": "torch.minimum(torch.maximum({0}, {1}), {2})",
    "real": "torch.real({0})",
    "imag": "torch.imag({0})",
    "complex": "torch.complex({0}, {1})",
}


def _plain(template: str, make: Program, node: Node, inputs: Sequence[str]) -> str:
    return template.format(*inputs)


for _op, _template in _PLAIN.items():
    FORMS.form(_op)(partial(_plain, _template))


@FORMS.form("sign")
def _sign(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """PyTorch's sign of NaN is 0."""
    x = inputs[0]
    if not is_float(dtype_of(node)):
        return f"torch.sign({x})"
    return f"torch.where(torch.isnan({x}), {x}, torch.sign({x}))"


@FORMS.form("digamma")
def _digamma(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """At its poles NaN, where PyTorch gives -inf at 0."""
    return f"torch.where({inputs[0]} == 0, torch.nan, torch.digamma({inputs[0]}))"


@FORMS.form("div")
def _div(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """Of integers towards zero; by zero all bits, as XLA gives it, where PyTorch raises."""
    x, y = inputs
    if "int" not in dtype_of(node):
        return f"{x} / {y}"
    is_zero = make.let(f"torch.eq({y}, 0)", "is_zero")
    by = f"torch.where({is_zero}, torch.ones_like({y}), {y})"
    quotient = make.let(f'torch.div({x}, {by}, rounding_mode="trunc")', "quotient")
    return f"torch.where({is_zero}, torch.bitwise_not(torch.zeros_like({quotient})), {quotient})"


@FORMS.form("rem")
def _rem(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """Of integers by zero x itself, as XLA gives it, where PyTorch raises."""
    x, y = inputs
    if "int" not in dtype_of(node):
        return f"torch.fmod({x}, {y})"
    is_zero = make.let(f"torch.eq({y}, 0)", "is_zero")
    rest = f"torch.fmod({x}, torch.where({is_zero}, torch.ones_like({y}), {y}))"
    return f"torch.where({is_zero}, {x}, {rest})"


def _bits(node: Node) -> int:
    return np.dtype(dtype_of(node)).itemsize * 8


@FORMS.form("shift_left")
def _shift_left(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, y = inputs
    bits = _bits(node)
    inside = f"(torch.ge({y}, 0) & torch.lt({y}, {bits}))"
    by = f"torch.clamp({y}, 0, {bits - 1})"
    shifted = make.let(f"torch.bitwise_left_shift({x}, {by})", "shifted")
    return f"torch.where({inside}, {shifted}, torch.zeros_like({shifted}))"


@FORMS.form("shift_right")
def _shift_right(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """PyTorch's keeps the sign; that is put out again: what is left are the lower bits."""
    x, y = inputs
    bits = _bits(node)
    inside = f"(torch.ge({y}, 0) & torch.lt({y}, {bits}))"
    by = make.let(f"torch.clamp({y}, 0, {bits - 1})", "by")
    shifted = make.let(f"torch.bitwise_right_shift({x}, {by})", "shifted")
    if not dtype_of(node).startswith("u"):
        # All bits, less the highest `by` ones.
        ones = f"torch.bitwise_not(torch.zeros_like({shifted}))"
        upper = f"torch.bitwise_left_shift(torch.bitwise_left_shift({ones}, {bits - 1} - {by}), 1)"
        shifted = make.let(f"{shifted} & torch.bitwise_not({upper})", "shifted")
    return f"torch.where({inside}, {shifted}, torch.zeros_like({shifted}))"


@FORMS.form("shift_right_signed")
def _shift_right_signed(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, y = inputs
    bits = _bits(node)
    far = f"(torch.lt({y}, 0) | torch.ge({y}, {bits}))"
    by = f"torch.where({far}, torch.full_like({y}, {bits - 1}), {y})"
    return f"torch.bitwise_right_shift({x}, {by})"


# The largest float64 that the largest int64 is not below.
_LARGEST = 9223372036854774784.0


@FORMS.form("cast")
def _cast(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """Floats outside of an integer's range become its nearest end and NaN 0, as XLA has it; C++
    leaves that open."""
    source, target = dtype_of(node), node.attributes["dtype"]
    x = inputs[0]
    if source.startswith("complex") and not target.startswith("complex"):
        x, source = f"torch.real({x})", source.replace("complex64", "float32")
    if "float" in source and "int" in target:
        limits = np.iinfo(target)
        low, high = float(limits.min), min(float(limits.max), _LARGEST)
        wide = make.let(f"torch.nan_to_num({x}.to(torch.float64), 0.0)", "wide")
        return f"torch.clamp({wide}, {low!r}, {high!r}).to(torch.{target})"
    return f"{x}.to(torch.{target})"


def _has_no_view(node: Node) -> str | None:
    return "" if dtype_of(node) == "bool" or node.attributes["dtype"] == "bool" else None


@FORMS.form("bitcast", limit=_has_no_view)
def _bitcast(make: Program, node: Node, inputs: Sequence[str]) -> str:
    # TorchScript takes `view` with a dtype for one with a size.
    dtype = node.attributes["dtype"]
    return f"torch.view_copy({inputs[0]}.contiguous(), dtype=torch.{dtype})"
