"""`tf.signal` and `tf.audio`: frames, spectra, mel scales, WAV files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.tracing import is_tracer
from nacre.tf.dtypes import as_dtype
from nacre.tf.sizes import plain
from nacre.tf.values import landed, tensor

# The mel scale of HTK: 1127 ln(1 + f / 700); as tf.signal has it.
_MEL_BREAK_HERTZ, _MEL_HIGH = 700.0, 1127.0


# ------------------------------------------------------------------ Fourier transforms


def real_fft(x: Any, length: Any, rank: int) -> Any:
    """The transform of real numbers along the last axes; cut, or filled with zeros, to `length`."""
    x = jnp.asarray(x)
    sizes = None if length is None else tuple(int(n) for n in np.atleast_1d(plain(length)))
    return jnp.fft.rfftn(x, sizes, axes=tuple(range(-rank, 0)))


def inverse_real_fft(x: Any, length: Any, rank: int) -> Any:
    """The real numbers of such a transform."""
    x = jnp.asarray(x)
    sizes = None if length is None else tuple(int(n) for n in np.atleast_1d(plain(length)))
    return jnp.fft.irfftn(x, sizes, axes=tuple(range(-rank, 0)))


def shifted(x: Any, axes: Any, back: bool) -> Any:
    """Frequency 0 in the middle, or back at the beginning."""
    function = jnp.fft.ifftshift if back else jnp.fft.fftshift
    return function(jnp.asarray(x), None if axes is None else plain(axes))


def dct(x: Any, kind: int, n: Any, axis: int, norm: str | None) -> Any:
    """The discrete cosine transform along the last axis.

    Formula:
        type 2: y_k = 2 Σ x_j cos(π k (2j + 1) / 2n)
    """
    _require_cosine("dct", kind, axis, norm)
    x = _cut_or_filled(jnp.asarray(x), n)
    size = x.shape[-1]
    matrix = _cosines(kind, size)
    if norm == "ortho":
        matrix = matrix * _orthonormal(kind, size)
    return x @ jnp.asarray(matrix, x.dtype)


def idct(x: Any, kind: int, n: Any, axis: int, norm: str | None) -> Any:
    """The inverse of `dct`, but for its factor: types 2 and 3 are each other's."""
    inverse = {1: 1, 2: 3, 3: 2, 4: 4}.get(kind, kind)
    return dct(x, inverse, n, axis, norm)


def _require_cosine(who: str, kind: int, axis: int, norm: str | None) -> None:
    if kind not in (1, 2, 3, 4):
        raise ArgumentError(message(f"tf.signal.{who}", "type must be 1, 2, 3 or 4", str(kind)))
    if axis != -1:
        raise ArgumentError(message(f"tf.signal.{who}", "axis must be -1", str(axis)))
    if norm not in (None, "ortho") or (norm == "ortho" and kind == 1):
        rule = "norm must be None, or 'ortho' for types 2 to 4"
        raise ArgumentError(message(f"tf.signal.{who}", rule, repr(norm)))


def _cut_or_filled(x: Any, n: Any) -> Any:
    if n is None:
        return x
    x = x[..., : plain(n)]
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, plain(n) - x.shape[-1])])


def _cosines(kind: int, size: int) -> np.ndarray:
    """The matrix of a transform: rows are places, columns frequencies."""
    j, k = np.arange(size)[:, None], np.arange(size)[None, :]
    if kind == 1:
        if size < 2:
            raise ShapeError(message("tf.signal.dct", "type 1 needs 2 numbers or more", str(size)))
        ends = np.where((j == 0) | (j == size - 1), 1.0, 2.0)
        return ends * np.cos(np.pi * j * k / (size - 1))
    if kind == 2:
        return 2 * np.cos(np.pi * k * (2 * j + 1) / (2 * size))
    if kind == 3:
        return np.where(j == 0, 1.0, 2.0) * np.cos(np.pi * j * (2 * k + 1) / (2 * size))
    return 2 * np.cos(np.pi * (2 * j + 1) * (2 * k + 1) / (4 * size))


def _orthonormal(kind: int, size: int) -> np.ndarray:
    """The factors that make the matrix orthonormal."""
    places = np.arange(size)
    if kind == 2:
        return np.where(places == 0, np.sqrt(0.25 / size), np.sqrt(0.5 / size))[None, :]
    if kind == 3:  # of the matrix above, whose first row has half the others' factor
        return np.where(places == 0, np.sqrt(1 / size), np.sqrt(0.5 / size))[:, None]
    return np.asarray(np.sqrt(0.5 / size))


# ------------------------------------------------------------------ frames


