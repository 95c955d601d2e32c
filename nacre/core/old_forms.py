"""`keras.utils.legacy`: objects as dicts of a class's name and a config, as before Keras 3."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, cast

from nacre.core.errors import SerializationError, message
from nacre.core.registry import (
    CustomObjectScope,
    get_registered_name,
    get_registered_object,
)
from nacre.core.registry import deserialize_keras_object as _deserialize


def serialize_keras_object(instance: Any) -> Any:
    """An object as {'class_name': ..., 'config': ...}; a function as its name, None as None.

    Args:
        instance: An object with `get_config`, a named function, or None.

    Raises:
        SerializationError: It has neither a config nor a name.
    Example:
        >>> from nacre import initializers
        >>> serialize_keras_object(initializers.Zeros())
        {'class_name': 'Zeros', 'config': {}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config") and not inspect.isclass(instance):
        name = get_registered_name(type(instance))
        return {"class_name": name, "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    rule = "what is written must have get_config(), or be a function with a name"
    raise SerializationError(message("legacy.serialize_keras_object", rule, f"{instance!r:.80}"))


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """An object from what `serialize_keras_object` gave; what is no text or dict is given back.

    Args:
        identifier: A name, or a dict of 'class_name' and 'config'.
        module_objects: Name -> class or function, looked up last.
        custom_objects: Name -> class or function, looked up first.
        printable_module_name: What it is called in messages.

    Raises:
        SerializationError: The name is not known.
    Example:
        >>> deserialize_keras_object("twice", {"twice": lambda x: 2 * x})(3)
        6
    """
    who = f"legacy.deserialize_keras_object ({printable_module_name})"
    if isinstance(identifier, str):
        found = get_registered_object(identifier, dict(custom_objects or {}))
        found = (module_objects or {}).get(identifier) if found is None else found
        if found is None:
            rule = "the name must be known"
            fix = "Pass custom_objects={name: object}."
            raise SerializationError(message(who, rule, repr(identifier), fix))
        return found() if inspect.isclass(found) else found
    if not isinstance(identifier, Mapping):
        return identifier
    form = cast("Mapping[str, Any]", identifier)
    if "class_name" not in form or "config" not in form:
        rule = "the dict must have 'class_name' and 'config'"
        raise SerializationError(message(who, rule, f"{sorted(map(str, form))}"))
    with CustomObjectScope({**(module_objects or {}), **(custom_objects or {})}):
        return _deserialize(dict(form))


__all__ = ["deserialize_keras_object", "serialize_keras_object"]
