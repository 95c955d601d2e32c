"""What compiled programs depend on besides arrays: attributes of layers, losses and the like.

Setting an attribute of a `Versioned` object raises one number for the whole process. A program
whose number is still the present one is up to date, so asking costs nothing per layer; else the
attributes are compared with those it was made from (`Snapshot`). Lists, dicts, sets, deques and
arrays of NumPy of 16 items at most stay the user's own and are compared each time, as they do not
report changes in place; there are few. So is what a user's functions read from outside of them
(`readings.py`). Books that a script keeps on its objects, which no program reads, do not count
(`attribute_reads.py`).
What cannot be seen is documented: changes inside larger arrays of NumPy and in deeper objects.
"""

# Values are anything; isinstance() leaves what they hold unknown, and asking in another way would
# cost time at each of them.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import operator
import types
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from nacre.core import attribute_reads, leftovers, moved, readings, scope
from nacre.core.errors import NotThereError, ReservedNameError, message
from nacre.core.weak_cache import weak_cache

T = TypeVar("T")

_version = [0]
_tokens = itertools.count()
_numbers = itertools.count()  # of snapshots, in the order in which they were taken
_MAX_STATES = 8  # of one object that are kept, as where a callback alternates
_SEQUENCES = (list, tuple, collections.deque)
_READINGS = (readings.Settings, readings.Members, readings.Outer)


def version() -> int:
    """A number that changes whenever an attribute of some `Versioned` object does."""
    return _version[0]


def note_change() -> None:
    """Report a change that is in no attribute."""
    _version[0] += 1


@weak_cache
def bookkeeping(cls: type) -> frozenset[str]:
    """Names of slots: what nacre records about an object, on which no program depends."""
    found: set[str] = set()
    for base in cls.__mro__:
        slots = vars(base).get("__slots__", ())
        found.update([slots] if isinstance(slots, str) else slots)
    return frozenset(found)


class Versioned:
    """An object whose attributes compiled programs depend on.

    Attributes in `__slots__` of a class are bookkeeping: they may change unseen. An attribute that
    code sets while a program is traced (`self.last = inputs` in `call`) is part of what was traced,
    not a change; set from outside it is one again.

    Example:
        >>> class Penalty(Versioned):
        ...     def __init__(self, weight):
        ...         self.weight = weight
        >>> penalty = Penalty(1.0)
        >>> before = version()
        >>> penalty.weight = 2.0
        >>> version() > before
        True
    """

    __slots__ = ("__dict__", "__weakref__", "_set_in_trace")

    _is_part = True  # what is walked to find variables
    # What only programs of a training depend on; their keys name it.
    _training_attributes: frozenset[str] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        attribute_reads.add_class(cls)

    def _program_dependencies(self) -> dict[str, Any]:
        """The attributes that programs depend on."""
        skipped = self._training_attributes | getattr(self, "_set_in_trace", frozenset())
        present = vars(self)
        if skipped.isdisjoint(present):
            return present
        return {name: value for name, value in present.items() if name not in skipped}

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in bookkeeping(type(self)):
            before = vars(self).get(name, leftovers.MISSING)
            if before is not value:
                self._record_change(name, before, value)
        try:
            object.__setattr__(self, name, value)
        except NotThereError:  # a setter of nacre's own that says what to do
            raise
        except AttributeError:  # a property: a user's own has Python's words
            if name in _fixed(type(self)):
                raise reserved_name_error(self, name, value) from None
            raise

    def __delattr__(self, name: str) -> None:
        if name not in bookkeeping(type(self)):
            self._record_change(name, vars(self).get(name, leftovers.MISSING), leftovers.MISSING)
        object.__delattr__(self, name)

    def _structure(self) -> tuple[Any, ...]:
        """Bookkeeping that programs do depend on, compared by identity."""
        return ()

    def _other_parts(self) -> Sequence[Any]:
        """Objects it holds that are no attributes."""
        return ()

    def _record_change(self, name: str, before: Any, value: Any) -> None:
        leftovers.note(self, name, before)
        # Code that sets it while it is traced sets it in a call on arrays too (`self.last = x`).
        is_by_call = scope.call_context() is not None and name in self._traced_names()
        is_by_code = scope.is_tracing_program() or is_by_call
        if is_by_code and not (holds_parts(before) or holds_parts(value)):
            self._traced_names().add(name)
        else:
            self._traced_names().discard(name)
            if not attribute_reads.is_unread(self, name, before, value):
                note_change()

    def _traced_names(self) -> set[str]:
        try:
            return self._set_in_trace
        except AttributeError:
            self._set_in_trace: set[str] = set()
            return self._set_in_trace


