"""What imdb and reuters share: word indices shifted, marked, filtered by rank and length."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.datasets.download import get_file


def shuffled(
    random: np.random.RandomState, sequences: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays in one new order drawn from `random`."""
    order = np.arange(len(sequences))
    random.shuffle(order)
    return sequences[order], labels[order]


def mark(sequences: np.ndarray, start_char: int | None, index_from: int | None) -> list[list[int]]:
    """Shift every word index by `index_from` and put `start_char` in front."""
    shift = index_from or 0
    start = [] if start_char is None else [start_char]
    return [start + [word + shift for word in words] for words in sequences]


def shorter_than(
    name: str, sequences: list[list[int]], labels: np.ndarray, maxlen: int
) -> tuple[list[list[int]], np.ndarray]:
    """Only the sequences of fewer than `maxlen` words, with their labels."""
    kept = [index for index, words in enumerate(sequences) if len(words) < maxlen]
    if not kept:
        raise ArgumentError(
            message(
                name,
                "some sequence must be shorter than maxlen",
                f"maxlen={maxlen}",
                "Raise maxlen.",
            )
        )
    return [sequences[index] for index in kept], np.asarray(labels)[kept]


def keep_ranks(
    sequences: Sequence[list[int]], num_words: int | None, skip_top: int, oov_char: int | None
) -> np.ndarray:
    """Indices from `skip_top` to `num_words - 1`; others become `oov_char`, or go when None.

    Without `num_words` the limit is the largest index itself, so that this one rarest word counts
    as left out. Keras does so, and equal numbers matter more here than one word.
    """
    if num_words is None:
        num_words = max(max(words, default=0) for words in sequences)
    result = np.empty(len(sequences), dtype=object)
    for index, words in enumerate(sequences):
        if oov_char is None:
            result[index] = [word for word in words if skip_top <= word < num_words]
        else:
            result[index] = [word if skip_top <= word < num_words else oov_char for word in words]
    return result


def word_index(path: str, origin: str, md5: str) -> dict[str, int]:
    """The table word → rank of a data set."""
    with open(get_file(path, origin=origin, file_hash=md5), encoding="utf-8") as file:
        return json.load(file)
