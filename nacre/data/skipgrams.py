"""Pairs of words for word2vec, and how often frequent words are left out of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.numbers import number, whole_number

_EULER = 0.577  # of Euler and Mascheroni, to the places that tf.keras takes


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray[Any, Any]:
    """With what probability each word is kept, frequent ones more seldom.

    How frequent a word is follows from its rank alone: word number `r` is the `r`-th most frequent
    one, as `Tokenizer` numbers them, and frequencies are taken to fall as 1 / r (Zipf's law).

    Args:
        size: How many words there are; entry 0 is that of number 0, which is no word.
        sampling_factor: The larger, the more is kept.

    Shapes:
        returns (size,), float64

    Formula:
        f(r) = 1 / (r (ln r + γ) + 1/2 - 1/(12 r)),   p(r) = min(1, sqrt(sampling_factor / f(r)))

    Source: Mikolov et al. 2013, arXiv:1310.4546, section 2.3; tf.keras 2.15.

    Example:
        >>> make_sampling_table(4).round(4).tolist()
        [0.0032, 0.0032, 0.0055, 0.0074]
    """
    who = "make_sampling_table"
    count = whole_number(who, "size", size)
    factor = number(who, "sampling_factor", sampling_factor)
    if factor <= 0:
        raise ArgumentError(message(who, "sampling_factor must be positive", f"{sampling_factor}"))
    rank = np.maximum(np.arange(count), 1)
    inverse_frequency = rank * (np.log(rank) + _EULER) + 0.5 - 1.0 / (12.0 * rank)
    kept = factor * inverse_frequency
    return np.minimum(1.0, kept / np.sqrt(kept))  # tf.keras's very bits, which draws are held to


def skipgrams(
    sequence: Any,
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words that are near one another (label 1), and pairs drawn at random (label 0).

    Args:
        sequence: Numbers of words; 0 is no word and is in no pair.
        vocabulary_size: Random words are drawn from 1 to `vocabulary_size - 1`: for a `Tokenizer`,
            `len(tokenizer.word_index) + 1`.
        window_size: How far apart two words of a pair may be.
        negative_samples: How many random pairs for each pair of neighbours; 0 for none.
        shuffle: Whether pairs are in random order.
        categorical: Whether labels are [1, 0] and [0, 1] in place of 0 and 1.
        sampling_table: With what probability each word is kept, such as `make_sampling_table`
            gives; None keeps all.
        seed: Of the order. Which random words are drawn, and which words are kept, follows from
            `random.seed`, as in tf.keras; `random` itself goes on from this seed afterwards.

    Returns:
        A list of [word, other word], and a list of labels.

    Raises:
        DataError: The sequence is no flat list of numbers from 0 on.
        ArgumentError: An argument breaks its rule.

    Source: Mikolov et al. 2013, arXiv:1301.3781 and arXiv:1310.4546; tf.keras 2.15, whose draws
    were compared.

    Example:
        >>> skipgrams([1, 2, 0, 3], 4, window_size=1, negative_samples=0, shuffle=False)
        ([[1, 2], [2, 1]], [1, 1])
    """
    who = "skipgrams"
    words = _words(who, sequence)
    size = whole_number(who, "vocabulary_size", vocabulary_size)
    window = whole_number(who, "window_size", window_size, 0)
    share = number(who, "negative_samples", negative_samples)
    if share < 0:
        raise ArgumentError(message(who, "negative_samples must not be negative", f"{share}"))
    if share and size < 2:
        rule = "vocabulary_size must be at least 2, the number of words and one, to draw words"
        raise ArgumentError(message(who, rule, f"{size}"))
    if min(words, default=0) < 0:
        rule = "words must be numbers from 0 on"
        raise DataError(message(who, rule, f"{min(words)}"))
    if sampling_table is not None and len(sampling_table) <= max(words, default=0):
        rule = "sampling_table must have an entry for each word"
        fix = "Give make_sampling_table(vocabulary_size)."
        raise ArgumentError(message(who, rule, f"{len(sampling_table)} entries", fix))

    pairs = [pair for at in _kept(words, sampling_table) for pair in _near(words, at, window)]
    near, random_pair = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [near for _ in pairs]
    drawn = int(len(pairs) * share)
    if drawn:
        first = [pair[0] for pair in pairs]
        random.shuffle(first)
        pairs += [[first[i % len(first)], random.randint(1, size - 1)] for i in range(drawn)]
        labels += [random_pair for _ in range(drawn)]
    if shuffle:
        order = random.randint(0, 10_000_000) if seed is None else seed
        for part in (pairs, labels):  # the same order for both
            random.seed(order)
            random.shuffle(part)
    return pairs, labels


def _words(who: str, sequence: Any) -> list[int]:
    given = np.asarray(sequence)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        rule = "sequence must be a flat list of the numbers of words"
        fix = "Of several texts, take one at a time: skipgrams(sequences[0], ...)."
        raise DataError(message(who, rule, f"{sequence!r}"[:60], fix))
    return given.tolist()


def _kept(words: Sequence[int], table: Any) -> list[int]:
    """Where the words are that pairs are made of, drawn in their order."""
    return [
        at
        for at, word in enumerate(words)
        if word and (table is None or not table[word] < random.random())
    ]


def _near(words: Sequence[int], at: int, window: int) -> list[list[int]]:
    begin = max(0, at - window)
    around = enumerate(words[begin : at + window + 1], begin)
    return [[words[at], other] for place, other in around if place != at and other]


__all__ = ["make_sampling_table", "skipgrams"]
