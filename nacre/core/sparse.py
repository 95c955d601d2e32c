"""Sparse arrays of other libraries as rows that are made dense when they are picked.

SciPy's matrices and arrays, BCOO and BCSR of JAX, sparse tensors of PyTorch and TensorFlow. Only
SciPy is imported here, which JAX brings along.
"""

from __future__ import annotations

import importlib
import math
import sys
from typing import Any, Self

import numpy as np

from nacre.core.errors import DTypeError, message
from nacre.core.kinds import is_of_library


class SparseRows:
    """Rows of a sparse array, made dense when they are picked: a batch, never the whole.

    Args:
        array: For which `is_sparse` is true. Entries that stand there twice are added up, as its
            own library does.

    Attributes:
        shape: Its shape; there may be one axis, two or more.
        dtype: Its dtype.
    """

    def __init__(self, array: Any) -> None:
        self._rows: Any = _compressed(array)
        self.shape: tuple[int, ...] = tuple(int(size) for size in array.shape)
        self.dtype: np.dtype = self._rows.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> Self:
        picked = object.__new__(type(self))
        picked._rows = self._rows[rows]
        picked.shape = (int(picked._rows.shape[0]), *self.shape[1:])
        picked.dtype = self.dtype
        return picked

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self._rows.toarray(), dtype=dtype).reshape(self.shape)


def is_sparse(value: Any) -> bool:
    """True for a sparse array of a library that is already loaded."""
    return (
        _is_scipy(value)
        or is_of_library(value, "jax.experimental.sparse", "BCOO", "BCSR")
        or is_sparse_torch_tensor(value)
        or is_of_library(value, "tensorflow", "SparseTensor")
        or holds_entries(value)
    )


def holds_entries(value: Any) -> bool:
    """Whether its class says that it is values at places: `indices`, `values` and `shape`."""
    return getattr(value.__class__, "holds_sparse_entries", False) is True


def is_sparse_torch_tensor(value: Any) -> bool:
    """True for a torch.Tensor in a sparse layout, when torch is already loaded."""
    torch: Any = sys.modules.get("torch")
    if not is_of_library(value, "torch", "Tensor"):
        return False
    layout = getattr(value, "layout", None)  # tensors of wrappers may have none
    return layout is not None and layout is not torch.strided


def _is_scipy(value: Any) -> bool:
    sparse: Any = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(value))


def _compressed(array: Any) -> Any:
    """A matrix of SciPy in compressed rows, with all axes after the first as one."""
    if _is_scipy(array):
        if array.ndim == 2:
            return array.tocsr()
        array = array.tocoo()
        return _of_entries(array.data, array.coords, array.shape)
    if is_sparse_torch_tensor(array):
        array = array.detach().cpu().to_sparse_coo().coalesce()
        if array.dense_dim():
            array = array.to_dense().to_sparse_coo().coalesce()
        values = array.values()
        if str(values.dtype) == "torch.bfloat16":
            values = values.float()
        return _of_entries(values.numpy(), array.indices().numpy(), array.shape)
    if is_of_library(array, "tensorflow", "SparseTensor"):
        return _of_entries(array.values.numpy(), array.indices.numpy().T, array.shape)
    if holds_entries(array):
        return _of_entries(np.asarray(array.values), np.asarray(array.indices).T, array.shape)
    return _of_jax(array)


def _of_jax(array: Any) -> Any:
    if hasattr(array, "to_bcoo"):
        array = array.to_bcoo()
    if array.n_batch or array.n_dense:
        library: Any = importlib.import_module("jax.experimental.sparse")
        array = library.bcoo_update_layout(array, n_batch=0, n_dense=0)
    return _of_entries(np.asarray(array.data), np.asarray(array.indices).T, array.shape)


def _of_entries(values: np.ndarray, coordinates: Any, shape: Any) -> Any:
    """The same from values and, for each axis, where they stand."""
    if values.dtype.kind in "OUST":
        rule, fix = "it takes dense strings", "Make them dense: tf.sparse.to_dense(x)."
        raise DTypeError(message("data", rule, "a sparse tensor of strings", fix))
    sizes = [int(size) for size in shape]
    places = np.asarray(coordinates).reshape(len(sizes), -1).astype(np.int64)
    # JAX fills up with entries that stand outside.
    inside = np.all(places < np.array(sizes)[:, None], axis=0)
    if not inside.all():
        values, places = values[inside], places[:, inside]
    if values.dtype.name == "bfloat16":  # which SciPy has not
        values = values.astype(np.float32)
    width = math.prod(sizes[1:])
    columns = (
        np.ravel_multi_index(tuple(places[1:]), sizes[1:]) if len(sizes) > 1 else 0 * places[0]
    )
    sparse: Any = importlib.import_module("scipy.sparse")
    return sparse.csr_matrix((values, (places[0], columns)), shape=(sizes[0], width))


__all__ = ["SparseRows", "holds_entries", "is_sparse", "is_sparse_torch_tensor"]
