"""What a user's code reads besides arguments and attributes: what compiled programs depend on too.

Traced code reads a global number, a variable of the function around it or an attribute of its class
once. Where such a thing has another value later, the program is another one. Looked at are plain
data (numbers, texts, tuples), arrays, small lists and dicts of these, functions, which variable or
layer stands there, and the attributes of a user's objects and classes of settings, callable ones
among them; of code outside of this package and of JAX and NumPy. A look costs a comparison by
identity for each, where nothing changed.
"""

# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false
# Values are anything; isinstance() leaves what they hold unknown, and asking in another way would
# cost time at each of them.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import argparse
import collections
import dis
import functools
import operator
import random as python_random
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import jax
import numpy as np

PLAIN = (int, float, complex, str, bytes, bool, type(None), np.generic)
# Whose code and objects hold nothing a user changes to change what is computed.
_LIBRARIES = frozenset(("nacre", "jax", "jaxlib", "numpy", *sys.stdlib_module_names))
_NAMESPACES = (types.SimpleNamespace, argparse.Namespace)
_ARRAYS = (np.ndarray, jax.Array)
_MOST_ITEMS = 16  # of a list, dict or array; a longer one is data, not a setting
_DEPTH = 4  # of objects of settings within one another
_CONTAINERS = (list, tuple, dict, set, frozenset, collections.deque)
_FUNCTIONS = (types.FunctionType, functools.partial, types.MethodType)
_NOT_RUN = frozenset(
    "__init__ __new__ __post_init__ __repr__ __str__ __reduce__ __getstate__ __setstate__ build "
    "get_config from_config get_build_config".split()
)
_METHODS = (types.MethodType, types.BuiltinMethodType, type(np.random.uniform))
_GENERATORS = (python_random.Random, np.random.RandomState, np.random.Generator)
_READS_OF_MODULE = frozenset(("LOAD_GLOBAL", "LOAD_NAME"))
WRITES_OF_MODULE = frozenset(("STORE_GLOBAL",))
_MISSING = object()


class Reading(Protocol):
    """Values that are looked at again later.

    What traced code itself changes, as where a function counts its calls or keeps a list of what
    it saw, is a record and no setting: it is looked at no more.
    """

    owner: Any

    def now(self) -> list[Any]:
        """The values as they are, in a form that later changes do not reach."""
        ...

    def records(self, then: list[Any]) -> frozenset[str]:
        """The names whose values differ, and those known for records before."""
        ...


_NONE: frozenset[str] = frozenset()


class Settings:
    """Plain data in a user's object of settings, or a small list or dict, and in those within.

    Args:
        owner: The object, list or dict.
        records: Not empty for a list or dict that is a record.
    """

    __slots__ = ("is_record", "owner")

    def __init__(self, owner: object, records: frozenset[str] = _NONE) -> None:
        self.owner, self.is_record = owner, bool(records)

    def now(self) -> list[Any]:
        """All names and values, in order."""
        found: list[Any] = []
        if not self.is_record:
            _flatten(self.owner, found, _DEPTH)
        return found

    def records(self, then: list[Any]) -> frozenset[str]:
        """Of an object none, as nobody knows which of its attributes is meant."""
        return frozenset(("",)) if isinstance(self.owner, (*_CONTAINERS, np.ndarray)) else _NONE


class Members:
    """The attributes of a class: plain data, functions and properties.

    Args:
        owner: A class of a user's.
        records: Names left out.
    """

    __slots__ = ("known", "owner")

    def __init__(self, owner: type, records: frozenset[str] = _NONE) -> None:
        self.owner, self.known = owner, records

    def now(self) -> list[Any]:
        """The values."""
        if not self.known:
            return list(vars(self.owner).values())
        return [value for name, value in list(vars(self.owner).items()) if name not in self.known]

    def records(self, then: list[Any]) -> frozenset[str]:
        """Names whose value changed; a new attribute is among those of the next look."""
        names = [name for name in vars(self.owner) if name not in self.known]
        return self.known | _changed(names, self.now(), then)


class Outer:
    """What a function reads from outside: global names, the function around it, its defaults, and
    attributes of modules of the script's.

    Args:
        owner: The function.
        records: Names left out.
    """

    __slots__ = ("cells", "known", "names", "owner", "places")

    def __init__(self, owner: types.FunctionType, records: frozenset[str] = _NONE) -> None:
        self.owner, self.known = owner, records
        names, known = global_names(owner.__code__), owner.__globals__
        self.names = [
            n for n in names if n not in records and n in known and _is_looked_at(known[n])
        ]
        around = zip(owner.__code__.co_freevars, owner.__closure__ or (), strict=True)
        self.cells = {
            name: cell
            for name, cell in around
            if name not in records and _is_looked_at(_content(cell))
        }
        modules = [known[n] for n in names if isinstance(known.get(n), types.ModuleType)]
        modules += [m for c in self.owner.__closure__ or () if _is_module(m := _content(c))]
        self.places = {
            label: place
            for label, place in _of_modules(modules, _attribute_names(owner.__code__))
            if label not in records
        }

    def now(self) -> list[Any]:
        """The values."""
        read = self.owner.__globals__.get
        found: list[Any] = [read(name, _MISSING) for name in self.names]
        if self.cells:
            found += map(_content, self.cells.values())
        if self.places:
            found += [held.get(name, _MISSING) for held, name in self.places.values()]
        found.append(self.owner.__code__)
        found += self.owner.__defaults__ or ()
        return found

    def records(self, then: list[Any]) -> frozenset[str]:
        """Names whose value changed."""
        return self.known | _changed([*self.names, *self.cells, *self.places], self.now(), then)


