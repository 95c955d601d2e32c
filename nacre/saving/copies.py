"""Models as bytes, for pickle, joblib and copies."""

from __future__ import annotations

import importlib
import weakref
from types import FunctionType
from typing import Any

from nacre.core import safety, tree
from nacre.core.registry import get_registered_object, is_builtin, short_module
from nacre.saving import archive
from nacre.saving.files import Source
from nacre.saving.formats import native

# Custom classes of models that became bytes in this process, so that a copy finds even classes
# made within functions.
_classes: weakref.WeakValueDictionary[tuple[str, str], Any] = weakref.WeakValueDictionary()


def model_to_bytes(model: Any) -> bytes:
    """A model as the bytes of a `.keras` file; what pickle, joblib and copy store."""
    for thing in custom_parts(model):
        _classes[(thing.__module__, thing.__name__)] = thing
    files, _ = native.to_files(model)
    return archive.pack(files)


def custom_parts(model: Any) -> list[Any]:
    """Classes and functions of the user's that a model's config may name."""
    trainer = getattr(model, "_trainer", None)
    given = tree.flatten(trainer.given) if trainer is not None else []
    if trainer is not None:
        given.append(trainer.optimizer)
    for layer in model._flatten_layers():
        given += [layer, *vars(layer).values()]
    parts = [
        thing if isinstance(thing, type | FunctionType) else type(thing)
        for thing in given
        if callable(thing) or hasattr(thing, "get_config")
    ]
    return [part for part in parts if not is_builtin(part)]


def model_from_bytes(data: bytes) -> Any:
    """The model in bytes that `model_to_bytes` made.

    Unlike `load_model` it looks classes up by module, as pickle itself does: only for bytes of
    your own.
    """
    who = "pickled model"
    files = native.unpack(Source(data, who).opened(), who)
    config = archive.read_json(files[archive.CONFIG], "config.json", who)
    found: dict[str, Any] = {}
    _custom_classes(config, found)
    with safety.reading(True):
        return native.load(files, who, found, compile=True)


def _custom_classes(node: Any, found: dict[str, Any]) -> None:
    """Classes and functions a config names that are neither built in nor registered."""
    if isinstance(node, list):
        for item in node:
            _custom_classes(item, found)
        return
    if not isinstance(node, dict):
        return
    module, name = node.get("module"), node.get("class_name")
    if isinstance(module, str) and isinstance(name, str) and short_module(module) is None:
        name = str(node.get("config")) if name == "function" else name
        registered = node.get("registered_name") or name
        if get_registered_object(registered) is None and not module.startswith("keras."):
            thing = _classes.get((module, name)) or _imported(module, name)
            if thing is not None:
                found[registered] = thing
    for value in node.values():
        _custom_classes(value, found)


def _imported(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


__all__ = ["custom_parts", "model_from_bytes", "model_to_bytes"]
