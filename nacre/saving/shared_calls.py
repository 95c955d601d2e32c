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
from nacre.saving.assets import _GROUP_KEY


def with_counts_of_file(config: Any) -> Any:
    """A model's config with the places that a `.keras` file holds."""
    return _Renumbering(1).renumbered(config)


def with_counts_of_graphs(config: Any) -> Any:
    """A config out of a `.keras` file, each graph with counts of its own."""
    return _Renumbering(-1).renumbered(config)


def with_shared_layers(config: Any) -> Any:
    """The config with equal layers of equal names as one, or None when there are none.

    Keras marks only the second entry of a layer that stands in two graphs, stores its arrays once
    and cannot open the file. A file that fits only so was written of such a model.
    """
    entries_by_kind: dict[str, list[dict[str, Any]]] = {}
    config = json.loads(json.dumps(config))  # a copy to mark
    _collect(config, entries_by_kind)
    shared = [found for found in entries_by_kind.values() if len(found) > 1]
    for number, found in enumerate(shared):
        for data in found:
            data[KEY] = number
    return config if shared else None


def _collect(node: Any, entries_by_kind: dict[str, list[dict[str, Any]]]) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, entries_by_kind)
    elif isinstance(node, dict):
        if "inbound_nodes" in node or "build_config" in node:
            if node.get("class_name") != "InputLayer" and name_in(node) is not None:
                kind = json.dumps([node["class_name"], _without_numbers(node["config"])])
                entries_by_kind.setdefault(kind, []).append(node)
        for value in node.values():
            _collect(value, entries_by_kind)


def _without_numbers(node: Any) -> Any:
    """The same without the memory addresses that Keras writes, and the groups noted here."""
    if isinstance(node, dict):
        kept = {key: value for key, value in node.items() if key not in (KEY, _GROUP_KEY)}
        return {key: _without_numbers(value) for key, value in kept.items()}
    return [_without_numbers(item) for item in node] if isinstance(node, list) else node


class _Renumbering:
    def __init__(self, direction: int) -> None:
        self.direction = direction
        self.calls: dict[Any, int] = {}  # by number of the layer, in the graphs walked so far
        self.seen: set[Any] = set()

    def renumbered(self, node: Any) -> Any:
        """The same with moved places, depth first."""
        if isinstance(node, list):
            return [self.renumbered(item) for item in node]
        if not isinstance(node, dict):
            return node
        number = node.get(KEY)
        if isinstance(number, int):
            if number in self.seen:
                return node  # it is made once: its second entry is never read
            self.seen.add(number)
        if isinstance(node.get("layers"), list):
            return self._graph(node) if "output_layers" in node else self._stack(node)
        return {key: self.renumbered(value) for key, value in node.items()}

    def _stack(self, config: dict[str, Any]) -> dict[str, Any]:
        layers = [self.renumbered(layer) for layer in config["layers"]]
        first = layers[0] if layers and isinstance(layers[0], dict) else {}
        has_input = first.get("class_name") == "InputLayer"
        for index, layer in enumerate(layers):
            # Keras adds one layer after the other, and calls those before it again each time.
            self._count(layer, len(layers) - index if has_input else 1)
        return {**config, "layers": layers}

    def _graph(self, config: dict[str, Any]) -> dict[str, Any]:
        layers = [self.renumbered(layer) for layer in config["layers"]]
        shared = [layer for layer in layers if isinstance(layer, dict) and KEY in layer]
        first = {layer.get("name"): self.calls.get(layer[KEY], 0) for layer in shared}
        for layer in shared:
            self._count(layer, len(layer.get("inbound_nodes") or []))
        if any(first.values()):
            layers = [
                {
                    **layer,
                    "inbound_nodes": self._renumbered_addresses(layer.get("inbound_nodes"), first),
                }
                for layer in layers
            ]
            keys = ("input_layers", "output_layers", "added_losses")
            config = {
                **config,
                **{
                    key: self._renumbered_addresses(config[key], first)
                    for key in keys
                    if key in config
                },
            }
        return {**config, "layers": layers}

    def _count(self, layer: Any, count: int) -> None:
        if isinstance(layer, dict) and isinstance(layer.get(KEY), int):
            self.calls[layer[KEY]] = self.calls.get(layer[KEY], 0) + count

    def _renumbered_addresses(self, node: Any, first: dict[Any, int]) -> Any:
        """Every `[name, call, output]` within, moved by the calls made before this graph's."""
        if isinstance(node, dict):
            return {key: self._renumbered_addresses(value, first) for key, value in node.items()}
        if not isinstance(node, list):
            return node
        is_address = len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int)
        if is_address and first.get(node[0]):
            return [node[0], node[1] + self.direction * first[node[0]], *node[2:]]
        return [self._renumbered_addresses(item, first) for item in node]


__all__ = ["with_counts_of_graphs", "with_counts_of_file", "with_shared_layers"]