def reserved_name_error(owner: object, name: str, value: object) -> ReservedNameError:
    """The error for an attribute set under a name that the classes of nacre need themselves."""
    cls = type(owner)
    kept = f"a {type(value).__name__}"
    if isinstance(value, list | tuple | Mapping) and holds_parts(value):
        kept += " of layers, metrics or variables"
    return ReservedNameError(
        message(
            f"{cls.__name__} '{getattr(owner, 'name', '')}'",
            f"`{name}` is an attribute that its base class uses; what is stored there would be "
            "neither trained nor saved",
            kept,
            f"Use another name, such as self.my_{name.lstrip('_')}.",
        )
    )


@weak_cache
def _fixed(cls: type) -> frozenset[str]:
    """Names of properties without a setter of nacre's classes; it only words an error."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found |= dict.fromkeys(vars(base), base)
    return frozenset(
        name
        for name, base in found.items()
        if isinstance(vars(base)[name], property) and base.__module__.startswith("nacre.")
    )


def reachable(roots: Iterable[Versioned]) -> list[Versioned]:
    """These objects and those among their attributes, lists and dicts included, each once."""
    found: dict[int, Versioned] = {}
    _add_reachable(list(roots), found)
    return list(found.values())


# No function within the other: it would refer to itself, and so keep what it found until Python
# looks for cycles.
def _add_reachable(value: Any, found: dict[int, Versioned]) -> None:
    if isinstance(value, Versioned):
        if id(value) not in found:
            found[id(value)] = value
            skipped = value._training_attributes
            _add_reachable([v for name, v in vars(value).items() if name not in skipped], found)
            _add_reachable(value._other_parts(), found)
    elif isinstance(value, list | tuple):
        for item in value:
            _add_reachable(item, found)
    elif isinstance(value, Mapping):
        for item in value.values():
            _add_reachable(item, found)


def holds_parts(value: Any) -> bool:
    """Whether a value is, or holds in lists and dicts, what variables are found in."""
    if isinstance(value, list | tuple):
        return any(map(holds_parts, value))
    if isinstance(value, Mapping):
        return any(map(holds_parts, value.values()))
    return getattr(value, "_is_part", False) is True


@contextlib.contextmanager
def tracing() -> Generator[leftovers.Leftovers]:
    """What traced code appends to a list, or puts into a dict, is part of what was traced.

    Else a layer that keeps its activations in a list would make a new program at every step.
    Tensors that it left in attributes, lists and dicts are replaced (`leftovers.py`).
    """
    settled = [snapshot for snapshot in list(_snapshots) if snapshot.lists_are_same()]
    newest_last = sorted(settled, key=lambda one: one.number)  # several may know one generator
    generators = {id(g): (name, g) for one in newest_last for name, g in one.generators}
    before = [(name, g, readings.state_of(g)) for name, g in generators.values()]
    iterators = {id(i): (name, i) for one in newest_last for name, i in one.iterators}
    places = [(name, i, moved.place(i)) for name, i in iterators.values()]
    with leftovers.cleared() as left:
        yield left
    left.drawn += [name for name, g, then in before if readings.state_of(g) != then]
    left.taken += [name for name, i, then in places if moved.place(i) != then]
    for snapshot in settled:
        left.changed += snapshot.accept_lists()


_snapshots: weakref.WeakSet[Snapshot] = weakref.WeakSet()


class Snapshot:
    """The attributes of some objects as they are now, to find out later whether they changed.

    Args:
        objects: Their attributes that are not bookkeeping are noted; lists, tuples and dicts with
            all they hold, anything else as this very object.

    Example:
        >>> class Penalty(Versioned):
        ...     pass
        >>> penalty = Penalty()
        >>> penalty.steps = [1, 2]
        >>> snapshot = Snapshot([penalty])
        >>> snapshot.is_current()
        True
        >>> penalty.steps.append(3)
        >>> snapshot.is_current()
        False
    """

    def __init__(self, objects: Iterable[Versioned]) -> None:
        self.objects = list(objects)
        _snapshots.add(self)
        self._version = version()
        self._records: dict[int, tuple[Any, frozenset[str]]] = {}  # see readings.py, by owner's id
        self._note()

    def _note(self) -> None:
        self.number = next(_numbers)
        self._watched: list[tuple[Any, Any]] = []
        self._structures: list[tuple[Any, ...]] = []
        self._seen: dict[int, Any] = {}  # functions, classes and settings that are noted
        self.generators: list[tuple[str, Any]] = []  # of random numbers of the host, in that code
        self.iterators: list[tuple[str, Any]] = []  # which that code may take from
        self._attributes = [self._noted(owner) for owner in self.objects]

    def _noted(self, owner: Versioned) -> dict[str, Any]:
        present = owner._program_dependencies()
        noted = {name: self._copy(value) for name, value in present.items()}
        held = [(name, readings.generator_behind(value)) for name, value in present.items()]
        label = f"{type(owner).__name__} '{getattr(owner, 'name', '')}'"
        self.generators += [(f"{label}.{name}", g) for name, g in held if g is not None]
        self._structures.append(owner._structure())
        for cls in readings.classes_of(owner):
            self._read_class(cls)
        return noted

    def _copy(self, value: Any) -> Any:
        if id(value) in self._records:
            return value
        if isinstance(value, list | tuple | collections.deque):
            kept = type(value) if type(value) in (list, tuple) else tuple
            copied: Any = kept([self._copy(item) for item in value])
        elif isinstance(value, dict):
            copied = {key: self._copy(item) for key, item in value.items()}
        elif isinstance(value, set):
            copied = frozenset(value)
        elif readings.is_small_array(value):
            copied = readings.content_of(value)
        else:
            self._read(value)
            return value
        if not isinstance(value, tuple):
            self._watched.append((value, copied))
        return copied

    def _read(self, value: Any) -> None:
        """Note what a user's function reads, or what is in an object of settings."""
        value = readings.uncompiled(value)
        if readings.is_class_of_settings(value):
            self._read_class(value)
            return
        is_function = readings.is_function(value)
        if id(value) in self._seen or not (is_function or readings.is_settings(value)):
            return
        self._seen[id(value)] = value
        if not is_function:
            pairs = readings.attributes_of(value)
            self._note_iterators({f"{type(value).__name__}.{name}": v for name, v in pairs})
            self._read_functions(self._watch(readings.Settings, value))
        elif isinstance(value, functools.partial):
            self._read_all([value.func, *value.args, value.keywords])
        elif isinstance(value, types.MethodType):
            self._read_all([value.__func__, value.__self__])
        elif readings.is_users(value):
            self.generators += readings.generators_of(value)
            outside, where = readings.values_outside(value), value.__qualname__
            self._note_iterators({f"'{name}' in {where}": v for name, v in outside.items()})
            self._read_all(self._watch(readings.Outer, value))

    def _note_iterators(self, values: Mapping[str, Any]) -> None:
        self.iterators += [(name, v) for name, v in values.items() if isinstance(v, Iterator)]

    def _read_all(self, values: Iterable[Any]) -> None:
        for value in values:
            if readings.is_container(value) or readings.is_small_array(value):
                if id(value) not in self._seen:
                    self._seen[id(value)] = value
                    self._read_functions(self._watch(readings.Settings, value))
            else:
                self._read(value)

    def _read_functions(self, found: Iterable[Any]) -> None:
        """Note what functions within settings read, and the classes of objects in them."""
        for value in found:
            if readings.is_function(value) or isinstance(value, type):
                self._read(value)

    def _read_class(self, cls: type) -> None:
        if id(cls) not in self._seen:
            self._seen[id(cls)] = cls
            self._watch(readings.Members, cls)
            self._read_all(readings.functions_of(cls))
            data = [v for name, v in list(vars(cls).items()) if not name.startswith("__")]
            self._read_all(value for value in data if not readings.is_function(value))

    def _watch(self, kind: Callable[..., readings.Reading], owner: Any) -> list[Any]:
        _, records = self._records.get(id(owner), (owner, frozenset[str]()))
        reading = kind(owner, records)
        now = reading.now()
        self._watched.append((reading, now))
        return now

    def is_current(self) -> bool:
        """Whether no attribute has changed since, and no list or dict."""
        return self._version == _version[0] and self.lists_are_same()

    def is_current_while_tracing(self) -> bool:
        """The same while code is traced: its own changes of lists are part of it."""
        return self._version == version()

    def lists_are_same(self) -> bool:
        """Whether no list or dict changed in place."""
        for now, then in self._watched:  # a loop, as every step asks
            if type(now) in (list, dict) and not now and not then:
                continue  # as the dicts of nearly every metric are
            if type(now) is list and len(now) == len(then) and all(map(operator.is_, now, then)):
                continue  # as the lists of layers and variables of nearly every model are
            if not is_same(now, then):
                return False
        return True

    def accept_lists(self) -> list[tuple[Any, Any]]:
        """Accept lists and dicts as they are now; new parts count as changes.

        Returns:
            What changed, each with what was noted of it.
        """
        changed = [(now, then) for now, then in self._watched if not is_same(now, then)]
        if changed and not any(holds_parts(now) for now, _ in changed):
            for reading, then in changed:
                if isinstance(reading, _READINGS):
                    self._records[id(reading.owner)] = reading.owner, reading.records(then)
                else:  # an attribute's list or dict, that code adds to
                    self._records[id(reading)] = reading, frozenset()
            self._note()
        return changed

    def take_present_value(self, cls: type, name: str) -> None:
        """Note what an attribute of the objects of a class is now."""
        for owner, noted in zip(self.objects, self._attributes, strict=False):
            if type(owner) is cls and name in noted and name in vars(owner):
                noted[name] = self._copy(vars(owner)[name])

    def is_unchanged(self) -> bool:
        """Whether the attributes are still the same, whatever changed elsewhere."""
        now = version()
        records = zip(self.objects, self._attributes, self._structures, strict=True)
        for owner, noted, structure in records:
            if not is_same(owner._structure(), structure):
                return False
            present = owner._program_dependencies()
            skipped = getattr(owner, "_set_in_trace", ())
            then = {k: v for k, v in noted.items() if k not in skipped} if skipped else noted
            if len(present) != len(then):
                return False
            for name, value in then.items():
                is_now = present.get(name, leftovers.MISSING)
                if not is_same(is_now, value):
                    if not attribute_reads.is_unread(owner, name, value, is_now):
                        return False
        read = [pair for pair in self._watched if isinstance(pair[0], _READINGS)]
        if not all(is_same(is_now, then) for is_now, then in read):
            return False
        self._version = now
        if self._watched:  # an equal list may have replaced one that was watched
            self._note()
        return True


