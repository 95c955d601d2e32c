"""`tf.train.Feature` and its kin: values of an `Example`, as TensorFlow's classes spell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message


def Int64List(value: Any = ()) -> np.ndarray:
    """Whole numbers."""
    return np.asarray(list(value), np.int64)


def FloatList(value: Any = ()) -> np.ndarray:
    """Floats of 32 bits."""
    return np.asarray([float(x) for x in value], np.float32)


def BytesList(value: Any = ()) -> list[bytes]:
    """Strings, as `bytes`."""
    found = [bytes(np.asarray(x).item()) if hasattr(x, "dtype") else x for x in value]
    wrong = next((x for x in found if not isinstance(x, bytes)), None)
    if wrong is not None:
        fix = "Encode it: text.encode()."
        raise ArgumentError(message("tf.train.BytesList", "values must be bytes", repr(wrong), fix))
    return found


def Feature(int64_list: Any = None, float_list: Any = None, bytes_list: Any = None) -> Any:
    """The one list that is given.

    Args:
        int64_list, float_list, bytes_list: One of them.
    """
    given = [x for x in (int64_list, float_list, bytes_list) if x is not None]
    if len(given) != 1:
        raise ArgumentError(message("tf.train.Feature", "one list is taken", f"{len(given)}"))
    return given[0]


def Features(feature: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Features by name."""
    return dict(feature or {})


def FeatureList(feature: Sequence[Any] = ()) -> list[Any]:
    """Features of the steps of a sequence."""
    return list(feature)


def FeatureLists(feature_list: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Such lists by name."""
    return dict(feature_list or {})
