"""Tensors that traced code keeps: `self.last = x` in `call`, or `self.seen.append(x)`.

While a step is traced such a tensor stands for a value; afterwards it stands for nothing, and JAX
only says so, in words about its insides, to who asks. When a trace is over, what it left behind in
attributes is replaced by a `LostTensor`, which says whose it is and what to do instead. A trial,
run to find shapes, leaves nothing behind: attributes are as they were before. The same is done for
lists, dicts and names outside of the functions that were traced, of the script or of a function
around them; of what is deeper in there, JAX's own error tells.
"""

# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false
# Values are anything; isinstance() leaves what they hold unknown.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import collections
import contextlib
import copy
import functools
import itertools
import types
from collections.abc import Callable, Generator, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, NoReturn

from nacre.core import attribute_reads, moved, readings
from nacre.core.context import changed, current
from nacre.core.errors import NotThereError, TracedValueError, message
from nacre.core.tracing import is_tracer
from nacre.core.warning import warn


class Leftovers:
    """What a trace under way may leave tensors in.

    Attributes:
        kept: What was set: (id of owner, name) -> (owner, the value before).
        called: The layers of users that were called, by id: they may have added to lists.
        outside: What functions of users may keep tensors in, by the functions' ids.
        read: The attribute of a lost tensor that was used meanwhile, or nothing.
        is_new: Whether, once it is over, tensors stand where none of an earlier trace stood: no
            code has met one there yet.
        is_trial: Whether attributes are set back when it is over; see `cleared`.
        moved: Numbers that code reads, changes and decides by: (owner, name).
        changed: What else programs depend on and the trace changed, each with what it was before.
        drawn: Generators of random numbers of the host that code drew from.
        is_told_of_draws: Whether it is known, and told, what draws from them.
        iterators: Those in attributes of layers that were called: (owner, name, where it was).
    """

    __slots__ = (
        "_reads",
        "_values",
        "_was_read_first",
        "called",
        "changed",
        "drawn",
        "is_new",
        "is_told_of_draws",
        "is_trial",
        "iterators",
        "kept",
        "moved",
        "outside",
        "read",
        "taken",
    )

    def __init__(self) -> None:
        self.is_new = self.is_trial = self.is_told_of_draws = False
        self.drawn: list[str] = []
        self.taken: list[str] = []
        self.moved: list[tuple[Any, str]] = []
        self.changed: list[tuple[Any, Any]] = []
        self.iterators: list[tuple[Any, str, Any]] = []
        self._reads: dict[tuple[int, str], int] = {}
        self._was_read_first: dict[tuple[int, str], bool] = {}
        self._values: dict[tuple[int, str], list[Any]] = {}  # numbers, before each setting
        self.read = ""
        self.kept: dict[tuple[int, str], tuple[Any, Any]] = {}
        self.called: dict[int, Any] = {}
        self.outside: dict[int, Outside] = {}

    def note_read(self, owner: Any, name: str) -> None:
        """An attribute of a user's object is read."""
        key = id(owner), name
        self._reads[key] = self._reads.get(key, 0) + 1

    def note_set(self, owner: Any, name: str, before: Any) -> None:
        """An attribute is set; `before` was its value."""
        key = id(owner), name
        if key not in self.kept:
            self.kept[key] = owner, before
            self._was_read_first[key] = key in self._reads
        if self._was_read_first[key] and _is_number(before):
            self._values.setdefault(key, []).append(before)

    def note_moved(self) -> None:
        """Find out, once it is over, which numbers it read and changed.

        One that is only added to, as where a script counts how often its code is traced, decides
        nothing.
        """
        for (key, name), values in self._values.items():
            owner, _ = self.kept[key, name]
            now = vars(owner).get(name)
            if not _is_number(now) or now == values[0]:
                continue
            is_sum = all(a < b for a, b in itertools.pairwise([*values, now]))
            if not (is_sum and self._reads[key, name] <= len(values)):
                self.moved.append((owner, name))


MISSING = object()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


FIX = (
    "Return it as an output of the model; or keep it in a variable: "
    "self.last = self.add_weight(shape, trainable=False) in build and self.last.assign(x) in "
    "call; or call the model on arrays, model(x), which runs without compiling and keeps real "
    "values."
)
FIX_OF_METRICS = (
    "Keep it in a variable: self.total = self.add_variable((), 'zeros') in __init__ and "
    "self.total.assign_add(x) in update_state; or compile(run_eagerly=True), which is slow."
)


