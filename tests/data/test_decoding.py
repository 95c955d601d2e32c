"""What stands in image files, as bytes of pixels."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from nacre.data import decoding
from nacre.data.images import PictureFileError


def noisy() -> Image.Image:
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 255, (9, 7, 3), np.uint8)).resize((53, 41))
    noise = random.integers(-40, 40, (41, 53, 3))
    return Image.fromarray((np.asarray(coarse, int) + noise).clip(0, 255).astype(np.uint8))


def jpeg(path, image=None, tail=b"", **options) -> str:
    file = io.BytesIO()
    (image or noisy()).save(file, "jpeg", **options)
    path.write_bytes(file.getvalue() + tail)
    return str(path)


def by_pillow(monkeypatch, path: str, color_mode: str):
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_simplejpeg", lambda: None)
        return decoding.decoded(path, color_mode, "test")


@pytest.fixture
def simplejpeg():
    return pytest.importorskip("simplejpeg", reason="the extra 'jpeg' is not installed")


KINDS = {
    "as cameras do": {"quality": 75},
    "whole colours": {"quality": 95, "subsampling": 0},
    "half the colours": {"quality": 50, "subsampling": 1},
    "in passes": {"progressive": True},
    "red, green, blue": {"keep_rgb": True},
    "more behind it": {"tail": b"more" * 50},
}


@pytest.mark.parametrize("color_mode", decoding.COLOR_MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_both_decoders_give_the_same_pixels(simplejpeg, monkeypatch, tmp_path, kind, color_mode):
    path = jpeg(tmp_path / "x.jpg", **KINDS[kind])
    wanted = by_pillow(monkeypatch, path, color_mode)
    np.testing.assert_array_equal(decoding.decoded(path, color_mode, "test"), wanted)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("color_mode", decoding.COLOR_MODES)
def test_files_in_other_colors_too(simplejpeg, monkeypatch, tmp_path, mode, color_mode):
    path = jpeg(tmp_path / "x.jpg", noisy().convert(mode))
    wanted = by_pillow(monkeypatch, path, color_mode)
    found = decoding.decoded(path, color_mode, "test")
    assert found.shape == (41, 53, {"grayscale": 1, "rgb": 3, "rgba": 4}[color_mode])
    np.testing.assert_array_equal(found, wanted)


def test_the_grey_of_colors_is_the_brightness_in_the_file(tmp_path):
    path = jpeg(tmp_path / "x.jpg")
    with Image.open(path) as image:
        image.draft("YCbCr", None)
        brightness = np.asarray(image)[..., :1]
    np.testing.assert_array_equal(decoding.decoded(path, "grayscale", "test"), brightness)


@pytest.mark.parametrize("kept", [3, 30, 400])
def test_a_damaged_file_is_named_whatever_decodes(tmp_path, kept):
    path = tmp_path / "x.jpg"
    jpeg(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(PictureFileError, match=r"x\.jpg"):
        decoding.decoded(str(path), "rgb", "test")


def test_pillow_has_its_say_of_pictures_too_large(tmp_path, monkeypatch):
    path = jpeg(tmp_path / "x.jpg")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(PictureFileError, match=r"x\.jpg.*decompression bomb"):
        decoding.decoded(path, "rgb", "test")


def test_without_simplejpeg_pillow_reads_all(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    monkeypatch.setattr(decoding, "_simplejpeg", decoding._simplejpeg.__wrapped__)
    assert decoding.decoded(jpeg(tmp_path / "x.jpg"), "rgb", "test").shape == (41, 53, 3)
