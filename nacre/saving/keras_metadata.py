"""What a SavedModel folder of tf.keras 2 says about its layers, and where their variables are.

Beside graphs such a folder has a tree of objects: models, layers, variables, functions. Of each
model and layer Keras wrote JSON with its class and config: since TensorFlow 2.5 into
`keras_metadata.pb`, before into the objects themselves. The variables are a checkpoint in
`variables/`, with a tree of its own under the same names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from nacre.core.errors import FileFormatError, message
from nacre.core.file_errors import read_json
from nacre.core.wire.message import Message, inner, inners
from nacre.core.wire.tensorflow.objects import (
    METADATA,
    SavedMetadata,
    SavedObject,
    SavedObjectGraph,
    children_of,
    places_in,
)
from nacre.core.wire.tensorflow.saved_model import FILE, VARIABLES
from nacre.saving.archive import refuse_link
from nacre.saving.checkpoint_graph import Checkpoint

# Beginning of the identifiers that Keras gives its objects; the rest says which kind.
_KERAS = "_tf_keras_"
GRAPH_KINDS = ("_tf_keras_sequential", "_tf_keras_network")
LAYER_KINDS = (*GRAPH_KINDS, "_tf_keras_model", "_tf_keras_layer", "_tf_keras_input_layer",
               "_tf_keras_rnn_layer")  # fmt: skip


class _MetaGraph(Message):
    """MetaGraphDef without its graph, which is by far the largest part."""

    object_graph_def: SavedObjectGraph | None = inner(7, SavedObjectGraph)


class _SavedModel(Message):
    meta_graphs: list[_MetaGraph] = inners(2, _MetaGraph)


@dataclass(frozen=True)
class KerasObject:
    """A model, layer or metric of the tree.

    Attributes:
        place: Which object of the tree it is.
        identifier: Keras's name for its kind.
        metadata: What Keras wrote about it, as plain data.
    """

    place: int
    identifier: str
    metadata: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))

    @property
    def class_name(self) -> str:
        return str(self.metadata.get("class_name", ""))

    @property
    def config(self) -> dict[str, Any] | None:
        """What `get_config` gave; None where it had none."""
        found = self.metadata.get("config")
        return found if isinstance(found, dict) else None


class KerasObjects:
    """The tree of objects of a SavedModel folder, and what Keras wrote about them.

    Args:
        folder: The folder.
        who: How errors call it.

    Raises:
        FileFormatError: It is damaged.
    """

    def __init__(self, folder: Path, who: str) -> None:
        self.folder, self.who = folder, who
        self.data = data = self._read(FILE)
        written = self._read(METADATA) if os.path.lexists(folder / METADATA) else None
        try:
            graphs = _SavedModel.read(data).meta_graphs
            tree = graphs[0].object_graph_def if graphs else None
            self.nodes: list[SavedObject] = [] if tree is None else tree.nodes
            self._found = {} if tree is None else self._all_metadata(written)
        except (ValueError, OSError) as error:
            raise self._damaged(str(error)) from error
        self._check_links()

    def _read(self, name: str) -> bytes:
        path = self.folder / name
        refuse_link(path, self.who)
        try:
            return path.read_bytes()
        except OSError as error:
            raise self._damaged(str(error)) from error

    def _all_metadata(self, written: bytes | None) -> dict[int, KerasObject]:
        found: dict[int, KerasObject] = {}
        if written is not None:
            entries = [
                (o.node_id, o.identifier, o.metadata) for o in SavedMetadata.read(written).nodes
            ]
        else:
            users = ((p, node.user_object) for p, node in enumerate(self.nodes))
            entries = [(p, user.identifier, user.metadata) for p, user in users if user is not None]
        for place, identifier, text in entries:
            if not identifier.startswith(_KERAS) or not text:
                continue
            metadata = _plain(read_json(text, "the metadata of a layer", self.who))
            if isinstance(metadata, dict):
                found[place] = KerasObject(place, identifier, metadata)
        return found

    def _check_links(self) -> None:
        count = len(self.nodes)
        children = (link.node_id for node in self.nodes for link in node.children)
        if any(not 0 <= place < count for place in (*children, *self._found)):
            raise self._damaged("a link of its tree of objects that leads nowhere")

    def _damaged(self, what: str) -> FileFormatError:
        rule = "the files of a SavedModel folder must be whole"
        return FileFormatError(message(self.who, rule, what, "Fetch the folder again."))

    # ------------------------------------------------------------ asking

    @property
    def root(self) -> KerasObject | None:
        """The model; None where Keras did not write the folder."""
        found = self._found.get(0)
        return found if found is not None and found.identifier in LAYER_KINDS else None

    @property
    def version(self) -> str:
        """The version of Keras that wrote it."""
        root = self.root
        return "2" if root is None else str(root.metadata.get("keras_version", "2"))

    def layers(self) -> Iterator[KerasObject]:
        """All layers and models of the tree."""
        return (found for found in self._found.values() if found.identifier in LAYER_KINDS)

    def at(self, place: int) -> KerasObject | None:
        """What Keras wrote about an object."""
        return self._found.get(place)

    def children(self, place: int) -> dict[str, int]:
        """The attributes of an object, with their places."""
        return children_of(self.nodes[place])

    def layers_of(self, place: int) -> dict[str, KerasObject]:
        """The layers of a model by name, in its order: those of a graph, else its attributes."""
        found = list(self._layers(place))
        return {layer.name: layer for layer in found}

    def _layers(self, place: int) -> Iterator[KerasObject]:
        children = self.children(place)
        numbered = [name for name in children if name.startswith("layer-")]
        if numbered:
            numbered.sort(key=lambda name: int(name[6:]) if name[6:].isdigit() else 0)
            places = [children[name] for name in numbered]
        else:
            kept = self.children(children["keras_api"]) if "keras_api" in children else {}
            listed = self.children(kept["layers"]) if "layers" in kept else {}
            places = [listed[name] for name in sorted(listed, key=_number)]
        for at in places:
            found = self.at(at)
            if found is not None and found.identifier in LAYER_KINDS:
                yield found

    # ------------------------------------------------------------ variables

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of its variables."""
        for path in sorted((self.folder / VARIABLES).parent.glob("variables.*")):
            refuse_link(path, self.who)
        return Checkpoint(self.folder / VARIABLES, self.who)

    @cached_property
    def checkpoint_places(self) -> dict[int, int]:
        """Place of an object -> its place in the checkpoint's tree, which has the same names."""
        there = [node.children for node in self.checkpoint.nodes]
        return places_in(there, [children_of(node) for node in self.nodes])


def _number(name: str) -> int:
    return int(name) if name.isdigit() else 0


def _plain(value: Any) -> Any:
    """What Keras's JSON holds as plain data: its tuples and shapes as lists."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    items = value.get("items")
    if value.get("class_name") in ("__tuple__", "TensorShape"):
        return [_plain(item) for item in items] if isinstance(items, list) else None
    if value.get("class_name") == "TypeSpec" and "serialized" in value:
        return {"class_name": "TypeSpec", "serialized": _plain(value["serialized"])}
    return {key: _plain(item) for key, item in value.items()}


__all__ = ["GRAPH_KINDS", "LAYER_KINDS", "KerasObject", "KerasObjects"]
