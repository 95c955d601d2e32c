"""What code of a user's moves on whenever it runs, where steps are compiled and it runs no more.

A layer's own numbers tell when they are read and set (`leftovers.py`). A counter in an object, a
dict or a global name does not: where a trace has changed such a thing, the code is traced twice
more. If it then gives two programs, what it computes hangs on how often it ran. Iterators show
where they are.
"""

# Values are anything; isinstance() leaves what they hold unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import collections
import contextlib
import functools
import gc
import itertools
import operator
import re
import types
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import readings
from nacre.core.errors import message
from nacre.core.tracing import is_tracer
from nacre.core.warning import warn

_MUTABLE = (list, dict, set, collections.deque)
_MOST_ITEMS = 16  # of a list of iterators; a longer one is data
_DEPTH = 4  # of what is put back within one another; deeper things are not looked at either
FIX = (
    "Keep it in a variable, self.count = self.add_weight(shape=(), dtype='int32', "
    "trainable=False), with self.count.assign_add(1), and choose by nacre.ops.cond; or "
    "compile(run_eagerly=True), where it runs in each step."
)


def warn_of(who: str, got: str = "code that reads and sets it") -> None:
    """Say that something stands still in compiled steps."""
    rule = "what code changes whenever it runs stands still where steps are compiled"
    warn(message(who, rule, f"{got}: it runs when a step is compiled, not in each step", FIX))


def warn_of_draws(who: str, got: str) -> None:
    """Say that random numbers of the host are constants in compiled steps."""
    rule = (
        "random numbers of the host are drawn once, when the step is compiled, and are the same at "
        "every step after that"
    )
    fix = "Use nacre.random, e.g. random.normal(shape); or compile(run_eagerly=True)."
    warn(message(who, rule, got, fix))


def warn_where_decisive(
    changed: list[tuple[Any, Any]],
    drawn: list[str],
    taken: list[str],
    owners: Iterable[Any],
    trace: Callable[[], Any],
) -> None:
    """Warn where a program depends on how often its code ran.

    Args:
        changed: What a trace changed, each with what it was before; see `changes.Snapshot`.
        drawn: The generators of random numbers that were drawn from meanwhile, be it by the code
            or by another thread. They are not put back, as that one goes on.
        taken: The iterators that something was taken from, which cannot be put back.
        owners: The layers that were called, to say whose it is.
        trace: Traces the code once more and gives its program, a closed jaxpr.
    """
    owners = list(owners)
    names = [_name(reading, then, owners) for reading, then in changed]
    counted = [reading for reading, _ in changed]
    with _put_back(counted), _numbers_kept(owners):
        try:
            before, first = _numbers(counted), _content(trace())
            after, second = _numbers(counted), _content(trace())
            if first == second:
                second = _elsewhere(before, after, counted, trace, first)
        except Exception:
            # Of code that bears one call alone: the next trace says so, where there is one.
            first, second = taken, []
    if first == second:
        return
    if drawn:
        warn_of_draws(", ".join(drawn), "code that draws from it")
    if names:
        warn_of(", ".join(dict.fromkeys(names)))
    if taken:
        warn_of(", ".join(dict.fromkeys(taken)), "an iterator that code takes from")


_FAR = 25_200  # a multiple of the numbers to 10 and of 12, 16, 20, 25, 50 and 100
_MOST_PLACES = 6  # that are traced because code compares a count with them


def _elsewhere(
    before: list[_Number],
    after: list[_Number],
    counted: list[Any],
    trace: Callable[[], Any],
    first: Any,
) -> Any:
    """The program where what a trace counted has gone on: another one than the first, if there is.

    A script's `if self.count > 1000` is the same at the first calls, and so is
    `if self.count == 500`: what it compares with is noted on the way, and tried.

    Args:
        before, after: The numbers around a trace.
        counted: Where they are.
        trace: Traces the code once more.
        first: The program as the first calls give it.
    """
    if len(before) != len(after):
        return first
    steps = [now.value - then.value for then, now in zip(before, after, strict=True)]
    starts = {
        at: _FAR - step
        for at, step in enumerate(steps)
        if step and after[at].value < _FAR  # else it has counted so far by itself
    }

    def traced_from(starts: dict[int, int]) -> Any:
        numbers = _numbers(counted)
        for at, start in starts.items():
            numbers[at].set(start)
        return _content(trace())

    places: list[tuple[int, int]] = []
    try:
        found = traced_from({at: _Counted(start, 0, at, places) for at, start in starts.items()})
    except Exception:  # something takes plain numbers alone
        places.clear()
        found = traced_from(starts)
    to_come = [
        (at, start)
        for at, start in dict.fromkeys(places)
        if (ahead := (start - after[at].value) / steps[at]) >= 0 and ahead.is_integer()
    ]
    for at, start in to_come[:_MOST_PLACES]:
        if found != first:
            break
        with contextlib.suppress(Exception):  # code may raise there
            found = traced_from({at: start})
    return found