_OUTSIDE_FIX = (
    "Return it as an output of what is compiled; or keep it in a variable made before, "
    "kept.assign(x); or run it uncompiled, where tensors have values: compile(run_eagerly=True), "
    "or python_function of a nacre.function."
)


class LostTensor:
    """Stands where traced code kept a tensor, once the trace is over.

    Args:
        where: The attribute, for messages.
        like: The tensor.
        fix: What to do instead.
    """

    _is_part = False
    _is_layer = False
    __array_priority__ = 200

    def __init__(self, where: str, like: Any, fix: str = FIX) -> None:
        self.where, self.fix = where, fix
        self.shape, self._dtype = tuple(like.shape), str(like.dtype)

    @property
    def dtype(self) -> str:
        """Its name. Of a key of random numbers nobody asks but who draws with it."""
        if self._dtype.startswith("key"):
            self._refuse()
        return self._dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def _message(self) -> str:
        return message(
            self.where,
            "a tensor that is kept while a step is compiled has no value afterwards",
            f"{self!r}, used again",
            self.fix,
        )

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        self._note_reading()
        raise TracedValueError(self._message())

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._note_reading()
        raise NotThereError(self._message())

    def _note_reading(self) -> None:
        trace = current().leftovers
        if trace is not None:
            trace.read = trace.read or self.where

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.shape))
        return f"<tensor of a compiled step, {self._dtype}[{sizes}], without a value>"

    def __eq__(self, other: object) -> bool:
        return other is self or (other is not None and self._refuse())

    def __format__(self, spec: str) -> str:
        return repr(self) if not spec else self._refuse()

    __hash__ = object.__hash__
    __array__ = __jax_array__ = __float__ = __int__ = __bool__ = __index__ = __complex__ = _refuse
    __len__ = __iter__ = __getitem__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __neg__ = __pos__ = __abs__ = __invert__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = _refuse
    __rmatmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _refuse
    __mod__ = __rmod__ = __pow__ = __rpow__ = __and__ = __rand__ = __or__ = __ror__ = _refuse


def refuse_lost(value: Any) -> None:
    """Raise where a value is a lost tensor, for those who would call it something else."""
    if isinstance(value, LostTensor):
        value._refuse()


def note(owner: Any, name: str, before: Any) -> None:
    """An attribute is being set; `MISSING` was its value where it had none."""
    trace = current().leftovers
    if trace is not None:
        trace.note_set(owner, name, before)


def note_called(owner: Any) -> None:
    """A layer is called, and may add tensors to lists and dicts in its attributes."""
    trace = current().leftovers
    if trace is not None and id(owner) not in trace.called:
        trace.called[id(owner)] = owner
        if readings.is_users(type(owner)):
            trace.iterators += moved.iterators_of(owner)
        for cls in readings.classes_of(owner):
            for function in readings.functions_of(cls):
                note_function(function)


def note_told_of_draws() -> None:
    """Somebody has told what draws random numbers of the host in the trace under way."""
    trace = current().leftovers
    if trace is not None:
        trace.is_told_of_draws = True


def note_function(function: types.FunctionType) -> None:
    """A function of a user's is traced, and may keep tensors in what it reads from outside."""
    trace = current().leftovers
    if trace is not None and id(function) not in trace.outside:
        trace.outside[id(function)] = Outside(function)


_MOST_ITEMS = 1000  # of a list or dict outside; a longer one is data
_DEPTH = 4  # of those within one another
_KEEPING = (list, dict, collections.deque)


class Outside:
    """Names, lists and dicts outside of a function that it may keep tensors in.

    Args:
        function: The function, before it is traced: a trial sets all back to what it is now.
    """

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function
        code = function.__code__
        self.cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        read = readings.global_names(code)
        self.names = {*read, *readings.global_names(code, readings.WRITES_OF_MODULE)}
        self._before = {key: (value, _copy(value)) for key, value, _ in self._places()}

    def _places(self) -> Iterator[tuple[str, Any, Callable[[Any], None]]]:
        """(where, value, what sets it) of each name."""
        known = self.function.__globals__
        for name in self.names:
            if name in known:
                yield name, known[name], functools.partial(known.__setitem__, name)
        for name, cell in self.cells.items():
            try:
                value = cell.cell_contents
            except ValueError:  # nothing was assigned yet
                continue
            yield name, value, functools.partial(setattr, cell, "cell_contents")

    def clear(self, is_trial: bool) -> bool:
        """Replace tensors of a trace that is over; whether some stand where none stood before."""
        is_new = False
        for name, value, put in list(self._places()):
            is_list = isinstance(value, _KEEPING)
            if not (is_tracer(value) or (is_list and _holds(None, value, _DEPTH, _MOST_ITEMS))):
                continue
            before, content = self._before.get(name, (MISSING, None))
            is_new = is_new or not _holds(LostTensor, before if content is None else content)
            if not is_trial or before is MISSING:
                put(_without_tracers(value, f"'{name}'", _OUTSIDE_FIX, _DEPTH))
            elif is_list and before is value and content is not None:
                value.clear()
                value.update(content) if isinstance(value, dict) else value.extend(content)
            else:
                put(before)
        return is_new


