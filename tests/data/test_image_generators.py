"""ImageDataGenerator and its iterators; numbers are those of tf.keras 2.15.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nacre.preprocessing import image
from tests.cases.image_generators import folder_results, images, results, write_folder

WANTED = Path(__file__).parents[1] / "reference" / "image_generators.npz"


@pytest.fixture(scope="module")
def wanted():
    with np.load(WANTED) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def found(folder):
    return results(image) | folder_results(image, folder)


def compare(found, wanted, beginning):
    names = [name for name in wanted if name.startswith(beginning)]
    assert names and set(names) == {name for name in found if name.startswith(beginning)}
    for name in names:
        if wanted[name].dtype.kind == "f":
            np.testing.assert_allclose(
                found[name], wanted[name], rtol=2e-5, atol=2e-4, err_msg=name
            )
            assert found[name].dtype == wanted[name].dtype, name
        else:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


def test_affine_changes_are_those_of_tf_keras(found, wanted):
    compare(found, wanted, "affine/")


def test_functions_draw_and_give_what_tf_keras_does(found, wanted):
    compare(found, wanted, "random_")


def test_what_fit_saw_is_taken_away_as_by_tf_keras(found, wanted):
    compare(found, wanted, "fit/")


@pytest.mark.parametrize(
    "name", ["rotation", "zoom", "shear", "colors", "all", "samplewise", "noise"]
)
def test_orders_and_changes_for_a_seed_are_those_of_tf_keras(found, wanted, name):
    compare(found, wanted, f"flow/{name}/")
    compare(found, wanted, f"next/{name}")
    compare(found, wanted, f"unseeded/{name}")


@pytest.mark.parametrize("name", ["shift", "pixels", "listed"])
def test_moves_are_those_of_tf_keras_with_height_and_width_exchanged(wanted, name, monkeypatch):
    def exchanged(self, img_shape, random):
        drawn = draw(self, img_shape, random)
        return {**drawn, "tx": drawn["ty"], "ty": drawn["tx"]}

    draw = image.ImageDataGenerator._drawn
    monkeypatch.setattr(image.ImageDataGenerator, "_drawn", exchanged)
    compare(results(image), wanted, f"flow/{name}/")


def test_files_labels_subsets_and_pixels_are_those_of_tf_keras(found, wanted):
    for beginning in ("mode/", "subset/", "interpolation/"):
        compare(found, wanted, beginning)


def test_moves_go_along_the_axis_they_are_called_after():
    x = np.zeros((5, 7, 1), "float32")
    x[2, 3] = 1
    constant = {"fill_mode": "constant"}
    moved = image.ImageDataGenerator(height_shift_range=[2], **constant).random_transform(x, seed=1)
    assert np.argwhere(moved[..., 0]).tolist() == [[0, 3]]
    moved = image.ImageDataGenerator(width_shift_range=[2], **constant).random_transform(x, seed=1)
    assert np.argwhere(moved[..., 0]).tolist() == [[2, 1]]
    x = np.zeros((5, 7, 1), "float32")
    x[0, 0] = 1
    half_turn = image.apply_affine_transform(x, 180, row_axis=0, col_axis=1, channel_axis=2)
    assert half_turn[4, 6] == pytest.approx(1.0)


def test_channels_first_gives_the_same_pixels():
    x = images()
    settings = {"rotation_range": 20, "zoom_range": 0.2, "brightness_range": (0.5, 1.5)}
    last = image.ImageDataGenerator(**settings).flow(x, batch_size=5, seed=1)[0]
    first = image.ImageDataGenerator(**settings, data_format="channels_first").flow(
        np.moveaxis(x, 3, 1), batch_size=5, seed=1
    )[0]
    np.testing.assert_allclose(np.moveaxis(first, 1, 3), last, rtol=1e-6)


def test_arrays_that_were_given_stay_as_they_are():
    x = images()
    before = x.copy()
    generator = image.ImageDataGenerator(
        rescale=1 / 255, samplewise_center=True, featurewise_center=True
    )
    generator.fit(x, augment=True, seed=2)
    generator.standardize(x[0])
    next(generator.flow(x, batch_size=5))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize(
    "settings",
    [
        {"rescale": 1 / 255},
        {"preprocessing_function": lambda x: x * 2.0 + 5.0},
        {"samplewise_center": True, "samplewise_std_normalization": True},
        {"rescale": 1 / 255, "preprocessing_function": lambda x: np.multiply(x, 3, out=x)},
    ],
)
def test_fit_measures_images_as_they_are_when_its_numbers_are_used(settings):
    x = images()
    generator = image.ImageDataGenerator(
        featurewise_center=True, featurewise_std_normalization=True, **settings
    )
    generator.fit(x)
    np.testing.assert_array_equal(x, images())
    batch = generator.flow(x, batch_size=len(x), shuffle=False)[0]
    np.testing.assert_allclose(batch.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(batch.std((0, 1, 2)), 1, rtol=1e-3)


def test_whitened_images_of_another_scale_are_independent():
    x = np.random.default_rng(0).integers(0, 255, (40, 2, 2, 1)).astype("float32")
    generator = image.ImageDataGenerator(
        featurewise_center=True, zca_whitening=True, rescale=1 / 255
    )
    generator.fit(x)
    flat = generator.flow(x, batch_size=40)[0].reshape(40, 4)
    np.testing.assert_allclose(flat.T @ flat / len(flat), np.eye(4), atol=1e-3)


def test_unfitted_statistics_are_warned_of():
    generator = image.ImageDataGenerator(
        featurewise_center=True, featurewise_std_normalization=True
    )
    with pytest.warns(UserWarning, match=r"generator.fit\(x_train\)"):
        generator.standardize(images()[0])


def test_brightness_of_colors_divided_by_255_is_refused():
    generator = image.ImageDataGenerator(brightness_range=(0.5, 1.5))
    with pytest.raises(ValueError, match=r"from 0 to 255.*rescale"):
        generator.flow(images() / 255)[0]
    bright = generator.apply_transform(np.full((2, 2, 3), 200.0), {"brightness": 2.0})
    assert bright.max() == 255  # and nothing goes round
    with pytest.raises(ValueError, match="from 0 to 255"):
        image.apply_brightness_shift(images() - 128, 1.0, scale=False)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"zoom_range": [1, 2, 3]}, "zoom_range must be"),
        ({"brightness_range": 3}, "brightness_range must be two numbers"),
        ({"fill_mode": "x"}, "fill_mode must be one of"),
        ({"validation_split": 1}, "validation_split"),
        ({"interpolation_order": 9}, "from 0 to 5"),
        ({"preprocessing_function": "f"}, "preprocessing_function"),
        ({"data_format": "x"}, "data_format"),
        ({"width_shift_range": "x"}, "width_shift_range"),
    ],
)
def test_arguments_are_looked_at_when_the_generator_is_made(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        image.ImageDataGenerator(**arguments)


def test_names_of_changes_must_be_known():
    with pytest.raises(ValueError, match="Did you mean 'channel_shift_intensity'"):
        image.ImageDataGenerator().apply_transform(images()[0], {"channel_shift_intencity": 3})
