"""`tf.signal`, `tf.audio` and the rest of `tf.image`: numbers of TensorFlow 2.15.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import fft

import nacre.tf as tf
from nacre.core.errors import ArgumentError

X = np.random.RandomState(0).randn(2, 40).astype("float32")


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("norm", [None, "ortho"])
def test_cosine_transforms_are_scipys(kind: int, norm: str | None) -> None:
    if (kind, norm) == (1, "ortho"):
        with pytest.raises(ArgumentError, match="ortho"):
            tf.signal.dct(X, kind, norm=norm)
        return
    got = tf.signal.dct(X, kind, norm=norm).numpy()
    np.testing.assert_allclose(got, fft.dct(X, kind, norm=norm), rtol=1e-4, atol=1e-4)
    back = tf.signal.idct(got, kind, norm=norm).numpy()
    factor = {1: 2 * 39, 2: 80, 3: 80, 4: 80}[kind] if norm is None else 1
    np.testing.assert_allclose(back / factor, X, atol=1e-5)


def test_windows() -> None:
    # Read off TensorFlow 2.15.1.
    for length, periodic, wanted in (
        (1, True, [1.0]),
        (5, True, [0.0, 0.5, 1.0, 0.5, 0.0]),
        (4, True, [0.0, 0.5, 1.0, 0.5]),
        (4, False, [0.0, 0.75, 0.75, 0.0]),
    ):
        got = np.asarray(tf.signal.hann_window(length, periodic))
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_a_signal_comes_back_from_its_spectra() -> None:
    spectra = tf.signal.stft(X, 16, 4)
    assert tuple(spectra.shape) == (2, 7, 9)
    inverse = tf.signal.inverse_stft_window_fn(4)
    again = tf.signal.inverse_stft(spectra, 16, 4, window_fn=inverse).numpy()
    np.testing.assert_allclose(again[:, 12:-12], X[:, 12:28], atol=1e-5)
    framed = tf.signal.frame(X, 16, 7, pad_end=True, pad_value=2.0).numpy()
    assert framed.shape == (2, 6, 16) and framed[0, -1, -1] == 2.0 and framed[0, 1, 0] == X[0, 7]


def test_mel_scales_and_cepstra() -> None:
    weights = tf.signal.linear_to_mel_weight_matrix(10, 65, 16000, 80.0, 7600.0)
    weights = np.asarray(weights)
    assert weights.shape == (65, 10) and not weights[0].any() and weights.max() <= 1
    np.testing.assert_allclose(weights.sum(), 52.831196, rtol=1e-5)
    spectrum = tf.abs(tf.signal.stft(X, 16, 8, fft_length=128))
    cepstra = tf.signal.mfccs_from_log_mel_spectrograms(
        tf.math.log(tf.matmul(spectrum, weights) + 1e-6)
    )
    assert tuple(cepstra.shape) == (2, 4, 10) and np.isfinite(cepstra.numpy()).all()
    with pytest.raises(ArgumentError, match="half the sample rate"):
        tf.signal.linear_to_mel_weight_matrix(10, 65, 16000, 80.0, 9000.0)


def test_sounds_as_wav_files() -> None:
    sound = np.clip(X.T, -1.2, 1.2)
    file = tf.audio.encode_wav(sound, 8000)
    found, rate = tf.audio.decode_wav(file)
    assert int(rate) == 8000 and tuple(found.shape) == (40, 2)
    np.testing.assert_allclose(found.numpy(), np.clip(sound, -1, 1), atol=4e-5)
    one = tf.audio.decode_wav(file, desired_channels=1, desired_samples=50)
    assert tuple(one.audio.shape) == (50, 1) and not one.audio.numpy()[40:].any()
    with pytest.raises(ArgumentError, match="WAV"):
        tf.audio.decode_wav(b"no sound")


def test_colours_go_there_and_back() -> None:
    image = np.random.RandomState(0).rand(4, 5, 3).astype("float32")
    for kind in ("yiq", "yuv"):
        there = getattr(tf.image, f"rgb_to_{kind}")(image)
        back = getattr(tf.image, f"{kind}_to_rgb")(there).numpy()
        np.testing.assert_allclose(back, image, atol=1e-3)


def test_boxes_are_drawn_and_likeness_is_told() -> None:
    image = np.zeros((1, 5, 5, 3), "float32")
    boxes = np.array([[[0.0, 0.25, 0.5, 0.75]]], "float32")
    red = tf.image.draw_bounding_boxes(image, boxes, [[1.0, 0.0, 0.0]]).numpy()[0, :, :, 0]
    assert red[:3].tolist() == [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0]]
    assert not red[3:].any()
    noise = np.random.RandomState(0).rand(2, 16, 16, 3).astype("float32")
    np.testing.assert_allclose(tf.image.ssim(noise, noise, 1.0).numpy(), 1.0, atol=1e-5)


STATELESS: dict[str, Callable[[Any, Any], Any]] = {
    "flip": lambda x, s: tf.image.stateless_random_flip_left_right(x, s),
    "brightness": lambda x, s: tf.image.stateless_random_brightness(x, 0.3, s),
    "contrast": lambda x, s: tf.image.stateless_random_contrast(x, 0.3, 0.9, s),
    "crop": lambda x, s: tf.image.stateless_random_crop(x, (16, 4, 4, 3), s),
    "hue": lambda x, s: tf.image.stateless_random_hue(x, 0.2, s),
    "saturation": lambda x, s: tf.image.stateless_random_saturation(x, 0.2, 0.5, s),
}


@pytest.mark.parametrize("name", sorted(STATELESS))
def test_a_seed_of_two_numbers_always_draws_the_same(name: str) -> None:
    x = np.random.RandomState(0).rand(16, 8, 9, 3).astype("float32")
    one, two, other = (STATELESS[name](x, s).numpy() for s in ((1, 2), (1, 2), (30, 7)))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_the_signal_to_noise_ratio_is_of_each_picture() -> None:
    a = np.zeros((2, 3, 4, 4, 1), "float32")
    b = a + np.array([0.1, 0.2, 0.5], "float32").reshape(1, 3, 1, 1, 1)
    found = tf.image.psnr(a, b, max_val=1.0)
    np.testing.assert_allclose(found, [[20.0, 13.9794, 6.0206]] * 2, rtol=1e-5)
    assert tf.image.psnr(a[0, 0], b[0, 0], 1.0).shape == ()
    whole = tf.image.psnr(np.zeros((2, 2, 1), "uint8"), np.full((2, 2, 1), 255, "uint8"), 255)
    np.testing.assert_allclose(whole, 0.0, atol=1e-5)
    with pytest.raises(ValueError, match="height, width and channels"):
        tf.image.psnr(a[0, 0, 0], b[0, 0, 0], 1.0)
