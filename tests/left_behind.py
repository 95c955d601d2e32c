"""What a test may not leave behind in its process: others would run as nobody runs them."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test, or a docstring's example, that leaves 64-bit numbers on.

    Whoever asks for float64 keeps it for the rest of the process. A test that does so on purpose is
    marked `float64`; they are switched off after it, for those that come next.
    """
    yield
    jax = sys.modules.get("jax")
    if jax is not None and jax.config.jax_enable_x64:
        jax.config.update("jax_enable_x64", False)
        if item.get_closest_marker("float64") is None:
            pytest.fail(f"{item.nodeid} leaves jax_enable_x64 on: mark it float64")
