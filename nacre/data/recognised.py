"""A `Dataset`, and what comes out of one, recognised without importing it.

Importing it takes a hundredth of the time to a first training step. Where nobody has imported it,
nothing can be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from nacre.core.interop import loaded

if TYPE_CHECKING:
    from nacre.data.dataset import Dataset


def is_dataset(value: Any) -> TypeGuard[Dataset]:
    """Whether a value is a `Dataset`."""
    module = loaded("nacre.data.dataset.dataset")
    return module is not None and isinstance(value, module.Dataset)


def has_ragged_inputs(value: Any) -> bool:
    """Whether a value is a `Dataset` of batches whose inputs are ragged."""
    module = loaded("nacre.data.dataset.dataset")
    return module is not None and is_dataset(value) and bool(module.holds_ragged_inputs(value))


def padded(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """A batch whose ragged rows, if there are some, are filled up: see `dataset/ragged.py`."""
    module = loaded("nacre.data.dataset.ragged")
    if module is None:
        return x, y, sample_weight
    filled: tuple[Any, Any, Any] = module.padded(x, y, sample_weight)
    return filled


__all__ = ["has_ragged_inputs", "is_dataset", "padded"]
