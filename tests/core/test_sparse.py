"""Sparse arrays of other libraries: rows that are made dense when they are picked."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax.experimental import sparse as jax_sparse
from scipy import sparse

from nacre.core.interop import to_numpy_if_foreign
from nacre.core.sparse import SparseRows, is_sparse

DENSE = np.random.default_rng(0).integers(0, 3, (6, 2, 3)).astype("float32")
MATRIX = DENSE.reshape(6, 6)


def of_torch(layout: str, array: np.ndarray, **settings: Any) -> Any:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its compressed rows a beta
        return getattr(torch.tensor(array), layout)(**settings)


FORMS: dict[str, tuple[np.ndarray, Callable[[], Any]]] = {
    "csr_matrix": (MATRIX, lambda: sparse.csr_matrix(MATRIX)),
    "csr_array": (MATRIX, lambda: sparse.csr_array(MATRIX)),
    "csc": (MATRIX, lambda: sparse.csc_matrix(MATRIX)),
    "coo": (MATRIX, lambda: sparse.coo_array(MATRIX)),
    "dok": (MATRIX, lambda: sparse.dok_matrix(MATRIX)),
    "one axis": (MATRIX[:, 0], lambda: sparse.coo_array(MATRIX[:, 0])),
    "BCOO": (MATRIX, lambda: jax_sparse.BCOO.fromdense(jax.numpy.asarray(MATRIX))),
    "BCOO with room": (MATRIX, lambda: jax_sparse.BCOO.fromdense(MATRIX, nse=30)),
    "BCOO of blocks": (DENSE, lambda: jax_sparse.BCOO.fromdense(DENSE, n_dense=1)),
    "BCOO by rows": (DENSE, lambda: jax_sparse.BCOO.fromdense(DENSE, n_batch=1)),
    "BCOO with twins": (
        np.array([[0.0, 3.0]]),
        lambda: jax_sparse.BCOO((np.array([1.0, 2.0]), np.array([[0, 1], [0, 1]])), shape=(1, 2)),
    ),
    "BCSR": (MATRIX, lambda: jax_sparse.BCSR.fromdense(MATRIX)),
    "torch": (DENSE, lambda: of_torch("to_sparse", DENSE)),
    "torch rows": (MATRIX, lambda: of_torch("to_sparse_csr", MATRIX)),
    "torch blocks": (DENSE, lambda: of_torch("to_sparse", DENSE, sparse_dim=1)),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_those_of_the_dense_array(form: str) -> None:
    dense, make = FORMS[form]
    given = make()
    assert is_sparse(given)
    rows = SparseRows(given)
    assert (rows.shape, rows.ndim, len(rows)) == (dense.shape, dense.ndim, len(dense))
    assert np.array_equal(np.asarray(rows), dense)
    picked = np.array([len(dense) - 1, 0, 0])
    assert np.array_equal(np.asarray(rows[picked]), dense[picked])
    assert np.array_equal(np.asarray(rows[2:5][1:]), dense[2:5][1:])
    assert np.array_equal(to_numpy_if_foreign(given), dense)


def test_dense_arrays_are_not_sparse() -> None:
    torch = pytest.importorskip("torch")
    assert not any(map(is_sparse, [MATRIX, MATRIX.tolist(), {}, None, torch.ones(2), "csr"]))


def test_numbers_of_16_bits_keep_their_values() -> None:
    rows = SparseRows(jax_sparse.BCOO.fromdense(jax.numpy.asarray(MATRIX, "bfloat16")))
    assert rows.dtype == np.float32 and np.array_equal(np.asarray(rows), MATRIX)
