"""`tf.data.experimental`: older names of what `tf.data.Dataset` has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.data import Dataset
from nacre.data import TFRecordWriter as Writer
from nacre.tf.files import path_of
from nacre.tf.values import tensor


class AutoShardPolicy:
    """How a data set is shared out to workers; one worker takes all of it."""

    OFF, AUTO, FILE, DATA, HINT = -1, 0, 1, 2, 3


class AutotuneAlgorithm:
    """How TensorFlow looks for settings; accepted for compatibility."""

    DEFAULT, HILL_CLIMB, GRADIENT_DESCENT, MAX_PARALLELISM, STAGE_BASED = range(5)


class Optional:
    """A value, or none: what an iterator gives that may be at its end.

    Args:
        values: A list of the one value, or an empty one.

    Example:
        >>> found = get_next_as_optional(iter(Dataset.range(1)))
        >>> bool(found.has_value()), int(found.get_value())
        (True, 0)
    """

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    @classmethod
    def from_value(cls, value: Any) -> Optional:
        """One with a value."""
        return cls([value])

    @classmethod
    def empty(cls, element_spec: Any = None) -> Optional:
        """One without."""
        return cls([])

    def has_value(self, name: str | None = None) -> Any:
        """Whether there is one."""
        return tensor(bool(self._values))

    def get_value(self, name: str | None = None) -> Any:
        """The value.

        Raises:
            ArgumentError: There is none.
        """
        if not self._values:
            fix = "Ask for it first: optional.has_value()."
            raise ArgumentError(message("Optional.get_value", "it must have a value", "none", fix))
        return self._values[0]


def get_next_as_optional(iterator: Any) -> Optional:
    """The next element of an iterator, or none at its end."""
    try:
        return Optional([next(iterator)])
    except StopIteration:
        return Optional([])


def counter(start: int = 0, step: int = 1, dtype: Any = "int64") -> Dataset:
    """Numbers without end.

    Args:
        start, step: The first, and how far the next one is.
        dtype: Their dtype.
    """
    return Dataset.counter(start, step, dtype)


class TFRecordWriter:
    """Writes a data set of strings into a file of records.

    Args:
        filename: The file.
        compression_type: None, '', 'GZIP' or 'ZLIB'.
    """

    def __init__(self, filename: Any, compression_type: str | None = None) -> None:
        self._path, self._compression = path_of(filename), compression_type

    def write(self, dataset: Dataset) -> None:
        """Write all elements."""
        with Writer(self._path, self._compression) as writer:
            for record in dataset.as_numpy_iterator():
                writer.write(record)


def to_device(*args: Any, **kwargs: Any) -> Callable[[Dataset], Dataset]:
    """The data set as it is, read ahead: `fit` sends batches to the device."""
    return lambda dataset: dataset.prefetch(1)


def from_list(elements: Any, name: Any = None) -> Dataset:
    """A data set of the elements of a list.

    Args:
        elements: Structures that are nested alike.
        name: Accepted for compatibility.
    """
    found = list(elements)
    return Dataset.from_generator(lambda: iter(found), output_signature=_spec_of(found))


def _spec_of(elements: list[Any]) -> Any:
    from nacre.core import tree
    from nacre.tf.more_values import type_spec_from_value

    return tree.map_structure(type_spec_from_value, elements[0])


def get_structure(dataset_or_iterator: Any) -> Any:
    """What is known of the elements.

    Args:
        dataset_or_iterator: A data set or an iterator of one.
    """
    return dataset_or_iterator.element_spec


def save(
    dataset: Dataset, path: Any, compression: Any = None, shard_func: Any = None,
    checkpoint_args: Any = None,
) -> None:  # fmt: skip
    """`Dataset.save`.

    Args:
        dataset: It.
        path, compression, shard_func, checkpoint_args: As `Dataset.save` has them.
    """
    dataset.save(path, compression, shard_func, checkpoint_args)


def load(
    path: Any, element_spec: Any = None, compression: Any = None, reader_func: Any = None
) -> Dataset:
    """`Dataset.load`.

    Args:
        path, element_spec, compression, reader_func: As `Dataset.load` has them.
    """
    return Dataset.load(path, element_spec, compression, reader_func)


def parallel_interleave(
    map_func: Callable[..., Any], cycle_length: int, block_length: int = 1, sloppy: Any = False,
    buffer_output_elements: Any = None, prefetch_input_elements: Any = None,
) -> Callable[[Dataset], Dataset]:  # fmt: skip
    """`Dataset.interleave`, in order.

    Args:
        map_func, cycle_length, block_length: As `Dataset.interleave` has them.
        sloppy, buffer_output_elements, prefetch_input_elements: Accepted for compatibility.
    """
    return lambda dataset: dataset.interleave(map_func, cycle_length, block_length)


__all__ = [
    "AutoShardPolicy", "AutotuneAlgorithm", "Optional", "TFRecordWriter", "counter", "from_list",
    "get_next_as_optional", "get_structure", "load", "parallel_interleave", "save", "to_device",
]  # fmt: skip
