"""Feeds: the same batches from wherever the data is, nothing too much, and exact to go on with."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core.errors import DataError, DTypeError
from nacre.data import PyDataset
from nacre.data.batch_feed import BatchFeed
from nacre.data.batch_source import BatchSource
from nacre.data.feed import Feed, Stretch, shuffled
from nacre.data.feeds import feed_of
from nacre.data.row_feeds import BatchwiseFeed, ResidentFeed, StreamedFeed
from nacre.data.sources import ArraySource, narrow_batch

N = 10  # samples; a batch of 3 leaves one of 1


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of two batches, rows that arrive one by one."""
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 2 * 3 * 8)
    monkeypatch.setattr("nacre.data.resident.PIECE_BYTES", 8)


def numbered(count: int = N) -> ArraySource:
    return ArraySource(np.arange(count), {"b": np.arange(count) * 2.0})


ROW_FEEDS = {"resident": ResidentFeed, "streamed": StreamedFeed, "batches": BatchwiseFeed}


def of_rows(placing: Any, **options: Any) -> Feed:
    return ROW_FEEDS[placing](numbered(), 3, **options)


def batches_of(stretch: Stretch) -> Iterator[list[int]]:
    """The samples of each batch, by the number in x; y must be twice that."""
    x, y, weight = (None if a is None else np.asarray(a) for a in stretch.arrays)
    assert stretch.structure == (0, {"b": 0}, None) and weight is None
    for index in range(stretch.num_steps):
        first = stretch.first_row + index * stretch.batch_size
        rows: Any = slice(first, first + stretch.batch_size)
        if stretch.order is not None:
            rows = np.asarray(stretch.order)[rows]
        assert x is not None and y is not None and (y[rows] == 2 * x[rows]).all()
        yield x[rows].tolist()


def steps_of(feed: Feed, epoch: int = 0, first_step: int = 0) -> list[list[int]]:
    found: list[list[int]] = []
    for stretch in feed.epoch(epoch, first_step):
        assert stretch.step == first_step + len(found)
        found += batches_of(stretch)
    return found


each_placing = pytest.mark.parametrize("placing", ["resident", "streamed", "batches"])

# ------------------------------------------------------------------ rows of arrays


