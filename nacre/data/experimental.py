"""The names of `tf.data.experimental` that stand for methods of `Dataset`, and a few more.

Each of the functions gives one for `Dataset.apply`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from nacre.data.dataset import (
    AUTOTUNE,
    INFINITE_CARDINALITY,
    UNKNOWN_CARDINALITY,
    Dataset,
    HostTensor,
)
from nacre.data.dataset.calls import whole_argument
from nacre.data.dataset.dataset import node_of
from nacre.data.dataset.filtering import AssertCardinality
from nacre.data.files import CsvDataset as CsvDataset
from nacre.data.files import make_csv_dataset as make_csv_dataset

Transformation: TypeAlias = Callable[[Dataset], Dataset]


def assert_cardinality(expected_cardinality: int) -> Transformation:
    """Tell how many elements a data set has, which is checked at its end.

    `fit` then knows how many batches there are also where nothing else tells, as after `filter`.

    Args:
        expected_cardinality: The number; `INFINITE_CARDINALITY` for one without end.

    Raises:
        DataError: When there are fewer or more.
    Example:
        >>> data = Dataset.range(9).filter(lambda x: x % 2 == 0).apply(assert_cardinality(5))
        >>> len(data)
        5
    """
    who = "assert_cardinality"
    count = whole_argument(who, "expected_cardinality", expected_cardinality, UNKNOWN_CARDINALITY)
    return lambda data: Dataset(AssertCardinality(node_of(data, who), count))


def cardinality(dataset: Dataset) -> HostTensor:
    """How many elements there are; see `Dataset.cardinality`.

    Example:
        >>> int(cardinality(Dataset.range(3)))
        3
    """
    return dataset.cardinality()


def get_single_element(dataset: Dataset) -> Any:
    """The element of a data set that has one; see `Dataset.get_single_element`."""
    return dataset.get_single_element()


def bucket_by_sequence_length(*args: Any, **kwargs: Any) -> Transformation:
    """See `Dataset.bucket_by_sequence_length`."""
    return lambda data: data.bucket_by_sequence_length(*args, **kwargs)


def choose_from_datasets(*args: Any, **kwargs: Any) -> Dataset:
    """See `Dataset.choose_from_datasets`."""
    return Dataset.choose_from_datasets(*args, **kwargs)


def dense_to_ragged_batch(*args: Any, **kwargs: Any) -> Transformation:
    """See `Dataset.ragged_batch`."""
    return lambda data: data.ragged_batch(*args, **kwargs)


def enumerate_dataset(start: int = 0) -> Transformation:
    """See `Dataset.enumerate`."""
    return lambda data: data.enumerate(start)


def group_by_window(*args: Any, **kwargs: Any) -> Transformation:
    """See `Dataset.group_by_window`."""
    return lambda data: data.group_by_window(*args, **kwargs)


def ignore_errors(log_warning: bool = False) -> Transformation:
    """See `Dataset.ignore_errors`."""
    return lambda data: data.ignore_errors(log_warning)


def map_and_batch(
    map_func: Callable[..., Any],
    batch_size: int,
    num_parallel_batches: int | None = None,
    drop_remainder: bool = False,
    num_parallel_calls: int | None = None,
) -> Transformation:
    """`Dataset.map` and then `Dataset.batch`.

    Example:
        >>> data = Dataset.range(4).apply(map_and_batch(lambda x: x + 1, 2))
        >>> [x.tolist() for x in data]
        [[1, 2], [3, 4]]
    """
    threads = num_parallel_batches if num_parallel_calls is None else num_parallel_calls
    return lambda data: data.map(map_func, threads).batch(batch_size, drop_remainder)


def rejection_resample(*args: Any, **kwargs: Any) -> Transformation:
    """See `Dataset.rejection_resample`."""
    return lambda data: data.rejection_resample(*args, **kwargs)


def sample_from_datasets(*args: Any, **kwargs: Any) -> Dataset:
    """See `Dataset.sample_from_datasets`."""
    return Dataset.sample_from_datasets(*args, **kwargs)


def scan(initial_state: Any, scan_func: Callable[..., Any]) -> Transformation:
    """See `Dataset.scan`."""
    return lambda data: data.scan(initial_state, scan_func)


def shuffle_and_repeat(
    buffer_size: int, count: int | None = None, seed: int | None = None
) -> Transformation:
    """`Dataset.shuffle` and then `Dataset.repeat`."""
    return lambda data: data.shuffle(buffer_size, seed).repeat(count)


def snapshot(*args: Any, **kwargs: Any) -> Transformation:
    """See `Dataset.snapshot`."""
    return lambda data: data.snapshot(*args, **kwargs)


def take_while(predicate: Callable[..., Any]) -> Transformation:
    """See `Dataset.take_while`."""
    return lambda data: data.take_while(predicate)


def unbatch() -> Transformation:
    """See `Dataset.unbatch`."""
    return lambda data: data.unbatch()


def unique() -> Transformation:
    """See `Dataset.unique`."""
    return lambda data: data.unique()


__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "CsvDataset", "assert_cardinality",
    "bucket_by_sequence_length", "cardinality", "choose_from_datasets", "dense_to_ragged_batch",
    "enumerate_dataset", "get_single_element", "group_by_window", "ignore_errors",
    "make_csv_dataset", "map_and_batch", "rejection_resample", "sample_from_datasets", "scan",
    "shuffle_and_repeat", "snapshot", "take_while", "unbatch", "unique",
]  # fmt: skip
