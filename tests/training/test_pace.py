"""How many steps a dispatch runs, by what dispatches took."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nacre.training import pace
from nacre.training.pace import SEEN_SECONDS, UNSEEN_SECONDS, Measured, Pace


class Machine:
    """Runs steps; the clock goes on as long as they take.

    Args:
        beginning: Seconds that beginning a dispatch takes.
        step: Seconds of each step.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, beginning: float, step: float) -> None:
        self.now, self.beginning, self.step = 0.0, beginning, step
        for clock in ("perf_counter", "process_time"):
            monkeypatch.setattr(pace.time, clock, lambda: self.now)

    def counts(self, runner: Pace, steps: int) -> list[int]:
        stretch: Any = SimpleNamespace(num_steps=steps, repeats=True, is_awaited=True)
        counts: list[int] = []
        for _, count in runner.dispatches(stretch):
            counts.append(count)
            self.now += self.beginning + count * self.step
        return counts


@pytest.mark.parametrize(
    ("seconds", "most"), [(UNSEEN_SECONDS, (0.5, 2.1)), (SEEN_SECONDS, (0.1, 1.1))]
)
def test_dispatches_that_are_dear_to_begin_last_longer(monkeypatch, seconds, most):
    for beginning, longest in zip((0.0, 0.04), most, strict=True):
        machine = Machine(monkeypatch, beginning, 0.08)
        counts = machine.counts(Pace(None, seconds), 200)
        assert sum(counts) == 200
        lasted = [beginning + count * 0.08 for count in counts[3:-1]]
        assert longest / 2 < max(lasted) < longest + 0.08


def test_fast_steps_are_not_run_one_by_one_to_measure(monkeypatch):
    counts = Machine(monkeypatch, 0.0002, 0.0001).counts(Pace(None, UNSEEN_SECONDS), 100_000)
    assert counts[:2] == [1, 4] and min(counts[2:-1]) > 1000


def test_a_later_run_goes_on_with_what_was_measured(monkeypatch):
    machine, measured = Machine(monkeypatch, 0.04, 0.08), Measured()
    first = Pace(None, UNSEEN_SECONDS)
    first.go_on_with(measured)
    assert machine.counts(first, 40)[:3] == [1, 4, 1]
    later = Pace(None, UNSEEN_SECONDS)
    later.go_on_with(measured)
    assert len(machine.counts(later, 40)) == 2


def test_a_machine_that_became_slower_is_noticed(monkeypatch):
    machine, measured = Machine(monkeypatch, 0.04, 0.08), Measured()
    runner = Pace(None, UNSEEN_SECONDS)
    runner.go_on_with(measured)
    machine.counts(runner, 100)
    machine.step = 0.8
    assert machine.counts(runner, 100)[1] <= 2


def test_a_number_that_was_asked_for_is_kept(monkeypatch):
    machine, measured = Machine(monkeypatch, 0.04, 0.08), Measured()
    runner = Pace(3, UNSEEN_SECONDS)
    runner.go_on_with(measured)
    assert machine.counts(runner, 9) == [3, 3, 3] and measured.step_seconds is None