@each_placing
def test_rows_come_in_their_order_with_a_smaller_last_batch(placing: Any) -> None:
    for options in ({"shuffle": False}, {"continues": False}):
        feed = of_rows(placing, **options)
        assert [steps_of(feed, e) for e in range(2)] == [[[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]] * 2


def test_the_order_follows_from_seed_and_epoch_wherever_the_rows_are() -> None:
    epochs = {
        placing: [steps_of(feed, e) for feed in [of_rows(placing, shuffle=True, seed=5)]
                  for e in (3, 4, 5)]
        for placing in ("resident", "streamed", "batches")
    }  # fmt: skip
    assert epochs["resident"] == epochs["streamed"] == epochs["batches"]
    for number, epoch in zip((3, 4, 5), epochs["resident"], strict=True):
        assert list(itertools.chain(*epoch)) == shuffled(N, 5, number).tolist()
    orders = {tuple(shuffled(N, seed, e).tolist()) for seed in (5, 6) for e in (0, 1)}
    assert len(orders) == 4 and all(sorted(order) == list(range(N)) for order in orders)


@each_placing
def test_epochs_of_training_go_on_over_the_passes(placing: Any) -> None:
    feed = of_rows(placing, steps=3, shuffle=True, seed=1)
    found = list(itertools.chain(*(steps_of(feed, e) for e in range(5))))
    passes = [shuffled(N, 1, p).tolist() for p in range(4)]
    expected = [order[i : i + 3] for order in passes for i in range(0, N, 3)]
    assert found == expected[:15]
    long = of_rows(placing, steps=9)
    assert [len(b) for b in steps_of(long)] == [3, 3, 3, 1, 3, 3, 3, 1, 3]


@each_placing
def test_evaluation_begins_anew_and_never_begins_again(placing: Any) -> None:
    feed = of_rows(placing, steps=2, continues=False)
    assert [steps_of(feed) for _ in range(2)] == [[[0, 1, 2], [3, 4, 5]]] * 2
    assert len(steps_of(of_rows(placing, steps=99, continues=False))) == 4


def test_few_samples_are_one_batch() -> None:
    assert steps_of(feed_of(numbered(2), 32)) == [[0, 1]]


def test_a_smaller_batch_is_announced_so_that_its_program_can_be_made() -> None:
    announced = [s.next_batch_size for s in of_rows("resident").epoch()]
    assert announced[:-1] == [1] * (len(announced) - 1) and announced[-1] is None
    assert {s.next_batch_size for s in of_rows("resident", steps=3).epoch()} == {None}


def test_arrays_are_the_batch_itself_only_where_they_hold_no_other_rows() -> None:
    assert not any(s.is_whole for s in of_rows("resident").epoch())
    assert [s.is_whole for s in of_rows("streamed").epoch()] == [False, False, True]
    assert all(s.is_whole for s in of_rows("batches").epoch())


def test_chunks_have_one_shape_and_are_passing() -> None:
    stretches = list(of_rows("streamed", steps=3).epoch())
    assert [s.arrays[0].shape for s in stretches] == [(6,), (6,)]
    assert [s.num_steps for s in stretches] == [2, 1] and all(s.size_bytes for s in stretches)


@pytest.mark.parametrize("x", [jnp.arange(N), np.arange(N, dtype="int64").view(np.ndarray)[::1]])
def test_arrays_on_the_device_and_others_are_shuffled_alike(x: Any) -> None:
    feed = ResidentFeed(ArraySource(x, {"b": np.arange(N) * 2.0}), 3, shuffle=True, seed=2)
    assert list(itertools.chain(*steps_of(feed))) == shuffled(N, 2, 0).tolist()


def slow(source: ArraySource, after: int) -> threading.Event:
    """Let rows arrive up to a number of them, and the others when the event is set."""
    go_on, copy_rows = threading.Event(), source.copy_rows
    left = itertools.count(after, -1)

    def copy(indices: Any, into: Any) -> None:
        if next(left) <= 0:
            go_on.wait(10)
        copy_rows(indices, into)

    source.copy_rows = copy  # type: ignore[method-assign]
    return go_on


@pytest.mark.parametrize("shuffle", [True, False])
def test_steps_begin_while_rows_are_on_their_way_and_the_epoch_ends_when_all_are_there(
    shuffle: bool,
) -> None:
    source = numbered()
    go_on = slow(source, after=4)
    feed = ResidentFeed(source, 3, steps=1, shuffle=shuffle, seed=3)
    epoch = feed.epoch()
    first = next(epoch)
    expected = shuffled(N, 3, 0).tolist() if shuffle else list(range(N))
    assert list(batches_of(first)) == [expected[:3]] and not go_on.is_set()
    threading.Timer(0.2, go_on.set).start()
    assert list(epoch) == [] and go_on.is_set()
    source.leaves[0][:] = 77  # what a callback does between epochs is not half seen
    assert steps_of(feed, 1) == [expected[3:6]]


def test_all_rows_are_there_before_the_first_step_where_somebody_may_change_them() -> None:
    source = numbered()
    go_on = slow(source, after=4)
    feed = ResidentFeed(source, 3)
    feed.overlaps = False
    threading.Timer(0.1, go_on.set).start()
    assert next(iter(feed.epoch())).num_steps == 3 and go_on.is_set()


def test_a_number_that_does_not_fit_is_told_in_the_thread_that_trains() -> None:
    source = ArraySource(np.array([1, 2, 3, 2**40]))
    with pytest.raises(DTypeError, match="1099511627776 in row"):
        list(ResidentFeed(source, 1).epoch())


@pytest.mark.parametrize("placing", ["resident", "streamed"])
def test_leaving_early_ends_the_threads(placing: Any) -> None:
    before = set(threading.enumerate())
    source = numbered()
    feed = ROW_FEEDS[placing](source, 3, steps=10**6)
    for _ in feed.epoch():
        break
    feed.close()
    end = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before


# ------------------------------------------------------------------ batches


def batch(number: int) -> Any:
    return np.full(2, number), {"b": np.full(2, number * 2.0)}


class Loader:
    """Like a data loader: a new walk each time, whose length may be known."""

    def __init__(self, count: int) -> None:
        self.count, self.walks = count, 0

    def __iter__(self) -> Iterator[Any]:
        self.walks += 1
        return map(batch, range(self.count))


class SizedLoader(Loader):
    def __len__(self) -> int:
        return self.count


class Indexed(PyDataset):
    def __init__(self, count: int, **options: Any) -> None:
        super().__init__(**options)
        self.count = count
        self.log: list[Any] = []

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        self.log.append(index)
        return batch(index)

    def on_epoch_begin(self) -> None:
        self.log.append("begin")

    def on_epoch_end(self) -> None:
        self.log.append("end")


class Taken:
    """A generator that counts what was taken from it."""

    def __init__(self, count: int | None) -> None:
        self.count = 0
        self.items = map(batch, itertools.count() if count is None else range(count))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = next(self.items)
        self.count += 1
        return item


KINDS: dict[str, Callable[[int], Any]] = {
    "loader": Loader,
    "loader with a length": SizedLoader,
    "indexed": Indexed,
    "indexed, by workers": lambda count: Indexed(count, workers=2),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def of_batches(data: Any, shuffle: bool = False, seed: int = 0, **options: Any) -> BatchFeed:
    return BatchFeed(BatchSource(data, shuffle=shuffle, seed=seed), **options)


def numbers(feed: Feed, epochs: int, first: int = 0, step: int = 0) -> list[list[int]]:
    found = []
    for epoch in range(first, first + epochs):
        found.append([b[0] for b in steps_of(feed, epoch, step if epoch == first else 0)])
    return found


@each_kind
@pytest.mark.parametrize("continues", [True, False])
@pytest.mark.parametrize("is_looked_at", [True, False])
def test_every_whole_epoch_is_a_new_pass(kind: str, continues: bool, is_looked_at: bool) -> None:
    feed = of_batches(KINDS[kind](3), continues=continues)
    if is_looked_at:
        assert feed.source.first()[0].tolist() == [0, 0]
    assert numbers(feed, 3) == [[0, 1, 2]] * 3 and not feed.has_repeated


@each_kind
def test_short_epochs_of_training_go_on_and_those_of_validation_begin_anew(kind: str) -> None:
    feed = of_batches(KINDS[kind](5), steps=2)
    assert numbers(feed, 4) == [[0, 1], [2, 3], [4, 0], [1, 2]] and not feed.has_repeated
    assert numbers(of_batches(KINDS[kind](5), steps=2, continues=False), 3) == [[0, 1]] * 3


@each_kind
def test_long_epochs_of_training_begin_again_and_those_of_validation_end(kind: str) -> None:
    feed = of_batches(KINDS[kind](3), steps=7)
    assert numbers(feed, 2) == [[0, 1, 2, 0, 1, 2, 0], [1, 2, 0, 1, 2, 0, 1]] and feed.has_repeated
    assert numbers(of_batches(KINDS[kind](3), steps=7, continues=False), 2) == [[0, 1, 2]] * 2


def test_a_generator_goes_on_and_ends() -> None:
    for continues in (True, False):
        feed = of_batches(Taken(5), steps=2, continues=continues)
        assert numbers(feed, 4) == [[0, 1], [2, 3], [4], []]
    assert numbers(of_batches(Taken(2)), 2) == [[0, 1], []]


def test_a_generator_gives_no_batch_that_is_not_used() -> None:
    data = Taken(None)
    source = BatchSource(data)
    source.first()
    feed = BatchFeed(source, steps=3)
    assert data.count == 1 and numbers(feed, 2) == [[0, 1, 2], [3, 4, 5]] and data.count == 6
    for stretch in feed.epoch(2):
        if stretch.step == 1:
            break
    assert data.count == 8 and threading.active_count() >= 1


def test_more_than_is_used_is_taken_from_a_generator_when_that_is_asked_for() -> None:
    data = Taken(None)
    feed = of_batches(data, steps=3, ahead=10)
    epoch = feed.epoch()
    next(epoch)
    end = time.monotonic() + 3
    while data.count < 3 and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    assert data.count == 3  # what the epoch needs
    assert len(list(epoch)) == 2


def test_what_is_made_ahead_ends_with_the_epoch_whose_end_may_change_the_data() -> None:
    data = Indexed(4)
    assert numbers(of_batches(data, steps=2), 2) == [[0, 1], [2, 3]]
    assert data.log == ["begin", 0, 1, "end", "begin", 2, 3, "end"]


def test_looking_at_the_first_batch_is_the_beginning_of_the_epoch() -> None:
    data = Indexed(2)
    feed = of_batches(data)
    feed.source.first()
    assert numbers(feed, 2) == [[0, 1]] * 2
    assert data.log == ["begin", 0, 1, "end"] * 2


def test_a_data_loader_is_walked_once_an_epoch() -> None:
    data = Loader(3)
    feed = of_batches(data)
    feed.source.first()
    numbers(feed, 2)
    assert data.walks == 2


def test_the_order_of_batches_by_index_follows_from_seed_and_epoch() -> None:
    feed = of_batches(Indexed(6), shuffle=True, seed=9)
    assert numbers(feed, 3) == [shuffled(6, 9, e).tolist() for e in range(3)]


@pytest.mark.parametrize("ahead", [0, 2])
def test_memory_that_a_source_fills_anew_for_each_batch_is_read_in_time(ahead: int) -> None:
    memory = np.zeros(2, "float32")

    def reused() -> Iterator[Any]:
        for number in range(20):
            memory[:] = number
            yield memory, {"b": memory * 2}

    source = BatchSource(reused())
    source.add_conversion(narrow_batch("fit"))
    found = list(BatchFeed(source, ahead=ahead).epoch())
    assert [int(s.arrays[0][0]) for s in found] == list(range(20))


def test_batches_of_other_structures_and_sizes_are_told_apart() -> None:
    data = [(np.ones(2), None), (np.ones(3), np.ones(3))]
    found = list(of_batches(data).epoch())
    assert [s.batch_size for s in found] == [2, 3]
    assert [s.structure for s in found] == [(0, None, None), (0, 0, None)]


def test_a_batch_goes_through_what_was_asked_for_in_order() -> None:
    source = BatchSource(Loader(2))
    source.add_conversion(lambda b: (b[0] + 1, {"b": b[1]["b"] + 2}, None))
    assert source.first()[0].tolist() == [1, 1]
    source.add_conversion(lambda b: (b[0] * 10, {"b": b[1]["b"] * 10}, None))
    assert numbers(BatchFeed(source), 2) == [[10, 20]] * 2


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_of_the_source_comes_in_its_place_with_its_lines(ahead: int) -> None:
    def broken() -> Iterator[Any]:
        yield batch(0)
        raise KeyError("row 7")

    epoch = of_batches(broken(), ahead=ahead).epoch()
    assert next(epoch).step == 0
    with pytest.raises(KeyError, match="row 7") as caught:
        next(epoch)
    assert caught.traceback[-1].name == "broken"


def test_sources_without_data_are_told() -> None:
    with pytest.raises(DataError, match=r"^fit: .*at least one batch.*make a new one"):
        BatchSource(iter([])).first()
    with pytest.raises(DataError, match="each batch must hold arrays"):
        list(of_batches([(None,)]).epoch())


def test_a_feed_that_is_dropped_ends_its_thread() -> None:
    before = set(threading.enumerate())
    feed = of_batches(Loader(10**6))
    epoch = feed.epoch()
    next(epoch)
    assert set(threading.enumerate()) - before
    del feed, epoch
    end = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < end:
        time.sleep(0.02)
    assert not set(threading.enumerate()) - before


# ------------------------------------------------------------------ going on


FEEDS: dict[str, Callable[[], Feed]] = {
    **{p: lambda p=p: of_rows(p, shuffle=True, seed=4) for p in ("resident", "streamed", "batches")},
    "long epochs": lambda: of_rows("resident", shuffle=True, seed=4, steps=7),
    "short epochs": lambda: of_rows("streamed", shuffle=True, seed=4, steps=3),
    **{k: lambda k=k: of_batches(KINDS[k](4), shuffle=True, seed=4) for k in KINDS},
    "loader, short epochs": lambda: of_batches(Loader(5), steps=3),
    "loader, long epochs": lambda: of_batches(Loader(3), steps=5),
    "generator": lambda: of_batches(Taken(None), steps=4),
}  # fmt: skip


@pytest.mark.parametrize("kind", FEEDS)
def test_a_restored_run_gives_the_batches_of_one_that_never_stopped(kind: str) -> None:
    whole = FEEDS[kind]()
    expected = [steps_of(whole, e) for e in range(3)]
    for epoch, done in [(0, 0), (0, 1), (1, 2), (1, len(expected[1])), (2, 0)]:
        feed = FEEDS[kind]()
        for earlier in range(epoch):
            steps_of(feed, earlier)
        state = feed.state() if done == 0 and epoch == 0 else None
        for stretch in feed.epoch(epoch):
            if stretch.step + stretch.num_steps >= done and state is None:
                state = feed.state(done)
                break
        feed.close()
        assert state is not None and (state["epoch"], state["step"]) == (epoch, done)
        again = FEEDS[kind]()
        again.restore(state)
        assert steps_of(again, epoch, done) == expected[epoch][done:]
        for later in range(epoch + 1, 3):
            assert steps_of(again, later) == expected[later]


def test_the_state_is_plain_numbers_and_says_how_much_a_generator_gave() -> None:
    feed = of_batches(Taken(None), steps=4)
    numbers(feed, 2)
    assert feed.state() == {
        "seed": 0, "epoch": 1, "step": 4, "pass": 0, "batch": 8, "steps": 4, "is_over": 1,
    }  # fmt: skip
    rows = of_rows("resident", shuffle=True, seed=4)
    steps_of(rows)
    assert all(type(value) is int for value in rows.state().values())


def test_a_restored_seed_is_the_seed_of_the_order() -> None:
    state = of_rows("resident", shuffle=True, seed=4).state()
    other = of_rows("resident", shuffle=True, seed=8)
    other.restore(state)
    assert list(itertools.chain(*steps_of(other))) == shuffled(N, 4, 0).tolist()


def test_going_on_over_other_data_is_refused() -> None:
    state = of_rows("resident").state()
    with pytest.raises(DataError, match="samples 10, batch size 3.*Got samples 9, batch size 3"):
        feed_of(numbered(9), 3).restore(state)
    with pytest.raises(DataError, match="Got samples 10, batch size 5"):
        feed_of(numbered(), 5).restore(state)
