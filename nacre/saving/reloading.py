"""Whether what a config describes can be made again: told before the file is written.

A constructor is not called, which may do anything: what it needs is compared with what the config
has. Classes of nacre have all, and classes that make themselves in a `from_config` of their own may
do with less.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from nacre.core import tree
from nacre.core.errors import SerializationError, message
from nacre.core.kinds import is_dict, is_list
from nacre.core.registry import is_builtin
from nacre.core.warning import warn


def refuse_what_cannot_come_back(model: Any, config: dict[str, Any], training: Any) -> None:
    """Raise where a layer could not be made again from its config; warn of a part of `compile`.

    Args:
        model: The model.
        config: What its file will say of it.
        training: The same of its compile arguments; None where the file leaves them out.

    Raises:
        SerializationError: An argument that a constructor needs is not in the config.
    """
    classes = {c.__name__: c for c in custom_parts(model) if isinstance(c, type)}
    if not classes:
        return
    for cls, name, missing in _incomplete(config, classes):
        raise SerializationError(_text(cls, name, missing, "the model could not be opened again"))
    for cls, name, missing in _incomplete(training, classes):
        warn(_text(cls, name, missing, "the file opens with load_model(path, compile=False) alone"))


def custom_parts(model: Any) -> list[Any]:
    """Classes and functions of the user's that a model's config may name."""
    trainer = getattr(model, "_trainer", None)
    given = tree.flatten(trainer.given) if trainer is not None else []
    if trainer is not None:
        given.append(trainer.optimizer)
    for layer in getattr(model, "_flatten_layers", list)():
        given += [layer, *vars(layer).values()]
    parts = [
        thing if isinstance(thing, type | FunctionType) else type(thing)
        for thing in given
        if callable(thing) or hasattr(thing, "get_config")
    ]
    return [part for part in parts if not is_builtin(part)]


def _text(cls: type, name: str, missing: list[str], what: str) -> str:
    items = ", ".join(f"{key!r}: self.{key}" for key in missing)
    return message(
        f"{cls.__name__} {name!r}",
        f"its config must hold all that its constructor needs, or {what}",
        f"one without {', '.join(missing)}",
        f"Write in the class: def get_config(self): return {{**super().get_config(), {items}}}.",
    )


def _incomplete(
    config: Any, classes: dict[str, type[Any]]
) -> Iterator[tuple[type[Any], str, list[str]]]:
    """(class, name of the object, arguments that are missing) of what cannot be made."""
    if is_list(config):
        for item in config:
            yield from _incomplete(item, classes)
    if not is_dict(config):
        return
    arguments = config.get("config")
    cls = classes.get(str(config.get("class_name")).rpartition(">")[2])
    if cls is not None and is_dict(arguments) and _is_called_with_its_config(cls, arguments):
        missing = [name for name in _needed(cls) if name not in arguments]
        if missing:
            yield cls, str(arguments.get("name", "")), missing
    for value in config.values():
        yield from _incomplete(value, classes)


def _is_called_with_its_config(cls: type[Any], arguments: dict[str, Any]) -> bool:
    made_by = getattr(getattr(cls, "from_config", None), "__func__", None)
    is_graph = "layers" in arguments and "input_layers" in arguments
    return made_by is not None and made_by.__module__.startswith("nacre.") and not is_graph


def _needed(cls: type[Any]) -> list[str]:
    """Arguments without a default."""
    try:
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.default is p.empty and p.kind in kinds]


__all__ = ["custom_parts", "refuse_what_cannot_come_back"]
