"""Pictures in files and as arrays."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nacre as keras
from nacre import utils
from nacre.core.errors import ArgumentError, ShapeError
from tests.cases.pictures import results, write_pictures

REFERENCE = Path(__file__).parents[1] / "reference" / "images.npz"


def test_pictures_are_opened_and_made_as_by_keras(tmp_path):
    with pytest.warns(UserWarning, match="above 255 are cut"):  # of the one of 16 bits
        found, wanted = results(utils, tmp_path), np.load(REFERENCE)
    assert sorted(found) == sorted(wanted.files)
    for name, array in found.items():
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


def test_a_picture_comes_back_from_its_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype("float32")
    utils.save_img(tmp_path / "a.png", pixels, scale=False)
    array = utils.img_to_array(utils.load_img(tmp_path / "a.png"))
    np.testing.assert_array_equal(array, pixels)
    assert array.dtype == "float32"
    file = io.BytesIO()
    utils.save_img(file, pixels, scale=False, file_format="png")
    np.testing.assert_array_equal(utils.img_to_array(utils.load_img(file)), pixels)


def test_channels_may_come_first(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4))
    utils.save_img(tmp_path / "a.png", pixels, data_format="channels_first", scale=False)
    image = utils.load_img(tmp_path / "a.png")
    assert image.size == (4, 5)
    np.testing.assert_array_equal(utils.img_to_array(image, "channels_first"), pixels)
    assert utils.img_to_array(pixels, "channels_first").shape == (3, 5, 4)
    assert utils.img_to_array(pixels[0], "channels_first").shape == (1, 5, 4)


def test_what_a_network_draws_becomes_a_picture():
    drawn = keras.ops.linspace(-1.0, 1.0, 24).reshape(2, 4, 3)
    assert utils.array_to_img(drawn).getextrema() == ((0, 232), (11, 243), (22, 255))
    assert utils.array_to_img(np.full((2, 2, 3), 7.0)).getextrema() == ((0, 0),) * 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: utils.load_img(p / "no.png"), r"load_img: the file must exist. Got .*no.png"),
        (lambda p: utils.load_img(p / "cut.png"), "cut.png.*truncated|whole picture.*cut.png"),
        (lambda p: utils.load_img(p / "rgb.png", color_mode="l"), "color_mode must be one of.*'l'"),
        (lambda p: utils.load_img(p / "rgb.png", interpolation="area"), "interpolation.*'area'"),
        (lambda p: utils.load_img(p / "rgb.png", target_size=(0, 3)), "target_size.*whole.*0, 3"),
        (lambda p: utils.load_img(__file__), r"test_images.py', which is of no such kind\.$"),
        (lambda p: utils.load_img(3), "path must be.*int"),
        (lambda p: utils.array_to_img(np.ones((5, 4))), r"height, width, channels.*x\[\.\.\., None"),
        (lambda p: utils.array_to_img(np.ones((5, 4, 2))), "1, 3 or 4 channels.*2 of shape"),
        (lambda p: utils.array_to_img(np.full((5, 4, 3), np.nan)), "finite"),
        (lambda p: utils.array_to_img(np.full((5, 4, 3), 300.0), scale=False), "from 0 to 255.*300"),
        (lambda p: utils.img_to_array(np.ones((2, 3, 4, 5))), "height, width"),
        (lambda p: utils.save_img(p / "a.bad", np.ones((5, 4, 3))), "png.*file_format"),
        (lambda p: utils.save_img(p / "a", np.ones((5, 4, 3))), "png.*file_format"),
        (lambda p: utils.save_img(p / "no" / "a.png", np.ones((5, 4, 3))), "folder to write into"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(tmp_path, call, words):
    paths = write_pictures(tmp_path)
    (tmp_path / "cut.png").write_bytes(paths["rgb"].read_bytes()[:-30])
    with pytest.raises((ArgumentError, ShapeError, FileNotFoundError), match=f"(?s){words}"):
        call(tmp_path)


def test_a_picture_that_cannot_be_written_leaves_the_one_before(tmp_path):
    utils.save_img(tmp_path / "a.png", np.zeros((5, 4, 3)))
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(ArgumentError, match="float32|mode|cannot write"):
        utils.save_img(
            tmp_path / "a.png", np.full((5, 4, 1), 300.0), scale=False, file_format="jpeg"
        )
    assert (tmp_path / "a.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_jpeg_is_without_the_fourth_channel(tmp_path):
    with pytest.warns(UserWarning, match="nothing is transparent in a JPEG"):
        utils.save_img(tmp_path / "a.jpg", np.ones((5, 4, 4)))
    assert Image.open(tmp_path / "a.jpg").mode == "RGB"


@pytest.mark.parametrize("color_mode", ["rgb", "rgba"])
def test_values_of_16_bits_that_colours_cut_are_told(color_mode):
    def picture(value):
        file = io.BytesIO()
        Image.fromarray(np.full((2, 2), value, np.uint16)).save(file, "png")
        return file

    with pytest.warns(UserWarning, match="above 255 are cut to 255.*color_mode='grayscale'"):
        assert np.asarray(utils.load_img(picture(300), color_mode))[0, 0, 0] == 255
    assert np.asarray(utils.load_img(picture(255), color_mode))[0, 0, 0] == 255
    assert np.asarray(utils.load_img(picture(300), "grayscale"))[0, 0] == 300


def test_scripts_that_pass_over_damaged_pictures_catch_what_pillow_raises(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"none")
    with pytest.raises(OSError, match=r"'.*a.jpg', which is of no such kind"):
        utils.load_img(tmp_path / "a.jpg")
    with pytest.raises(FileNotFoundError, match=r"load_img: the file must exist. Got 'b.jpg', in"):
        utils.load_img("b.jpg")
