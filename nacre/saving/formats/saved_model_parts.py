"""What of captured calls a SavedModel is made of: graphs, and specs of what they take and give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nacre.export.capture import Captured
from nacre.export.graph.ir import Graph
from nacre.export.passes import opened, refuse_other_sizes
from nacre.export.targets.graphdef.body import known_shape
from nacre.export.targets.saved_model.gaps import SUPPORT
from nacre.export.targets.saved_model.write import Spec, Structure


def for_tensorflow(captured: Captured) -> Captured:
    """A call whose graph has of the ops that TensorFlow lacks the simpler ones they are made of."""
    graph = refuse_other_sizes(opened(captured.graph, SUPPORT.has))
    return replace(captured, graph=graph)


def by_key(captured: Captured, keys: Mapping[int, str]) -> Graph:
    """A graph whose weights are called by the keys of their arrays, which are all different."""
    graph = captured.graph
    new = {w.path: keys[id(v)] for w, v in zip(graph.weights, captured.variables, strict=True)}
    return replace(
        graph,
        weights=tuple(replace(weight, path=new[weight.path]) for weight in graph.weights),
        updates=tuple(update._replace(path=new[update.path]) for update in graph.updates),
    )


def structure_of(names: Any, specs: Mapping[str, Spec]) -> Structure:
    """Names in a structure as specs."""
    if isinstance(names, str):
        return specs[names]
    if isinstance(names, Mapping):
        return {str(key): structure_of(part, specs) for key, part in names.items()}
    if isinstance(names, tuple):
        return tuple(structure_of(part, specs) for part in names)
    if isinstance(names, list):
        return [structure_of(part, specs) for part in names]
    return names


def input_specs(captured: Captured) -> dict[str, Spec]:
    """What a call takes, by name."""
    return {spec.name: Spec(spec.name, spec.dtype, spec.shape) for spec in captured.inputs}


def output_specs(captured: Captured) -> dict[str, Spec]:
    """What it gives, by name."""
    return {
        name: Spec(name, value.dtype, known_shape(value.shape))
        for name, value in captured.graph.outputs
    }


__all__ = ["by_key", "for_tensorflow", "input_specs", "output_specs", "structure_of"]
