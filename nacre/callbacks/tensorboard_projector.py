"""Tables of embeddings for TensorBoard's projector, which shows them in space."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.atomic import write_file
from nacre.core.errors import ArgumentError, message, nearest
from nacre.core.names import free_name

_FOLDER = "embeddings"


class Projector:
    """Writes the tables of a model's embeddings, and the file that tells the projector of them.

    The tables are written as text: the projector reads a checkpoint only where TensorFlow is
    installed. Each takes the place of the one before in one step.

    Args:
        folder: The run's folder.
        model: Its layers that have a table `embeddings` are shown.
        labels: Path, relative to `folder`, of a file with a label a row: one for all tables, or a
            dict of them by layer; None for none.

    Raises:
        ArgumentError: A layer in `labels` has no table.
    """

    def __init__(self, folder: Path, model: Any, labels: str | Mapping[str, Any] | None) -> None:
        self._folder = folder
        self._tables: dict[str, Any] = {}
        for layer in _embeddings(model):  # those of two models within may be called the same
            self._tables[free_name(layer.name, self._tables)] = layer
        by_layer = dict(labels) if isinstance(labels, Mapping) else {}
        unknown = [name for name in by_layer if name not in self._tables]
        if unknown:
            rule = "embeddings_metadata must name layers with embeddings"
            hint, names = nearest(unknown[0], self._tables), ", ".join(self._tables) or "none"
            fix = f"Did you mean {hint!r}?" if hint else f"The model has: {names}."
            raise ArgumentError(message("TensorBoard", rule, repr(unknown[0]), fix))
        common = None if isinstance(labels, Mapping) else labels
        self._labels = {name: by_layer.get(name, common) for name in self._tables}

    def write_config(self) -> None:
        """Write `projector_config.pbtxt`.

        Source: tensorboard/plugins/projector/projector_config.proto, as text.
        """
        lines: list[str] = []
        for name in self._tables:
            lines += ["embeddings {", f"  tensor_name: {_quoted(name)}"]
            lines += [f"  tensor_path: {_quoted(f'{_FOLDER}/{_file_name(name)}')}"]
            if self._labels[name] is not None:
                lines += [f"  metadata_path: {_quoted(os.fspath(self._labels[name]))}"]
            lines += ["}"]
        if lines:
            _replace(self._folder / "projector_config.pbtxt", "\n".join([*lines, ""]))

    def write_tables(self) -> None:
        """Write the tables as they are now: tab-separated values, a row an index."""
        for name, layer in self._tables.items():
            rows = np.asarray(layer.embeddings).astype(np.float32).tolist()
            text = "".join("\t".join(f"{value:.6g}" for value in row) + "\n" for row in rows)
            _replace(self._folder / _FOLDER / _file_name(name), text)


def _embeddings(model: Any) -> Iterator[Any]:
    """The layers with a table, those of models within too."""
    for layer in getattr(model, "layers", ()):
        if np.ndim(getattr(layer, "embeddings", 0)) == 2:
            yield layer
        else:
            yield from _embeddings(layer)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name) + ".tsv"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _replace(path: Path, text: str) -> None:
    """Write a file in one step: a viewer reads the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, text.encode("utf-8", "replace"))


__all__ = ["Projector"]
