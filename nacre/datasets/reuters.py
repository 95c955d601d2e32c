"""Reuters newswires: 11,228 short texts as word ranks, in 46 topics."""

from __future__ import annotations

import numpy as np

from nacre.datasets._pickles import load_npz
from nacre.datasets._sequences import keep_ranks, mark, shorter_than, shuffled, word_index
from nacre.datasets.download import get_file

__all__ = ["get_label_names", "get_word_index", "load_data"]

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
_WORD_INDEX_MD5 = "4d44cc38712099c9e383dc6e5f11a921"
_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves "
    "ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin "
    "strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem "
    "dlr gas silver wpi hog lead"
)


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Newswires as lists of word ranks, with the number of their topic.

    Args:
        path: File name in the cache folder.
        num_words: Keep indices below this one; None keeps all but the largest.
        skip_top: Leave out indices below this one.
        maxlen: Leave out sequences of this length or longer.
        test_split: Fraction of the texts that becomes the test part.
        seed: Seed of the shuffle before the split.
        start_char: Put in front of each sequence; None puts nothing.
        oov_char: Stands for words left out; None drops them.
        index_from: Added to every rank of the file.

    Shapes:
        x_train, x_test   (texts,)   lists of int
        y_train, y_test   (texts,)   int64, values 0 to 45

    Raises:
        ArgumentError: `maxlen` leaves no sequence.
        DownloadError: The file is not cached and cannot be fetched.

    Source:
        Reuters-21578, through the file that Keras has distributed since 2015.
    """
    file_path = get_file(path, origin=_URL + "reuters.npz", file_hash=_SHA256)
    arrays = load_npz(file_path)
    texts, labels = shuffled(np.random.RandomState(seed), arrays["x"], arrays["y"])
    marked = mark(texts, start_char, index_from)
    if maxlen is not None:
        marked, labels = shorter_than("reuters", marked, labels, maxlen)
    kept = keep_ranks(marked, num_words, skip_top, oov_char)
    split = int(len(kept) * (1 - test_split))
    return (kept[:split], labels[:split]), (kept[split:], labels[split:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The table word → rank in the newswires, 1 for the most frequent word.

    Args:
        path: File name in the cache folder.

    Raises:
        DownloadError: The file is not cached and cannot be fetched.
    """
    return word_index(path, _URL + "reuters_word_index.json", _WORD_INDEX_MD5)


def get_label_names() -> tuple[str, ...]:
    """The names of the 46 topics, in the order of their numbers.

    Example:
        >>> get_label_names()[:3]
        ('cocoa', 'grain', 'veg-oil')
    """
    return tuple(_TOPICS.split())


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
