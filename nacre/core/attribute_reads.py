"""Which attributes of a user's objects programs may read: all others are the script's own books.

Numbers and texts on a model that no code reads while it is traced have no part in what is computed:
a counter of steps, the best score so far, a log. Setting them makes no new program. What counts as
read:

- What is read of an instance while code is traced or described, in whatever way: `self.rate`,
  `getattr`, a property, a helper. For that time `Versioned` has a `__getattribute__` that notes it.
- What methods that take the place of nacre's (`call`, `metrics`) speak of, and those they use: some
  run outside of traces.
- Names that nacre's own code reads: those its base classes speak of, or functions ask for.
- Everything, where code may read attributes without names: `vars(self)`, `__getattribute__`.

Reads are noted by class. Layers, functions and objects of other classes always count.
"""

# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false
# Values are anything; isinstance() leaves what they hold unknown.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import collections
import contextlib
import functools
import sys
import threading
import types
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from nacre.core import readings
from nacre.core.context import current
from nacre.core.tracing import is_tracer

_EVERYTHING = "*"
_WRAPPING = ("fget", "fset", "func", "__func__")  # of properties and the like
_ASKING = frozenset(("getattr", "hasattr", "attrgetter"))
_WITHOUT_NAMES = frozenset(("vars", "__dict__", "__getattribute__", "__getstate__"))


class _Watch:
    """Whose reads are noted, and how.

    Attributes:
        root: The class that all watched objects are of.
        note_first: Told of an instance and of a name that was set unseen, before its first read.
        has_classes: Whether users have made any.
        traces: How many are under way, in all threads.
        is_on: Whether the root has the `__getattribute__`. Giving it one, and taking it away, makes
            Python look at all classes there are: it is kept from one trace to the next, until a
            program runs that needs no trace.
        asked_for: The number of loaded modules, and what nacre's functions ask for by name.
    """

    root: type = object
    note_first: Callable[[Any, str], None]
    has_classes = False
    traces = 0
    is_on = False
    asked_for: tuple[int, frozenset[str]] = (0, frozenset())
    lock = threading.Lock()


# Where a class keeps its `_Names`: with the class they are gone, and so is what its code holds.
# Each class that there is makes `noted` slower.
_KEPT = "__attribute_reads__"


class _Names:
    """What is known of the attributes of a class's instances.

    Attributes:
        read: Names read in traces.
        unseen: Names of those set without a program's knowing.
        members, spoken_of: Members of the user's classes, and the names their code, or nacre's, may
            read outside of traces.
    """

    __slots__ = ("members", "read", "spoken_of", "unseen")

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.unseen: set[str] = set()
        self.members: list[tuple[str, Any]] = []
        self.spoken_of: frozenset[str] = frozenset()

    def __reduce__(self) -> tuple[type[_Names], tuple[()]]:
        return _Names, ()  # what pickles a class by its parts has another one there


def watch(root: type, note_first: Callable[[Any, str], None]) -> None:
    """Note reads of the attributes of this class's instances; see `_Watch`."""
    _Watch.root, _Watch.note_first = root, staticmethod(note_first)


def add_class(cls: type) -> None:
    """A class was made from the root."""
    if readings.is_users(cls):
        type.__setattr__(cls, _KEPT, _Names())
        _Watch.has_classes = True


def is_unread(owner: object, name: str, before: object, value: object) -> bool:
    """Whether no program depends on which of two values an attribute has."""
    cls = type(owner)
    names = vars(cls).get(_KEPT)
    if names is None or not (_is_data(before) and _is_data(value)):
        return False
    _learn_code(cls, names)
    for some in (names.read, names.spoken_of, _asked_for()):
        if name in some or _EVERYTHING in some:
            return False
    names.unseen.add(name)
    return True


def _is_data(value: Any) -> bool:
    """Whether a value is numbers and texts alone, or lists and the like of them."""
    if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        return all(map(_is_data, value))
    if isinstance(value, dict):
        return all(map(_is_data, value.values()))
    if isinstance(value, jax.Array):
        return not is_tracer(value)
    return isinstance(value, (*readings.PLAIN, np.ndarray))


@contextlib.contextmanager
def noted() -> Generator[None]:
    """A block in which reads of the attributes of users' objects are noted, in all threads."""
    if not _Watch.has_classes:
        yield
        return
    root: Any = _Watch.root
    with _Watch.lock:
        _Watch.traces += 1
        if not _Watch.is_on:
            root.__getattribute__ = _noting
            _Watch.is_on = True
    try:
        yield
    finally:
        with _Watch.lock:
            _Watch.traces -= 1


