"""What of a graph has no form in TensorFlow: found before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.core.errors import UnsupportedOpError, listed, message
from nacre.export.graph.ir import Graph, Node
from nacre.export.targets.saved_model.rules import LIMITS, RULES

_ADVICE = {
    "cummax": "Take cumsum or a scan.",
    "cummin": "Take cumsum or a scan.",
}


def gaps(graph: Graph) -> list[str]:
    """Each op without a form: its name, the layer it comes from, what to write instead."""
    found: dict[str, None] = {}
    for node in graph.all_nodes():
        advice = _ADVICE.get(node.op, "") if node.op not in RULES else _limit(node)
        if advice is not None:
            place = f" in '{node.layer}'" if node.layer else ""
            found[f"{node.op}{place} {_types(node)}. {advice}".rstrip()] = None
    return list(found)


def _limit(node: Node) -> str | None:
    limit = LIMITS.get(node.op)
    return None if limit is None else limit(node)


def _types(node: Node) -> str:
    return f"({', '.join(str(v.type) for v in node.inputs if v is not None)})"


def refuse_gaps(graphs: Sequence[Graph], who: str) -> None:
    """Raise where graphs have ops without a form.

    Raises:
        UnsupportedOpError: They have; names all.
    """
    found = list(dict.fromkeys(gap for graph in graphs for gap in gaps(graph)))
    if found:
        raise UnsupportedOpError(
            message(
                who,
                "each op must have a form in TensorFlow",
                f"{len(found)} without one: {listed(found, 10)}",
                "Write it in another way, or save as .keras.",
            )
        )


__all__ = ["gaps", "refuse_gaps"]