def _copy(value: Any) -> Any:
    """What is in a list or dict that is small enough to be kept track of."""
    is_kept = isinstance(value, _KEEPING) and len(value) <= _MOST_ITEMS
    return copy.copy(value) if is_kept else None


@contextmanager
def cleared(is_trial: bool = False, root: Any = None) -> Generator[Leftovers]:
    """Around a trace: tensors it leaves in attributes are replaced when it is over.

    Args:
        is_trial: The attributes are set back instead, as also where the trace fails.
        root: A layer whose `call` is run without calling the layer.
    """
    outer, trace = current().leftovers, Leftovers()
    try:
        with attribute_reads.noted(), changed(leftovers=trace):
            if root is not None:
                note_called(root)
            yield trace
            is_trial = is_trial or trace.is_trial
    except BaseException:
        is_trial = True
        raise
    finally:
        trace.note_moved()
        _clear_attributes(trace, is_trial)
        if outer is None or is_trial:
            for outside in trace.outside.values():
                trace.is_new = outside.clear(is_trial) or trace.is_new
        if outer is not None:
            outer.outside = {**trace.outside, **outer.outside}
        if outer is None:
            _clear_containers(trace, is_trial)
        else:  # lists may hold tensors of the trace around this one
            outer.called |= trace.called
            outer.read = outer.read or trace.read
            outer.moved += trace.moved
            outer.iterators += trace.iterators
            outer.is_told_of_draws |= trace.is_told_of_draws


def apart() -> changed:
    """A block whose traces are not a part of the one under way: its code runs in this one alone."""
    return changed(leftovers=None)


def _clear_attributes(trace: Leftovers, is_trial: bool) -> None:
    for (_, name), (owner, before) in trace.kept.items():
        present = vars(owner).get(name)
        if not _holds_tracers(present) and not (is_trial and _holds(LostTensor, present)):
            continue
        if not is_trial:
            where = f"{_who(owner)}.{name}"
            trace.is_new = trace.is_new or not _holds(LostTensor, before)
            object.__setattr__(owner, name, _without_tracers(present, where))
        elif before is MISSING:
            object.__delattr__(owner, name)
        else:
            object.__setattr__(owner, name, before)


def _clear_containers(trace: Leftovers, is_trial: bool) -> None:
    for owner in trace.called.values():
        if not readings.is_users(type(owner)):
            continue
        for name, value in list(vars(owner).items()):
            if is_tracer(value):  # of an object that does not tell what is set
                vars(owner)[name] = LostTensor(f"{_who(owner)}.{name}", value)
                continue
            if not isinstance(value, list | dict | collections.deque) or not _holds_tracers(value):
                continue
            if is_trial:
                _take_out(value)
            else:
                trace.is_new = trace.is_new or not _holds(LostTensor, value)
                _without_tracers(value, f"{_who(owner)}.{name}")


def _who(owner: Any) -> str:
    return f"{type(owner).__name__} '{getattr(owner, 'name', None) or ''}'"


def _holds_tracers(value: Any) -> bool:
    return _holds(None, value)


def _holds(kind: type | None, value: Any, depth: int = 100, most: float = float("inf")) -> bool:
    """Whether a value is, or holds in lists and dicts, one of a kind; None stands for tracers.

    Args:
        kind, value: The two.
        depth, most: Lists deeper within one another, and those of more items, are left out.
    """
    if isinstance(value, list | tuple | dict | collections.deque):
        if not depth or len(value) > most:
            return False
        items = list(value.values() if isinstance(value, dict) else value)
        return any(_holds(kind, item, depth - 1, most) for item in items)
    return is_tracer(value) if kind is None else isinstance(value, kind)


