"""Fourier transforms and sliding sequences. Complex numbers are pairs (real, imaginary)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import safety
from nacre.core.errors import ArgumentError, message
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating, together
from nacre.ops._define import Family
from nacre.ops._padding import pad_repeating

op = Family("math", masks=masks.POSITIONS_CHANGE)

Pair = tuple[jax.Array, jax.Array]


def _complex(x: Any) -> jax.Array:
    """One complex array of a pair."""
    if not isinstance(x, list | tuple) or len(x) != 2:
        raise ArgumentError(
            message("fft", "x must be a pair (real part, imaginary part)", type(x).__name__)
        )
    real, imag = together(floating(x[0]), floating(x[1]))
    if real.shape != imag.shape:
        raise ArgumentError(
            message("fft", "both parts must have one shape", f"{real.shape} and {imag.shape}")
        )
    if real.dtype in (jnp.float16, jnp.bfloat16):  # there are no complex numbers of 16 bits
        real, imag = real.astype("float32"), imag.astype("float32")
    return jax.lax.complex(real, imag)


def _pair(x: jax.Array) -> Pair:
    return jnp.real(x), jnp.imag(x)


@op(class_name="FFT")
def fft(x: tuple[Tensor, Tensor]) -> Pair:
    """The Fourier transform along the last axis of a pair (real, imaginary)."""
    return _pair(jnp.fft.fft(_complex(x)))


@op(class_name="FFT2")
def fft2(x: tuple[Tensor, Tensor]) -> Pair:
    """The Fourier transform along the last two axes of a pair (real, imaginary)."""
    return _pair(jnp.fft.fft2(_complex(x)))


@op(class_name="IFFT2")
def ifft2(x: tuple[Tensor, Tensor]) -> Pair:
    """The inverse Fourier transform along the last two axes."""
    return _pair(jnp.fft.ifft2(_complex(x)))


@op(class_name="RFFT")
def rfft(x: Tensor, fft_length: int | None = None) -> Pair:
    """The Fourier transform of a real signal: the frequencies that are not mirror images."""
    x = floating(x)
    wide = x.astype("float32") if x.dtype in (jnp.float16, jnp.bfloat16) else x
    real, imaginary = _pair(jnp.fft.rfft(wide, n=fft_length))
    return real.astype(x.dtype), imaginary.astype(x.dtype)


@op(class_name="IRFFT")
def irfft(x: tuple[Tensor, Tensor], fft_length: int | None = None) -> jax.Array:
    """The real signal with the Fourier transform `x`."""
    return jnp.fft.irfft(_complex(x), n=fft_length)


@op
def extract_sequences(x: Tensor, sequence_length: int, sequence_stride: int) -> jax.Array:
    """Windows of the last axis.

    Shapes:
        x        (..., time)
        returns  (..., sequences, sequence_length)
    """
    x = array(x)
    is_open = jax.export.is_symbolic_dim(x.shape[-1])
    is_short = not is_open and x.shape[-1] < sequence_length
    if sequence_length < 1 or sequence_stride < 1 or is_short:
        raise ArgumentError(
            message(
                "extract_sequences",
                "sequence_length and sequence_stride must be 1 or more, and a sequence must fit in",
                f"{sequence_length} and {sequence_stride} for {x.shape[-1]} elements",
            )
        )
    count = 1 + (x.shape[-1] - sequence_length) // sequence_stride
    if is_open:
        starts = jnp.arange(count, dtype="int32") * sequence_stride
        return jnp.take(x, starts[:, None] + np.arange(sequence_length), axis=-1, mode="clip")
    safety.reserve(count * sequence_length * 8, "extract_sequences")
    starts = np.arange(count) * sequence_stride
    return x[..., starts[:, None] + np.arange(sequence_length)]


def _window(window: Any, sequence_length: int, fft_length: int, dtype: Any) -> jax.Array:
    """The window's values, with zeros on both sides up to `fft_length`."""
    safety.reserve(sequence_length * 32, "stft")
    if window is None:
        values = np.ones(sequence_length)
    elif isinstance(window, str):
        # Periodic windows: one point more, without the last.
        makers = {"hann": np.hanning, "hamming": np.hamming}
        if window not in makers:
            raise ArgumentError(message("stft", "window must be 'hann' or 'hamming'", repr(window)))
        values = makers[window](sequence_length + 1)[:-1]
    else:
        values = array(window)
        if values.shape != (sequence_length,):
            raise ArgumentError(
                message("stft", f"window must have {sequence_length} values", str(values.shape))
            )
    before = (fft_length - sequence_length) // 2
    after = fft_length - sequence_length - before
    return jnp.pad(jnp.asarray(values, dtype), (before, after))


@op(class_name="STFT")
def stft(
    x: Tensor,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> Pair:
    """The Fourier transforms of short overlapping windows.

    Args:
        window: 'hann', 'hamming', values, or None for none.
        center: Reflect the signal at both ends, so that window t is centred at t · stride.

    Shapes:
        x        (..., time)
        returns  a pair of (..., sequences, fft_length // 2 + 1)
    """
    x = floating(x)
    if center:
        margin = fft_length // 2
        safety.reserve(fft_length * 32, "stft")  # it is reflected as often as the signal is short
        widths = [(0, 0)] * (x.ndim - 1) + [(margin, margin)]
        x = pad_repeating(x, widths, "reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return rfft(frames * _window(window, sequence_length, fft_length, x.dtype), fft_length)


@op(class_name="ISTFT")
def istft(
    x: tuple[Tensor, Tensor],
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> jax.Array:
    """The signal whose `stft` with the same arguments is `x`.

    Formula:
        sum of windowed inverse transforms / sum of squared windows
    Source:
        Griffin & Lim 1984, equation 6. Differs: Keras 3.15 does not divide when there is no window.
    """
    frames = irfft(x, fft_length)
    values = _window(window, sequence_length, fft_length, frames.dtype)
    signal = _overlap_add(frames * values, sequence_stride)
    weights = jnp.broadcast_to(jnp.square(values), frames.shape[-2:])
    total = _overlap_add(weights, sequence_stride)
    signal = jnp.where(total > 1e-10, signal / jnp.where(total > 1e-10, total, 1), signal)
    start = fft_length // 2 if center else 0
    end = signal.shape[-1] - start if center else signal.shape[-1]
    if length is not None:
        missing = start + length - signal.shape[-1]
        if missing > 0:
            signal = jnp.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(0, missing)])
        end = start + length
    return signal[..., start:end]


def _overlap_add(frames: jax.Array, stride: int) -> jax.Array:
    """Frames laid one after the other at distance `stride`, and summed."""
    count, size = frames.shape[-2:]
    safety.reserve(count * size * 8, "istft")
    places = np.arange(count)[:, None] * stride + np.arange(size)
    total = jnp.zeros((*frames.shape[:-2], (count - 1) * stride + size), frames.dtype)
    return total.at[..., places].add(frames)


__all__, __dir__ = op.shown()