class _Counted(int):
    """A number that notes what it, a sum with it or its remainder is compared with."""

    _shift: int
    _at: int
    _places: list[tuple[int, int]]

    def __new__(cls, value: int, shift: int, at: int, places: list[tuple[int, int]]) -> _Counted:
        """One of a value.

        Args:
            value: The value.
            shift: What was added to the number that was set.
            at: Which number that is.
            places: Where (at, number to set) is added, that makes a comparison another one.
        """
        made = super().__new__(cls, value)
        made._shift, made._at, made._places = shift, at, places
        return made

    def _moved(self, value: int) -> _Counted:
        return _Counted(value, self._shift + value - int(self), self._at, self._places)

    def _note(self, *others: Any) -> None:
        for other in others:
            if isinstance(other, int | float) and other == other // 1:
                self._places.append((self._at, int(other) - self._shift))

    def __add__(self, other: int) -> int:
        return self._moved(int(self) + other) if type(other) is int else int(self) + other

    def __sub__(self, other: int) -> int:
        return self._moved(int(self) - other) if type(other) is int else int(self) - other

    def __mod__(self, other: int) -> int:
        return self._moved(int(self) % other) if type(other) is int else int(self) % other

    __radd__ = __add__

    def __eq__(self, other: object) -> bool:
        self._note(other)
        return int(self) == other

    def __ne__(self, other: object) -> bool:
        self._note(other)
        return int(self) != other

    def __lt__(self, other: float) -> bool:
        self._note(other)
        return int(self) < other

    def __ge__(self, other: float) -> bool:
        self._note(other)
        return int(self) >= other

    def __le__(self, other: float) -> bool:
        self._note(other, other + 1)
        return int(self) <= other

    def __gt__(self, other: float) -> bool:
        self._note(other, other + 1)
        return int(self) > other

    def __bool__(self) -> bool:
        self._note(0)
        return int(self) != 0

    __hash__ = int.__hash__

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)  # copies note nothing


def iterators_of(owner: Any) -> list[tuple[Any, str, Any]]:
    """(owner, name, where it is) of each iterator in an object's attributes."""
    found = [(name, places_in(value)) for name, value in list(vars(owner).items())]
    return [(owner, name, now) for name, now in found if now is not None]


def places_in(value: Any) -> Any:
    """Where an iterator is, or those in a short list or dict; None where there is none."""
    if isinstance(value, list | tuple | dict) and len(value) <= _MOST_ITEMS:
        held = value.values() if isinstance(value, dict) else value
        places = [place(one) for one in list(held) if isinstance(one, Iterator)]
        return places or None
    return place(value)


def place(value: Any, depth: int = _DEPTH) -> Any:
    """Where an iterator is; None of others, and of those that do not show it.

    One that goes through others, as `zip` and `itertools.cycle`, is where what it holds is: those,
    what `cycle` has kept of them to give it again, and the last tuple that `product` gave.
    """
    if isinstance(value, types.GeneratorType):
        frame = value.gi_frame
        if frame is None:
            return "ended"
        plain = {k: v for k, v in frame.f_locals.items() if isinstance(v, readings.PLAIN)}
        inner = [place(v, depth - 1) for v in frame.f_locals.values()] if depth else []
        return frame.f_lasti, plain, inner
    if not isinstance(value, Iterator):
        return None
    if isinstance(value, itertools.count):
        return repr(value)
    if isinstance(value, itertools.cycle) and (held := _place_in_cycle(value)) is not None:
        return held
    if hasattr(value, "__length_hint__"):
        return operator.length_hint(value)
    if type(value).__module__ in ("builtins", "itertools"):
        held = gc.get_referents(value)
        return type(value).__name__, [_part_of_place(one, depth - 1) for one in held if depth]
    return None


