"""Splitting what holds samples into two data sets."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.kinds import is_int
from nacre.core.random import make_default_seed
from nacre.data.dataset import Dataset
from nacre.data.dataset.batching import Batch
from nacre.data.dataset.sources import Kept

_WHO = "split_dataset"


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Split samples into two data sets: the first of them, and the last.

    Args:
        dataset: An array, a tuple, list or dict of arrays of one length, or a finite `Dataset`. A
            `Dataset` is read once and kept in memory, so that both parts stay what they are where
            it shuffles. One that ends with `batch` is split by samples, and batched again; else its
            elements are what is split.
        left_size, right_size: How many samples, or which share of them, rounded. The one that is
            None gets what the other leaves.
        shuffle: Whether samples are put into another order first, once.
        seed: What this order follows from.
        preferred_backend: Accepted for compatibility.

    Raises:
        ArgumentError: A size breaks its rule, or it is no such data set.
        DataError: Lengths differ, the `Dataset` has no end, or a part would be empty.

    Source: Keras 3.15, whose parts were compared, also with a seed. Differs: where both sizes are
    rounded up past the number of samples, the right part gives way; in Keras both share a sample.

    Example:
        >>> import numpy as np
        >>> left, right = split_dataset(np.arange(10), left_size=0.8)
        >>> [int(x) for x in right]
        [8, 9]
    """
    if isinstance(dataset, Dataset):
        return _split_elements(dataset, left_size, right_size, shuffle, seed)
    arrays = _arrays(dataset)
    lengths = {len(array) for array in _leaves(arrays)}
    if len(lengths) > 1:
        rule = "all arrays must have the same number of samples"
        raise DataError(message(_WHO, rule, f"{sorted(lengths)}"))
    parts = _positions(lengths.pop(), left_size, right_size, shuffle, seed)

    def picked(array: Any, part: np.ndarray[Any, Any]) -> Any:
        # Without shuffling parts are slices, which copy nothing.
        return array[part] if shuffle else array[part[0] : part[-1] + 1]

    left, right = (
        Dataset.from_tensor_slices(_mapped(arrays, lambda array, part=part: picked(array, part)))
        for part in parts
    )
    return left, right


def _split_elements(
    dataset: Dataset, left_size: Any, right_size: Any, shuffle: bool, seed: int | None
) -> tuple[Dataset, Dataset]:
    if int(dataset.cardinality()) == -1:
        rule = "the dataset must end"
        raise DataError(message(_WHO, rule, "one without end", "Call take(count) before."))
    node = dataset._dataset_node
    batching = node if type(node) is Batch else None
    elements = list(dataset.unbatch() if batching else dataset)
    found: list[Dataset] = []
    for part in _positions(len(elements), left_size, right_size, shuffle, seed):
        kept = Dataset(Kept([elements[at] for at in part]), dataset.options())
        again = batching and kept.batch(batching.batch_size, batching.drop_remainder)
        found.append(again or kept)
    return found[0], found[1]


def _arrays(given: Any) -> Any:
    """Arrays, nested as they were given; a list of them is a tuple."""
    if isinstance(given, Mapping):
        return {key: _arrays(value) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return tuple(_arrays(value) for value in given)
    if getattr(given, "shape", ()) and hasattr(given, "__getitem__"):
        return given.to_numpy() if hasattr(given, "to_numpy") else given
    rule = "dataset must be a Dataset, an array, or a tuple, list or dict of arrays"
    fix = "Make arrays of it: np.asarray(values)."
    raise ArgumentError(message(_WHO, rule, f"{type(given).__name__} {given!r}"[:80], fix))


def _mapped(arrays: Any, function: Any) -> Any:
    if isinstance(arrays, dict):
        return {key: _mapped(value, function) for key, value in arrays.items()}
    if isinstance(arrays, tuple):
        return tuple(_mapped(value, function) for value in arrays)
    return function(arrays)


def _leaves(arrays: Any) -> list[Any]:
    found: list[Any] = []
    _mapped(arrays, found.append)
    if not found:
        raise DataError(message(_WHO, "there must be samples", "no array"))
    return found


def _positions(
    count: int, left_size: Any, right_size: Any, shuffle: bool, seed: int | None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Which samples are in the two parts."""
    if left_size is None and right_size is None:
        rule = "left_size or right_size must be given"
        raise ArgumentError(
            message(_WHO, rule, "neither", "Give left_size=0.8, or right_size=100.")
        )
    left, right = _size("left_size", left_size, count), _size("right_size", right_size, count)
    if left is not None and right is not None:
        shares = [size for size in (left_size, right_size) if isinstance(size, float)]
        is_too_much = len(shares) == 2 and sum(shares) > 1 + 1e-9
        if len(shares) == 2 and not is_too_much:
            right = min(right, count - left)
        if left + right > count or is_too_much:
            rule = f"left_size and right_size must not be more than all {count} samples together"
            raise ArgumentError(message(_WHO, rule, f"{left_size} and {right_size}"))
    if left is None:
        left = count - (right or 0)
    if right is None:
        right = count - left
    if not left or not right:
        rule = "both parts must have samples"
        raise DataError(message(_WHO, rule, f"{left} and {right} of {count}"))
    order = list(range(count))
    if shuffle:  # Python's generator, as in Keras: the same seed splits alike
        random.Random(make_default_seed() if seed is None else seed).shuffle(order)
    positions = np.asarray(order)
    return positions[:left], positions[count - right :]


def _size(name: str, given: Any, count: int) -> int | None:
    if given is None:
        return None
    if is_int(given) and not isinstance(given, bool) and 0 < given < count:
        return int(given)
    if isinstance(given, float | np.floating) and 0 < given < 1:
        return round(float(given) * count)
    rule = f"{name} must be a number of samples less than all {count}, or a share between 0 and 1"
    raise ArgumentError(message(_WHO, rule, repr(given)[:60]))


__all__ = ["split_dataset"]
