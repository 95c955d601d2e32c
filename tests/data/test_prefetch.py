"""Items made ahead in a thread: order, errors, leaving early."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nacre.data import prefetched


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "nacre-prefetch"]


def wait_until_gone(seconds: float = 3.0) -> bool:
    end = time.monotonic() + seconds
    while threads() and time.monotonic() < end:
        time.sleep(0.01)
    return not threads()


@given(st.lists(st.one_of(st.none(), st.integers()), max_size=20), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_all_items_come_in_order(items: list[int | None], ahead: int) -> None:
    assert list(prefetched(items, ahead)) == items


def test_items_are_made_ahead_but_not_without_bound() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            yield i

    reader = prefetched(source(), ahead=2)
    assert next(reader) == 0
    time.sleep(0.2)
    assert 2 <= len(made) <= 4
    reader.close()
    assert wait_until_gone()


def test_nothing_happens_before_the_first_item_is_asked_for() -> None:
    prefetched(iter(pytest.fail, None))
    assert not threads()


def test_an_error_arrives_after_the_items_before_it_with_its_lines() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("broken row")

    reader = prefetched(source())
    assert next(reader) == 1
    with pytest.raises(KeyError, match="broken row") as caught:
        next(reader)
    assert caught.traceback[-1].name == "source"
    assert wait_until_gone()


def test_leaving_early_stops_the_thread() -> None:
    reader = prefetched(iter(lambda: 0, 1))
    next(reader)
    assert threads()
    del reader
    assert wait_until_gone()
