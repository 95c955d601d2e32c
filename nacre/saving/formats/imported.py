"""Files of other runtimes, read by their importers: models of one layer that computes them."""

from __future__ import annotations

import importlib
import re
from pathlib import PurePath
from typing import Any

from nacre.core.errors import FileFormatError, message
from nacre.export.importers.tfjs.read import read as read_tfjs
from nacre.saving.files import Source
from nacre.saving.formats import tfjs_layers


def load_tflite(source: Source) -> Any:
    """The model in a file of TFLite.

    Raises:
        FileFormatError: It cannot be read, or is damaged.
    """
    try:
        data = source.content_bytes()
    except OSError as error:
        raise FileFormatError(message(source.who, "it must be readable", str(error))) from None
    # Hundreds of ops, for those who open such files.
    program = importlib.import_module("nacre.export.importers.litert.program")
    return program.open_model(data, source.who, name_of(source))


def load_onnx(source: Source) -> Any:
    """The model in a file of ONNX; what takes or gives strings, as something that is called.

    Raises:
        FileFormatError: It cannot be read, or is damaged.
    """
    program = importlib.import_module("nacre.export.importers.onnx.program")
    found = source.content_bytes() if source.path is None else source.path
    return program.open_model(found, source.name, name_of(source))


def load_pt2(source: Source) -> Any:
    """The model in an archive of `torch.export`.

    Raises:
        FileFormatError: It is damaged, or of a form that is not read.
    """
    program = importlib.import_module("nacre.export.importers.torch.program")
    return program.open_model(source.opened(), source.who, name_of(source))


def load_tfjs(source: Source, custom_objects: dict[str, Any] | None, compile: bool) -> Any:
    """The model of TF.js whose `model.json` it is: of layers, or of a graph.

    Raises:
        FileFormatError: It is damaged.
    """
    assert source.path is not None
    content = read_tfjs(source.path, source.who)
    if content.is_layers_model:
        return tfjs_layers.load(content, source.who, custom_objects, compile)
    graph = importlib.import_module("nacre.export.importers.tfjs.graph")
    name = re.sub(r"\W+", "_", source.path.resolve().parent.name, flags=re.ASCII).strip("_")
    return graph.open_model(content, source.who, name or "imported_model")


def name_of(source: Source) -> str:
    """A name for the model, of the file's."""
    name = re.sub(r"\W+", "_", PurePath(source.name).stem, flags=re.ASCII).strip("_")
    return name or "imported_model"


__all__ = ["load_onnx", "load_pt2", "load_tfjs", "load_tflite", "name_of"]
