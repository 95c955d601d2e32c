"""The vocabularies of a SavedModel folder of tf.keras 2.

A layer keeps one in a lookup table that a function of the graph fills, from constants or from a
text file in `assets/`; or the table's content is in the checkpoint. (Read off folders of tf.keras
2.12 and 2.15.1.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import FileFormatError, message
from nacre.core.wire.message import Message, inner, inners
from nacre.core.wire.tensorflow.graph import NodeDef
from nacre.core.wire.tensorflow.saved_model import AssetFileDef
from nacre.core.wire.tensorflow.tensors import to_array
from nacre.saving.archive import refuse_link
from nacre.saving.assets import is_plain_name
from nacre.saving.keras_metadata import KerasObjects


class _Graph(Message):
    """GraphDef without its functions."""

    node: list[NodeDef] = inners(1, NodeDef)


class _MetaGraph(Message):
    graph_def: _Graph | None = inner(2, _Graph)
    asset_file_def: list[AssetFileDef] = inners(6, AssetFileDef)


class _SavedModel(Message):
    meta_graphs: list[_MetaGraph] = inners(2, _MetaGraph)


class Tables:
    """The vocabularies of a folder's layers.

    Args:
        objects: The folder's.

    Raises:
        FileFormatError: The folder is damaged.
    """

    def __init__(self, objects: KerasObjects) -> None:
        self._objects = objects
        self._graph: _MetaGraph | None = None

    def vocabulary(self, place: int) -> tuple[list[Any], list[float] | None] | None:
        """The tokens of a layer in order, without those that stand for what is unknown or masked,
        and their weights; None where the layer has no table, or an empty one.

        Args:
            place: The layer's.
        """
        children = self._objects.children(place)
        if "_lookup_layer" in children:  # TextVectorization
            return self.vocabulary(children["_lookup_layer"])
        table = next((children[n] for n in ("lookup_table", "_table") if n in children), None)
        if table is None:
            return None
        layer = self._objects.at(place)
        config = {} if layer is None or layer.config is None else layer.config
        pairs = self._stored(table) or self._initial(table)
        if pairs is None:
            return None
        keys, values = pairs
        if config.get("invert"):
            keys, values = values, keys
        by_index = dict(zip(map(int, values), map(_token, keys), strict=True))
        aside = (config.get("mask_token"), config.get("oov_token"))
        tokens = [by_index[i] for i in sorted(by_index) if by_index[i] not in aside]
        return (tokens, self._weights(children, len(tokens))) if tokens else None

    def _stored(self, table: int) -> tuple[Any, Any] | None:
        """Keys and values of a table in the checkpoint."""
        place = self._objects.checkpoint_places.get(table)
        if place is None:
            return None
        file = self._objects.checkpoint
        found = file.nodes[place].table
        if found is None:
            return None
        keys, values = (
            file.read(f"{found}-{part}").ravel().tolist() for part in ("keys", "values")
        )
        return (keys, values) if keys else None

    def _initial(self, table: int) -> tuple[Any, Any] | None:
        """Keys and values that the table's function fills it with."""
        children = self._objects.children(table)
        trace = self._objects.children(children.get("_initialize", table)).get("trace_0")
        if trace is None:
            return None
        captured = self._objects.children(trace)
        names = sorted(n for n in captured if n.startswith("capture_"))
        nodes = [self._objects.nodes[captured[name]] for name in names]
        if len(nodes) == 1 and (asset := nodes[0].asset) is not None:
            lines = self._lines(asset.asset_file_def_index)
            return lines, range(len(lines))
        if len(nodes) != 2 or any(node.constant is None for node in nodes):
            return None
        keys, values = (self._constant(node.constant.operation) for node in nodes)  # pyright: ignore[reportOptionalMemberAccess] - looked at above
        return keys, values

    def _read(self) -> _MetaGraph:
        if self._graph is None:
            self._graph = _SavedModel.read(self._objects.data).meta_graphs[0]
        return self._graph

    def _constant(self, name: str) -> list[Any]:
        graph = self._read().graph_def
        for node in [] if graph is None else graph.node:
            if node.name == name and (value := node.attr.get("value")) is not None:
                if value.tensor is not None:
                    return to_array(value.tensor).ravel().tolist()
        raise ValueError(f"no constant '{name}', which a vocabulary stands in")

    def _lines(self, index: int) -> list[str]:
        files = self._read().asset_file_def
        name = files[index].filename if 0 <= index < len(files) else ""
        who = self._objects.who
        if not is_plain_name(name):
            rule = "a vocabulary must be a file in its folder 'assets'"
            raise FileFormatError(message(who, rule, repr(name)))
        path = self._objects.folder / "assets" / name
        refuse_link(path.parent, who)
        refuse_link(path, who)
        return path.read_text("utf-8").splitlines()

    def _weights(self, children: dict[str, int], count: int) -> list[float] | None:
        """Weights for 'tf_idf', of the tokens alone."""
        place = self._objects.checkpoint_places.get(children.get("idf_weights", -1))
        array = None if place is None else self._objects.checkpoint.array(place)
        if array is None:
            return None
        weights = array.read().ravel().astype(np.float32)
        return [float(weight) for weight in weights[len(weights) - count :]]


def _token(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


__all__ = ["Tables"]