def _changed(names: list[str], now: list[Any], then: list[Any]) -> frozenset[str]:
    pairs = zip(names, now, then, strict=False)
    return frozenset(name for name, new, old in pairs if not is_same(new, old))


def functions_of(cls: type) -> Iterator[types.FunctionType]:
    """The functions of a class that a call may run."""
    for name, member in vars(cls).items():
        found = uncompiled(getattr(member, "fget", getattr(member, "__func__", member)))
        if isinstance(found, types.FunctionType) and name not in _NOT_RUN:
            yield found


def classes_of(owner: object) -> Iterator[type]:
    """The classes of an object that are a user's."""
    return (cls for cls in type(owner).__mro__ if is_users(cls))


def is_users(thing: Any) -> bool:
    """Whether a function or class is of a user's code, or of a library that may be one's."""
    return is_users_name(getattr(thing, "__module__", None) or "")


def is_users_module(module: types.ModuleType) -> bool:
    """Whether a module is of a user's code, or of a library that may be one's."""
    return is_users_name(module.__name__)


def is_users_name(module: str) -> bool:
    """The same of a module's name."""
    return module.partition(".")[0] not in _LIBRARIES


def is_settings(value: object) -> bool:
    """Whether a value is a user's own object with attributes, such as a dataclass of settings, or
    an activation that is called. What is called and comes from an installed package, as a tokenizer
    or a network of another library, is no setting, and large."""
    return (
        not isinstance(value, (type, types.ModuleType, *_FUNCTIONS))
        and (not callable(value) or _is_of_a_script(type(value).__module__))
        and not _is_part(value)
        and (is_users(type(value)) or isinstance(value, _NAMESPACES))
        and (hasattr(value, "__dict__") or hasattr(type(value), "__slots__"))
    )


def is_class_of_settings(value: object) -> bool:
    """Whether a value is a class of a script, as `class Config: rate = 0.1`. Those of installed
    packages hold nothing that a user sets."""
    return isinstance(value, type) and is_users(value) and _is_of_a_script(value.__module__)


