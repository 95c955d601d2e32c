"""How much data may lie on a device."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nacre.core.memory import CPU_BUDGET_BYTES, device_budget


def device(stats: dict[str, int] | None) -> SimpleNamespace:
    return SimpleNamespace(memory_stats=lambda: stats)


@pytest.mark.parametrize(
    ("stats", "budget"),
    [
        ({"bytes_limit": 100, "bytes_in_use": 40}, 30),
        ({"bytes_limit": 100}, 50),
        ({"bytes_limit": 100, "bytes_in_use": 120}, 0),
        ({}, 4 << 30),
        (None, 4 << 30),
    ],
)
def test_half_of_what_is_free_on_an_accelerator_holds_data(
    monkeypatch: pytest.MonkeyPatch, stats: dict[str, int] | None, budget: int
) -> None:
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    monkeypatch.setattr("jax.local_devices", lambda: [device(stats)])
    assert device_budget() == budget
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "7")
    assert device_budget() == 7


def test_a_cpu_and_the_environment_have_numbers_of_their_own() -> None:
    assert device_budget() == CPU_BUDGET_BYTES and device_budget(5) == 5
