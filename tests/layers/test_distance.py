"""Distances of two tensors."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError
from nacre.layers import Distance

rng = np.random.default_rng(0)
A, B = rng.normal(size=(2, 4, 3)).astype("float32")
EXPECTED = {
    "euclidean": np.linalg.norm(A - B, axis=-1),
    "manhattan": np.abs(A - B).sum(-1),
    "cosine": 1 - (A * B).sum(-1) / np.linalg.norm(A, axis=-1) / np.linalg.norm(B, axis=-1),
}
each = pytest.mark.parametrize("metric", list(EXPECTED))


@each
def test_numbers_shapes_and_config(metric):
    layer = Distance(metric)
    np.testing.assert_allclose(layer([A, B])[:, 0], EXPECTED[metric], rtol=1e-5, atol=1e-6)
    assert Distance(metric, keepdims=False)([A, B]).shape == (4,)
    again = nacre.layers.deserialize(nacre.layers.serialize(layer))
    assert (again.metric, again.keepdims) == (metric, True)
    assert again([nacre.Input((3,)), nacre.Input((3,))]).shape == (None, 1)


@each
def test_gradients_are_finite_even_for_equal_vectors(metric):
    layer = Distance(metric)
    for second in (B, A):
        assert np.isfinite(jax.grad(lambda a, b=second: layer([a, b]).sum())(A)).all()


def test_unknown_metric_is_told():
    with pytest.raises(ArgumentError, match="metric must be one of"):
        Distance("far")
