"""Functions of dense tensors that TensorFlow computes of sparse ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.data.dataset.sparse import SparseEntries
from nacre.tf.dtypes import as_dtype
from nacre.tf.values import tensor

# All but the last two leave zeros what they are.
OF_SPARSE = frozenset(
    "tf.math.abs tf.identity tf.cast tf.math.erf tf.math.negative tf.math.sign tf.math.sqrt "
    "tf.math.square tf.math.tanh tf.shape tf.size".split()
)


def sparse_among(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the first argument is sparse."""
    return isinstance(args[0] if args else next(iter(kwargs.values()), None), SparseEntries)


def sparse_call(
    function: Callable[..., Any], path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a function makes of a sparse tensor: one with the same places, or sizes.

    Args:
        function: The function of dense tensors.
        path: Its name, one of `OF_SPARSE`.
        args, kwargs: Its arguments.
    """
    names = [] if args else list(kwargs)[:1]
    x = args[0] if args else kwargs[names[0]]
    rest = {key: value for key, value in kwargs.items() if key not in names}
    if path in ("tf.shape", "tf.size"):
        sizes = np.asarray(x.dense_shape).view(np.ndarray)
        found = sizes.prod(dtype=np.int64) if path == "tf.size" else sizes
        out_type = args[1] if len(args) > 1 else rest.get("out_type", "int32")
        return tensor(np.asarray(found, as_dtype(out_type).as_numpy_dtype))
    return x.with_values(function(x.values, *args[1:], **rest))


__all__ = ["OF_SPARSE", "sparse_among", "sparse_call"]
