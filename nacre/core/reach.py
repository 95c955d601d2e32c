"""What a function's code can get hold of: the layers, losses and optimizers that it may call.

Looked through are the names it reads from its module and from functions around it, its defaults,
the object it is a method of, functions of the user's that it calls, lists and dicts of these and
attributes of the user's own objects. What is set anew in one of these places is seen by a
comparison by identity.
"""

# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false
# Values are anything; isinstance() leaves what they hold unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import collections
import functools
import types
from collections.abc import Callable, Iterable
from typing import Any

from nacre.core import readings
from nacre.core.changes import Versioned
from nacre.core.variable import Variable

_LISTS = (list, tuple, set, frozenset, collections.deque)
_MOST_ITEMS = 1000  # of a list or dict; a longer one is data
_MISSING = object()


class Reach:
    """The parts that functions and objects lead to.

    Args:
        roots: Where to begin.

    Attributes:
        parts: Layers, losses, metrics, optimizers; not those within them.
        objects: The user's own objects among them, whose attributes code may set.
        functions: The user's functions among them.
        variables: Those that are no part's.

    Example:
        >>> class Penalty(Versioned):
        ...     pass
        >>> penalty = Penalty()
        >>> read = [penalty]
        >>> reach = Reach([read])
        >>> reach.parts == [penalty], reach.is_same()
        (True, True)
        >>> read[0] = Penalty()
        >>> reach.is_same()
        False
    """

    def __init__(self, roots: Iterable[object]) -> None:
        self.parts: list[Versioned] = []
        self.objects: list[object] = []
        self.functions: list[types.FunctionType] = []
        self.variables: list[Variable] = []
        self._seen: dict[int, object] = {}
        self._places: list[tuple[Callable[[], tuple[object, ...]], tuple[object, ...]]] = []
        for root in roots:
            self._visit(root)

    def is_same(self) -> bool:
        """Whether the same things are in all places; plain data does not count."""
        for look, then in self._places:  # a loop, as every call asks
            now = look()
            if len(now) != len(then):
                return False
            for new, old in zip(now, then, strict=True):
                if new is not old and not (
                    isinstance(new, readings.PLAIN) and isinstance(old, readings.PLAIN)
                ):
                    return False
        return True

    def _visit(self, value: object) -> None:
        if isinstance(value, readings.PLAIN) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, Versioned):
            self.parts.append(value)
            self._visit(getattr(value, "python_function", None))
        elif isinstance(value, Variable):
            self.variables.append(value)
        elif isinstance(value, types.FunctionType):
            if readings.is_users(value):
                self.functions.append(value)
                self._visit_function(value)
        elif isinstance(value, types.MethodType):
            self._visit(value.__func__)
            self._visit(value.__self__)
        elif isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self._visit(part)
        elif isinstance(value, _LISTS):
            if len(value) <= _MOST_ITEMS:
                self._watch(functools.partial(tuple, value))
        elif isinstance(value, dict):
            if len(value) <= _MOST_ITEMS:
                self._watch(functools.partial(_values, value))
        elif isinstance(value, types.ModuleType):
            self._visit_module(value)
        elif isinstance(value, type):
            for function in readings.functions_of(value) if readings.is_users(value) else ():
                self._visit(function)
        elif readings.is_users(type(value)) and hasattr(value, "__dict__"):
            self.objects.append(value)
            self._watch(functools.partial(_values, vars(value)))
            for cls in readings.classes_of(value):
                self._visit(cls)

    def _watch(self, look: Callable[[], tuple[object, ...]]) -> None:
        found = look()
        self._places.append((look, found))
        for item in found:
            self._visit(item)

    def _visit_function(self, function: types.FunctionType) -> None:
        known = function.__globals__
        names = [n for n in readings.global_names(function.__code__) if n in known]
        self._watch(functools.partial(_named, known, names))
        if function.__closure__:
            self._watch(functools.partial(_contents, function.__closure__))
        defaults = function.__defaults__ or (), (function.__kwdefaults__ or {}).values()
        for default in (*defaults[0], *defaults[1]):
            self._visit(default)

    def _visit_module(self, module: types.ModuleType) -> None:
        if readings.is_users_module(module):
            for value in list(vars(module).values()):
                if isinstance(value, Versioned):
                    self._visit(value)


def _values(mapping: dict[Any, Any]) -> tuple[object, ...]:
    return tuple(mapping.values())


def _named(known: dict[str, Any], names: list[str]) -> tuple[object, ...]:
    return tuple([known.get(name, _MISSING) for name in names])


def _contents(cells: tuple[types.CellType, ...]) -> tuple[object, ...]:
    return tuple(map(readings._content, cells))


__all__ = ["Reach"]