def framed_signal(
    signal: Any, length: Any, step: Any, pad_end: bool, pad_value: Any, axis: int
) -> Any:
    """Pieces of a length, one every `step`, in an axis before theirs."""
    x, length, step = jnp.asarray(signal), plain(length), plain(step)
    axis %= x.ndim
    size = x.shape[axis]
    count = -(-size // step) if pad_end else max(0, 1 + (size - length) // step)
    missing = max(0, (count - 1) * step + length - size) if count else 0
    if missing:
        widths = [(0, 0)] * x.ndim
        widths[axis] = (0, missing)
        x = jnp.pad(x, widths, constant_values=pad_value)
    places = np.arange(count)[:, None] * step + np.arange(length)[None, :]
    return jnp.take(x, places.reshape(-1), axis=axis).reshape(
        *x.shape[:axis], count, length, *x.shape[axis + 1 :]
    )


def overlap_and_add(frames: Any, step: Any) -> Any:
    """The sum of pieces, (..., frames, length), one every `step`."""
    x, step = jnp.asarray(frames), plain(step)
    count, length = x.shape[-2:]
    total = (count - 1) * step + length
    places = np.arange(count)[:, None] * step + np.arange(length)[None, :]
    empty = jnp.zeros((*x.shape[:-2], total), x.dtype)
    return empty.at[..., places].add(x)


def window(kind: str, length: Any, periodic: bool, dtype: Any) -> Any:
    """A window of cosines: a - (1 - a) cos(2π j / n)."""
    size = plain(length)
    first = {"hann": 0.5, "hamming": 0.54}[kind]
    # TensorFlow's n is one less for odd lengths, periodic or not.
    count = size if periodic and size % 2 == 0 else size - 1
    turns = 2 * np.pi * np.arange(size) / max(count, 1)
    found = np.ones(1) if size == 1 else first - (1 - first) * np.cos(turns)
    return landed(found.astype(as_dtype(dtype)._dtype))


def kaiser(length: Any, beta: Any, dtype: Any) -> Any:
    """Kaiser's window."""
    return landed(np.kaiser(plain(length), float(plain(beta))).astype(as_dtype(dtype)._dtype))


def vorbis(length: Any, dtype: Any) -> Any:
    """Vorbis's window: sin(π/2 sin²(π (j + 1/2) / n))."""
    size = plain(length)
    inner = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    return landed(np.sin(np.pi / 2 * inner**2).astype(as_dtype(dtype)._dtype))


def hann_window(window_length: Any, periodic: bool = True, dtype: Any = "float32", name: Any = None) -> Any:  # noqa: E501  # fmt: skip
    """Hann's window."""
    return window("hann", window_length, periodic, dtype)


def hamming_window(window_length: Any, periodic: bool = True, dtype: Any = "float32", name: Any = None) -> Any:  # noqa: E501  # fmt: skip
    """Hamming's window."""
    return window("hamming", window_length, periodic, dtype)


def stft(
    signals: Any, length: Any, step: Any, fft_length: Any, window_fn: Any, pad_end: bool
) -> Any:
    """The transform of each piece under a window."""
    x, length = jnp.asarray(signals), plain(length)
    size = _power_of_two(length) if fft_length is None else plain(fft_length)
    pieces = framed_signal(x, length, step, pad_end, 0, -1)
    if window_fn is not None:
        pieces = pieces * jnp.asarray(window_fn(length, dtype=x.dtype.name))
    return jnp.fft.rfft(pieces, size)


def inverse_stft(stfts: Any, length: Any, step: Any, fft_length: Any, window_fn: Any) -> Any:
    """The signal of such transforms; with `inverse_stft_window_fn` the one they are of."""
    length, step = plain(length), plain(step)
    size = _power_of_two(length) if fft_length is None else plain(fft_length)
    pieces = jnp.fft.irfft(jnp.asarray(stfts), size)[..., :length]
    missing = length - pieces.shape[-1]
    if missing > 0:
        pieces = jnp.pad(pieces, [(0, 0)] * (pieces.ndim - 1) + [(0, missing)])
    if window_fn is not None:
        pieces = pieces * jnp.asarray(window_fn(length, dtype=pieces.dtype.name))
    return overlap_and_add(pieces, step)


def inverse_stft_window_fn(
    frame_step: Any, forward_window_fn: Callable[..., Any] | None = None, name: Any = None
) -> Callable[..., Any]:
    """The window with which `inverse_stft` gives what `stft` was given.

    Args:
        frame_step: The step between pieces.
        forward_window_fn: The window of `stft`; Hann's by default.
        name: Accepted for compatibility.
    """

    def inverse(frame_length: Any, dtype: Any = "float32") -> Any:
        size, step = plain(frame_length), plain(frame_step)
        forward = np.asarray((forward_window_fn or hann_window)(size, dtype=dtype), np.float64)
        turns = -(-size // step)
        squares = np.pad(forward**2, (0, turns * step - size)).reshape(turns, step).sum(0)
        return landed((forward / np.tile(squares, turns)[:size]).astype(as_dtype(dtype)._dtype))

    return inverse


def _power_of_two(length: int) -> int:
    return 1 << max(0, length - 1).bit_length()


# ------------------------------------------------------------------ mel scales


def mel_weights(
    num_mel_bins: Any, num_bins: Any, rate: Any, low: Any, high: Any, dtype: Any
) -> Any:
    """Triangles on the mel scale: (bins of a spectrum, mel bins); none for frequency 0."""
    low, high, nyquist = float(plain(low)), float(plain(high)), float(plain(rate)) / 2
    if not 0 <= low < high <= nyquist:
        rule = "frequencies must be 0 <= lower < upper <= half the sample rate"
        who = "tf.signal.linear_to_mel_weight_matrix"
        raise ArgumentError(message(who, rule, f"{low}, {high} and {nyquist}"))

    def mel(hertz: Any) -> Any:
        return _MEL_HIGH * np.log1p(np.asarray(hertz, np.float64) / _MEL_BREAK_HERTZ)

    bins = mel(np.linspace(0.0, nyquist, plain(num_bins))[1:])[:, None]
    edges = np.linspace(mel(low), mel(high), plain(num_mel_bins) + 2)
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((bins - left) / (middle - left), (right - bins) / (right - middle))
    found = np.pad(np.maximum(0.0, slopes), ((1, 0), (0, 0)))
    return landed(found.astype(as_dtype(dtype)._dtype))


def mfccs(log_mel_spectrograms: Any) -> Any:
    """The cosine transform of log mel spectra, scaled as HTK does."""
    x = jnp.asarray(log_mel_spectrograms)
    return dct(x, 2, None, -1, None) / np.sqrt(2.0 * x.shape[-1]).astype(x.dtype)


# ------------------------------------------------------------------ WAV


class DecodedWav(tuple[Any, ...]):
    """Samples (length, channels) from -1 to 1, and the sample rate."""

    __slots__ = ()

    @property
    def audio(self) -> Any:
        """The samples."""
        return self[0]

    @property
    def sample_rate(self) -> Any:
        """The sample rate."""
        return self[1]


def decode_wav(contents: Any, channels: Any, samples: Any) -> DecodedWav:
    """The samples of a WAV file of 16 bits, (length, channels), and its sample rate.

    Args:
        contents: The file's bytes.
        channels: How many are asked for: less drops the last, more repeats the last; -1 for all.
        samples: How many samples: cut, or filled with zeros; -1 for all.
    """
    if is_tracer(contents):
        raise ArgumentError(message("tf.audio.decode_wav", "it takes bytes", "a traced tensor"))
    data = np.asarray(tensor(contents)).item()
    sound, rate = _wav(data)
    channels, samples = plain(channels), plain(samples)
    if channels > 0:
        places = np.minimum(np.arange(channels), sound.shape[1] - 1)
        sound = sound[:, places]
    if samples > 0:
        sound = np.pad(sound[:samples], ((0, max(0, samples - len(sound))), (0, 0)))
    return DecodedWav((landed(sound), tensor(np.int32(rate))))


def _wav(data: bytes) -> tuple[np.ndarray, int]:
    """Source: Microsoft's and IBM's "Multimedia Programming Interface", 1991: RIFF WAVE."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise _no_wav(f"bytes that begin with {data[:12]!r}")
    at, form, body = 12, b"", None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        part = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = part
        elif name == b"data":
            body = part
            break
        at += 8 + size + size % 2
    if len(form) < 16 or body is None:
        raise _no_wav("no format, or no samples")
    code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if code not in (1, 0xFFFE) or bits != 16 or not channels:
        raise _no_wav(f"format {code} of {bits} bits and {channels} channels")
    numbers = np.frombuffer(body[: len(body) // (2 * channels) * 2 * channels], "<i2")
    return numbers.reshape(-1, channels).astype(np.float32) / 32768.0, rate


def _no_wav(got: str) -> ArgumentError:
    rule = "it must be a WAV file of plain 16-bit samples"
    fix = "Convert it: ffmpeg -i sound.wav -acodec pcm_s16le out.wav."
    return ArgumentError(message("tf.audio.decode_wav", rule, got, fix))


def encode_wav(audio: Any, sample_rate: Any) -> Any:
    """Samples (length, channels) from -1 to 1 as the bytes of a WAV file of 16 bits."""
    sound, rate = np.asarray(tensor(audio), np.float32), plain(sample_rate)
    if sound.ndim != 2:
        rule, fix = "audio must be (length, channels)", "For one channel: audio[:, None]."
        raise ShapeError(message("tf.audio.encode_wav", rule, f"shape {sound.shape}", fix))
    numbers = np.round(np.clip(sound * 32768.0, -32768, 32767)).astype("<i2").tobytes()
    channels = sound.shape[1]
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(numbers), b"WAVE", b"fmt ", 16)
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    return tensor(head + form + struct.pack("<4sI", b"data", len(numbers)) + numbers)