def _note_first_read(reader: Versioned, name: str) -> None:
    """Have programs depend on an attribute that was set unseen, as nothing read it until now.

    Those made before did not read it, whatever its value was: so all take the present one for it.
    """
    for snapshot in list(_snapshots):
        snapshot.take_present_value(type(reader), name)


attribute_reads.watch(Versioned, _note_first_read)


def present_state(kept: list[T], is_present: Callable[[T], bool], make: Callable[[], T]) -> T:
    """The one of the states kept that something is in now; else a new one, which is kept too.

    Args:
        kept: States, the one met last first; of many the one met longest ago is forgotten.
        is_present: Whether something is in a state.
        make: Makes the state that it is in.
    """
    for index, state in enumerate(kept):
        if is_present(state):
            if index:
                kept.insert(0, kept.pop(index))
            return state
    state = make()
    kept.insert(0, state)
    del kept[_MAX_STATES:]
    return state


class Contents:
    """Tells apart the states in which the attributes of some objects have been.

    Example:
        >>> class Penalty(Versioned):
        ...     pass
        >>> penalty, contents = Penalty(), Contents()
        >>> penalty.weight = 1.0
        >>> first = contents.token([penalty])
        >>> penalty.weight = 2.0
        >>> second = contents.token([penalty])
        >>> penalty.weight = 1.0
        >>> first != second, first == contents.token([penalty])
        (True, True)
    """

    def __init__(self) -> None:
        self._states: list[tuple[int, list[Versioned], Snapshot]] = []

    def token(self, roots: Sequence[Versioned]) -> int:
        """A number for the present state: the same as long as nothing differs."""

        def is_present(state: tuple[int, list[Versioned], Snapshot]) -> bool:
            _, known, snapshot = state
            if len(known) != len(roots) or not all(map(operator.is_, known, roots)):
                return False
            return snapshot.is_current() or snapshot.is_unchanged()

        def state_now() -> tuple[int, list[Versioned], Snapshot]:
            return next(_tokens), list(roots), Snapshot(reachable(roots))

        return present_state(self._states, is_present, state_now)[0]

    def latest(self) -> Snapshot:
        """The attributes in the state that `token` found last."""
        return self._states[0][2]


def is_same(now: Any, then: Any) -> bool:
    """Whether a value is the one in a snapshot: plain data by value, lists by content."""
    if now is then:
        return True
    if isinstance(now, _SEQUENCES):  # first, as every call of a Sequential asks of its layers
        if not isinstance(then, list | tuple) or len(now) != len(then):
            return False
        return all(map(operator.is_, now, then)) or all(map(is_same, now, then))
    if isinstance(now, _READINGS):
        return readings.are_same(now.now(), then)
    if isinstance(now, dict):
        return (
            isinstance(then, dict)
            and len(now) == len(then)
            and all(key in then and is_same(value, then[key]) for key, value in now.items())
        )
    if readings.is_small_array(now):
        return isinstance(then, tuple) and readings.content_of(now) == then
    if isinstance(now, set):
        return isinstance(then, set | frozenset) and now == then
    return readings.is_same(now, then)


__all__ = [
    "Contents",
    "Snapshot",
    "Versioned",
    "holds_parts",
    "is_same",
    "note_change",
    "present_state",
    "reachable",
    "reserved_name_error",
    "tracing",
    "version",
]
