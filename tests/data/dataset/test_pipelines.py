"""The transformations of a `Dataset`: what they give, in which order, and what they refuse."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.core import random
from nacre.core.errors import ArgumentError, DataError
from nacre.data import (
    AUTOTUNE,
    Dataset,
    DatasetSpec,
    Options,
    Ragged,
    RaggedSpec,
    TensorSpec,
    experimental,
)

R = Dataset.range


def values(data: Any) -> list[Any]:
    """Elements as lists."""
    return [e.tolist() if hasattr(e, "tolist") else e for e in data.as_numpy_iterator()]


# ------------------------------------------------------------------ order and randomness


def test_a_shuffle_gives_each_element_once_in_an_order_of_each_pass() -> None:
    data = R(50).shuffle(50, seed=3)
    first, second = values(data), values(data)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    assert first != list(range(50))


def test_a_seed_gives_the_same_order_in_every_process() -> None:
    code = "from nacre.core.random import set_random_seed\nfrom nacre.data import Dataset\nset_random_seed(0)\nprint([int(x) for x in Dataset.range(20).shuffle(7, seed=3)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[3])  # fmt: skip
    assert done.stdout.strip() == str(values(R(20).shuffle(7, seed=3))), done.stderr


def test_set_random_seed_fixes_the_order_with_and_without_a_seed() -> None:
    def orders(seed: int) -> tuple[list[int], list[int]]:
        random.set_random_seed(seed)
        return values(R(20).shuffle(20)), values(R(20).shuffle(20, seed=1))

    assert orders(1) == orders(1)
    assert all(a != b for a, b in zip(orders(1), orders(2), strict=True))


def test_a_small_buffer_lets_no_element_come_before_it_was_read() -> None:
    order = values(R(100).shuffle(5, seed=1))
    assert all(element < place + 5 for place, element in enumerate(order))
    order = values(R(100).map(lambda x: x).shuffle(5, seed=1))
    assert all(element < place + 5 for place, element in enumerate(order))


def test_all_orders_of_a_full_buffer_are_alike() -> None:
    counts = np.zeros((4, 4))
    data = R(4).shuffle(4, seed=1)
    for _ in range(2000):
        counts[np.arange(4), values(data)] += 1
    assert np.abs(counts - 500).max() < 100


def test_batches_of_shuffled_rows_are_those_of_the_rows_one_by_one() -> None:
    x = np.arange(40).reshape(20, 2)
    for size in (5, 20):
        data = Dataset.from_tensor_slices((x, [str(i) for i in range(20)])).shuffle(size, seed=1)
        one_by_one = [a.tolist() for a, _ in data]
        batched = [a for a, _ in Dataset.from_tensor_slices((x, x)).shuffle(size, seed=1).batch(3)]
        assert np.concatenate(batched).tolist() == one_by_one
        assert sorted(one_by_one) == x.tolist()


def test_a_memory_map_is_read_by_the_rows_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(200, dtype="float32").reshape(100, 2))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = Dataset.from_tensor_slices(mapped).shuffle(100, seed=1).batch(10)
    assert sorted(np.concatenate(list(data))[:, 0].tolist()) == mapped[:, 0].tolist()
    assert next(iter(Dataset.from_tensor_slices(mapped))).tolist() == [0.0, 1.0]


def test_few_rows_of_a_large_map_are_read_at_once_and_its_pages_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = np.memmap(tmp_path / "x", "float32", "w+", shape=(4096, 512))
    mapped[:] = np.arange(4096)[:, None]
    calls: list[int] = []
    monkeypatch.setattr("nacre.data.rows.MAPPED_STRETCH_BYTES", 1 << 20)
    monkeypatch.setattr("nacre.data.rows.forget_pages", lambda leaf: calls.append(leaf.nbytes))
    shuffled = Dataset.from_tensor_slices(mapped).shuffle(4096, seed=1)
    found = next(iter(shuffled.batch(4)))
    assert len(set(found[:, 0].tolist())) == 4 and len(calls) == 1
    calls.clear()
    assert sorted(next(iter(shuffled.batch(4096)))[:, 0].tolist()) == [*range(4096)]
    assert len(calls) > 4  # not all of the file at once


def test_sparse_rows_are_made_dense_a_batch_at_a_time() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.csr_matrix(np.eye(5))
    data = Dataset.from_tensor_slices((x, np.arange(5)))
    assert [a.shape for a, _ in data.batch(2)] == [(2, 5), (2, 5), (1, 5)]
    assert next(iter(data))[0].tolist() == [1, 0, 0, 0, 0]


def test_a_frame_as_a_dict_of_columns_gives_dicts() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [1, 2], "name": ["a", "b"]})
    element = next(iter(Dataset.from_tensor_slices((dict(frame), frame["age"]))))
    assert int(element[0]["age"]) == 1 and element[0]["name"] == "a" and int(element[1]) == 1


# ------------------------------------------------------------------ functions


def test_a_tuple_is_handed_over_as_arguments_a_named_tuple_is_not() -> None:
    data = Dataset.from_tensor_slices(([1, 2], [3, 4]))
    assert values(data.map(lambda a, b: a + b)) == [4, 6]
    assert values(data.map(lambda a, b: (a,)).map(lambda a: a)) == [1, 2]


def test_threads_keep_the_order_unless_told_otherwise() -> None:
    def slow(x: Any) -> Any:
        time.sleep(0.001 * (int(x) % 3))
        return x

    assert values(R(30).map(slow, num_parallel_calls=4)) == list(range(30))
    assert sorted(values(R(30).map(slow, num_parallel_calls=4, deterministic=False))) == list(range(30))  # fmt: skip
    options = Options()
    options.deterministic = False
    assert sorted(values(R(30).with_options(options).map(slow, num_parallel_calls=AUTOTUNE))) == list(range(30))  # fmt: skip


def test_threads_that_draw_random_numbers_in_spite_of_a_seed_are_told() -> None:
    def noisy(x: Any) -> Any:
        return x + np.random.normal()

    with pytest.warns(UserWarning, match="threads draw from the generators.*'noisy'"):
        list(R(9).map(noisy, num_parallel_calls=2))
    list(R(9).map(noisy))


@pytest.mark.parametrize("threads", [None, 2])
def test_a_function_that_fails_is_told_with_its_own_traceback(threads: Any) -> None:
    def parse(x: Any) -> Any:
        return {}["key"] if x == 2 else x

    iterator = iter(R(5).map(parse, num_parallel_calls=threads))
    assert int(next(iterator)) == 0 and int(next(iterator)) == 1
    with pytest.raises(DataError, match="^Dataset.map: the function 'parse' must not fail. Got KeyError: 'key' at element 2") as told:  # fmt: skip
        next(iterator)
    assert (
        isinstance(told.value.__cause__, KeyError)
        and told.value.__cause__.__traceback__.tb_next is not None
    )
    assert [int(x) for x in iterator] == [3, 4]


def test_a_function_that_stops_an_iteration_does_not_end_the_data() -> None:
    with pytest.raises(DataError, match="StopIteration"):
        list(R(3).map(lambda x: next(iter([]))))


@pytest.mark.parametrize("predicate", [lambda x: x, lambda x: np.array([True]), lambda x: None])
def test_a_predicate_gives_one_boolean(predicate: Any) -> None:
    with pytest.raises(DataError, match="^Dataset.filter: the predicate must give one boolean"):
        list(R(3).filter(predicate))


def test_a_generator_is_not_read_further_than_used() -> None:
    seen = []

    def generate() -> Any:
        for i in range(100):
            seen.append(i)
            yield i

    data = Dataset.from_generator(generate)
    repr(data.padded_batch(2).concatenate(data.unbatch()))  # looks at none
    assert seen == []
    next(iter(data.batch(2)))
    assert seen == [0, 1]


@pytest.mark.parametrize(
    ("signature", "given", "rule"),
    [(TensorSpec((2,)), [1.0], r"shape must be \(2,\). Got \(1,\)"),
     (TensorSpec((), "float32"), "a", "dtype must be float32"),
     (TensorSpec((), "int32"), 1.5, "numbers of dtype int32. Got 1.5"),
     (TensorSpec((None,), "uint8"), [1, 300], "numbers of dtype uint8. Got 300"),
     (TensorSpec((), "int64"), float("nan"), "numbers of dtype int64. Got nan"),
     (TensorSpec((), "bool"), 2, "numbers of dtype bool. Got 2"),
     ((TensorSpec(()), TensorSpec(())), (1.0,), "structure of output_signature"),
     ({"a": TensorSpec(())}, {"b": 1.0}, "structure of output_signature")],
)  # fmt: skip
def test_a_generator_keeps_to_its_signature(signature: Any, given: Any, rule: str) -> None:
    data = Dataset.from_generator(lambda: iter([given]), output_signature=signature)
    with pytest.raises(DataError, match=f"^Dataset.from_generator, element 0: .*{rule}"):
        list(data)


# ------------------------------------------------------------------ together and apart


def test_what_does_not_stack_is_told_with_its_place() -> None:
    uneven = R(1, 4).map(lambda n: {"a": np.ones(n)})
    with pytest.raises(DataError, match=r"^Dataset.batch: elements at \['a'\] must have one shape. Got \(1,\) first and \(2,\) 1 element\(s\) later. Pass them through padded_batch"):  # fmt: skip
        list(uneven.batch(2))
    with pytest.raises(DataError, match="one dtype. Got int64 first and float32 1 element"):
        list(R(2).map(lambda x: 1.5 if x else x).batch(2))
    with pytest.raises(DataError, match="one structure. Got tuple of 0, 1 and a tensor"):
        list(R(2).map(lambda x: x if x else (x, x)).batch(2))


def test_padding_reaches_to_the_largest_or_to_what_is_told() -> None:
    data = R(1, 4).map(lambda n: (np.full((int(n), 1), n), np.full(n, "a")))
    a, b = next(iter(data.padded_batch(3, ([None, 2], [4]), (np.int64(-1), "z"))))
    assert a.shape == (3, 3, 2) and a[0].tolist() == [[1, -1], [-1, -1], [-1, -1]]
    assert b[0].tolist() == [b"a", b"z", b"z", b"z"]
    with pytest.raises(DataError, match=r"not be larger than padded_shapes, \(3, 1\)"):
        list(R(1, 4).map(lambda n: np.ones((4, 1))).padded_batch(2, [3, 1]))
    with pytest.raises(ArgumentError, match="padded_shapes must have the structure"):
        list(data.padded_batch(2, {"a": [None]}))


def test_ragged_batches_hold_values_and_row_splits() -> None:
    (rows,) = R(1, 4).map(lambda n: np.full(n, n)).ragged_batch(3)
    assert isinstance(rows, Ragged) and rows.values.tolist() == [1, 2, 2, 3, 3, 3]
    assert rows.row_splits.tolist() == [0, 1, 3, 6] and rows[1].tolist() == [2, 2]
    assert rows.shape == (3, None) and rows.mask().sum() == 6
    assert values(R(1, 4).map(lambda n: np.full(n, n)).ragged_batch(2).unbatch()) == [[1], [2, 2], [3, 3, 3]]  # fmt: skip


# ------------------------------------------------------------------ what is known


def test_specs_tell_structure_shapes_and_dtypes() -> None:
    x = Dataset.from_tensor_slices({"a": np.ones((4, 3), "float32"), "b": ["x"] * 4})
    assert x.element_spec == {"a": TensorSpec((3,)), "b": TensorSpec((), "string")}
    assert x.batch(2).element_spec["a"] == TensorSpec((None, 3))
    assert x.batch(2, drop_remainder=True).element_spec["a"] == TensorSpec((2, 3))
    assert x.batch(2).map(lambda d: d["a"].sum(axis=1)).element_spec == TensorSpec((None,))
    assert x.batch(3).map(lambda d: d["a"].T).element_spec == TensorSpec((3, None))
    uneven = R(1, 5).map(lambda n: np.full(n, n))
    assert uneven.element_spec == TensorSpec((None,), "int64")
    assert uneven.padded_batch(2).element_spec == TensorSpec((None, None), "int64")
    assert uneven.ragged_batch(2).element_spec == RaggedSpec((None, None), "int64")
    assert R(3).map(R).element_spec == DatasetSpec(TensorSpec((), "int64"))
    assert R(0).map(lambda n: np.ones(3)).element_spec == TensorSpec((3,), "float64")


def test_looking_at_the_spec_changes_nothing() -> None:
    def make() -> Dataset:
        return R(9).shuffle(9, seed=1).map(lambda x: x + np.random.randint(100))

    np.random.seed(0)
    expected = values(make())
    np.random.seed(0)
    data = make()
    assert data.element_spec == TensorSpec((), "int64")
    assert values(data) == expected


@pytest.mark.parametrize(
    ("data", "count"),
    [(R(7).batch(3), 3), (R(7).batch(3, drop_remainder=True), 2), (R(7).repeat(), -1),
     (R(7).repeat().take(5), 5), (R(7).filter(lambda x: True), -2), (R(0).repeat(), 0),
     (R(7).take(-1), 7), (R(7).skip(-1), 0), (R(7).skip(9), 0), (R(7).shard(3, 1), 2),
     (Dataset.zip(R(3), R(2).repeat()), 3), (R(3).concatenate(R(2).repeat()), -1)],
)  # fmt: skip
def test_cardinality(data: Dataset, count: int) -> None:
    assert int(data.cardinality()) == count
    if count >= 0:
        assert len(data) == count == len(list(data))
    else:
        with pytest.raises(TypeError, match="known length"):
            len(data)
    assert data


@pytest.mark.parametrize(
    ("call", "rule"),
    [(lambda: R(3).batch(0), "batch_size must be"), (lambda: R(3).shuffle(0), "buffer_size must be"),
     (lambda: R(3).shard(2, 2), "index must be from 0"), (lambda: R(3).map(3), "must be a function"),
     (lambda: Dataset.zip(), "at least one"), (lambda: Dataset.zip(R(2), 3), "data sets, in tuples"),
     (lambda: R(2.5), "stop must be a whole number"), (lambda: R(3).prefetch(-2), "buffer_size"),
     (lambda: Dataset.from_generator([1, 2]), "begins a new one each time"),
     (lambda: Dataset(3), "made by its methods"), (lambda: R(3).shuffle(3, seed=1.5), "seed must be"),
     (lambda: R(3).map(len, num_parallel_calls=0), "num_parallel_calls must be"),
     (lambda: R(3).window(2, 0), "shift must be"), (lambda: R(3).rebatch([]), "batch_size")],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_told(call: Any, rule: str) -> None:
    with pytest.raises(ArgumentError, match=rule):
        call()


def test_data_that_does_not_fit_together_is_told() -> None:
    with pytest.raises(DataError, match="^Dataset.from_tensor_slices: all arrays must have the same number of rows. Got 2, 3"):  # fmt: skip
        Dataset.from_tensor_slices(([1, 2], [1, 2, 3]))
    with pytest.raises(DataError, match="dtypes differ, int64 and float32"):
        R(3).concatenate(Dataset.from_tensors(1.0))
    with pytest.raises(DataError, match="rows on a first axis"):
        R(3).unbatch()
    with pytest.raises(DataError, match=r"rows of one shape and dtype.*\(2, 1\).*\(1, 2\)"):
        list(R(3).map(lambda n: np.full(n, n)).padded_batch(2).rebatch(3))
    with pytest.raises(DataError, match="exactly one element. Got more"):
        R(3).get_single_element()
    with pytest.raises(DataError, match="must return a Dataset. Got HostTensor"):
        list(R(3).flat_map(lambda x: x))


# ------------------------------------------------------------------ threads, memory


def running() -> int:
    """Threads of data sets that are alive."""
    return sum(thread.name.startswith("nacre-dataset") for thread in threading.enumerate())


def soon(is_true: Any) -> bool:
    """Whether something becomes true within a moment."""
    end = time.monotonic() + 5
    while time.monotonic() < end and not is_true():
        time.sleep(0.01)
    return is_true()


def test_threads_end_with_the_iterator_and_when_it_is_dropped() -> None:
    data = R(10**9).map(lambda x: x, num_parallel_calls=2).batch(2).prefetch(2)
    before = running()
    over = iter(data.take(1))
    list(over)
    assert soon(lambda: running() == before)
    closed, dropped = iter(data), iter(data)
    next(closed), next(dropped)
    assert running() > before
    closed.close()
    assert list(closed) == []
    del dropped
    gc.collect()
    assert soon(lambda: running() == before)


def test_a_process_ends_at_once_while_threads_are_at_work() -> None:
    code = (
        "import time\nfrom nacre.data import Dataset\n"
        "data = Dataset.range(99).map(lambda x: time.sleep(60) if x else x, num_parallel_calls=2)\n"
        "it = iter(data.prefetch(2)); next(it); print('out', flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])  # fmt: skip
    assert process.stdout is not None and process.stdout.readline()
    begin = time.monotonic()
    assert process.wait(20) == 0 and time.monotonic() - begin < 10
    process.stdout.close()


def test_a_cache_makes_elements_once_after_a_whole_pass() -> None:
    made = []
    data = R(4).map(lambda x: made.append(int(x)) or x).cache()
    list(data.take(2))
    assert values(data) == values(data) == [0, 1, 2, 3]
    assert made == [0, 1, 0, 1, 2, 3]


# ------------------------------------------------------------------ several at a time, and apart


def test_what_is_chosen_and_drawn_comes_from_the_data_sets_named() -> None:
    parts = [R(3), R(10, 12)]
    choice = Dataset.from_tensor_slices([1, 1, 1, 0, 0])
    assert values(Dataset.choose_from_datasets(parts, choice)) == [10, 11]
    assert values(Dataset.choose_from_datasets(parts, choice, False)) == [10, 11, 0, 1]
    with pytest.raises(DataError, match="whole numbers from 0 to 1. Got 2 at element 0"):
        list(Dataset.choose_from_datasets(parts, R(2, 3)))
    assert values(Dataset.sample_from_datasets(parts, [0.0, 1.0], seed=1)) == [10, 11]
    assert values(Dataset.sample_from_datasets(parts, [0.0, 1.0], seed=1, stop_on_empty_dataset=True)) == [10, 11]  # fmt: skip
    drawn = Dataset.sample_from_datasets([R(1).repeat(), R(1, 2).repeat()], [0.2, 0.8], seed=1)
    assert 750 < sum(values(drawn.take(1000))) < 850 and int(drawn.cardinality()) == -1
    with pytest.raises(ArgumentError, match="weights must be 2 numbers"):
        Dataset.sample_from_datasets(parts, [1.0])


def test_classes_come_as_often_as_wanted_whether_their_shares_are_told_or_not() -> None:
    data = R(4000).map(lambda x: (x, int(x % 10 == 0)))
    for initial in ([0.9, 0.1], None):
        found = [int(c) for c, _ in data.rejection_resample(lambda x, c: c, [0.5, 0.5], initial, seed=1)]  # fmt: skip
        assert 0.4 < np.mean(found) < 0.6 and len(found) > 600


def test_windows_of_tuples_are_tuples_of_data_sets() -> None:
    data = Dataset.zip(R(4), Dataset.from_tensor_slices(["a", "b", "c", "d"])).window(2, shift=1)
    first, second = next(iter(data))
    assert values(first) == [0, 1] and values(second) == [b"a", b"b"] and len(first) == 2
    assert data.element_spec == (DatasetSpec(TensorSpec((), "int64")), DatasetSpec(TensorSpec((), "string")))  # fmt: skip


def test_buckets_hold_like_lengths_and_reach_to_their_boundary_where_asked() -> None:
    data = R(1, 5).map(lambda n: (np.full((n, 2), n), n))

    def length(x: Any, n: Any) -> Any:
        return n

    shapes = [x.shape for x, _ in data.bucket_by_sequence_length(length, [3, 6], [2, 2, 1])]
    assert shapes == [(2, 2, 2), (2, 4, 2)]
    shapes = [x.shape for x, _ in data.bucket_by_sequence_length(length, [3, 6], [2, 2, 1], pad_to_bucket_boundary=True)]  # fmt: skip
    assert shapes == [(2, 2, 2), (2, 5, 2)]
    with pytest.raises(DataError, match="no element may reach the last boundary"):
        list(data.bucket_by_sequence_length(length, [3], [1, 1], pad_to_bucket_boundary=True))
    with pytest.raises(ArgumentError, match="one batch size more than boundaries"):
        data.bucket_by_sequence_length(length, [3], [1])


def test_a_number_of_elements_that_was_told_is_checked() -> None:
    told = R(4).filter(lambda x: x < 3).apply(experimental.assert_cardinality(3))
    assert len(told) == len(list(told)) == 3
    for wrong in (2, 4, -1):
        with pytest.raises(DataError, match="assert_cardinality: the data set must have"):
            list(R(3).apply(experimental.assert_cardinality(wrong)))


def test_a_profile_names_the_brake_and_leaves_orders_as_they_were() -> None:
    def slow(x: Any) -> Any:
        time.sleep(0.001)
        return x

    def make() -> Dataset:
        return R(30).shuffle(30, seed=1).map(slow, num_parallel_calls=2).batch(5).prefetch(2)

    expected, data = values(make()), make()
    profile = data.profile()
    assert profile.brake.name == "map slow" and profile.elements == 6
    assert "map slow" in str(profile) and "<- the brake" in str(profile)
    assert [stage.name for stage in profile.stages] == ["range", "shuffle", "map slow", "batch", "prefetch"]  # fmt: skip
    assert values(data) == expected


def test_each_element_once_and_errors_left_out() -> None:
    pairs = Dataset.from_tensor_slices(([1, 2, 1, 1], ["a", "b", "a", "c"]))
    assert [(int(n), t.numpy()) for n, t in pairs.unique()] == [(1, b"a"), (2, b"b"), (1, b"c")]
    failing = R(4).map(lambda x: 6 // int(x))
    assert values(failing.ignore_errors()) == [6, 3, 2]
    assert values(failing.map(lambda x: x, num_parallel_calls=2).prefetch(2).ignore_errors()) == [6, 3, 2]  # fmt: skip
    with pytest.warns(UserWarning, match="an element is left out. Got Dataset.map: the function"):
        list(failing.ignore_errors(log_warning=True))
