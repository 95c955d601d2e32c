"""What a test may not leave behind in its process: others would run as nobody runs them."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

_TF = Path(__file__).parents[1] / "nacre" / "tf"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Arrays have the methods of tensors in the examples of `nacre.tf`, as where `tf` is asked for.

    A name that `tf` has found once it does not look for, nor lend methods for, a second time.
    """
    if item.path.is_relative_to(_TF):
        from nacre.tf.methods import lend_methods

        lend_methods()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Take tensors' methods back, and fail a test or an example that leaves 64-bit numbers on.

    Methods are lent wherever something asks `tf` for a name, as an importer's own example does.
    Whoever asks for float64 keeps it for the rest of the process. A test that does so on purpose is
    marked `float64`; they are switched off after it, for those that come next.
    """
    yield
    methods = sys.modules.get("nacre.tf.methods")
    if methods is not None:
        methods.take_methods_back()
    jax = sys.modules.get("jax")
    if jax is not None and jax.config.jax_enable_x64:
        jax.config.update("jax_enable_x64", False)
        if item.get_closest_marker("float64") is None:
            pytest.fail(f"{item.nodeid} leaves jax_enable_x64 on: mark it float64")
