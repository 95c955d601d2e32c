"""IMDB film reviews: 50,000 reviews as word ranks, good or bad."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import refuse_unknown
from nacre.datasets._pickles import load_npz
from nacre.datasets._sequences import keep_ranks, mark, shorter_than, shuffled, word_index
from nacre.datasets.download import get_file

__all__ = ["get_word_index", "load_data"]

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
_WORD_INDEX_MD5 = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
    **kwargs: Any,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """25,000 training and 25,000 test reviews; each is a list of word ranks, 0 is for padding.

    Args:
        path: File name in the cache folder.
        num_words: Keep indices below this one; None keeps all but the largest.
        skip_top: Leave out indices below this one.
        maxlen: Leave out sequences of this length or longer.
        seed: Seed of the shuffle.
        start_char: Put in front of each sequence; None puts nothing.
        oov_char: Stands for words left out; None drops them.
        index_from: Added to every rank of the file.
        **kwargs: Old spelling `nb_words` of `num_words`.

    Shapes:
        x_train, x_test   (reviews,)   lists of int
        y_train, y_test   (reviews,)   int64, 1 = good

    Raises:
        ArgumentError: `maxlen` leaves no sequence, or an argument is unknown.
        DownloadError: The file is not cached and cannot be fetched.

    Source:
        Maas et al. 2011, Learning Word Vectors for Sentiment Analysis.
    """
    if "nb_words" in kwargs:
        num_words = kwargs.pop("nb_words")
    refuse_unknown("imdb.load_data", kwargs, load_data)
    file_path = get_file(path, origin=_URL + "imdb.npz", file_hash=_SHA256)
    arrays = load_npz(file_path)
    random = np.random.RandomState(seed)
    x_train, y_train = shuffled(random, arrays["x_train"], arrays["y_train"])
    x_test, y_test = shuffled(random, arrays["x_test"], arrays["y_test"])
    train, test = (mark(part, start_char, index_from) for part in (x_train, x_test))
    if maxlen is not None:
        train, y_train = shorter_than("imdb", train, y_train, maxlen)
        test, y_test = shorter_than("imdb", test, y_test, maxlen)
    kept = keep_ranks(train + test, num_words, skip_top, oov_char)
    return (kept[: len(train)], y_train), (kept[len(train) :], y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The table word → rank in the training reviews, 1 for the most frequent word.

    Args:
        path: File name in the cache folder.

    Raises:
        DownloadError: The file is not cached and cannot be fetched.
    """
    return word_index(path, _URL + "imdb_word_index.json", _WORD_INDEX_MD5)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
