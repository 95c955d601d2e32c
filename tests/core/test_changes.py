"""What counts as a change of an object that programs depend on."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest

from nacre.core import changes, scope
from nacre.core.variable import Variable


class Owner(changes.Versioned):
    __slots__ = ("_memo",)

    def __init__(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        return super().__getattribute__(name)  # what is read is not seen: all counts as read


class Settings:
    def __init__(self) -> None:
        self.rate, self.cache = 1.0, {}


def owner() -> Owner:
    return Owner(scale=1.0, name="a", shape=(1, 2), items=[1, [2]], table={"a": [1]}, array=ARRAY, small=np.zeros(2),
                 settings=Settings(), members={1},
                 last=deque([1], maxlen=3))  # fmt: skip


ARRAY = np.zeros(20)
CHANGES = {
    "a number": lambda o: setattr(o, "scale", 2.0),
    "an equal number of another type": lambda o: setattr(o, "scale", 1),
    "text": lambda o: setattr(o, "name", "b"),
    "a tuple": lambda o: setattr(o, "shape", (1, 3)),
    "an item of a list": lambda o: o.items.append(3),
    "an item of a list in a list": lambda o: o.items[1].append(3),
    "a list of the same length": lambda o: o.items.__setitem__(0, 5),
    "an item of a dict": lambda o: o.table.__setitem__("b", 1),
    "a list in a dict": lambda o: o.table["a"].append(2),
    "another large array of the same numbers": lambda o: setattr(o, "array", ARRAY.copy()),
    "a number in a small array": lambda o: o.small.__iadd__(1.0),
    "an item of a set": lambda o: o.members.add(2),
    "an item of a deque": lambda o: o.last.append(2),
    "a new attribute": lambda o: setattr(o, "new", None),
    "a number in an object of settings": lambda o: setattr(o.settings, "rate", 2.0),
    "a new number in an object of settings": lambda o: setattr(o.settings, "new", 2.0),
    "an attribute less": lambda o: delattr(o, "name"),
    "a method put in place of another": lambda o: setattr(o, "call", print),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(change: str) -> None:
    one = owner()
    snapshot = changes.Snapshot([one])
    assert snapshot.is_current()
    CHANGES[change](one)
    assert not snapshot.is_current()
    assert not snapshot.is_unchanged()


SAME = {
    "an equal number": lambda o: setattr(o, "scale", 0.5 + 0.5),
    "an equal tuple": lambda o: setattr(o, "shape", tuple([1, 2])),
    "an equal list": lambda o: setattr(o, "items", [1, [2]]),
    "to and fro": lambda o: (setattr(o, "scale", 2.0), setattr(o, "scale", 1.0)),
    "a list that is as it was": lambda o: (o.items.append(1), o.items.pop()),
    "bookkeeping": lambda o: setattr(o, "_memo", 5),
}


@pytest.mark.parametrize("change", SAME)
def test_what_is_the_same_is_no_change(change: str) -> None:
    one = owner()
    snapshot = changes.Snapshot([one])
    SAME[change](one)
    assert snapshot.is_current() or snapshot.is_unchanged()


def test_a_list_in_the_place_of_an_equal_one_is_watched() -> None:
    one = owner()
    snapshot = changes.Snapshot([one])
    one.items = [1, [2]]
    assert snapshot.is_unchanged() and snapshot.is_current()
    one.items.append(3)
    assert not snapshot.is_current()


def test_nan_is_the_same_as_nan() -> None:
    one = Owner(scale=float("nan"))
    snapshot = changes.Snapshot([one])
    one.scale = float("nan") * 1
    assert snapshot.is_unchanged()


def test_bookkeeping_raises_no_version() -> None:
    one, before = owner(), changes.version()
    one._memo = 1
    assert changes.version() == before


def traced(act: Any) -> None:
    run = scope.ProgramRun(is_traced=True)
    with changes.tracing(), scope.running_program(run):
        act()


def test_what_traced_code_sets_is_part_of_what_was_traced() -> None:
    one = owner()
    snapshot = changes.Snapshot([one])
    traced(lambda: (setattr(one, "scale", 7.0), one.items.append(9), one.table.update(x=1)))
    assert snapshot.is_current()
    one.scale = 8.0  # from outside it is a change again
    assert not snapshot.is_current() and not changes.Snapshot([one]).objects == []


def test_a_list_that_was_changed_before_the_trace_is_not_taken_for_traced() -> None:
    one = owner()
    snapshot = changes.Snapshot([one])
    one.items.append(3)
    traced(lambda: one.items.append(4))
    assert not snapshot.is_current()


def test_a_part_that_traced_code_makes_is_a_change() -> None:
    one = owner()
    snapshot = changes.Snapshot([one])
    traced(lambda: setattr(one, "weight", Variable(1.0)))
    assert not snapshot.is_current()


def test_a_part_that_traced_code_appends_is_a_change() -> None:
    one = owner()
    snapshot = changes.Snapshot([one])
    traced(lambda: one.items.append(Variable(1.0)))
    assert not snapshot.is_current()


def test_states_are_told_apart_and_known_again() -> None:
    one, contents = owner(), changes.Contents()
    first = contents.token([one])
    one.items.append(3)
    second = contents.token([one])
    one.items.pop()
    assert first != second and contents.token([one]) == first
    assert contents.token([owner()]) not in (first, second)


def test_objects_behind_attributes_count() -> None:
    inner = Owner(rate=1.0)
    one, contents = Owner(parts={"a": [inner]}), changes.Contents()
    first = contents.token([one])
    inner.rate = 2.0
    assert contents.token([one]) != first