def _place_in_cycle(value: Any) -> Any:
    """Where a cycle is; None where Python, from 3.14 on, does not say it of its second round."""
    try:
        with warnings.catch_warnings():  # deprecated from 3.12 on
            warnings.simplefilter("ignore")
            _, (inner,), (seen, *_) = value.__reduce__()
    except (AttributeError, TypeError, ValueError):
        return None
    return len(seen), place(inner)


def _part_of_place(held: Any, depth: int) -> Any:
    if isinstance(held, list):  # what `cycle` has seen
        return len(held)
    if isinstance(held, tuple):
        plain = [one for one in held if isinstance(one, readings.PLAIN)]
        return plain, [place(one, depth) for one in held] if depth > 0 else []
    return place(held, depth) if depth > 0 else None


def _content(program: Any) -> tuple[str, list[bytes]]:
    """A program as text, without addresses of functions in memory, and its arrays."""
    arrays = [c for c in program.consts if isinstance(c, np.ndarray | jax.Array)]
    known = [_bytes(c) for c in arrays if not is_tracer(c)]
    return re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr)), known


def _bytes(array: Any) -> bytes:
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    return np.asarray(array).tobytes()


def _name(reading: Any, then: Any, owners: Iterable[Any]) -> str:
    """Whose it is and what it is called, as far as that can be told."""
    if isinstance(reading, readings.Members):
        return ", ".join(f"{reading.owner.__name__}.{n}" for n in _new_records(reading, then))
    if isinstance(reading, readings.Outer):
        where = reading.owner.__qualname__
        return ", ".join(f"'{n}' in {where}" for n in _new_records(reading, then))
    value = reading.owner if isinstance(reading, readings.Settings) else reading
    attribute = ""
    if isinstance(reading, readings.Settings) and not isinstance(value, (*_MUTABLE, np.ndarray)):
        pairs = list(zip(reading.now(), then, strict=False))
        index = next((i for i, (a, b) in enumerate(pairs) if not readings.is_same(a, b)), 0)
        name = pairs[index - 1][0] if index else ""
        attribute = f".{name}" if isinstance(name, str) and name.isidentifier() else ""
    for owner in owners:
        for name, held in list(vars(owner).items()):
            if held is value:
                kind = type(owner).__name__
                return f"{kind} '{getattr(owner, 'name', '')}'.{name}{attribute}"
    kind = type(value).__name__
    return f"{kind}{attribute}" if attribute else f"a {kind} that code keeps"


def _new_records(reading: Any, then: Any) -> list[str]:
    return sorted(reading.records(then) - reading.known)


@contextlib.contextmanager
def _put_back(moved: list[Any]) -> Generator[None]:
    """A block after which these hold again what they hold now."""
    undo: list[Callable[[], object]] = []
    for reading in moved:
        if isinstance(reading, readings.Members):
            _keep_members(reading, undo)
        elif isinstance(reading, readings.Outer):
            _keep_outer(reading, undo)
        else:
            _keep(reading.owner if isinstance(reading, readings.Settings) else reading, undo)
    try:
        yield
    finally:
        for step in undo:
            step()


@contextlib.contextmanager
def _numbers_kept(owners: list[Any]) -> Generator[None]:
    """A block after which plain attributes of layers are what they are: `self.last = count`."""
    kept = [(vars(owner), dict(vars(owner))) for owner in owners]
    try:
        yield
    finally:
        for held, before in kept:
            for name, value in before.items():
                if isinstance(value, readings.PLAIN) and isinstance(held.get(name), readings.PLAIN):
                    held[name] = value


def _keep(value: Any, undo: list[Callable[[], object]], depth: int = _DEPTH) -> None:
    if isinstance(value, np.ndarray):
        kept = value.copy()
        undo.append(lambda: _write_again(value, kept))
        return
    if isinstance(value, _MUTABLE):
        items = _items(value)
        undo.append(lambda: _refill(value, items))
    elif readings.is_settings(value):
        pairs = list(readings.attributes_of(value))
        undo.append(lambda: _set_again(value, pairs))
        items = [item for _, item in pairs]
    else:
        return
    for item in items if depth else ():
        _keep(item, undo, depth - 1)


