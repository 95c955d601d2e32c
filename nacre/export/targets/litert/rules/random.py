"""Random numbers, others at each run."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import rule
from nacre.export.targets.litert.rules.elementwise import binary


def _floats(node: Node) -> str | None:
    return None if node.attributes["dtype"] == "float32" else "Draw float32."


@rule("random_normal", limit=_floats)
def _normal(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    shape = node.attributes["shape"]
    return make.add("RANDOM_STANDARD_NORMAL", [make.sizes(shape)], "float32", shape)


@rule("random_uniform", limit=_floats)
def _uniform(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    low, high = inputs
    shape = node.attributes["shape"]
    drawn = make.add("RANDOM_UNIFORM", [make.sizes(shape)], "float32", shape)
    return binary(make, "ADD", binary(make, "MUL", drawn, binary(make, "SUB", high, low)), low)
