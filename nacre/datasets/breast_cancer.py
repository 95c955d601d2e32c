"""Breast cancer: a table of measurements that comes with nacre."""

from __future__ import annotations

from pathlib import Path

import numpy as np

__all__ = ["get_feature_names", "get_label_names", "load_data"]

_MEASURES = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
    "concave points", "symmetry", "fractal dimension",
)  # fmt: skip


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Samples of breast tissue: 455 for training and 114 for a test; no network needed.

    Choose it to try a classifier of tables in seconds. The features have very different scales:
    begin with a `Normalization` layer.

    Shapes:
        x_train  (455, 30)   float32, see `get_feature_names`
        y_train  (455,)      uint8, 0 = malignant, 1 = benign
        x_test   (114, 30)   float32
        y_test   (114,)      uint8

    Formula:
        The samples are sorted by label (stable), and every fifth one, from the first, is a test
        sample. Both parts keep the original order. No seed is involved.

    Source:
        Wolberg, Mangasarian, Street & Street 1993, Breast Cancer Wisconsin (Diagnostic), UCI
        Machine Learning Repository, doi:10.24432/C5DW2B, CC BY 4.0; labels as in scikit-learn. The
        split is ours.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((455, 30), (114, 30))
    """
    with np.load(Path(__file__).with_name("breast_cancer.npz"), allow_pickle=False) as file:
        x, y = file["features"], file["labels"]
    is_test = np.zeros(len(y), dtype=bool)
    is_test[np.argsort(y, kind="stable")[::5]] = True
    return (x[~is_test], y[~is_test]), (x[is_test], y[is_test])


def get_feature_names() -> tuple[str, ...]:
    """The names of the 30 columns: ten measures of the cells' nuclei, three statistics of each.

    Example:
        >>> get_feature_names()[::10]
        ('mean radius', 'radius error', 'worst radius')
    """
    return (
        *(f"mean {name}" for name in _MEASURES),
        *(f"{name} error" for name in _MEASURES),
        *(f"worst {name}" for name in _MEASURES),
    )


def get_label_names() -> tuple[str, ...]:
    """The names of the two classes, in the order of their numbers.

    Example:
        >>> get_label_names()
        ('malignant', 'benign')
    """
    return ("malignant", "benign")


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
