"""Classes and functions of the user's in a copy of a model: the very ones, whatever their names.

A file can only hold names, and two functions made by one factory have the same. A copy within the
process, by `copy.deepcopy` or `pickle`, is told which objects are meant: its config calls them by
names that no other object has.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import MutableMapping
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

_MARK = " @"
_numbers = count()
_process: list[tuple[int, str]] = []


class Held:
    """What the config that is being written names.

    Attributes:
        things: Name in the config -> class or function.
        writes_code: Whether lambdas have their code in the config too, for other processes.
    """

    def __init__(self, things: MutableMapping[str, Any], writes_code: bool) -> None:
        self.things = things
        self.writes_code = writes_code
        self._names: MutableMapping[Any, str] = WeakKeyDictionary() if writes_code else {}

    def name_of(self, thing: Any) -> str:
        """The name of a class or function that nothing else has, in this process or another.

        Example:
            >>> held = Held({}, writes_code=False)
            >>> name = held.name_of(len)
            >>> name_in(name), held.things[name] is len, held.name_of(len) == name
            ('len', True, True)
        """
        own = str(getattr(thing, "__qualname__", type(thing).__qualname__))
        key = thing if self.writes_code else id(thing)
        try:
            name = self._names.get(key)
            if name is None:
                self._names[key] = name = f"{own}{_MARK}{next(_numbers)}-{_of_process()}"
            self.things[name] = thing
        except TypeError:  # neither hashed nor weakly referred to: known by its own name alone
            return own
        return name


def _of_process() -> str:
    """A word that other processes do not have, a forked one among them."""
    if not _process or _process[0][0] != os.getpid():
        _process[:] = [(os.getpid(), secrets.token_hex(8))]
    return _process[0][1]


def name_in(name: str) -> str | None:
    """The qualified name in one that `Held` gave; None of any other."""
    own, mark, _ = name.rpartition(_MARK)
    return own if mark else None


__all__ = ["Held", "name_in"]