def stop_looking() -> None:
    """Make reads as fast as they were: where no trace is under way, and none was needed."""
    if not _Watch.is_on or _Watch.traces:
        return
    root: Any = _Watch.root
    with _Watch.lock:
        if _Watch.is_on and not _Watch.traces:
            del root.__getattribute__
            _Watch.is_on = False


def _noting(self: Any, name: str) -> Any:
    # Its own, not that of a class it is made from.
    names = type(self).__dict__.get(_KEPT) if _Watch.traces else None
    if names is not None:
        if name not in names.read:
            _note(self, name, names)
        trace = current().leftovers
        if trace is not None:
            trace.note_read(self, name)
    return super(_Watch.root, self).__getattribute__(name)


def _note(owner: Any, name: str, names: _Names) -> None:
    if name != "__dict__":
        names.read.add(name)
        if name in names.unseen:
            _Watch.note_first(owner, name)
    elif sys._getframe(2).f_globals.get("__name__", "").partition(".")[0] != "nacre":
        names.read.update((_EVERYTHING, name))
        for unseen in names.unseen:
            _Watch.note_first(owner, unseen)


def _learn_code(cls: type, names: _Names) -> None:
    """Note what the code of a class speaks of, where it is another one than before."""
    users = [base for base in cls.__mro__ if readings.is_users(base)]
    members = [pair for base in users for pair in vars(base).items()]
    before = names.members
    is_known = len(members) == len(before) and all(
        member is known and name == its_name
        for (name, member), (its_name, known) in zip(members, before, strict=True)
    )
    if not is_known:
        names.members = members
        names.spoken_of = _spoken_of(members, [b for b in cls.__mro__ if b not in users])


def _spoken_of(members: list[tuple[str, Any]], bases: list[type]) -> frozenset[str]:
    found = frozenset[str]().union(*map(_spoken_of_by_own, bases))
    defined: dict[str, list[Any]] = {}
    for name, member in members:
        defined.setdefault(name, []).append(member)
    waiting = [name for name in defined if name in found and name not in ("__init__", "__module__")]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _names_in(defined.get(name, ()))
    if "__getattribute__" in defined or not _WITHOUT_NAMES.isdisjoint(seen):
        seen.add(_EVERYTHING)
    return found | seen


@functools.cache
def _spoken_of_by_own(cls: type) -> frozenset[str]:
    """What a class that is no user's has, and its methods speak of."""
    return frozenset((*vars(cls), *_names_in(vars(cls).values())))


def _asked_for() -> frozenset[str]:
    """Names that nacre's functions ask any object for: `getattr(layer, "stateful", False)`."""
    if len(sys.modules) != _Watch.asked_for[0]:  # some are loaded late
        modules = [m for name, m in list(sys.modules.items()) if name.startswith("nacre.")]
        found: set[str] = set()
        for module in modules:
            made_here = [
                member
                for member in list(vars(module).values())
                if getattr(member, "__module__", None) == module.__name__
            ]
            inner = [m for c in made_here if isinstance(c, type) for m in vars(c).values()]
            for code in _codes_of([*made_here, *inner]):
                found.update(_names_asked_for(code))
        _Watch.asked_for = len(sys.modules), frozenset(found)
    return _Watch.asked_for[1]


def _names_asked_for(code: types.CodeType) -> Iterator[str]:
    asks = not _ASKING.isdisjoint(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_asked_for(constant)
        elif asks and isinstance(constant, str) and constant.isidentifier():
            yield constant  # others are no attributes, as the pattern "*", which means everything


def _names_in(members: Iterable[Any]) -> Iterator[str]:
    """Names in the code of members of a class: of attributes, and texts it may ask with."""
    for code in _codes_of(members):
        yield from _names_in_code(code)


def _codes_of(members: Iterable[Any]) -> Iterator[types.CodeType]:
    for member in members:
        parts = (member, *(getattr(member, name, None) for name in _WRAPPING))
        for part in parts:
            function = getattr(part, "__wrapped__", part)
            if isinstance(function, types.FunctionType):
                yield function.__code__


def _names_in_code(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    yield from _names_asked_for(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names_in_code(constant)


__all__ = [
    "add_class",
    "is_unread",
    "noted",
    "stop_looking",
    "watch",
]
