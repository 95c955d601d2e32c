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


def _of_32(node: Node) -> str | None:
    is_wide = node.attributes["dtype"] in ("uint64", "int64")
    return "Draw bits of 32." if is_wide else None


@rule("random_bits", limit=_of_32)
def _bits(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """Sixteen bits of each of two floats, which have 23 of chance."""
    shape, dtype = node.attributes["shape"], node.attributes["dtype"]

    def half() -> Tensor:
        drawn = make.add("RANDOM_UNIFORM", [make.sizes(shape)], "float32", shape)
        scaled = binary(make, "MUL", drawn, make.constant(65536, "float32"))
        return make.cast(make.like("FLOOR", scaled), "int64")

    high = binary(make, "MUL", half(), make.constant(65536, "int64"))
    return make.cast(binary(make, "ADD", high, half()), dtype)
