"""Bits of whole numbers as other runtimes see them.

OpenVINO's CPU plugin, seen in 2026.4, makes 0 of what is below 0 where a whole number becomes an
unsigned one; elsewhere -1 becomes the largest one. Here its bits are taken of a longer number,
which holds both. Its shift to the right divides and rounds: here the bits that fall off are taken
away first. Its shift to the left of a short number ends at the largest one: here too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.passes.rewriting import Rewriting, within


def keep_bits(graph: Graph) -> Graph:
    """The graph with casts of signed to unsigned numbers as casts of numbers above 0, and shifts by
    known numbers as quotients without a rest."""
    return within(_kept(graph), _kept)


def _kept(graph: Graph) -> Graph:
    def visit(node: Node, new: Rewriting) -> Sequence[Value] | None:
        dtype, x = node.outputs[0].dtype, node.inputs[0] if node.inputs else None
        if node.op in ("shift_right", "shift_left") and dtype.startswith("uint"):
            return _shifted(node, new)
        if node.op != "cast" or x is None or not dtype.startswith("uint"):
            return None
        if not x.dtype.startswith("int") or dtype == "uint64":
            return None
        wide = "int32" if dtype != "uint32" and x.dtype != "int64" else "int64"
        longer = x if x.dtype == wide else new.add("cast", [x], node, dtype=wide)
        mask = new.add("constant", [], node, value=np.asarray(np.iinfo(dtype).max, wide))
        return [new.add("cast", [new.add("and", [longer, mask], node)], node, dtype=dtype)]

    return Rewriting(graph).run(visit)


def _shifted(node: Node, new: Rewriting) -> Sequence[Value] | None:
    x, count = node.inputs
    assert x is not None and count is not None
    maker = new.maker.get(count)
    if maker is None or maker.op != "constant":
        return None
    shifts = maker.attributes["value"].astype("int64")
    bits = np.iinfo(x.dtype).bits
    if node.op == "shift_left":
        kept = np.iinfo(x.dtype).max >> np.minimum(shifts, bits)  # what stays within the number
        factor = 2 ** np.minimum(shifts, bits - 1)
        mask, step = (
            new.add("constant", [], node, value=np.asarray(v, x.dtype)) for v in (kept, factor)
        )
        return [new.add("mul", [new.add("and", [x, mask], node), step], node)]
    divisor = 2 ** np.minimum(shifts, bits - 1)  # which holds it; more shifts leave nothing
    kept = np.where(shifts < bits, np.iinfo(x.dtype).max - (divisor - 1), 0)
    mask, step = (
        new.add("constant", [], node, value=np.asarray(v, x.dtype)) for v in (kept, divisor)
    )
    return [new.add("div", [new.add("and", [x, mask], node), step], node)]


__all__ = ["keep_bits"]
