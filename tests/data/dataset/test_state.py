"""A `Dataset` knows its position exactly: what is left after `restore` is what was left."""

from __future__ import annotations

import random as python_random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nacre.core import random
from nacre.core.errors import DataError
from nacre.data import AUTOTUNE, Dataset
from nacre.training.state_file import packed, unpacked


def slices(count: int = 10) -> Dataset:
    """Rows of arrays."""
    return Dataset.from_tensor_slices(
        {"x": np.arange(2 * count).reshape(count, 2), "n": [str(i) for i in range(count)]}
    )


def uneven() -> Dataset:
    """Tensors of different lengths."""
    return Dataset.range(1, 8).map(lambda n: np.full(n, n))


PIPELINES: dict[str, Callable[[], Dataset]] = {
    "slices": slices,
    "range": lambda: Dataset.range(2, 20, 3),
    "counter": lambda: Dataset.counter(5).take(7),
    "generator": lambda: Dataset.from_generator(lambda: iter(range(7))),
    "random": lambda: Dataset.random().take(6),
    "map": lambda: slices().map(lambda d: (d["x"] * 2, d["n"])),
    "threads": lambda: Dataset.range(20).map(lambda x: x * x, num_parallel_calls=3),
    "threads twice": lambda: Dataset.range(20).shuffle(6).map(lambda x: (x, x), num_parallel_calls=2).map(lambda a, b: a + b, num_parallel_calls=AUTOTUNE),
    "filter": lambda: Dataset.range(12).filter(lambda x: x % 3 != 0),
    "flat_map": lambda: Dataset.range(5).flat_map(Dataset.range),
    "flat_map in flat_map": lambda: Dataset.range(4).flat_map(lambda n: Dataset.range(n).flat_map(Dataset.range)),
    "interleave": lambda: Dataset.range(6).interleave(lambda n: Dataset.range(n).map(lambda x: x * 10 + n), cycle_length=3, block_length=2),
    "interleave with threads": lambda: Dataset.range(6).interleave(lambda n: Dataset.range(n), cycle_length=3, num_parallel_calls=2),
    "batch": lambda: slices().batch(3),
    "batch of what is no row": lambda: slices().map(lambda d: d["x"]).batch(4, drop_remainder=True),
    "padded_batch": lambda: uneven().padded_batch(3),
    "ragged_batch": lambda: uneven().ragged_batch(2).prefetch(2),
    "unbatch": lambda: slices().batch(4).unbatch(),
    "rebatch": lambda: slices().batch(4).rebatch([3, 1]),
    "shuffle of rows, whole": lambda: slices().shuffle(20),
    "shuffle of rows, part": lambda: slices().shuffle(4),
    "shuffle of elements": lambda: slices().map(lambda d: (d["x"], d["n"])).shuffle(4),
    "shuffle of shuffle": lambda: Dataset.range(30).shuffle(5).shuffle(7).batch(4),
    "shuffle, repeat, batch": lambda: slices().shuffle(20).repeat(3).batch(4),
    "repeat, shuffle, batch": lambda: slices().repeat(3).shuffle(8).batch(4),
    "shuffle with one order": lambda: slices().shuffle(20, reshuffle_each_iteration=False).repeat(2),
    "take, skip, shard": lambda: Dataset.range(40).skip(3).take(30).shard(3, 1).batch(2),
    "take_while": lambda: Dataset.range(9).take_while(lambda x: x < 5).repeat(2),
    "concatenate": lambda: Dataset.range(5).concatenate(Dataset.range(3).shuffle(3)),
    "zip": lambda: Dataset.zip(Dataset.range(9).shuffle(9), slices().map(lambda d: d["n"])),
    "enumerate": lambda: slices().shuffle(5).enumerate(3),
    "cache": lambda: Dataset.range(8).shuffle(8).map(lambda x: x + 1).cache().repeat(3),
    "shuffle of cache": lambda: Dataset.range(8).map(lambda x: x + 1).cache().shuffle(8).repeat(2).batch(3),
    "shuffles that a function makes": lambda: Dataset.range(4).interleave(lambda n: Dataset.range(10).shuffle(10).take(3), cycle_length=2),
    "shuffles in threads": lambda: Dataset.range(4).interleave(lambda n: Dataset.range(10).shuffle(10, seed=n).repeat(2), cycle_length=2, num_parallel_calls=2),
    "shuffled windows": lambda: Dataset.range(12).shuffle(12).window(4).flat_map(lambda w: w.shuffle(4)).batch(2),
    "shuffled groups": lambda: Dataset.range(17).group_by_window(lambda x: x % 2, lambda key, w: w.shuffle(4).repeat(2), window_size=4),
    "samples within": lambda: Dataset.range(3).flat_map(lambda n: Dataset.sample_from_datasets([Dataset.range(3), Dataset.random().take(2)])),
    "a shuffle that a function holds": lambda: held(Dataset.range(10).shuffle(10)),
    "a shuffle within two functions": lambda: held(held(Dataset.range(10).shuffle(10, seed=1))),
    "prefetch": lambda: slices().shuffle(4).batch(2).prefetch(2),
    "choose": lambda: Dataset.choose_from_datasets([Dataset.range(5), Dataset.range(10, 13)], Dataset.from_tensor_slices([0, 1, 1, 0, 1, 1, 0, 0]), stop_on_empty_dataset=False),
    "sample": lambda: Dataset.sample_from_datasets([Dataset.range(5), Dataset.range(10, 14)], [0.3, 0.7]),
    "rejection_resample": lambda: Dataset.range(30).rejection_resample(lambda x: int(x % 4 == 0), [0.5, 0.5]),
    "window": lambda: slices().map(lambda d: (d["x"], d["n"])).window(4, 2, 2).flat_map(lambda a, b: Dataset.zip(a, b).batch(3)),
    "windows as elements": lambda: Dataset.range(9).window(3, shift=2).prefetch(2).map(lambda w: w.reduce(0, lambda t, x: t + x), num_parallel_calls=2),
    "far windows": lambda: Dataset.range(20).window(2, shift=5).flat_map(lambda w: w.batch(2)),
    "group_by_window": lambda: Dataset.range(17).group_by_window(lambda x: x % 3, lambda key, w: w.map(lambda x: x * 10 + key).batch(2), window_size=4),
    "buckets": lambda: uneven().bucket_by_sequence_length(len, [3, 5], [2, 2, 2]),
    "unique": lambda: Dataset.range(20).map(lambda x: (x % 7, "ab"[int(x) % 2])).unique(),
    "ignore_errors": lambda: Dataset.range(9).map(lambda x: 9 // int(x % 3)).ignore_errors(),
    "scan": lambda: Dataset.range(8).scan(np.int64(0), lambda total, x: (total + x, total * 2)),
}  # fmt: skip


def held(data: Dataset) -> Dataset:
    return Dataset.range(4).flat_map(lambda n: data.take(3))


def plain(elements: Any) -> list[Any]:
    """Elements as nested lists that compare."""
    return [repr(element) for element in elements]


@pytest.mark.parametrize("name", PIPELINES)
def test_a_restored_iterator_gives_what_was_left(name: str) -> None:
    make = PIPELINES[name]
    random.set_random_seed(1)
    count = len(list(make()))
    for cut in sorted({0, 1, 2, count // 2, count - 1, count}):
        random.set_random_seed(1)
        first = iter(make())
        for _ in range(cut):
            next(first)
        state = unpacked(packed({}, {"data": first.state()}), "file")[1]["data"]
        left = plain(first)
        assert len(left) == count - cut
        random.set_random_seed(2)  # seeds are part of the state
        second = iter(make())
        second.restore(state)
        assert plain(second) == left, (cut, state)


@pytest.mark.parametrize("name", ["shuffle, repeat, batch", "cache", "threads", "interleave"])
def test_a_state_of_a_restored_iterator_is_as_good(name: str) -> None:
    make = PIPELINES[name]
    first = iter(make())
    expected = plain(first)
    data = make()
    second, found = iter(data), []
    second.restore(iter_state(first, make))
    while True:
        try:
            found.append(repr(next(second)))
        except StopIteration:
            break
        state = second.state()
        second.close()
        second = iter(make())
        second.restore(state)
    assert len(found) == len(expected)


def iter_state(used: Any, make: Callable[[], Dataset]) -> Any:
    """The state of an iterator at the beginning."""
    iterator = iter(make())
    state = iterator.state()
    iterator.close()
    return state


def test_passes_after_a_restored_one_go_on_as_they_would_have() -> None:
    def make() -> Dataset:
        return Dataset.range(6).shuffle(6)

    random.set_random_seed(1)
    data = make()
    list(data)
    iterator = iter(data)
    next(iterator)
    state, left, later = iterator.state(), plain(iterator), plain(data)
    random.set_random_seed(2)
    data = make()
    iterator = iter(data)
    iterator.restore(state)
    assert (plain(iterator), plain(data)) == (left, later)


def test_what_the_first_pass_kept_in_memory_is_there_after_a_state_of_its_end() -> None:
    def make() -> Dataset:
        return Dataset.range(20).map(lambda x: x + 1).shuffle(7).cache().batch(3)

    data = make()
    iterator = iter(data)
    list(iterator)
    state, later = iterator.state(), plain(data)
    random.set_random_seed(2)
    data = make()
    iterator = iter(data)
    iterator.restore(state)
    assert (plain(iterator), plain(data)) == ([], later)


def test_a_state_of_another_pipeline_is_told() -> None:
    state = iter(Dataset.range(3).batch(2)).state()
    with pytest.raises(
        DataError, match=r"must be one of shuffle\(range\). Got one of batch\(range\)"
    ):
        iter(Dataset.range(3).shuffle(2)).restore(state)
    with pytest.raises(DataError, match="must be one of range. Got int"):
        iter(Dataset.range(3)).restore(3)


def test_a_state_is_no_more_than_what_lies_in_between() -> None:
    data = Dataset.from_tensor_slices(np.zeros((1000, 100))).shuffle(1000).repeat().batch(32)
    iterator = iter(data)
    next(iterator)
    assert len(packed({}, {"data": iterator.state()})) < 1000


def test_functions_that_make_data_sets_leave_the_generator_of_python_alone() -> None:
    data = Dataset.range(3).flat_map(lambda n: Dataset.range(4).shuffle(4)).shuffle(9)
    random.set_random_seed(1)
    list(data)
    drawn = python_random.random()
    random.set_random_seed(1)
    assert drawn == python_random.random()
