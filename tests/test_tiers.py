"""What a test costs: its own time, and its share of what is set up once for several."""

from __future__ import annotations

import types

import pytest

from tests.tiers import COSTLY_SECONDS, REPEATED_SECONDS, Measuring, too_costly


def report(test: str, *properties: tuple[str, object]) -> pytest.TestReport:
    made = types.SimpleNamespace(when="call", nodeid=test, user_properties=[*properties])
    return made  # type: ignore[return-value]


def test_tests_that_share_a_fixture_share_its_cost() -> None:
    measuring = Measuring()
    seconds = ("processor seconds", 0.1), ("processor seconds", 0.2)
    first = ("set up", {"a.py::model": 3.0}), ("needed", ["a.py::model"])
    measuring.pytest_runtest_logreport(report("a.py::first", *first, *seconds))
    measuring.pytest_runtest_logreport(report("a.py::alone", *seconds))
    again = ("set up", {"a.py::model": 2.0}), ("needed", ["a.py::model"])  # in another worker
    measuring.pytest_runtest_logreport(report("a.py::second", *again, *seconds))
    measuring.pytest_runtest_logreport(report("a.py::third", first[1], *seconds))
    assert measuring.costs() == pytest.approx(
        {"a.py::first": 1.3, "a.py::second": 1.3, "a.py::third": 1.3, "a.py::alone": 0.3}
    )


def test_the_quick_tier_keeps_the_cheapest_row_of_each_test_and_the_cheapest_test_of_each_file() -> (
    None
):
    low, middle, high = REPEATED_SECONDS / 2, REPEATED_SECONDS * 1.1, COSTLY_SECONDS * 2
    costs = {
        "a.py::rows[cheap]": low,
        "a.py::rows[dear]": middle,
        "a.py::rows[dearest]": high,
        "a.py::all_dear[first]": middle,
        "a.py::all_dear[second]": middle * 1.1,
        "a.py::alone": middle,
        "b.py::one": high,
        "b.py::other": high * 2,
    }
    assert too_costly(costs) == {
        "a.py::rows[dear]",
        "a.py::rows[dearest]",
        "a.py::all_dear[second]",
        "b.py::other",
    }
