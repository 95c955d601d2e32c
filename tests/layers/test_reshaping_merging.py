"""Facts of the layers that change shapes or join tensors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError
from nacre.layers.reshaping.up_sampling import interpolate_elements

A = np.arange(1, 7, dtype="float32").reshape(1, 3, 2)
B = A * 10
MASK_A = np.array([[True, False, True]])
MASK_B = np.array([[True, True, False]])


def masked(array: np.ndarray, mask: np.ndarray | None) -> jnp.ndarray:
    tensor = jnp.asarray(array)
    if mask is not None:
        tensor._keras_mask = jnp.asarray(mask)
    return tensor


def test_reshape_names_the_two_numbers_of_elements() -> None:
    with pytest.raises(ShapeError, match=r"samples of shape \(6,\), 6 elements"):
        layers.Reshape((4, -1))(np.ones((2, 6), "float32"))


def test_flatten_of_unknown_sizes() -> None:
    assert layers.Flatten()(layers.Input((None, 3))).shape == (None, None)
    assert layers.Flatten()(layers.Input((4, 3))).shape == (None, 12)


def test_flatten_takes_an_empty_batch() -> None:
    assert layers.Flatten()(np.ones((0, 2, 3), "float32")).shape == (0, 6)


def test_cropping_everything_is_refused() -> None:
    with pytest.raises(ShapeError, match="leave something"):
        layers.Cropping1D(2)(np.ones((1, 4, 2), "float32"))


@pytest.mark.parametrize("value", [-1, (1, 2, 3), ((1, 2),), 1.5, None, "ab", ((1, None), 2)])
def test_padding_says_its_forms(value) -> None:
    with pytest.raises(ArgumentError, match="padding must be an int, 2 ints or 2 pairs"):
        layers.ZeroPadding2D(value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("UpSampling2D", 1.5, "size must be one int or 2 of them, each at least 1. Got size=1.5"),
        ("UpSampling1D", None, "size must be one int or 1 of them"),
        ("UpSampling3D", (1, 2, 0), "size must be one int or 3 of them"),
        ("Reshape", "a", "target_shape must be ints of at least 0, and -1 at most once. Got 'a'"),
        ("Reshape", (-1, None), "and -1 at most once"),
        ("Reshape", (2.5,), "target_shape must be ints"),
        ("Reshape", (-2, 8), "target_shape must be ints"),
        ("Permute", 1, "dims must be several ints"),
        ("RepeatVector", 2.5, "n must be a positive int"),
        ("RepeatVector", 0, "n must be a positive int"),
    ],
)
def test_bad_arguments_are_named(name, value, words) -> None:
    with pytest.raises(ArgumentError, match=words):
        getattr(layers, name)(value)


def test_sizes_may_be_numbers_of_numpy() -> None:
    two, x = np.int64(2), np.ones((1, 4, 6, 1), "float32")
    assert layers.UpSampling2D(two)(x).shape == (1, 8, 12, 1)
    assert layers.ZeroPadding2D((two, 1))(x).shape == (1, 8, 8, 1)
    assert layers.Cropping2D(np.int64(1))(x).shape == (1, 2, 4, 1)
    assert layers.Reshape(np.array([-1, 8]))(x).shape == (1, 3, 8)
    assert layers.Permute(np.array([2, 1, 3]))(x).shape == (1, 6, 4, 1)


# What Keras 3.15 gives for the same masks; where one input has none, Keras 3 ends the mask without a
# word. Here it stays, as in tf.keras 2 and through ops: see tests/field/test_masks_meet.py.
MERGED = {
    ("Add", True, True): ([11, 22, 33, 44, 55, 66], [1, 1, 1]),
    ("Add", True, False): ([11, 22, 33, 44, 55, 66], None),
    ("Multiply", True, True): ([10, 40, 30, 40, 5, 6], [1, 1, 1]),
    ("Multiply", True, False): ([10, 40, 30, 40, 250, 360], None),
    ("Multiply", False, True): ([10, 40, 90, 160, 5, 6], None),
    ("Maximum", True, True): ([10, 20, 30, 40, 5, 6], [1, 1, 1]),
    ("Minimum", True, False): ([1, 2, 30, 40, 5, 6], None),
    ("Minimum", False, True): ([1, 2, 3, 4, 5, 6], None),
    ("Average", False, True): ([5.5, 11, 16.5, 22, 27.5, 33], None),
}


@pytest.mark.parametrize(("name", "first", "second"), list(MERGED))
def test_merging_with_masks(name: str, first: bool, second: bool) -> None:
    values, mask = MERGED[name, first, second]
    inputs = [masked(A, MASK_A if first else None), masked(B, MASK_B if second else None)]
    output = getattr(layers, name)()(inputs)
    np.testing.assert_allclose(np.ravel(output), values)
    kept = mask if mask is not None else np.ravel(MASK_A if first else MASK_B).tolist()
    assert np.ravel(output._keras_mask).astype(int).tolist() == kept


def test_a_product_without_any_valid_factor_is_zero() -> None:
    output = layers.Multiply()([masked(A, MASK_A), masked(B, MASK_A)])
    np.testing.assert_allclose(np.ravel(output), [10, 40, 0, 0, 250, 360])


def test_lower_ranks_broadcast_behind_the_batch() -> None:
    first, second = layers.Input((3, 4)), layers.Input((4,))
    assert layers.add([first, second]).shape == (None, 3, 4)


def test_shapes_that_cannot_be_joined_are_named() -> None:
    with pytest.raises(ShapeError, match=r"axis 1.*\(None, 3\), \(None, 4\)"):
        layers.add([layers.Input((3,)), layers.Input((4,))])
    with pytest.raises(ShapeError, match="except on axis -1"):
        layers.concatenate([layers.Input((3, 2)), layers.Input((4, 2))])
    with pytest.raises(ArgumentError, match="list of 2 tensors"):
        layers.Subtract()([layers.Input((3,))])


def test_concatenate_joins_masks() -> None:
    output = layers.Concatenate(axis=1)([masked(A, MASK_A), masked(B, None)])
    assert np.asarray(output._keras_mask).tolist() == [[True, False, True, True, True, True]]


def test_dot_normalized_is_the_cosine() -> None:
    x = np.array([[3.0, 4.0]], "float32")
    np.testing.assert_allclose(layers.dot([x, 2 * x], axes=1, normalize=True), [[1.0]], rtol=1e-6)


def test_an_unknown_size_takes_the_known_one_beside_it() -> None:
    unknown, known = layers.Input((None, 3)), layers.Input((4, 3))
    assert layers.Add()([unknown, known]).shape == (None, 4, 3)
    assert (unknown * known).shape == (None, 4, 3)
    assert layers.Concatenate()([unknown, known]).shape == (None, 4, 6)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_pictures_of_unknown_size_are_enlarged_as_those_of_known_size(interpolation: str) -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 2, 2)).astype("float32")
    right = layers.UpSampling2D((3, 2), interpolation=interpolation)(x)
    for axis, size in ((1, 3), (2, 2)):
        x = interpolate_elements(jnp.asarray(x), size, axis, interpolation)
    np.testing.assert_allclose(x, right, rtol=1e-5, atol=1e-6)