def warn_where_read(trace: Leftovers, run: Callable[[], object]) -> None:
    """Warn where code that has just been traced reads what its previous call kept.

    In the trace it met what stood there before, and compiled that in for all batches.

    Args:
        trace: The one that is over.
        run: Traces it once more.
    """
    users = [owner for owner in trace.called.values() if readings.is_users(type(owner))]
    held = [value for owner in users for value in vars(owner).values()]
    before = [(v, copy.copy(v)) for v in held if isinstance(v, list | dict | collections.deque)]
    where = ""
    try:
        with cleared(is_trial=True) as again:
            try:
                run()
            finally:
                where = again.read
    except Exception:
        pass  # of code that bears one call alone: the next trace says so, where there is one
    for value, then in before:
        value.clear()
        value.update(then) if isinstance(value, dict) else value.extend(then)
    if where:
        rule = "what a call keeps must not be read by the next one where steps are compiled"
        got = "code that reads it: in every batch it meets what stood there before the first"
        warn(message(where, rule, got, FIX))


def lose(owners: Iterable[Any], fix: str) -> None:
    """Replace the tensors that objects of the user's keep while a trace goes on, for what comes
    next is computed apart from them: the result of a metric, once, after many updates.

    Args:
        owners: The objects.
        fix: What to do instead, for messages.
    """
    for owner in owners:
        if readings.is_users(type(owner)):
            for name, value in list(vars(owner).items()):
                if _holds_tracers(value):
                    where = f"{_who(owner)}.{name}"
                    object.__setattr__(owner, name, _without_tracers(value, where, fix))


def warn_where_counted(trace: Leftovers, run: Callable[[], object]) -> None:
    """Warn of numbers that code changes whenever it runs: a trace runs it, a step does not.

    One that only remembers something of its inputs, as their size, is the same after each run.

    Args:
        trace: The one that is over.
        run: Traces it once more.
    """
    found = {(id(owner), name): (owner, vars(owner).get(name)) for owner, name in trace.moved}
    with cleared(is_trial=True) as again, contextlib.suppress(Exception):
        run()
    moved_again = {(id(owner), name) for owner, name in again.moved}
    for (key, name), (owner, value) in found.items():
        object.__setattr__(owner, name, value)
        if (key, name) in moved_again:
            moved.warn_of(f"{_who(owner)}.{name}")


def warn_where_taken(trace: Leftovers) -> None:
    """Warn of iterators in layers' attributes that a trace took something of."""
    for owner, name, before in trace.iterators:
        now = moved.places_in(vars(owner).get(name))
        if now is not None and now != before:
            moved.warn_of(f"{_who(owner)}.{name}", "an iterator that code takes from")


def _without_tracers(value: Any, where: str, fix: str = FIX, depth: int = 100) -> Any:
    """The value with lost tensors in the place of tracers; lists and dicts are changed in place."""
    if is_tracer(value):
        return LostTensor(where, value, fix)
    if not depth:
        return value
    if type(value) is tuple:
        items = enumerate(value)
        return tuple(_without_tracers(v, f"{where}[{i}]", fix, depth - 1) for i, v in items)
    if isinstance(value, list | dict | collections.deque):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        # Those of this one first: a list may hold itself.
        for key, item in sorted(items, key=_is_held_deeper):
            value[key] = _without_tracers(item, f"{where}[{key!r}]", fix, depth - 1)
    return value


def _is_held_deeper(entry: tuple[Any, Any]) -> bool:
    return not is_tracer(entry[1])


def _take_out(value: list[Any] | collections.deque[Any] | MutableMapping[Any, Any]) -> None:
    if isinstance(value, MutableMapping):
        for key in [k for k, item in value.items() if _holds_tracers(item)]:
            del value[key]
        return
    kept = [item for item in value if not _holds_tracers(item)]
    value.clear()
    value.extend(kept)


def lost(who: str) -> TracedValueError:
    """The error for a tensor that was kept where nobody looks, such as a list of the script's."""
    rule = "a tensor that is kept while a function is compiled has no value afterwards"
    return TracedValueError(message(who, rule, "such a tensor, used again", FIX))


__all__ = [
    "FIX",
    "FIX_OF_METRICS",
    "MISSING",
    "LostTensor",
    "apart",
    "cleared",
    "lose",
    "lost",
    "note",
    "note_called",
    "note_function",
    "note_told_of_draws",
    "refuse_lost",
    "warn_where_counted",
    "warn_where_read",
    "warn_where_taken",
]
