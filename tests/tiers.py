"""Which tests the quick tier leaves out: further rows of heavy tables, and all that were measured
to cost much. The whole suite runs all.

`NACRE_COMPILE_CACHE=0 python -m pytest -n 2 -m "not network" --measure-tiers` runs the suite, takes
the processor time of every test and writes those that cost too much to `costly.txt`: each with all
that it compiles, whether or not another test has left it behind (see `compiled.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Hashable, Iterable
from pathlib import Path
from typing import Any

import pytest

Parameters = type(pytest.param())

COSTLY = Path(__file__).with_name("costly.txt")
COSTLY_SECONDS = 0.08  # processor time; some tests in ten cost more, and together they cost most
# Of a table's further rows: one in forty costs more, and together they cost an eighth of the rest.
REPEATED_SECONDS = 0.06


def first_of_each_is_quick(rows: Iterable[Any], kind: Callable[[Any], Hashable]) -> list[Any]:
    """The rows as pytest parameters, all but the first of each kind marked `slow`.

    For tables whose rows of one kind keep the same promise with other arguments, and whose every
    row compiles something.

    Args:
        rows: A table's rows, or pytest parameters made of them.
        kind: The kind of a row: the class or function it is about.
    """
    seen: set[Hashable] = set()
    parameters = []
    for row in rows:
        marks = [pytest.mark.slow] if kind(row) in seen else []
        seen.add(kind(row))
        if isinstance(row, Parameters):
            parameters.append(pytest.param(*row.values, id=row.id, marks=[*row.marks, *marks]))
        else:
            parameters.append(pytest.param(row, marks=marks))
    return parameters


def mark_costly(items: Iterable[pytest.Item]) -> None:
    """Mark the tests of the list `slow`."""
    costly = set(_listed())
    for item in items:
        if item.nodeid in costly:
            item.add_marker(pytest.mark.slow)


def _listed() -> list[str]:
    return COSTLY.read_text(encoding="utf-8").splitlines() if COSTLY.exists() else []


def too_costly(costs: dict[str, float]) -> set[str]:
    """The tests that the quick tier leaves out.

    A file keeps its cheapest test, and a test that has rows keeps its cheapest row if that is not
    costly: what it says is asked in the quick tier too, with one row for all that cost something.

    Args:
        costs: Seconds by test.
    """
    costly = {test for test, seconds in costs.items() if seconds > COSTLY_SECONDS}
    for tests in _grouped(costs, by="::").values():
        if costly.issuperset(tests):
            costly.remove(min(tests, key=costs.__getitem__))
    for rows in _grouped(costs.keys() - costly, by="[").values():
        rows.remove(min(rows, key=costs.__getitem__))
        costly.update(row for row in rows if costs[row] > REPEATED_SECONDS)
    return costly


def _grouped(tests: Iterable[str], by: str) -> dict[str, list[str]]:
    """Tests by what stands before a sign in their names."""
    groups: dict[str, list[str]] = {}
    for test in tests:
        groups.setdefault(test.partition(by)[0], []).append(test)
    return groups


def _processor_seconds() -> float:
    """What this process and those it started and waited for have taken."""
    return sum(os.times()[:4])


class Measuring:
    """A pytest plugin that writes the list; files that were not run keep their lines.

    A test costs its own setup and call, and its share of what is set up once for several tests:
    all that need it are left out, or none, and not the one that happens to come first.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.shared: dict[str, float] = {}  # what is set up once: the node and the fixture's name
        self.users: dict[str, list[str]] = {}  # the tests that need it
        self._set_up: dict[str, float] = {}  # by the test that runs
        self._known: set[tuple[str, str]] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Generator[None, Any, Any]:
        begun = _processor_seconds()
        try:
            return (yield)
        finally:
            if fixturedef.scope != "function":
                key = request.node.nodeid, fixturedef.argname
                self._known.add(key)
                self._set_up["::".join(key)] = _processor_seconds() - begun

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        return (yield from self._timed(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        needed = [
            f"{node}::{name}"
            for node, name in self._known
            if name in getattr(item, "fixturenames", ()) and item.nodeid.startswith(node)
        ]
        item.user_properties.append(("needed", needed))
        return (yield from self._timed(item))

    def _timed(self, item: pytest.Item) -> Generator[None]:
        begun = _processor_seconds()
        try:
            return (yield)
        finally:  # travels with the report, from the worker to the process that writes
            seconds = _processor_seconds() - begun - sum(self._set_up.values())
            item.user_properties.append(("processor seconds", seconds))
            item.user_properties.append(("set up", self._set_up))
            self._set_up = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        test = report.nodeid
        for kind, value in report.user_properties:
            found: Any = value
            if kind == "processor seconds":  # of its setup, and of its call
                self.seconds[test] = self.seconds.get(test, 0.0) + found
            elif kind == "set up":  # the dearest, where several workers or parameters set it up
                for name, seconds in found.items():
                    self.shared[name] = max(seconds, self.shared.get(name, 0.0))
            elif kind == "needed":
                for name in found:
                    self.users.setdefault(name, []).append(test)

    def costs(self) -> dict[str, float]:
        """The processor time of each test, with its share of what it shares."""
        found = dict(self.seconds)
        for name, seconds in self.shared.items():
            users = self.users.get(name, [])
            for test in users:
                found[test] += seconds / len(users)
        return found

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return
        costs = self.costs()
        files = _grouped(costs, by="::")
        others = [test for test in _listed() if test.partition("::")[0] not in files]
        lines = "".join(f"{test}\n" for test in sorted([*too_costly(costs), *others]))
        COSTLY.write_text(lines, encoding="utf-8")
