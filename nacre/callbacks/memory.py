"""What the callbacks of a run remember, taken and given back: for a training that goes on later.

A callback says it by `remembers` (or its own `state` and `restore`), or by a pair `get_state` and
`set_state`. What one keeps and says nothing of begins anew; the attributes are named then.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nacre.callbacks.base import Callback
from nacre.core.errors import ArgumentError, message
from nacre.core.protocols import Resumable

Remembered = Sequence[tuple[str, Mapping[str, Any]]]  # name of the class, what it remembers

_GIVEN = ("model", "params", "is_restored")  # by the run, not its own
_MOST_ITEMS = 10_000  # longer lists are data


def remembered(callbacks: Iterable[Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """What each callback remembers, of those that do."""
    return [(type(c).__name__, _state(c)) for c in callbacks if _remembers(c)]


def check(callbacks: Iterable[Any], states: Remembered, who: str) -> None:
    """Raise where the callbacks are not those that remembered.

    Raises:
        ArgumentError: Others remember something, or in another order.
    """
    names = [type(c).__name__ for c in callbacks if _remembers(c)]
    wanted = [name for name, _ in states]
    if names != wanted:
        rule = f"a training continues with its callbacks: {', '.join(wanted) or 'none'}"
        raise ArgumentError(message(who, rule, ", ".join(names) or "none"))


def give_back(callbacks: Iterable[Any], states: Remembered, is_begun: bool = False) -> None:
    """Let callbacks that were checked go on from what they remembered.

    Args:
        callbacks: The callbacks.
        states: What `remembered` gave.
        is_begun: Whether their `on_train_begin` was called already.
    """
    pairs = zip([c for c in callbacks if _remembers(c)], states, strict=True)
    for callback, (_, state) in pairs:
        if _has_own_pair(callback):
            callback.set_state(state["state"])
        else:
            callback.restore(state)
        if isinstance(callback, Callback):
            callback.is_restored = not is_begun


class Undeclared:
    """The attributes that callbacks change and say nothing of.

    Args:
        callbacks: The callbacks of a run that has not begun.
    """

    def __init__(self, callbacks: Iterable[Any]) -> None:
        self._before = [(c, _plain_attributes(c)) for c in callbacks if not _declares(c)]

    def changed(self) -> dict[str, list[str]]:
        """Name of the class -> attributes with another value than before."""
        found: dict[str, list[str]] = {}
        for callback, before in self._before:
            now = _plain_attributes(callback)
            names = [name for name in now if name not in before or before[name] != now[name]]
            if names:
                found[type(callback).__name__] = names
        return found


def _has_own_pair(callback: Any) -> bool:
    return all(callable(getattr(callback, name, None)) for name in ("get_state", "set_state"))


def _remembers(callback: Any) -> bool:
    if _has_own_pair(callback):
        return True
    if not isinstance(callback, Resumable):
        return False
    if not isinstance(callback, Callback):
        return True
    return bool(callback.remembers) or type(callback).state is not Callback.state


def _state(callback: Any) -> Mapping[str, Any]:
    """What it remembers, which nothing that happens later changes."""
    if _has_own_pair(callback):
        return {"state": copy.deepcopy(callback.get_state())}
    is_copy = getattr(type(callback), "state", None) is Callback.state
    return callback.state() if is_copy else copy.deepcopy(callback.state())


def _declares(callback: Any) -> bool:
    """Whether a callback says what it remembers, be it nothing."""
    said = any("remembers" in vars(c) for c in type(callback).__mro__ if c is not Callback)
    return said or _remembers(callback) or "remembers" in vars(callback)


def _plain_attributes(callback: Any) -> dict[str, Any]:
    """Copies of attributes that are numbers, or lists and dicts of them."""
    own = getattr(callback, "__dict__", {})
    return {
        name: _copied(value)
        for name, value in own.items()
        if name not in _GIVEN and not name.startswith("__") and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= _MOST_ITEMS and all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return len(value) <= _MOST_ITEMS and all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, bool | int | float | np.number)


def _copied(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, dict) else value


__all__ = ["Remembered", "Undeclared", "check", "give_back", "remembered"]
