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
import itertools
import operator
import re
import types
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import readings
from nacre.core.errors import message
from nacre.core.tracing import is_tracer
from nacre.core.warning import warn

_MUTABLE = (list, dict, set, collections.deque)
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
    owners: Iterable[Any],
    trace: Callable[[], Any],
) -> None:
    """Warn where a program depends on how often its code ran.

    Args:
        changed: What a trace changed, each with what it was before; see `changes.Snapshot`.
        drawn: The generators of random numbers that were drawn from meanwhile, be it by the code
            or by another thread. They are not put back, as that one goes on.
        owners: The layers that were called, to say whose it is.
        trace: Traces the code once more and gives its program, a closed jaxpr.
    """
    names = [_name(reading, then, owners) for reading, then in changed]
    with _put_back([reading for reading, _ in changed]):
        try:
            first, second = _content(trace()), _content(trace())
        except Exception:
            return  # of code that bears one call alone: the next trace says so, where there is one
    if first != second and drawn:
        warn_of_draws(", ".join(drawn), "code that draws from it")
    if first != second and names:
        warn_of(", ".join(dict.fromkeys(names)))


def iterators_of(owner: Any) -> list[tuple[Any, str, Any]]:
    """(owner, name, where it is) of each iterator in an object's attributes."""
    found = [(name, place(value)) for name, value in list(vars(owner).items())]
    return [(owner, name, now) for name, now in found if now is not None]


def place(value: Any) -> Any:
    """Where an iterator is; None of others, and of those that do not show it."""
    if isinstance(value, types.GeneratorType):
        frame = value.gi_frame
        if frame is None:
            return "ended"
        plain = {k: v for k, v in frame.f_locals.items() if isinstance(v, readings.PLAIN)}
        return frame.f_lasti, plain
    if isinstance(value, itertools.count):
        return repr(value)
    if isinstance(value, Iterator) and hasattr(value, "__length_hint__"):
        return operator.length_hint(value)
    return None


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


__all__ = ["FIX", "iterators_of", "place", "warn_of", "warn_where_decisive"]
