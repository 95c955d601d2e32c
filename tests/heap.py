"""What a worker has in memory: bounded, and not searched again and again.

Python looks for garbage in all objects there are, and the programs that JAX keeps are made of
many: in a worker that has run half of the tests a search takes a second, and there are thousands.
What lives at the end of a file is left out of later searches. When it has become much, what JAX
keeps is forgotten: a megabyte a program.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

MANY_OBJECTS = 500_000  # some 3000 programs

_at_first = [0]


def collection_is_over() -> None:
    """The package and the tests stay until the end: no test looks for garbage in them."""
    gc.collect()
    gc.freeze()
    _at_first[0] = gc.get_freeze_count()


def file_is_over() -> None:
    """What has not been dropped by now stays, or is forgotten together with all programs."""
    if gc.get_freeze_count() - _at_first[0] > MANY_OBJECTS:
        import jax

        jax.clear_caches()
        gc.unfreeze()
        collection_is_over()
    else:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    yield
    if nextitem is not None and nextitem.path != item.path:
        file_is_over()
