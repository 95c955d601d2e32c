"""Recurrent layers that read one value, each given a value of its own.

Of several sequences with one input OpenVINO's CPU plugin, seen in 2026.4, computes all but one with
batch and time exchanged: it turns the transpose before the first one into a change of shape, and
the others read that too. `max(x, x)` is x, and one of the few such ops that it leaves in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.passes.rewriting import Rewriting, within

_RECURRENT = ("lstm", "gru", "simple_rnn")


def apart(graph: Graph) -> Graph:
    """The graph with another input for each recurrent layer."""
    return within(_apart(graph), _apart)


def _apart(graph: Graph) -> Graph:
    latest: dict[Value, Value] = {}  # a value -> the copy of it that was read last

    def visit(node: Node, new: Rewriting) -> Sequence[Value] | None:
        x = node.inputs[0] if node.op in _RECURRENT else None
        if x is None:
            return None
        before = latest.get(x)
        latest[x] = x if before is None else new.add("max", [before, before], node)
        if before is None:
            return None
        new.keep(replace(node, inputs=(latest[x], *node.inputs[1:])))
        return node.outputs

    return Rewriting(graph).run(visit)


__all__ = ["apart"]
