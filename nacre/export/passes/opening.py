"""Ops opened into simpler ones, for formats that do not have them whole.

How each is opened stands in `openings/`, a file a family. What they are opened into may itself be
opened, down to the ops that a format must have; those that have no opening are left for the format
to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.passes.openings import OPENINGS
from nacre.export.passes.rewriting import Rewriting, within

_MOST_ROUNDS = 8


def opened(graph: Graph, has: Callable[[Node], bool]) -> Graph:
    """The graph with each node that a format lacks made of simpler ones, as far as that goes.

    Args:
        has: Whether the format has a node.
    """

    def visit(node: Node, new: Rewriting) -> Sequence[Value] | None:
        opening = OPENINGS.get(node.op)
        return None if opening is None or has(node) else opening(node, new)

    def once(part: Graph) -> Graph:
        return Rewriting(part).run(visit)

    for _ in range(_MOST_ROUNDS):
        lacking = {n.op for n in graph.all_nodes() if not has(n) and n.op in OPENINGS}
        if not lacking:
            break
        graph = once(within(graph, once))
    return graph


__all__ = ["opened"]
