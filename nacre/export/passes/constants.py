"""What only a run of constants needs is worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nacre.export.graph.evaluate import node_results
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import SizeExpr
from nacre.export.passes.rewriting import Rewriting, within

_MOST_ELEMENTS = 1 << 16  # of a result


def fold_constants(graph: Graph) -> Graph:
    """The graph with each node of constants as a constant."""
    return within(Rewriting(graph).run(_folded), lambda g: Rewriting(g).run(_folded))


def _folded(node: Node, new: Rewriting) -> Sequence[Value] | None:
    makers = {value: new.maker.get(value) for value in node.inputs if value is not None}
    results = known_results(
        node,
        {
            value: maker.attributes["value"]
            for value, maker in makers.items()
            if maker is not None and maker.op == "constant"
        },
    )
    if results is None:
        return None
    return [new.add("constant", [], node, value=result) for result in results]


def known_results(node: Node, known: Mapping[Value, np.ndarray]) -> list[np.ndarray] | None:
    """What a node gives, where all its inputs are known; None where only a run tells.

    None too for texts and for large arrays, which would make files large.
    """
    spec = OPSET[node.op]
    if node.op == "constant" or spec.is_random or spec.graphs or not _is_small(node):
        return None
    if not all(value is None or value in known for value in node.inputs):
        return None
    with np.errstate(all="ignore"):
        results = node_results(node, known, {}, np.random.default_rng(0))
    return [
        np.asarray(result, value.dtype) for result, value in zip(results, node.outputs, strict=True)
    ]


def _is_small(node: Node) -> bool:
    attributes = (
        part
        for value in node.attributes.values()
        for part in (value if isinstance(value, tuple) else (value,))
    )
    if any(isinstance(part, SizeExpr) for part in attributes):
        return False
    return all(
        all(isinstance(n, int) for n in value.shape)
        and np.prod(value.shape, dtype=float) <= _MOST_ELEMENTS  # type: ignore[arg-type]
        and value.dtype != "string"
        for value in node.outputs
    )
