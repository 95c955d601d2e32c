"""`tf.Module`: an object whose variables are found among its attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from nacre.core.names import name_scope
from nacre.core.variable import Variable
from nacre.layers import Layer

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class _ModuleKind(type):
    """Makes layers and models modules, as in TensorFlow."""

    def __instancecheck__(cls, value: Any) -> bool:
        return super().__instancecheck__(value) or (cls is Module and isinstance(value, Layer))

    def __subclasscheck__(cls, other: type) -> bool:
        return super().__subclasscheck__(other) or (cls is Module and issubclass(other, Layer))


class Module(metaclass=_ModuleKind):
    """Base class of objects that hold variables, modules and layers in attributes.

    Args:
        name: Its name; by default that of the class, in small letters.

    Example:
        >>> from nacre import Variable
        >>> class Line(Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.slope = Variable(2.0)
        >>> len(Line().trainable_variables), Line().name
        (1, 'line')
    """

    _when_given: Callable[[str, Any], None] | None = None  # of attributes, once restored

    def __init__(self, name: str | None = None) -> None:
        self._name = name or _WORDS.sub("_", type(self).__name__).lower()

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; what a checkpoint has for it is taken, if it was restored before."""
        super().__setattr__(name, value)
        if self._when_given is not None and name != "_when_given":
            self._when_given(name, value)

    @property
    def name(self) -> str:
        """The name."""
        return getattr(self, "_name", type(self).__name__.lower())

    @property
    def name_scope(self) -> Any:
        """A block in which names begin with this one's."""
        return name_scope(self.name)

    @staticmethod
    def with_name_scope(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method as it is: names of variables here do not depend on who calls."""
        return method

    @property
    def variables(self) -> tuple[Any, ...]:
        """All variables, each once, by the names of attributes."""
        return tuple(self._found(Variable))

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        """Those that are trained."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Any, ...]:
        """Those that are not."""
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def submodules(self) -> tuple[Any, ...]:
        """The modules and layers among the attributes, and within them."""
        return tuple(x for x in self._found((Module, _has_weights)) if x is not self)

    def _children_in_checkpoints(self) -> dict[str, Any]:
        """What a checkpoint finds it by: its attributes."""
        return dict(sorted(vars(self).items()))

    def _found(self, wanted: Any) -> list[Any]:
        found: dict[int, Any] = {}
        for value in _walk(self, set()):
            if _is(value, wanted):
                found.setdefault(id(value), value)
        return list(found.values())


def _has_weights(value: Any) -> bool:
    return hasattr(type(value), "trainable_weights")


def _is(value: Any, wanted: Any) -> bool:
    kinds = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(isinstance(value, k) if isinstance(k, type) else k(value) for k in kinds)


def _walk(value: Any, seen: set[int]) -> Iterator[Any]:
    """What an object holds, itself first: attributes in the order of their names."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield value
    if isinstance(value, Module) and not _has_weights(value):
        for name in sorted(vars(value)):
            yield from _walk(vars(value)[name], seen)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _walk(item, seen)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _walk(item, seen)
    elif _has_weights(value):  # a layer, a model
        yield from value.variables
        if isinstance(value, Layer):
            yield from value._flatten_layers(False)


__all__ = ["Module"]
