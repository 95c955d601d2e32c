"""Transforms are undone by their inverses."""

from __future__ import annotations

import numpy as np
import pytest

import nacre.ops as ops


@pytest.mark.parametrize("window", [None, "hann", "hamming"])
@pytest.mark.parametrize("center", [True, False])
def test_istft_of_stft_is_the_signal(window: str | None, center: bool) -> None:
    x = np.random.default_rng(0).normal(size=(2, 40)).astype("float32")
    shape = (8, 4, 8)
    back = ops.istft(ops.stft(x, *shape, window=window, center=center), *shape, window=window,
                     center=center, length=40)  # fmt: skip
    inner = slice(None) if center else slice(8, -8)  # a window that begins with 0 loses the edge
    np.testing.assert_allclose(back[:, inner], x[:, inner], atol=1e-5)


def test_rfft_and_fft2_are_undone() -> None:
    x = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    np.testing.assert_allclose(ops.irfft(ops.rfft(x)), x, atol=1e-5)
    real, imag = ops.ifft2(ops.fft2((x, x)))
    np.testing.assert_allclose(real, x, atol=1e-5)
    np.testing.assert_allclose(imag, x, atol=1e-5)


def test_fft_wants_a_pair() -> None:
    with pytest.raises(ValueError, match=r"pair \(real part, imaginary part\)"):
        ops.fft(np.ones(4))
