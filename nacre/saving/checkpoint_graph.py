"""What a checkpoint of TensorFlow holds: arrays, and the graph of the objects they belong to.

Arrays lie in a bundle (`core/wire/bundle.py`). One string among them is the graph, with the
attribute under which each object was found.

Source: tensorflow/core/protobuf/trackable_object_graph.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nacre.core.errors import FileFormatError, listed, message
from nacre.core.wire.bundle import Bundle, files_of
from nacre.core.wire.tensorflow.dtypes import dtype_of
from nacre.core.wire.tensorflow.objects import (
    OBJECTS,
    VALUE,
    TrackableObject,
    TrackableObjectGraph,
    children_of,
)
from nacre.saving.legacy_layout import FileLayer

_LATEST = re.compile(r'^model_checkpoint_path: "((?:[^"\\]|\\.)*)"', re.MULTILINE)


def find(path: Path) -> Path | None:
    """The beginning of a checkpoint's file names: for itself, one of its files, or its folder.

    In a folder it is the newest, which the file `checkpoint` tells; where the folder was moved, by
    its name.
    """
    try:
        if path.is_dir():
            text = (path / "checkpoint").read_text("utf-8", "replace")
            found = _LATEST.search(text)
            # Its name alone: a file that is read must not lead out of its folder.
            name = "" if found is None else re.split(r"[/\\]", found[1])[-1]
            prefix = path / name
        elif path.is_file() and not path.name.endswith(".index") and ".data-" not in path.name:
            # `save_weights("folder/checkpoint")`: the list of the folder has the checkpoint's name.
            is_list = path.name == "checkpoint" and _LATEST.search(
                path.read_text("utf-8", "replace")
            )
            return path if is_list and files_of(path)[0].is_file() else None
        else:
            prefix = path.with_name(re.sub(r"\.index$|\.data-\d{5}-of-\d{5}$", "", path.name))
        return prefix if prefix.name and files_of(prefix)[0].is_file() else None
    except (OSError, ValueError):  # no such file, or a name that none can have
        return None


# --- what is in it --------------------------------------------------------------------------------


@dataclass
class Node:
    """An object that was saved.

    Attributes:
        children: The attribute, key or index of each object within -> its place in the graph.
        key: Name of its array, of a variable alone.
        name: What a variable was called, such as `dense/kernel`.
        slots: (name of a slot, variable's place, slot's place), of an optimizer before Keras 2.11.
        table: Beginning of the names of its arrays, of a lookup table.
    """

    children: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    name: str = ""
    slots: list[tuple[str, int, int]] = field(default_factory=list)
    table: str | None = None


@dataclass(frozen=True)
class StoredVariable:
    """An array of a checkpoint, and the place of its variable in the graph."""

    file: Checkpoint
    key: str
    place: int

    @property
    def name(self) -> str:
        """What the variable was called."""
        return self.file.nodes[self.place].name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.file.bundle.entries[self.key].shape

    def read(self) -> np.ndarray:
        return self.file.read(self.key)


class Checkpoint:
    """The arrays and the graph of objects of a checkpoint.

    Raises:
        FileFormatError: It is damaged, or has no graph of objects.
    """

    def __init__(self, prefix: Path, who: str) -> None:
        self.who = who
        try:
            self.bundle = Bundle(prefix)
        except (ValueError, OSError) as error:
            raise _damaged(who, error) from error
        if OBJECTS not in self.bundle:
            raise self._without_graph()
        try:
            content = self.bundle.read(OBJECTS)
            data = content.item() if content.dtype == object and content.size == 1 else b""
            self.nodes = [_node(found) for found in TrackableObjectGraph.read(data).nodes]
        except (ValueError, OSError) as error:
            raise _damaged(who, error) from error
        places = range(len(self.nodes))
        linked = [place for node in self.nodes for place in node.children.values()]
        linked += [place for node in self.nodes for slot in node.slots for place in slot[1:]]
        if not self.nodes or any(place not in places for place in linked):
            raise _damaged(who, ValueError("a link of its graph leads nowhere"))

    def read(self, key: str) -> np.ndarray:
        """An array.

        Raises:
            FileFormatError: It is damaged.
        """
        try:
            return self.bundle.read(key)
        except (ValueError, OSError, KeyError) as error:
            raise _damaged(self.who, error) from error

    def array(self, place: int) -> StoredVariable | None:
        """The array of a variable; None for what is none, and for strings and handles."""
        key = self.nodes[place].key
        entry = None if key is None else self.bundle.entries.get(key)
        if key is None or entry is None or dtype_of(entry.dtype) is None:
            return None
        return StoredVariable(self, key, place)

    def layer(self, name: str, place: int) -> FileLayer:
        """All arrays of an object and of what is within it, in the order of the graph."""
        arrays = [array for at in self._within(place) if (array := self.array(at)) is not None]
        names = [self.nodes[array.place].name for array in arrays]
        firsts = {text.split("/")[0] for text in names}
        return FileLayer(firsts.pop() if len(firsts) == 1 else name, names, arrays)

    def tables_within(self, place: int) -> bool:
        """Whether there is a lookup table among an object's."""
        return any(self.nodes[at].table for at in self._within(place))

    def _within(self, place: int) -> Iterator[int]:
        seen: set[int] = set()
        waiting = [place]
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            yield at
            children = self.nodes[at].children.items()
            # `keras_api` holds no variable of its own, but the states of recurrent layers.
            waiting += reversed([place for name, place in children if name != "keras_api"])

    def _without_graph(self) -> FileFormatError:
        return FileFormatError(
            message(
                self.who,
                "a checkpoint must tell which object each array belongs to",
                f"names alone, {listed(list(self.bundle.entries), 4)}: one of TensorFlow 1",
                "Open it in TensorFlow and write it by tf.train.Checkpoint(model=model).write(p).",
            )
        )


def _damaged(who: str, error: Exception) -> FileFormatError:
    return FileFormatError(
        message(
            who,
            "a checkpoint's files must be whole",
            str(error),
            "Files belonging to it are NAME.index and NAME.data-00000-of-00001: fetch them again.",
        )
    )


def _node(found: TrackableObject) -> Node:
    node = Node(children_of(found))
    for attribute in found.attributes:
        if attribute.name == VALUE:
            node.name, node.key = attribute.full_name, attribute.checkpoint_key
        if attribute.name.endswith("table-keys"):
            node.table = attribute.checkpoint_key.removesuffix("-keys")
    for slot in found.slot_variables:
        links = slot.original_variable_node_id, slot.slot_variable_node_id
        node.slots.append((slot.slot_name, *links))
    return node


__all__ = ["Checkpoint", "Node", "StoredVariable", "find"]
