"""Rows of different lengths, of a `Dataset` or of TensorFlow, filled up for a model.

Neither is imported: where nobody has imported them, nothing can be one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.kinds import is_of_library, loaded

_MOST_INPUTS = 64  # longer lists are of numbers


def is_ragged(value: Any) -> bool:
    """Whether it is a `Ragged` of a `Dataset`, or a RaggedTensor of TensorFlow."""
    return is_of_library(value, "nacre.data.dataset.ragged", "Ragged") or _is_of_tensorflow(value)


def _is_of_tensorflow(value: Any) -> bool:
    return is_of_library(value, "tensorflow", "RaggedTensor")


def holds_ragged(structure: Any) -> bool:
    """Whether there is one among inputs or targets."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    if isinstance(structure, list | tuple):
        return len(structure) <= _MOST_INPUTS and any(map(holds_ragged, structure))
    return is_ragged(structure)


def has_ragged_inputs(value: Any) -> bool:
    """Whether the inputs that a `Dataset` or one of tf.data gives are ragged."""
    module = loaded("nacre.data.dataset.dataset")
    if module is not None and isinstance(value, module.Dataset):
        return bool(module.holds_ragged_inputs(value))
    spec: Any = getattr(value, "element_spec", None) if loaded("tensorflow") else None
    inputs = spec[0] if isinstance(spec, tuple) and spec else spec
    return any(is_of_library(one, "tensorflow", "RaggedTensorSpec") for one in tree.flatten(inputs))


def padded(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """A batch whose ragged rows are filled up with 0, and weighted 0 there where they are targets.

    Inputs that are filled up are passed over by `Embedding(mask_zero=True)` and `Masking()`.

    Args:
        x, y, sample_weight: The parts of a batch, or all rows.

    Example:
        >>> from nacre.data.dataset.ragged import Ragged
        >>> rows = Ragged(np.array([1, 2, 3]), np.array([0, 1, 3]))
        >>> x, y, weight = padded(rows, rows, None)
        >>> x.tolist(), weight.tolist()
        ([[1, 0], [2, 3]], [[1.0, 0.0], [1.0, 1.0]])
    """
    if not holds_ragged((x, y, sample_weight)):
        return x, y, sample_weight
    if holds_ragged(y):
        given = tree.flatten(sample_weight)
        if sample_weight is None:
            given = [None] * len(tree.flatten(y))
        if len(given) == len(tree.flatten(y)):
            pairs = zip(tree.flatten(y), given, strict=True)
            weights = [_weights(target, weight) for target, weight in pairs]
            sample_weight = tree.pack_sequence_as(y, weights)
    x, y, sample_weight = tree.map_structure(
        lambda leaf: _filled(leaf) if is_ragged(leaf) else leaf, (x, y, sample_weight)
    )
    return x, y, sample_weight


def _filled(rows: Any) -> Any:
    tensor = rows.to_tensor()
    return tensor.numpy() if _is_of_tensorflow(rows) else tensor


def _mask(rows: Any) -> np.ndarray:
    """Which places hold values: (batch, longest, ...)."""
    if not _is_of_tensorflow(rows):
        return rows.mask()
    ones = np.ones(len(rows.flat_values), bool)
    mask: np.ndarray = rows.with_flat_values(ones).to_tensor().numpy()
    return mask


def _weights(target: Any, given: Any) -> Any:
    if not is_ragged(target):
        return np.ones(len(target), np.float32) if given is None else given
    mask = _mask(target).astype(np.float32)
    if given is None:
        return mask
    weight = _filled(given) if is_ragged(given) else np.asarray(given)
    return mask * weight.reshape(weight.shape + (1,) * (mask.ndim - weight.ndim))


__all__ = ["has_ragged_inputs", "holds_ragged", "is_ragged", "padded"]
