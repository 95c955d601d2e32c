"""Sounds as pictures: the strength of each frequency over time."""

from __future__ import annotations

from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core import safety
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import whole_number
from nacre.core.registry import register
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer
from nacre.ops.kernels.extremes import largest

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
_SMALLEST_POWER = 1e-7  # Keras's epsilon: a magnitude has a finite logarithm and gradient


@register("layers/MelSpectrogram")
class MelSpectrogram(Layer):
    """Turn sounds into mel spectrograms: power in bands as wide as the ear hears them.

    Args:
        fft_length: Size of the Fourier transform.
        sequence_stride: Samples from one window to the next.
        sequence_length: Size of the window; by default `fft_length`.
        window: 'hann', 'hamming', values, or None for none.
        sampling_rate: Samples a second.
        num_mel_bins: Number of bands.
        min_freq: Lowest frequency of the bands.
        max_freq: Highest; by default half the sampling rate.
        power_to_db: Whether the result is in decibels.
        top_db: Decibels below the loudest value (of the whole batch) at which quiet ones are cut;
            None for no cut.
        mag_exp: Power of the magnitude: 2 for power, 1 for magnitude.
        min_power: Smallest power in decibels.
        ref_power: Power of 0 decibels.
    Shapes:
        inputs (batch, samples) or (samples,); returns (batch, num_mel_bins, time)
    Formula:
        mel = 1127 · log(1 + hertz / 700); bands are triangles in mel, of height 1
        decibels = 10 · log10(max(power, min_power)) - 10 · log10(max(ref_power, min_power))
    Source:
        Stevens et al. 1937 for the scale, in the form of the HTK book.
    Example:
        >>> import nacre
        >>> nacre.layers.MelSpectrogram(64, 32, num_mel_bins=8)(nacre.ops.ones((2, 320))).shape
        (2, 8, 11)
    """

    casts_inputs = False  # it computes in float32

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length = whole_number(self._who(), "fft_length", fft_length)
        self.sequence_stride = whole_number(self._who(), "sequence_stride", sequence_stride)
        self.sequence_length = sequence_length or fft_length
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = whole_number(self._who(), "num_mel_bins", num_mel_bins)
        if not 0 < self.sequence_length <= self.fft_length:
            rule = f"sequence_length must be from 1 to fft_length={fft_length}"
            raise ArgumentError(message(self._who(), rule, str(sequence_length)))
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power
        if not 0 <= self.min_freq < self.max_freq <= sampling_rate / 2:
            raise ArgumentError(
                message(
                    self._who(),
                    f"0 <= min_freq < max_freq <= {sampling_rate / 2:g}, half the sampling_rate",
                    f"min_freq={min_freq}, max_freq={max_freq}",
                )
            )

    def call(self, inputs: jax.Array) -> jax.Array:
        """The spectrograms."""
        x = jnp.asarray(inputs)
        if x.ndim not in (1, 2):
            raise ShapeError(
                message(
                    self._who(),
                    "inputs must be (batch, samples) or (samples,)",
                    f"shape {tuple(x.shape)}",
                )
            )
        real, imaginary = ops.stft(
            x.astype("float32"), self.sequence_length, self.sequence_stride, self.fft_length,
            window=self.window,
        )  # fmt: skip
        power = jnp.square(real) + jnp.square(imaginary)  # (..., time, frequencies)
        if self.mag_exp != 2:
            power = jnp.power(power, self.mag_exp / 2)
        bands = jnp.swapaxes(power @ jnp.asarray(self._mel_matrix()), -1, -2)
        if self.power_to_db:
            bands = self._decibels(bands)
        return bands.astype(self.compute_dtype)

    def _mel_matrix(self) -> np.ndarray:
        """The share of each frequency in each band, (frequencies, bands)."""
        safety.reserve((self.fft_length // 2 + 1) * (self.num_mel_bins + 2) * 8, self._who())
        mel = lambda hertz: 1127.0 * np.log1p(np.asarray(hertz, "float64") / 700.0)
        frequencies = mel(np.linspace(0, self.sampling_rate / 2, self.fft_length // 2 + 1))
        edges = np.linspace(mel(self.min_freq), mel(self.max_freq), self.num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        rising = (frequencies[:, None] - low) / (middle - low)
        falling = (high - frequencies[:, None]) / (high - middle)
        matrix = np.maximum(0.0, np.minimum(rising, falling))
        matrix[0] = 0.0  # the constant part of a sound is not heard
        return matrix.astype("float32")

    def _decibels(self, power: jax.Array) -> jax.Array:
        decibels = 10 * jnp.log10(jnp.maximum(power, jnp.asarray(self.min_power, power.dtype)))
        decibels = decibels - 10 * np.log10(max(self.ref_power, self.min_power))
        if self.top_db is None or 0 in decibels.shape:
            return decibels
        return jnp.maximum(decibels, largest(decibels) - self.top_db)


@register("layers/STFTSpectrogram")
class STFTSpectrogram(Layer):
    """Fourier transforms of short windows, as convolutions whose kernels can be trained.

    Args:
        mode: 'log' of the magnitude, 'magnitude', 'psd' (power spectral density), 'real', 'imag',
            'angle', or 'stft' (real and imaginary parts one after the other).
        frame_length: Size of the window.
        frame_step: Samples from one window to the next; by default half the window.
        fft_length: Size of the Fourier transform; by default the next power of 2.
        window: 'hann', 'hamming', values, or None for none.
        periodic: Whether the window is one period rather than symmetric.
        scaling: 'density' divides by the root of the window's sum of squares, 'spectrum' by its
            sum, None not.
        padding: 'valid' or 'same'.
        expand_dims: Whether frequencies get an axis of their own, as an image has.
        data_format: 'channels_last' or 'channels_first'.
    Shapes:
        inputs (batch, samples, channels); real_kernel, imag_kernel (frame_length, 1, frequencies);
        returns (batch, time, channels · frequencies), or (batch, time, frequencies, channels);
        channels first: (batch, channels · frequencies, time), (batch, channels, time, frequencies)
    Formula:
        magnitude = sqrt(max(real² + imag², 1e-7)); psd = real² + imag², twice that for all but the
        first and last frequency
    Example:
        >>> import nacre
        >>> nacre.layers.STFTSpectrogram(frame_length=16)(nacre.ops.ones((2, 64, 1))).shape
        (2, 7, 9)
    """

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(**kwargs)
        choices = (
            ("mode", mode, _MODES),
            ("scaling", scaling, ("density", "spectrum", None)),
            ("padding", padding, ("valid", "same")),
        )
        for name, value, known in choices:
            if value not in known:
                raise ArgumentError(
                    message(self._who(), f"{name} must be one of {known}", repr(value))
                )
        frame_length = whole_number(self._who(), "frame_length", frame_length)
        if frame_step is not None:
            frame_step = whole_number(self._who(), "frame_step", frame_step)
        if fft_length is not None and fft_length < frame_length:
            raise ArgumentError(
                message(
                    self._who(),
                    f"fft_length must be at least frame_length={frame_length}",
                    str(fft_length),
                )
            )
        self.mode = mode
        self.frame_length = frame_length
        self.frame_step = frame_step
        self.fft_length = fft_length
        self.window = window
        self.periodic = periodic
        self.scaling = scaling
        self.padding = padding
        self.expand_dims = expand_dims
        self.data_format = standardize_data_format(data_format)

    def _window_values(self) -> np.ndarray:
        length = self.frame_length
        if self.window is None:
            return np.ones(length)
        if not isinstance(self.window, str):
            values = np.asarray(self.window, "float64")
        else:
            makers = {"hann": np.hanning, "hamming": np.hamming}
            if self.window not in makers:
                raise ArgumentError(
                    message(
                        self._who(), "window must be 'hann', 'hamming' or values", repr(self.window)
                    )
                )
            make = makers[self.window]
            values = make(length + 1)[:-1] if self.periodic else make(length)
        if values.shape != (length,):
            raise ArgumentError(
                message(self._who(), f"window must have {length} values", str(values.shape))
            )
        return values

    def build(self, input_shape: Any) -> None:
        """Make the kernels: windowed, scaled cosines and sines."""
        size = self.fft_length or 1 << (self.frame_length - 1).bit_length()
        safety.reserve(self.frame_length * (size // 2 + 1) * 8, self._who())
        window = self._window_values()
        if self.window is not None and self.scaling == "density":
            window = window / np.sqrt(np.sum(window**2))
        elif self.window is not None and self.scaling == "spectrum":
            window = window / np.abs(np.sum(window))
        turns = np.outer(np.arange(self.frame_length), np.arange(size // 2 + 1)) / size
        waves = {"real": np.cos(2 * np.pi * turns), "imag": -np.sin(2 * np.pi * turns)}
        for part, wave in waves.items():
            if self.mode != ("imag" if part == "real" else "real"):
                kernel = (wave * window[:, None])[:, None, :].astype("float32")
                weight = self.add_weight(
                    shape=kernel.shape, initializer=kernel, name=f"{part}_kernel"
                )
                setattr(self, f"{part}_kernel", weight)
        self.built = True

    def call(self, inputs: jax.Array) -> jax.Array:
        """The spectrograms."""
        x = jnp.asarray(inputs)
        if x.ndim != 3:
            raise ShapeError(
                message(
                    self._who(),
                    "inputs must be sounds (batch, samples, channels)",
                    f"shape {tuple(x.shape)}",
                )
            )
        if self.data_format == "channels_last":
            x = jnp.swapaxes(x, 1, 2)  # (batch, channels, samples)
        result = self._combined(x.astype(self.compute_dtype))  # (batch, channels, time, freq)
        if self.expand_dims:
            first = self.data_format == "channels_first"
            return result if first else result.transpose(0, 2, 3, 1)
        batch, channels, time, frequencies = result.shape
        if self.data_format == "channels_first":
            return result.transpose(0, 1, 3, 2).reshape(batch, channels * frequencies, time)
        return result.transpose(0, 2, 1, 3).reshape(batch, time, channels * frequencies)

    def _combined(self, x: jax.Array) -> jax.Array:
        if self.mode in ("real", "imag"):
            return self._convolved(x, getattr(self, f"{self.mode}_kernel"))
        real, imag = (self._convolved(x, k) for k in (self.real_kernel, self.imag_kernel))
        if self.mode == "stft":
            return jnp.concatenate([real, imag], axis=-1)
        if self.mode == "angle":
            return jnp.arctan2(imag, real)
        power = jnp.square(real) + jnp.square(imag)
        if self.mode == "psd":
            # A real sound has each frequency twice, but the first and the last.
            twice = np.full(power.shape[-1], 2.0, "float32")
            twice[[0, -1]] = 1.0
            return power * twice.astype(power.dtype)
        magnitude = jnp.sqrt(jnp.maximum(power, _SMALLEST_POWER))
        return jnp.log(magnitude) if self.mode == "log" else magnitude

    def _convolved(self, x: jax.Array, kernel: Any) -> jax.Array:
        """Sounds (batch, channels, samples) with a kernel: (batch, channels, time, frequencies)."""
        batch, channels, samples = x.shape
        step = self.frame_step or self.frame_length // 2
        frames = ops.conv(
            x.reshape(batch * channels, samples, 1), jnp.asarray(kernel), strides=step,
            padding=self.padding, data_format="channels_last",
        )  # fmt: skip
        return frames.reshape(batch, channels, *frames.shape[1:])
