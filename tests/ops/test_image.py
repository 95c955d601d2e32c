"""Facts of image ops that a table of numbers does not tell."""

from __future__ import annotations

import numpy as np
import pytest

import nacre.ops as ops
from nacre.core.symbolic import KerasTensor

PICTURE = np.random.default_rng(0).uniform(size=(2, 8, 10, 3)).astype("float32")


def test_elastic_transform_repeats_with_a_seed_and_does_nothing_with_alpha_0() -> None:
    one = ops.image.elastic_transform(PICTURE, seed=3)
    np.testing.assert_array_equal(one, ops.image.elastic_transform(PICTURE, seed=3))
    assert one.shape == PICTURE.shape
    assert np.abs(np.asarray(one) - PICTURE).max() > 0.01
    np.testing.assert_allclose(
        ops.image.elastic_transform(PICTURE, alpha=0.0, seed=3), PICTURE, atol=1e-6
    )


def test_hsv_is_undone() -> None:
    back = ops.image.hsv_to_rgb(ops.image.rgb_to_hsv(PICTURE))
    np.testing.assert_allclose(back, PICTURE, atol=1e-5)


def test_blur_keeps_a_flat_middle_and_sums() -> None:
    flat = ops.image.gaussian_blur(np.ones((7, 7, 1), "float32"))
    np.testing.assert_allclose(flat[2:-2, 2:-2], 1, rtol=1e-6)


def test_blur_of_a_point_is_the_product_of_two_bells() -> None:
    point = np.zeros((9, 9, 1), "float32")
    point[4, 4] = 1
    blurred = np.asarray(ops.image.gaussian_blur(point, (5, 3), (2.0, 0.7)))[..., 0]
    rows, columns = (
        np.exp(-0.5 * (np.arange(-n, n + 1) / s) ** 2) for n, s in ((2, 2.0), (1, 0.7))
    )
    bell = np.outer(rows, columns)
    np.testing.assert_allclose(blurred[2:7, 3:6], bell / bell.sum(), rtol=1e-5)
    assert blurred.sum() == pytest.approx(1, rel=1e-5)


def test_resize_knows_its_shape_for_any_batch() -> None:
    x = KerasTensor((None, 8, 10, 3))
    assert ops.image.resize(x, (4, 5)).shape == (None, 4, 5, 3)
    assert ops.image.extract_patches(x, 2).shape == (None, 4, 5, 12)
    assert ops.image.rgb_to_grayscale(x).shape == (None, 8, 10, 1)


def test_messages_name_the_rule() -> None:
    with pytest.raises(ValueError, match="interpolation must be one of"):
        ops.image.resize(PICTURE, (4, 4), interpolation="linear")
    with pytest.raises(ValueError, match="3 or 4 axes"):
        ops.image.resize(PICTURE[0, 0], (4, 4))
    with pytest.raises(ValueError, match="exactly two of top_padding"):
        ops.image.pad_images(PICTURE, 1, 1, 1, 1, target_height=20)
    with pytest.raises(ValueError, match=r"Divide by 255"):
        ops.image.rgb_to_hsv((PICTURE * 255).astype("uint8"))
