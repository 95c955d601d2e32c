"""Tests that need several devices: JAX counts them once, so they run in a process of their own.

The suite runs as a person's machine does, with one device. What is marked `eight_devices` is
skipped there and run by `tests/test_devices.py`, which starts pytest once more, on one CPU that JAX
divides in eight. To run such a test alone:

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python -m pytest -m eight_devices FILE
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

FLAG = "--xla_force_host_platform_device_count=8"
FOLDER = Path(__file__).parent


def has_eight() -> bool:
    """Tell whether JAX sees eight devices in this process; asked without starting JAX."""
    return FLAG in os.environ.get("XLA_FLAGS", "")


def environment() -> dict[str, str]:
    """The variables of a process that has eight devices."""
    flags = os.environ.get("XLA_FLAGS", "")
    return {**os.environ, "XLA_FLAGS": f"{flags} {FLAG}".strip()}


def files() -> list[Path]:
    """The files that hold such tests; only these are imported in the process with eight devices."""
    return [
        path
        for path in sorted(FOLDER.rglob("test_*.py"))
        if "mark.eight_devices" in path.read_text(encoding="utf-8")
    ]


def skip_where_one(items: Iterable[pytest.Item]) -> None:
    """Skip what needs eight devices in a process that has one."""
    if has_eight():
        return
    reason = pytest.mark.skip(reason="needs eight devices: tests/test_devices.py runs it there")
    for item in items:
        if item.get_closest_marker("eight_devices"):
            item.add_marker(reason)
