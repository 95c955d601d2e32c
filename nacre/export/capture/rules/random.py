"""Draws of random numbers, without keys."""

from __future__ import annotations

from typing import Any

from nacre.export.capture.jaxpr import Equation, sizes_of, type_of
from nacre.export.capture.lower import DRAWS, KEY_VALUE, Lowering, Rule, primitive
from nacre.export.graph.ir import Value


def _draw(name: str) -> Any:
    def declare(rule: Rule) -> Rule:
        DRAWS[name] = rule
        return rule

    return declare


@_draw("_uniform")
def _uniform(low: Lowering, equation: Equation, key: Any, least: Value, most: Value) -> Any:
    dtype, shape = type_of(equation.outputs[0])
    if least.shape or most.shape or least.dtype != dtype or most.dtype != dtype:
        return None
    return low.add("random_uniform", least, most, shape=shape, dtype=dtype)


@_draw("_normal_real")
def _normal(low: Lowering, equation: Equation, key: Any) -> Value:
    dtype, shape = type_of(equation.outputs[0])
    return low.add("random_normal", shape=shape, dtype=dtype)


@primitive("random_bits")
def _bits(low: Lowering, equation: Equation, key: Any) -> Value:
    dtype = type_of(equation.outputs[0]).dtype
    return low.add("random_bits", shape=sizes_of(equation.outputs[0].aval.shape), dtype=dtype)


@primitive("random_wrap", "random_unwrap", "random_split", "random_fold_in", "random_seed",
           "threefry2x32", "random_clone")  # fmt: skip
def _keys(low: Lowering, equation: Equation, *values: Any) -> Any:
    return [KEY_VALUE] * len(equation.outputs)
