"""Items made ahead in a thread: order, errors, leaving early."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.data import Prefetched


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "nacre-prefetch"]


def wait_until_gone(seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    return not threads()


@given(st.lists(st.one_of(st.none(), st.integers()), max_size=20), st.integers(1, 4))
@settings(max_examples=20)
def test_all_items_come_in_order(items: list[int | None], ahead: int) -> None:
    assert list(Prefetched(items, ahead)) == items


def test_items_are_made_ahead_but_not_without_bound() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            yield i

    reader = Prefetched(source(), ahead=2)
    assert next(reader) == 0
    time.sleep(0.2)
    assert 2 <= len(made) <= 4
    reader.close()
    assert wait_until_gone()


def test_nothing_happens_before_the_first_item_is_asked_for() -> None:
    Prefetched(iter(pytest.fail, None))
    assert not threads()


def test_an_error_arrives_after_the_items_before_it_with_its_lines() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("broken row")

    reader = Prefetched(source())
    assert next(reader) == 1
    with pytest.raises(KeyError, match="broken row") as caught:
        next(reader)
    assert caught.traceback[-1].name == "source"
    assert wait_until_gone()


def test_leaving_early_stops_the_thread() -> None:
    reader = Prefetched(iter(lambda: 0, 1))
    next(reader)
    assert threads()
    del reader
    assert wait_until_gone()


def test_without_looking_ahead_nothing_is_taken_too_early_and_no_thread_is_made() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for i in range(5):
            made.append(i)
            yield i

    reader = Prefetched(source(), ahead=0)
    assert next(reader) == 0 and next(reader) == 1 and made == [0, 1] and not threads()
    reader.close()
    assert list(reader) == []


def test_closing_ends_a_waiting_thread_at_once_and_closes_the_generator_in_it() -> None:
    closed: list[str] = []

    def source() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(threading.current_thread().name)

    reader = Prefetched(source(), ahead=2)
    next(reader)
    time.sleep(0.05)
    begun = time.monotonic()
    reader.close()
    assert wait_until_gone() and time.monotonic() - begun < 0.05
    assert closed == ["nacre-prefetch"] and list(reader) == []


def test_closing_does_not_wait_for_an_item_that_takes_long() -> None:
    go_on = threading.Event()

    def source() -> Iterator[int]:
        yield 0
        go_on.wait(10)
        yield 1

    reader = Prefetched(source())
    next(reader)
    begun = time.monotonic()
    reader.close()
    assert time.monotonic() - begun < 0.5
    go_on.set()
    assert wait_until_gone()


def test_what_is_ready_can_be_taken_without_waiting() -> None:
    go_on = threading.Event()

    def source() -> Iterator[int]:
        yield from range(3)
        go_on.wait(10)
        yield 3

    reader = Prefetched(source(), ahead=10)
    assert next(reader) == 0
    end = time.monotonic() + 3
    made: list[int] = []
    while len(made) < 2 and time.monotonic() < end:
        made += reader.take_ready()
    assert made == [1, 2] and reader.take_ready() == []
    go_on.set()
    assert list(reader) == [3]


def test_the_thread_works_on_the_device_of_the_one_that_asked() -> None:
    device = jax.devices()[-1]
    with jax.default_device(device):
        arrays = list(Prefetched(jax.device_put(np.ones(3)) for _ in range(1)))
    assert arrays[0].devices() == {device}


def test_python_ends_while_a_thread_is_at_work() -> None:
    script = (
        "import itertools, jax, numpy as np\n"
        "from nacre.data import Prefetched\n"
        "items = (jax.device_put(np.ones(1000)) for _ in itertools.count())\n"
        "reader = Prefetched(items, ahead=10**6)\n"
        "print(next(reader).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "(1000,)\n", "")
