"""What every network does to pictures before, and to predictions after."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from nacre import ops
from nacre.core import config
from nacre.core.errors import DataError, ShapeError, message, unknown_name
from nacre.core.numbers import whole_number
from nacre.datasets.download import get_file

__all__ = ["decode_predictions", "preprocess_input"]

_CLASS_INDEX = (
    "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
)
_CLASS_INDEX_MD5 = "c2c37ea517e94d9795004a39431a14cb"
_CLASSES = 1000

# ImageNet's mean of each channel, of 255: blue, green, red (as Caffe's networks were trained); and
# mean and standard deviation, of 1: red, green, blue (as torchvision's were).
_CAFFE_MEAN = (103.939, 116.779, 123.68)
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pictures with values 0…255 in red, green, blue, as a network wants them.

    The array that is given stays as it is. Differs: Keras writes into it where its dtype is the
    float type of layers, so that a second call preprocesses twice.

    Args:
        x: Pictures, an array or a symbolic tensor.
        data_format: 'channels_last' or 'channels_first'; that of `nacre.config` when None.
        mode: 'caffe' puts blue first and takes ImageNet's mean off, 'tf' scales to -1…1, 'torch'
            scales to 0…1 and divides what is left of ImageNet's mean by its deviation.
    Shapes:
        x        (*batch, height, width, 3)   integers or float
        returns  the same                     float: that of `x`, or floatx
    Raises:
        UnknownNameError: The mode is none of these.
        ShapeError: There are no three channels where the mode needs them.
    Example:
        >>> preprocess_input(np.array([[[0, 127.5, 255]]]), mode="tf").tolist()
        [[[-1.0, 0.0, 1.0]]]
    """
    if mode not in ("caffe", "tf", "torch"):
        raise unknown_name("preprocess_input", "mode", mode, ("caffe", "tf", "torch"))
    first = config.standardize_data_format(data_format) == "channels_first"
    if isinstance(x, (list, tuple)):
        x = np.asarray(x)
    if isinstance(x, np.ndarray):
        x = x.astype(config.floatx())
    elif not ops.is_tensor(x) or "float" not in str(x.dtype):
        x = ops.cast(x, config.floatx())
    if mode == "tf":
        return x / 127.5 - 1
    axis = len(x.shape) - (3 if first else 1)
    if len(x.shape) not in (3, 4) or x.shape[axis] != 3:
        where = "channels_first" if first else "channels_last"
        rule = f"pictures must have three channels ({where}) for mode {mode!r}"
        raise ShapeError(message("preprocess_input", rule, f"shape {tuple(x.shape)}"))
    if mode == "torch":
        scaled = x / 255
        return (scaled - _along(MEAN, x, first)) / _along(DEVIATION, x, first)
    backwards = (..., slice(None, None, -1), slice(None), slice(None)) if first else (
        ..., slice(None, None, -1)
    )  # fmt: skip
    return x[backwards] - _along(_CAFFE_MEAN, x, first)


def _along(values: tuple[float, ...], x: Any, channels_first: bool) -> Any:
    """Numbers of the three channels, in the shape and dtype that go with `x`."""
    array = np.reshape(values, (3, 1, 1) if channels_first else (3,))
    if isinstance(x, np.ndarray):
        return array.astype(x.dtype)
    return ops.cast(array, x.dtype)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The likeliest classes of ImageNet for each picture.

    The scores are what is given: for logits (`classifier_activation=None`) the order is the same,
    and no score is a probability.

    Args:
        preds: Predictions of a network with the top.
        top: How many classes for each picture.
    Shapes:
        preds  (batch, 1000)
    Returns:
        For each picture tuples (WordNet's number, name, score), the highest score first.
    Raises:
        ShapeError: These are no 1000 classes.
        DataError: There is NaN among them.
        ArgumentError: `top` is no positive whole number.
        DownloadError: The names are not in the cache and could not be fetched.
    """
    top = whole_number("decode_predictions", "top", top)
    scores = np.asarray(preds)
    if scores.ndim != 2 or scores.shape[1] != _CLASSES:
        raise ShapeError(
            message(
                "decode_predictions",
                f"predictions must have shape (batch, {_CLASSES}), one for each class of ImageNet",
                f"shape {scores.shape}",
                "Other classes have no names here: preds.argmax(axis=1) gives their indices.",
            )
        )
    if np.isnan(scores).any():
        raise DataError(message("decode_predictions", "predictions must be numbers", "NaN"))
    names = _class_names()
    orders = np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :top]
    return [[(*names[i], row[i]) for i in order] for row, order in zip(scores, orders)]


def _class_names() -> list[tuple[str, str]]:
    path = get_file(
        "imagenet_class_index.json",
        _CLASS_INDEX,
        cache_subdir="models",
        file_hash=_CLASS_INDEX_MD5,
    )
    return _read_class_names(path)


@functools.lru_cache(maxsize=1)
def _read_class_names(path: str) -> list[tuple[str, str]]:
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    return [tuple(found[str(i)]) for i in range(_CLASSES)]
