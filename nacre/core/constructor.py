"""What an object's constructor was called with, for configs that nobody wrote by hand."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Self

from nacre.core.changes import Versioned
from nacre.core.errors import SerializationError, message
from nacre.core.kinds import is_dict, is_list
from nacre.core.registry import deserialize_keras_object

Parameter = inspect.Parameter
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Constructed(Versioned):
    """An object that remembers what its constructor was called with."""

    __slots__ = ("_init_arguments",)

    _init_arguments: Arguments

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        instance = object.__new__(cls)
        instance._init_slots(args, kwargs)
        return instance

    def _init_slots(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Fill the slots of a new object, before its constructor runs."""
        self._init_arguments = (args, kwargs)


def parameters_of(cls: type) -> list[Parameter]:
    """The constructor's parameters after the object itself, whatever that one is called."""
    return list(inspect.signature(cls.__init__).parameters.values())[1:]


def own_arguments(cls: type, arguments: Arguments, who: str) -> dict[str, Any]:
    """What the class's own constructor was called with by name, defaults included.

    Args:
        cls: The class.
        arguments: `args` and `kwargs` of the call.
        who: The object, for messages.

    Raises:
        SerializationError: Something came through `*args`.
    """
    args, kwargs = arguments
    parameters = parameters_of(cls)
    try:
        bound = inspect.Signature(parameters).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    if any(bound.arguments[p.name] for p in parameters if p.kind is p.VAR_POSITIONAL):
        raise SerializationError(
            message(
                f"{who}.get_config",
                "a constructor with *args needs a get_config() of its own",
                f"{cls.__name__}{args}",
                "Write get_config(), or give the arguments names.",
            )
        )
    fixed = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return {p.name: bound.arguments[p.name] for p in parameters if p.kind in fixed}


def given_arguments(cls: type, arguments: Arguments) -> dict[str, Any]:
    """What the constructor was called with, arguments through **kwargs among the others."""
    args, kwargs = arguments
    parameters = parameters_of(cls)
    try:
        given = inspect.Signature(parameters).bind_partial(*args, **kwargs).arguments
    except TypeError:
        return dict(kwargs)
    loose = {p.name for p in parameters if p.kind is p.VAR_KEYWORD}
    flat = {name: value for name, value in given.items() if name not in loose}
    for name in loose & set(given):
        flat |= given[name]
    return flat


def accepted(cls: type, config: dict[str, Any], optional: Iterable[str]) -> dict[str, Any]:
    """A config without those of the optional keys that the constructor does not take."""
    parameters = parameters_of(cls)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return config
    names = {p.name for p in parameters}
    return {k: v for k, v in config.items() if k in names or k not in optional}


def object_from(value: Any) -> Any:
    """Configs of layers, initializers and the like become objects; all else stays."""
    if is_dict(value) and "class_name" in value and "config" in value:
        return deserialize_keras_object(value)
    if is_list(value) and not isinstance(value, tuple):
        return [object_from(v) for v in value]
    return value


__all__ = [
    "Constructed", "accepted", "given_arguments", "object_from", "own_arguments", "parameters_of",
]  # fmt: skip
