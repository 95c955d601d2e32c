"""How the calls of a layer that stands in several graphs are counted in `.keras` files.

In memory, in JSON and in `.h5` each graph counts the calls of a layer it has for itself. Reading a
`.keras` file Keras 3.15.1 makes a layer with a `shared_object_id` once, and then counts all its
calls, those of nested models first, in the order the graphs are read (found by giving it files
with either count). So the places in such a file are moved when it is written, and moved back when
it is read. Files without shared layers stay as they are.
"""

from __future__ import annotations

import json
from typing import Any

from nacre.core.identity import KEY, name_in
from nacre.saving.assets import _PLACE


def counted_together(config: Any) -> Any:
    """A model's config with the places that a `.keras` file holds."""
    return _Moved(1).moved(config)


def counted_apart(config: Any) -> Any:
    """A config out of a `.keras` file, each graph with counts of its own."""
    return _Moved(-1).moved(config)


def tied(config: Any) -> Any:
    """The config with equal layers of equal names as one, or None when there are none.

    Keras marks only the second entry of a layer that stands in two graphs, stores its arrays once
    and cannot open the file. A file that fits only so was written of such a model.
    """
    places: dict[str, list[dict[str, Any]]] = {}
    config = json.loads(json.dumps(config))  # a copy to mark
    _collect(config, places)
    shared = [found for found in places.values() if len(found) > 1]
    for number, found in enumerate(shared):
        for data in found:
            data[KEY] = number
    return config if shared else None


def _collect(node: Any, places: dict[str, list[dict[str, Any]]]) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, places)
    elif isinstance(node, dict):
        if "inbound_nodes" in node or "build_config" in node:
            if node.get("class_name") != "InputLayer" and name_in(node) is not None:
                kind = json.dumps([node["class_name"], _without_numbers(node["config"])])
                places.setdefault(kind, []).append(node)
        for value in node.values():
            _collect(value, places)


def _without_numbers(node: Any) -> Any:
    """The same without the memory addresses that Keras writes, and the groups noted here."""
    if isinstance(node, dict):
        kept = {key: value for key, value in node.items() if key not in (KEY, _PLACE)}
        return {key: _without_numbers(value) for key, value in kept.items()}
    return [_without_numbers(item) for item in node] if isinstance(node, list) else node


class _Moved:
    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.calls: dict[Any, int] = {}  # by number of the layer, in the graphs walked so far
        self.done: set[Any] = set()

    def moved(self, node: Any) -> Any:
        """The same with moved places, depth first."""
        if isinstance(node, list):
            return [self.moved(item) for item in node]
        if not isinstance(node, dict):
            return node
        number = node.get(KEY)
        if isinstance(number, int):
            if number in self.done:
                return node  # it is made once: its second entry is never read
            self.done.add(number)
        if isinstance(node.get("layers"), list):
            return self._graph(node) if "output_layers" in node else self._stack(node)
        return {key: self.moved(value) for key, value in node.items()}

    def _stack(self, config: dict[str, Any]) -> dict[str, Any]:
        layers = [self.moved(layer) for layer in config["layers"]]
        first = layers[0] if layers and isinstance(layers[0], dict) else {}
        has_input = first.get("class_name") == "InputLayer"
        for index, layer in enumerate(layers):
            # Keras adds one layer after the other, and calls those before it again each time.
            self._count(layer, len(layers) - index if has_input else 1)
        return {**config, "layers": layers}

    def _graph(self, config: dict[str, Any]) -> dict[str, Any]:
        layers = [self.moved(layer) for layer in config["layers"]]
        shared = [layer for layer in layers if isinstance(layer, dict) and KEY in layer]
        first = {layer.get("name"): self.calls.get(layer[KEY], 0) for layer in shared}
        for layer in shared:
            self._count(layer, len(layer.get("inbound_nodes") or []))
        if any(first.values()):
            layers = [
                {**layer, "inbound_nodes": self._places(layer.get("inbound_nodes"), first)}
                for layer in layers
            ]
            ends = ("input_layers", "output_layers", "added_losses")
            config = {
                **config,
                **{key: self._places(config[key], first) for key in ends if key in config},
            }
        return {**config, "layers": layers}

    def _count(self, layer: Any, count: int) -> None:
        if isinstance(layer, dict) and isinstance(layer.get(KEY), int):
            self.calls[layer[KEY]] = self.calls.get(layer[KEY], 0) + count

    def _places(self, node: Any, first: dict[Any, int]) -> Any:
        """Every `[name, call, output]` within, moved by the calls made before this graph's."""
        if isinstance(node, dict):
            return {key: self._places(value, first) for key, value in node.items()}
        if not isinstance(node, list):
            return node
        is_place = len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int)
        if is_place and first.get(node[0]):
            return [node[0], node[1] + self.sign * first[node[0]], *node[2:]]
        return [self._places(item, first) for item in node]


__all__ = ["counted_apart", "counted_together", "tied"]
