"""Short texts in ten languages that come with nacre: the data set for a first text classifier."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

__all__ = ["get_label_names", "load_data"]


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Messages of programs in ten languages, 1,750 for training and 440 for a test; no network.

    Choose it to try a classifier of texts in seconds: single words tell most languages, and pairs
    and triples of characters (`TextVectorization(split="character", ngrams=3)`) nearly all.

    Shapes:
        x_train  (1750,)   strings of 10 to 157 characters
        y_train  (1750,)   uint8, the language, see `get_label_names`
        x_test   (440,)    strings
        y_test   (440,)    uint8

    Formula:
        Of 219 messages every fifth, from the first, is for the test, in all languages: no text of
        the test has a translation in the training part. The languages take turns. No seed is
        involved.

    Source:
        Messages of Django 5.2 and their translations, Django Software Foundation and individual
        contributors; licence BSD 3-Clause. Choice and split are ours.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((1750,), (440,))
    """
    _, messages = _table()
    texts = np.array(messages)
    is_test = np.arange(len(texts)) % 5 == 0
    return _flat(texts[~is_test]), _flat(texts[is_test])


def get_label_names() -> tuple[str, ...]:
    """The codes of the ten languages, in the order of their numbers.

    Example:
        >>> get_label_names()[:4]
        ('da', 'de', 'en', 'es')
    """
    return tuple(_table()[0])


def _table() -> tuple[list[str], list[list[str]]]:
    """The languages, and a row of texts for each message."""
    path = Path(__file__).with_name("languages.tsv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        languages, *messages = (line.rstrip("\n").split("\t") for line in file)
    return languages, messages


def _flat(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts (messages, languages) as (texts,), with the number of each one's language."""
    labels = np.broadcast_to(np.arange(texts.shape[1], dtype="uint8"), texts.shape)
    return texts.ravel(), labels.ravel()


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
