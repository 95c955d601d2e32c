"""What Core ML's programs have: dtypes, axes, ops by their forms.

Source: the ops of MIL in coremltools 9.0, for iOS 16 and macOS 13 on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.coreml.maker import Maker
from nacre.export.targets.support import Forms

# (program in the making, node) -> the variables of its results.
Form = Callable[[Maker, Node], Any]
FORMS: Forms[Form] = Forms()
DTYPES = frozenset({"float32", "float16", "int32", "bool"})
_MOST_AXES = 5
# Ops that MIL has for these dtypes alone.
FLOATS = ("float32", "float16")
NUMBERS = (*FLOATS, "int32")


def takes(*dtypes: str) -> Callable[[Node], str | None]:
    """A limit: the first input must have one of these dtypes."""

    def limit(node: Node) -> str | None:
        value = next((v for v in node.inputs if v is not None), None)
        if value is None or value.dtype in dtypes:
            return None
        return f"It takes {' or '.join(dtypes)}: cast first."

    return limit


def of_value(value: Value) -> str:
    """What keeps a value from Core ML, '' where nothing does."""
    if len(value.shape) > _MOST_AXES:
        return f"{len(value.shape)} axes, Core ML has {_MOST_AXES}"
    return ""


def of_input(value: Value) -> str:
    """The same for what a model is given."""
    if not value.shape:
        return "no axes, Core ML is given arrays of one at least"
    return of_value(value)


__all__ = ["DTYPES", "FLOATS", "FORMS", "NUMBERS", "of_input", "of_value", "takes"]
