"""Batches that one dispatch runs several of: those that are there, of one form, in their order."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from nacre.data import Dataset, PyDataset
from nacre.data.batch_feed import BatchFeed
from nacre.data.batch_source import BatchSource
from nacre.data.chunks import MOST_BATCHES
from nacre.data.feed import Stretch


def batch(number: int, rows: int = 2) -> Any:
    return np.full((rows, 3), number, "float32"), {"b": np.full(rows, 2 * number, "int32")}


class Loader:
    """A data loader that may take its time over a batch."""

    def __init__(self, items: list[Any], seconds: float = 0.0) -> None:
        self.items, self.seconds, self.made = items, seconds, 0

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            time.sleep(self.seconds)
            self.made += 1
            if isinstance(item, Exception):
                raise item
            yield item


def feed_of(data: Any, **options: Any) -> BatchFeed:
    return BatchFeed(BatchSource(data), in_chunks=True, **options)


def numbers(stretch: Stretch) -> list[int]:
    """The number of each batch of a stretch."""
    x = np.asarray(stretch.arrays[0])
    b = np.asarray(stretch.arrays[1])
    found: list[int] = []
    for index in range(stretch.num_steps):
        rows = slice(
            first := stretch.first_row + index * stretch.batch_size, first + stretch.batch_size
        )
        assert (x[rows] == x[rows][:1]).all() and (b[rows] == 2 * x[rows, 0]).all()
        assert len(x[rows]) == stretch.batch_size
        found.append(int(x[rows][0, 0]))
    return found


def wait_for(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)


def test_batches_that_are_there_are_run_together_and_all_come_once_in_their_order() -> None:
    data = Loader([batch(n) for n in range(40)])
    feed = feed_of(data)
    feed.source.first()
    for _ in range(2):
        found: list[list[int]] = []
        for stretch in feed.epoch():
            assert stretch.step == sum(map(len, found)) and stretch.structure == (0, {"b": 0}, None)
            found.append(numbers(stretch))
            made = data.made
            wait_for(lambda made=made: data.made >= min(40, made + 8))
        assert list(itertools.chain(*found)) == list(range(40))
        assert len(found) < 20 and max(map(len, found)) <= MOST_BATCHES
        data.made = 0


def test_nobody_waits_for_a_second_batch() -> None:
    epoch = feed_of(Loader([batch(n) for n in range(30)], seconds=0.2)).epoch()
    begun = time.perf_counter()
    assert numbers(next(epoch)) == [0] and numbers(next(epoch)) == [1]
    assert time.perf_counter() - begun < 1.5
    epoch.close()


def test_no_more_is_made_ahead_than_a_chunk_holds_or_is_asked_for() -> None:
    for ahead, most in ((None, MOST_BATCHES), (3, 3)):
        data = Loader([batch(n) for n in range(99)])
        feed = feed_of(data, ahead=ahead)
        feed.source.first()
        epoch = feed.epoch()
        assert next(epoch).num_steps <= most
        time.sleep(0.2)
        assert data.made <= 1 + most + MOST_BATCHES  # what was taken, and what is ready
        epoch.close()


def test_large_batches_come_by_themselves_two_ahead() -> None:
    data = Loader([(np.zeros((2, 3 << 20), "float32"), np.zeros(2, "int32"))] * 9)
    feed = feed_of(data)
    feed.source.first()
    epoch = feed.epoch()
    assert not next(epoch).repeats
    time.sleep(0.1)
    assert data.made <= 4
    epoch.close()


OTHERS: dict[str, Any] = {
    "a smaller one": batch(7, rows=1),
    "another width": (np.full((2, 4), 7, "float32"), {"b": np.full(2, 14, "int32")}),
    "another dtype": (np.full((2, 3), 7, "float16"), {"b": np.full(2, 14, "int32")}),
    "another structure": (np.full((2, 3), 7, "float32"), np.full(2, 14, "int32")),
    "weights": (*batch(7), np.ones(2, "float32")),
    "fewer targets": (np.full((2, 3), 7, "float32"), {"b": np.full(1, 14, "int32")}),
    "arrays on the device": (jnp.full((2, 3), 7.0), {"b": jnp.full(2, 14)}),
    "wide numbers": (np.full((2, 3), 7.0), {"b": np.full(2, 14)}),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("is_first", [False, True])
def test_a_batch_of_another_form_comes_by_itself_in_its_place(other: Any, is_first: bool) -> None:
    items = [batch(0), batch(1), other, batch(2)]
    items = [other, *items] if is_first else items
    found = list(feed_of(Loader(items)).epoch())
    alone = [s for s in found if np.asarray(s.arrays[0]).flat[s.first_row * 3] == 7]
    assert [s.step for s in alone] == ([0, 3] if is_first else [2])
    rest = [s for s in found if not any(s is other for other in alone)]
    assert list(itertools.chain(*map(numbers, rest))) == [0, 1, 2]
    assert sum(s.num_steps for s in found) == len(items)
    if not is_first:
        assert not alone[0].repeats and all(s.repeats for s in rest)


def test_which_batches_lie_in_chunks_does_not_follow_from_a_clock() -> None:
    items = [batch(n, rows=2 if n % 3 else 1) for n in range(12)]
    ways = []
    for seconds in (0.0, 0.01):
        stretches = feed_of(Loader(items, seconds)).epoch()
        ways.append([s.repeats for s in stretches for _ in range(s.num_steps)])
    assert ways[0] == ways[1]


def test_a_run_that_goes_on_lays_down_what_the_one_before_it_did() -> None:
    items = [batch(0), batch(1), batch(2, rows=1), batch(3, rows=1), batch(4)]
    feed = feed_of(items)
    feed.be_resumable()
    epoch = feed.epoch()
    before = [next(epoch).repeats for _ in range(2)]
    state = feed.state()
    epoch.close()
    again = feed_of(items)
    again.restore(state)
    after = [s.repeats for s in again.epoch(0, 2)]
    assert before + after == [True, True, False, False, True]


def test_an_error_comes_after_the_batches_before_it() -> None:
    data = Loader([*(batch(n) for n in range(5)), KeyError("row 7")])
    feed = feed_of(data)
    feed.source.first()
    epoch, found, data.made = feed.epoch(), list[int](), 1

    def run() -> None:
        for stretch in epoch:
            found.extend(numbers(stretch))
            wait_for(lambda: data.made >= 6)

    with pytest.raises(KeyError, match="row 7"):
        run()
    assert found == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("why", ["called between", "resumable", "without a thread", "a generator"])
def test_batches_come_one_by_one_where_somebody_looks_at_each(why: str) -> None:
    data: Any = Loader([batch(n) for n in range(20)])
    feed = feed_of(iter(data) if why == "a generator" else data, ahead=0 if why[0] == "w" else None)
    if why == "called between":
        feed.overlaps = False
    if why == "resumable":
        feed.be_resumable()
    for number, stretch in enumerate(feed.epoch()):
        assert stretch.num_steps == 1 and stretch.step == number
        assert feed.state()["step"] == number + 1
        assert stretch.repeats == (why != "a generator")
        assert stretch.is_awaited == (why in ("called between", "resumable", "a generator"))
        time.sleep(0.005)


def test_a_stretch_lies_within_a_pass() -> None:
    feed = feed_of(Loader([batch(n) for n in range(3)]), steps=8)
    for epoch in range(2):
        found: list[int] = []
        for stretch in feed.epoch(epoch):
            found += numbers(stretch)
            done = 8 * epoch + len(found)
            state = feed.state()
            assert 3 * state["pass"] + state["batch"] == done
            for back in range(stretch.num_steps):  # a place within it is told right
                state = feed.state(state["step"] - back)
                assert 3 * state["pass"] + state["batch"] == done - back
                assert back == 0 or state["batch"] > 0
                state = feed.state()
            time.sleep(0.02)
        assert found == [n % 3 for n in range(8 * epoch, 8 * epoch + 8)]
    assert feed.has_repeated


def test_what_a_source_fills_anew_is_copied_in_time() -> None:
    memory = np.zeros((2, 3), "float32")

    class Reused(PyDataset):
        def __len__(self) -> int:
            return 40

        def __getitem__(self, index: int) -> Any:
            memory[:] = index
            return memory, {"b": np.full(2, 2 * index, "int32")}

    found = [n for s in feed_of(Reused()).epoch() for n in numbers(s)]
    assert found == list(range(40))


def test_a_feed_that_is_left_ends_its_thread_and_another_epoch_is_whole() -> None:
    before = set(threading.enumerate())
    feed = feed_of(Dataset.range(90).map(lambda n: batch(int(n), 1)).unbatch().batch(2), steps=40)
    epoch = feed.epoch()
    next(epoch)
    epoch.close()
    feed.close()
    wait_for(lambda: not set(threading.enumerate()) - before)
    assert not set(threading.enumerate()) - before
