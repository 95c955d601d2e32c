"""Axes are asked for in one way, wherever they are arguments."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import constraints, layers, losses
from nacre.core.axes import counted_axes

X = np.arange(12, dtype="float32").reshape(2, 2, 3) / 10


def on(make):
    return lambda axis: make(axis)(X)


PLACES = {
    "batch normalization": on(lambda axis: layers.BatchNormalization(axis=axis)),
    "layer normalization": on(lambda axis: layers.LayerNormalization(axis=axis)),
    "RMS normalization": on(lambda axis: layers.RMSNormalization(axis=axis)),
    "group normalization": on(lambda axis: layers.GroupNormalization(1, axis=axis)),
    "unit normalization": on(lambda axis: layers.UnitNormalization(axis=axis)),
    "softmax": on(lambda axis: layers.Softmax(axis=axis)),
    "concatenate": lambda axis: layers.Concatenate(axis=axis)([X, X]),
    "dot": lambda axis: layers.Dot(axes=axis)([X, X]),
    "max norm": on(lambda axis: constraints.MaxNorm(axis=axis)),
    "loss": lambda axis: losses.CosineSimilarity(axis=axis)(X, X),
    "normalize": lambda axis: nacre.utils.normalize(X, axis=axis),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_axis_is_a_whole_number_of_any_kind(place):
    expected = PLACES[place](2)
    for axis in (np.int64(2), -1, np.int32(-1)):
        np.testing.assert_array_equal(PLACES[place](axis), expected)


@pytest.mark.parametrize("place", PLACES)
def test_an_axis_that_is_not_there_is_refused(place):
    for axis in (3, -4, 7):
        with pytest.raises(ValueError, match="axis|axes"):
            PLACES[place](axis)
    for axis in ("a", 1.5, True):
        with pytest.raises(ValueError, match=r"(axis|axes) must be an int"):
            PLACES[place](axis)


def test_a_product_of_an_axis_that_is_not_there_is_no_product_of_another():
    with pytest.raises(ValueError, match="axes must be from -3 to 2 for the second input"):
        layers.Dot(axes=(2, 5))([X, X])


def test_an_axis_comes_once():
    assert counted_axes("x", [0, -1], 3) == (0, 2)
    for axes in ((1, -2), ()):
        with pytest.raises(ValueError, match="several different ones"):
            counted_axes("x", axes, 3)
    with pytest.raises(ValueError, match="several different ones"):
        layers.Softmax(axis=(2, -1))(X)
