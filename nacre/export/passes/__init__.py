"""Graph to graph: each pass is a function, and what it gives is verified.

constants    what only constants need is worked out
shapes       changes of shape that change nothing, or undo one another
dead_code    what nobody reads; what is computed twice
batch_normalization   folded into what is before it
narrow_weights        weights in 16 bits
multiples             sizes between the steps that a graph is for are refused
widening              what is computed in 16 bits computed in 32
whole_numbers         whole numbers of 8 and 16 bits in 32, quantized weights as what they stand for
opening      ops that a format lacks, made of simpler ones, as `openings/` says
"""

from __future__ import annotations

from collections.abc import Callable

from nacre.export.graph.ir import Graph
from nacre.export.graph.verify import verify
from nacre.export.passes.batch_normalization import fuse_batch_normalization
from nacre.export.passes.constants import fold_constants
from nacre.export.passes.dead_code import drop_dead_code, drop_unread_weights, merge_equal
from nacre.export.passes.multiples import refuse_other_sizes
from nacre.export.passes.narrow_weights import narrow_weights
from nacre.export.passes.opening import opened
from nacre.export.passes.shapes import simplify_shapes
from nacre.export.passes.widening import widen_floats

Pass = Callable[[Graph], Graph]

# In this order: folding makes constants of what shapes left, then equal ones are found.
CLEANING: tuple[Pass, ...] = (
    drop_dead_code,
    simplify_shapes,
    fold_constants,
    merge_equal,
    drop_dead_code,
)

_MOST_ROUNDS = 4


def apply(graph: Graph, passes: tuple[Pass, ...]) -> Graph:
    """Passes one after the other, each verified."""
    verify(graph)
    for change in passes:
        graph = verify(change(graph))
    return graph


def cleaned(graph: Graph) -> Graph:
    """The graph without what it can do without: until nothing more is found."""
    for _ in range(_MOST_ROUNDS):
        count = len(graph.nodes)
        graph = apply(graph, CLEANING)
        if len(graph.nodes) == count:
            break
    return graph


__all__ = [
    "CLEANING",
    "Pass",
    "apply",
    "cleaned",
    "drop_dead_code",
    "drop_unread_weights",
    "fold_constants",
    "fuse_batch_normalization",
    "merge_equal",
    "narrow_weights",
    "opened",
    "refuse_other_sizes",
    "simplify_shapes",
    "widen_floats",
]
