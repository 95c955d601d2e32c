"""Doors to packages outside: optional imports, and foreign objects recognised without importing."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np

from nacre.core.errors import DataError, MissingPackageError, message
from nacre.core.hugging_face import column_to_numpy, is_column
from nacre.core.kinds import is_of_library
from nacre.core.sparse import SparseRows, is_sparse
from nacre.core.stored import is_stored, stored_to_numpy
from nacre.core.tables import is_table, table_to_numpy


def optional_import(module: str, *, extra: str, who: str) -> ModuleType:
    """Import an optional package, or say which `pip install` line brings it.

    Args:
        module: Dotted module name.
        extra: nacre's extra that holds it.
        who: What needs it, for the message.

    Raises:
        MissingPackageError: The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            message(
                who,
                f"the package {module.split('.')[0]!r} must be installed",
                f"{type(error).__name__}: {error}",
                f'Install it with: pip install "nacre[{extra}]"',
            )
        ) from None


def is_torch_tensor(value: Any) -> bool:
    """True for a torch.Tensor, when torch is already loaded."""
    return is_of_library(value, "torch", "Tensor")


def is_torch_samples(value: Any) -> bool:
    """True for a data set of torch that gives single samples by index, when torch is loaded.

    One that is iterated gives samples or batches, as its author likes.
    """
    name = "torch.utils.data"
    is_iterated = is_of_library(value, name, "IterableDataset")
    return is_of_library(value, name, "Dataset") and not is_iterated


def is_tensorflow_tensor(value: Any) -> bool:
    """True for a tf.Tensor or tf.Variable, when TensorFlow is already loaded."""
    return is_of_library(value, "tensorflow", "Tensor", "Variable")


def is_foreign_array(value: Any) -> bool:
    """True for what `to_numpy_if_foreign` makes an array of; nothing is converted to find out."""
    return (
        is_torch_tensor(value)
        or is_tensorflow_tensor(value)
        or is_table(value)
        or is_sparse(value)
        or is_stored(value)
        or is_column(value)
    )


def has_array_protocol(value: Any) -> bool:
    """True for an array NumPy can read, whosever it is."""
    return hasattr(value, "__array__") and hasattr(value, "shape") and hasattr(value, "dtype")


def to_numpy_if_foreign(value: Any, who: str = "data") -> Any:
    """Tensors of torch and TensorFlow, frames and columns of pandas, polars and Arrow, columns of
    Hugging Face's data sets, sparse arrays, and arrays in files of h5py and zarr as NumPy arrays;
    anything else unchanged.

    Args:
        value: Anything.
        who: Who asks, for messages.

    Raises:
        DataError: A frame with missing values, dates, or objects that are no numbers; a data set
            whose file is closed, or a tensor without values.
    """
    if type(value) is np.ndarray:
        return value
    if is_sparse(value):
        return np.asarray(SparseRows(value))
    if is_torch_tensor(value):
        return _of_torch(value, who)
    if is_tensorflow_tensor(value):
        return value.numpy()
    if is_table(value):
        return table_to_numpy(value, who)
    if is_stored(value):
        return stored_to_numpy(value, who)
    if is_column(value):
        return to_numpy_if_foreign(column_to_numpy(value, who), who)
    return value


def _of_torch(tensor: Any, who: str) -> Any:
    """A torch tensor as a NumPy array; NumPy has no bfloat16 of torch's."""
    if getattr(tensor, "is_meta", False):
        fix = "Load its values first, or make it on a device: torch.empty_like(x, device='cpu')."
        raise DataError(message(who, "a tensor must have values", "one on the device 'meta'", fix))
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    if str(getattr(tensor, "dtype", "")) == "torch.bfloat16":
        tensor = tensor.float()
    return tensor.numpy()