@functools.lru_cache(1024)
def _is_of_a_script(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is None or "-packages" not in file


def is_container(value: object) -> bool:
    """Whether a value is a list or dict, whose items may be looked at."""
    return isinstance(value, _CONTAINERS)


def uncompiled(value: Any) -> Any:
    """The Python function behind a compiled one; anything else as it is."""
    return getattr(value, "python_function", value)


def is_function(value: object) -> bool:
    """Whether a value is a function that may read something from outside."""
    return isinstance(value, _FUNCTIONS)


def are_same(now: list[Any], then: list[Any]) -> bool:
    """Whether two lists hold the same values; see `is_same`."""
    return len(now) == len(then) and (
        all(map(operator.is_, now, then)) or all(map(is_same, now, then))
    )


def is_same(now: Any, then: Any) -> bool:
    """Whether a value is the one before: plain data and tuples by value, all else by identity."""
    if now is then:
        return True
    if type(now) is not type(then):
        return False
    if isinstance(now, tuple):
        return are_same(list(now), list(then))
    return isinstance(now, PLAIN) and (now == then or (now != now and then != then))


def is_small_array(value: object) -> bool:
    """Whether a value is an array of NumPy whose numbers are looked at: others by identity."""
    return type(value) is np.ndarray and value.size <= _MOST_ITEMS and not value.dtype.hasobject


def content_of(array: np.ndarray) -> tuple[object, ...]:
    """What a small array holds, to compare it with later."""
    return array.dtype.str, array.shape, array.tobytes()


def generators_of(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """(name, generator) of the random generators of the host that a function may draw from."""
    code = function.__code__
    for name, value in values_outside(function).items():
        found = generator_behind(value)
        if value is np and "random" in _attribute_names(code):
            name, found = f"{name}.random", generator_behind(np.random)
        if found is not None:
            yield f"'{name}' in {function.__qualname__}", found


def values_outside(function: types.FunctionType) -> dict[str, Any]:
    """What a function reads of its module and of the function around it, by name."""
    code, known = function.__code__, function.__globals__
    around = zip(code.co_freevars, function.__closure__ or (), strict=True)
    read = {name: known.get(name) for name in global_names(code)}
    return {**read, **{name: _content(cell) for name, cell in around}}


def generator_behind(value: Any) -> Any:
    """The random generator of the host that something is, or draws from; None of all else."""
    if value is python_random or value is np.random:
        value = value.uniform  # a method of the one that all share
    if isinstance(value, _METHODS):
        value = getattr(value, "__self__", None)
    return value if isinstance(value, _GENERATORS) else None


def state_of(generator: Any) -> str:
    """Where a generator is, to compare it with later."""
    if isinstance(generator, np.random.Generator):
        return repr(generator.bit_generator.state)
    if isinstance(generator, python_random.Random):
        return repr(generator.getstate())
    _, keys, *rest = generator.get_state()
    return repr((keys.tobytes(), *rest))


def _is_looked_at(value: Any) -> bool:
    value = uncompiled(value)
    if isinstance(value, (*PLAIN, *_ARRAYS)) or _is_part(value):
        return True
    if isinstance(value, list | tuple | dict | set | collections.deque):
        items = value.values() if isinstance(value, dict) else value
        return len(value) <= _MOST_ITEMS and all(isinstance(item, PLAIN) for item in items)
    return (
        (is_function(value) and is_users(value))
        or is_settings(value)
        or is_class_of_settings(value)
    )


def _is_part(value: Any) -> bool:
    """Whether a value is a variable, or a layer or the like: which one stands there counts."""
    return getattr(value, "_is_part", False) is True


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned yet
        return _MISSING


@functools.lru_cache(4096)
def global_names(
    code: types.CodeType, instructions: frozenset[str] = _READS_OF_MODULE
) -> tuple[str, ...]:
    """The names a function, and those within it, may read from its module.

    Args:
        code: The function's code.
        instructions: What Python does with the names; also `WRITES_OF_MODULE`.
    """
    codes = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    inner = [global_names(c, instructions) for c in codes]
    # Not `co_names`: a script's `x` would stand for every attribute of that name.
    own = [i.argval for i in dis.get_instructions(code) if i.opname in instructions]
    return tuple(dict.fromkeys((*own, *(name for names in inner for name in names))))


@functools.lru_cache(4096)
def _attribute_names(code: types.CodeType) -> frozenset[str]:
    """The names of attributes that a function, and those within it, may read."""
    inner = [_attribute_names(c) for c in code.co_consts if isinstance(c, types.CodeType)]
    return frozenset(code.co_names).union(*inner)


def _is_module(value: object) -> bool:
    return isinstance(value, types.ModuleType)


def _of_modules(
    modules: Iterable[types.ModuleType], names: frozenset[str], depth: int = 3
) -> Iterator[tuple[str, tuple[dict[str, Any], str]]]:
    """(label, (where it is held, name)) of what code may read of modules of the script's."""
    for module in modules:
        if not is_users_module(module) or not _is_of_a_script(module.__name__):
            continue
        held = vars(module)
        for name in sorted(names & held.keys()):
            if _is_looked_at(held[name]):
                yield f"{module.__name__}.{name}", (held, name)
            elif depth and _is_module(held[name]):
                yield from _of_modules([held[name]], names, depth - 1)


def _flatten(value: Any, found: list[Any], depth: int) -> None:
    if is_small_array(value):
        found.extend(content_of(value))
    elif isinstance(value, PLAIN) or is_function(value) or _is_part(value):
        found.append(value)
    elif isinstance(value, _ARRAYS):
        if value.size <= _MOST_ITEMS:  # a larger one is data, which would be kept alive here
            found.append(value)
    elif isinstance(value, list | tuple | set | frozenset | collections.deque):
        if len(value) <= _MOST_ITEMS:
            for item in list(value):
                _flatten(item, found, depth)
            found.append(len(value))
    elif isinstance(value, dict):
        if len(value) <= _MOST_ITEMS:
            for key, item in list(value.items()):
                found.append(key)
                _flatten(item, found, depth)
            found.append(len(value))
    elif is_class_of_settings(value):
        found.append(value)
    elif depth and is_settings(value):
        found.append(type(value))
        for name, item in attributes_of(value):
            found.append(name)
            _flatten(item, found, depth - 1)


def attributes_of(owner: Any) -> Iterator[tuple[str, Any]]:
    """The names and values of an object of settings."""
    yield from list(getattr(owner, "__dict__", {}).items())  # another thread may add one
    for cls in type(owner).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                yield name, getattr(owner, name, _MISSING)


__all__ = [
    "PLAIN",
    "WRITES_OF_MODULE",
    "Members",
    "Outer",
    "Reading",
    "Settings",
    "are_same",
    "attributes_of",
    "classes_of",
    "content_of",
    "functions_of",
    "generator_behind",
    "generators_of",
    "global_names",
    "is_class_of_settings",
    "is_container",
    "is_function",
    "is_same",
    "is_settings",
    "is_small_array",
    "is_users",
    "is_users_module",
    "is_users_name",
    "state_of",
    "uncompiled",
    "values_outside",
]