def _write_again(array: np.ndarray, kept: np.ndarray) -> None:
    is_writeable = array.flags.writeable
    with contextlib.suppress(ValueError):  # it shows memory that nobody may write
        array.flags.writeable = True  # code may lock an array when it has written
        np.copyto(array, kept)
        array.flags.writeable = is_writeable


def _items(value: Any) -> list[Any]:
    """What is in a list, set or dict, of this one each key before its value."""
    if isinstance(value, dict):
        return list(itertools.chain.from_iterable(value.items()))
    return list(value)


def _refill(value: Any, items: list[Any]) -> None:
    now = _items(value)
    if len(now) == len(items) and all(map(operator.is_, now, items)):
        return  # a class of the user's may refuse every change
    value.clear()
    if isinstance(value, dict):
        value.update(dict(zip(items[::2], items[1::2], strict=True)))
    else:
        value.update(items) if isinstance(value, set) else value.extend(items)


def _set_again(owner: Any, pairs: list[tuple[str, Any]]) -> None:
    for name, item in pairs:
        if getattr(owner, name, None) is not item:
            with contextlib.suppress(AttributeError, TypeError):  # a frozen dataclass
                object.__setattr__(owner, name, item)


class _Number(NamedTuple):
    """A whole number that code may count with: its value, and what sets it."""

    value: int
    set: Callable[[int], object]


def _numbers(found: list[Any]) -> list[_Number]:
    """The whole numbers in what may count, in an order that stays."""
    numbers: list[_Number] = []
    for reading in found:
        if isinstance(reading, readings.Members):
            cls = reading.owner
            _add_numbers(list(vars(cls).items()), functools.partial(setattr, cls), numbers)
        elif isinstance(reading, readings.Outer):
            known = reading.owner.__globals__
            pairs = [(name, known.get(name)) for name in reading.names]
            _add_numbers(pairs, known.__setitem__, numbers)
            for cell in reading.cells.values():
                pairs = [("cell_contents", cell.cell_contents)]
                _add_numbers(pairs, functools.partial(setattr, cell), numbers)
        else:
            value = reading.owner if isinstance(reading, readings.Settings) else reading
            _add_numbers_in(value, numbers)
    return numbers


def _add_numbers_in(value: Any, numbers: list[_Number], depth: int = _DEPTH) -> None:
    if isinstance(value, np.ndarray):
        if value.size == 1 and value.dtype.kind in "iuf":
            _add_numbers([((0,) * value.ndim, value.item())], value.__setitem__, numbers)
        return
    if isinstance(value, dict | list | collections.deque):
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
        set_item: Callable[[Any, Any], object] = value.__setitem__
    elif readings.is_settings(value):
        pairs, set_item = list(readings.attributes_of(value)), functools.partial(setattr, value)
    else:
        return
    _add_numbers(pairs, set_item, numbers)
    for _, item in pairs if depth else ():
        _add_numbers_in(item, numbers, depth - 1)


def _add_numbers(
    pairs: Iterable[tuple[Any, Any]], set_item: Callable[[Any, Any], object], numbers: list[_Number]
) -> None:
    for name, value in pairs:
        if isinstance(value, int | float) and not isinstance(value, bool):
            is_whole = isinstance(value, int) or value.is_integer()
            if is_whole:
                numbers.append(_Number(int(value), functools.partial(set_item, name)))


def _keep_members(reading: readings.Members, undo: list[Callable[[], object]]) -> None:
    cls, before = reading.owner, dict(vars(reading.owner))

    def put_back() -> None:
        for name, value in before.items():
            if isinstance(value, readings.PLAIN) and vars(cls).get(name) is not value:
                setattr(cls, name, value)

    undo.append(put_back)


def _keep_outer(reading: readings.Outer, undo: list[Callable[[], object]]) -> None:
    known = reading.owner.__globals__
    for name in reading.names:
        value = known.get(name)
        if isinstance(value, readings.PLAIN):
            undo.append(functools.partial(known.__setitem__, name, value))
    for cell in reading.cells.values():
        value = cell.cell_contents
        if isinstance(value, readings.PLAIN):
            undo.append(functools.partial(setattr, cell, "cell_contents", value))


__all__ = ["FIX", "iterators_of", "place", "places_in", "warn_of", "warn_where_decisive"]
