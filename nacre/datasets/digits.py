"""Handwritten digits, 8 x 8 pixels, that come with nacre: the data set for the first hour."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["load_data"]

Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data() -> Split:
    """1,437 training and 360 test images of handwritten digits; no network needed.

    Choose it to try something in seconds; choose `mnist` for numbers that others can compare.

    Shapes:
        x_train  (1437, 8, 8)   uint8, values 0 to 16
        y_train  (1437,)        uint8, values 0 to 9
        x_test   (360, 8, 8)    uint8
        y_test   (360,)         uint8

    Formula:
        The images are sorted by label (stable), and every fifth one, from the first, is a test
        image: 35 to 37 per class. Both parts keep the original order. No seed is involved.

    Source:
        Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits (test part), UCI Machine
        Learning Repository, doi:10.24432/C50P49, CC BY 4.0. The split is ours.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((1437, 8, 8), (360, 8, 8))
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[np.argsort(labels, kind="stable")[::5]] = True
    return (images[~is_test], labels[~is_test]), (images[is_test], labels[is_test])


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
