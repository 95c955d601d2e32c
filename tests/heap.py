"""What a worker has in memory: bounded, and not searched again and again.

Python looks for garbage in all objects there are, and the programs that JAX keeps are made of
many: in a worker that has run half of the tests a search takes a second, and there are thousands.
What lives at the end of a file is left out of later searches. When it has become much, what JAX
keeps is forgotten.

JAX writes every program in a context of MLIR of its own, which takes a third of the time of a small
one to make, and a megabyte. Here all programs of a file and thread share one.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from typing import Any

import pytest

MANY_OBJECTS = 1_000_000  # some 6000 programs
MADE_BETWEEN_SEARCHES = 10_000  # Python itself has 700, or 2000: one small program's tracing

_at_first = [0]
_kept = [0]  # at most; counting what is there takes as long as a search
_contexts: list[threading.local] = []  # one: that of the file


def collection_is_over() -> None:
    """The package and the tests stay until the end: no test looks for garbage in them."""
    gc.set_threshold(MADE_BETWEEN_SEARCHES, *gc.get_threshold()[1:])
    gc.collect()
    gc.freeze()
    _at_first[0] = gc.get_freeze_count()
    _kept[0] = 0


def share_contexts() -> None:
    """Used: `jax._src.interpreters.mlir.make_ir_context`; a JAX that has none makes its own."""
    from jax._src.interpreters import mlir
    from jax._src.lib.mlir import ir

    make = getattr(mlir, "make_ir_context", None)
    if make is None:
        return
    _contexts[:] = [threading.local()]

    def shared_context() -> Any:
        if ir.Context.current is not None:
            # Written while another one is: in one context it would become a part of that.
            return make()
        here = _contexts[0]
        if not hasattr(here, "context"):
            here.context = make()
        return here.context

    mlir.make_ir_context = shared_context


def file_is_over() -> None:
    """What has not been dropped by now stays, or is forgotten together with all programs."""
    _contexts[:] = [threading.local()]
    leave_out_what_lives()


def leave_out_what_lives() -> None:
    """Search once more, and no more in what is found to live.

    Also for files whose every test builds and drops much: searches for what one has dropped go
    through the programs of all before it.
    """
    gc.collect()
    _kept[0] += len(gc.get_objects())
    gc.freeze()
    if _kept[0] <= MANY_OBJECTS:
        return
    _kept[0] = gc.get_freeze_count() - _at_first[0]  # some are gone meanwhile
    if _kept[0] > MANY_OBJECTS:
        import jax

        jax.clear_caches()
        gc.unfreeze()
        collection_is_over()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    yield
    if nextitem is not None and nextitem.path != item.path:
        file_is_over()
