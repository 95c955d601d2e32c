"""The model as TensorBoard's page of graphs reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from nacre.core.kinds import is_dict, is_list
from nacre.core.wire.tensorflow.graph import GraphDef, NodeDef

# What a layer learnt from data stands in no picture of a graph, and may be large.
_LEARNT = frozenset(("vocabulary", "idf_weights"))


def graph_config(model: Any) -> dict[str, Any] | None:
    """A model's graph of layers; None for a model that has none, as a subclass of `Model`.

    It is the config that `to_json` gives, less vocabularies. Where a layer is called with tensors
    by name, or in lists and dicts, and where outputs are in dicts, they stand in one list: the
    viewer reads no other form, and shows an error or no lines for it.

    Args:
        model: With `to_json`.
    """
    to_json = getattr(model, "to_json", None)
    config = json.loads(str(to_json())) if callable(to_json) else {}
    return _readable(config) if "layers" in config.get("config", {}) else None


def _readable(layer: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer or a model in the form that the viewer reads."""
    config = {name: value for name, value in layer["config"].items() if name not in _LEARNT}
    # A config that a user's class wrote may lack the name, which the model's has then.
    config.setdefault("name", layer.get("name", layer["class_name"]))
    if is_list(config.get("layers")):
        config["layers"] = [_readable(inner) for inner in config["layers"]]
    for name in ("input_layers", "output_layers"):
        if name in config:
            config[name] = list(_places(config[name]))
    found = {**layer, "config": config}
    if "inbound_nodes" in layer:
        calls = layer["inbound_nodes"]
        found["inbound_nodes"] = [{"args": list(_tensors(call)), "kwargs": {}} for call in calls]
    return found


def _tensors(value: Any) -> Iterator[Any]:
    """The tensors among the arguments of a call, as its config has them."""
    if is_dict(value) and value.get("class_name") == "__keras_tensor__":
        yield value
    elif is_dict(value) or is_list(value):
        for item in value.values() if is_dict(value) else value:
            yield from _tensors(item)


def _places(value: Any) -> Iterator[Any]:
    """The places `[layer, call, tensor]` within lists and dicts."""
    if is_list(value) and len(value) == 3 and isinstance(value[0], str):
        yield value
    elif is_dict(value) or is_list(value):
        for item in value.values() if is_dict(value) else value:
            yield from _places(item)


def graph_def(config: dict[str, Any]) -> bytes:
    """The layers as a `GraphDef`: the form that the page of graphs opens with.

    Args:
        config: Of `graph_config`.
    """
    nodes = _Nodes()
    nodes.add(config, "", ())
    found = [
        NodeDef(name=name, op=kind, input=list(inputs))
        for name, (kind, inputs) in nodes.found.items()
    ]
    return GraphDef(node=found).write()


class _Nodes:
    """The layers of a model and of the models within.

    Attributes:
        found: (class, names of what it takes) by the layer's path.
    """

    def __init__(self) -> None:
        self.found: dict[str, tuple[str, dict[str, None]]] = {}

    def add(self, layer: dict[str, Any], scope: str, inputs: Iterable[str]) -> list[str]:
        """Add a layer, or all those of a model; returns the paths of those that give its output."""
        config = layer["config"]
        path = scope + config["name"]
        if "input_layers" in config:
            return self._add_functional(config, f"{path}/", list(inputs))
        if "layers" in config:
            ends = list(inputs)
            for inner in config["layers"]:
                ends = self.add(inner, f"{path}/", ends)
            return ends
        _, known = self.found.setdefault(path, (str(layer["class_name"]), {}))
        known.update((name, None) for name in inputs if name != path)
        return [path]

    def _add_functional(self, config: dict[str, Any], scope: str, inputs: list[str]) -> list[str]:
        entries = [place[0] for place in config["input_layers"]]
        given = {name: inputs for name in entries}
        if len(entries) == len(inputs):
            given = {name: [one] for name, one in zip(entries, inputs, strict=True)}
        layers = {inner["config"]["name"]: inner for inner in config["layers"]}
        ends: dict[str, list[str]] = {}

        def ends_of(name: str) -> list[str]:
            if name not in ends:
                ends[name] = []  # a layer may be called with what it gave itself
                takes = list(given.get(name, ()))
                for call in layers[name]["inbound_nodes"]:
                    for tensor in call["args"]:
                        takes += ends_of(tensor["config"]["keras_history"][0])
                ends[name] = self.add(layers[name], scope, takes)
            return ends[name]

        for name in layers:
            ends_of(name)
        return [end for place in config["output_layers"] for end in ends_of(place[0])]


__all__ = ["graph_config", "graph_def"]
