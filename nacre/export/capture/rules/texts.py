"""What is done with texts: the op that the trace names."""

from __future__ import annotations

from typing import Any

from nacre.export.capture.jaxpr import Equation, is_size, size_of
from nacre.export.capture.lower import Lowering, primitive
from nacre.export.graph.ir import Value


@primitive("text_op")
def _text_op(low: Lowering, equation: Equation, *xs: Value) -> Value:
    attributes: dict[str, Any] = dict(equation.params["attributes"])
    if is_size(attributes.get("length")):
        attributes["length"] = size_of(attributes["length"])
    return low.add(equation.params["op"], *xs, **attributes)
