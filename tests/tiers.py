"""Which tests the quick tier leaves out: further rows of heavy tables, and all that were measured
to cost much. The whole suite runs all.

`NACRE_COMPILE_CACHE=0 python -m pytest -n 2 -m "not network" --measure-tiers` runs the suite, takes
the processor time of every test and writes those above `COSTLY_SECONDS` to `costly.txt`: each with
all that it compiles, whether or not another test has left it behind (see `compiled.py`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Hashable, Iterable
from pathlib import Path
from typing import Any

import pytest

Parameters = type(pytest.param())

COSTLY = Path(__file__).with_name("costly.txt")
COSTLY_SECONDS = 0.12  # processor time; one test in eight costs more, and together they cost most


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


def _processor_seconds() -> float:
    """What this process and those it started and waited for have taken."""
    return sum(os.times()[:4])


class Measuring:
    """A pytest plugin that writes the list; files that were not run keep their lines.

    A file keeps its cheapest test, if all are costly.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        begun = _processor_seconds()
        try:
            return (yield)
        finally:  # travels with the report, from the worker to the process that writes
            item.user_properties.append(("processor seconds", _processor_seconds() - begun))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "processor seconds" and report.when == "call":
                self.seconds[report.nodeid] = float(str(value))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workerinput"):
            return
        costly = {test for test, seconds in self.seconds.items() if seconds > COSTLY_SECONDS}
        files: dict[str, list[str]] = {}
        for test in self.seconds:
            files.setdefault(test.partition("::")[0], []).append(test)
        for tests in files.values():
            if costly.issuperset(tests):
                costly.remove(min(tests, key=self.seconds.__getitem__))
        others = [test for test in _listed() if test.partition("::")[0] not in files]
        lines = "".join(f"{test}\n" for test in sorted([*costly, *others]))
        COSTLY.write_text(lines, encoding="utf-8")
