"""The forms of ops in TensorFlow, one file a family."""

from __future__ import annotations

from nacre.export.graph.ir import Graph
from nacre.export.targets.graphdef.body import Body
from nacre.export.targets.graphdef.rules import (
    control,
    convolution,
    elementwise,
    indexing,
    normalization,
    products,
    recurrent,
    reduction,
    shaping,
    texts,
)
from nacre.export.targets.graphdef.rules._rule import FORMS, cast_numbers, lower_nodes

__all__ = ["FORMS", "Body", "Graph", "cast_numbers", "lower_nodes"]
