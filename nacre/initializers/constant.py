"""Initializers without chance: constants, the identity matrix, the Fourier transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message, unknown_name
from nacre.core.host_arrays import exact
from nacre.core.registry import deserialize_keras_object, plain_config, register
from nacre.initializers.initializer import Initializer, numpy_dtype, sizes_of


@register("initializers/Constant")
class Constant(Initializer):
    """Fill with one value, or with an array that has (or broadcasts to) the shape.

    Args:
        value: A number or an array.

    Example:
        >>> Constant(3.0)((2,))
        array([3., 3.], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        # An array comes back from a config as its own little config.
        self.value = deserialize_keras_object(value) if isinstance(value, dict) else value

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """An array of `shape` filled with the value."""
        filled = np.empty(sizes_of(shape), numpy_dtype(dtype))
        try:
            filled[...] = exact(self.value, filled.dtype, "Constant")
        except DTypeError:
            raise
        except (TypeError, ValueError):
            rule = f"the value must be a number, or numbers that broadcast to {filled.shape}"
            raise ShapeError(message("Constant", rule, repr(self.value)[:100])) from None
        return filled

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"value": plain_config(self.value)}


@register("initializers/Zeros")
class Zeros(Initializer):
    """Fill with 0.

    Example:
        >>> Zeros()((2,))
        array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Zeros of `shape`."""
        return np.zeros(sizes_of(shape), numpy_dtype(dtype))


@register("initializers/Ones")
class Ones(Initializer):
    """Fill with 1.

    Example:
        >>> Ones()((2,))
        array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Ones of `shape`."""
        return np.ones(sizes_of(shape), numpy_dtype(dtype))


@register("initializers/Identity")
class Identity(Initializer):
    """A matrix with `gain` on its diagonal and 0 elsewhere.

    Args:
        gain: The number on the diagonal.

    Raises:
        ShapeError: The shape has not two axes.
    Example:
        >>> Identity(2.0)((2, 2))
        array([[2., 0.],
               [0., 2.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """`gain` times the identity matrix of `shape`."""
        shape = sizes_of(shape)
        if len(shape) != 2:
            raise ShapeError(
                message("Identity", "the shape must have two axes", f"{shape}", "Use Orthogonal().")
            )
        return (self.gain * np.eye(*shape)).astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {} if self.gain == 1.0 else {"gain": self.gain}


# Windows that are sums of cosines: coefficients a_k of a_0 - a_1 cos(t) + a_2 cos(2t) - ...
_COSINE_SUMS: dict[str, tuple[float, ...]] = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}


def _tukey(position: np.ndarray) -> np.ndarray:
    # Half of the window is flat, a quarter on each side is a Hann slope.
    edge = np.minimum(position, 1.0 - position)
    return np.where(edge < 0.25, 0.5 - 0.5 * np.cos(4 * np.pi * edge), 1.0)


_OTHER_WINDOWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bartlett": lambda position: 1.0 - np.abs(2.0 * position - 1.0),
    "tukey": _tukey,
}


def window_values(window: str | Callable[[int], Any], length: int, periodic: bool) -> np.ndarray:
    """The values of a window function.

    Args:
        window: Name, or a callable that takes the length.
        length: Number of values.
        periodic: True for a window whose continuation is periodic (one value longer, last one cut).

    Raises:
        UnknownNameError: The name is no window's.
    """
    if callable(window):
        return np.asarray(window(length), "float64")
    name = {"rectangular": "boxcar", "ones": "boxcar", "hanning": "hann"}.get(window, window)
    if length == 1:
        return np.ones(1)
    position = np.arange(length) / (length if periodic else length - 1)
    if name in _OTHER_WINDOWS:
        return _OTHER_WINDOWS[name](position)
    if name not in _COSINE_SUMS:
        raise unknown_name("STFT", "window", window, [*_COSINE_SUMS, *_OTHER_WINDOWS])
    signs = (-1.0) ** np.arange(len(_COSINE_SUMS[name]))
    angles = 2 * np.pi * np.outer(np.arange(len(signs)), position)
    return (signs * np.array(_COSINE_SUMS[name])) @ np.cos(angles)


@register("initializers/STFT")
class STFT(Initializer):
    """A convolution kernel that computes one side of a windowed Fourier transform.

    Args:
        side: 'real' (cosines) or 'imag' (negative sines).
        window: Window's name, a callable that takes the length, or None.
        scaling: 'density' divides by sqrt(sum of squared window), 'spectrum' by its sum, None not.
        periodic: Whether the window is periodic.

    Shapes:
        returns (frame_length, channels, fft_length // 2 + 1)
    Raises:
        ShapeError: The shape has not three axes.
    Example:
        >>> STFT("real", window=None)((4, 1, 3))[:, 0, 1].round(3) + 0.0
        array([ 1.,  0., -1.,  0.], dtype=float32)
    """

    def __init__(
        self,
        side: str = "real",
        window: str | Callable[[int], Any] | None = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            raise ArgumentError(message("STFT", "side must be 'real' or 'imag'", repr(side)))
        if scaling not in ("density", "spectrum", None):
            raise ArgumentError(
                message("STFT", "scaling must be 'density', 'spectrum' or None", repr(scaling))
            )
        if isinstance(window, str):
            window_values(window, 2, periodic)  # a wrong name is told here
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """The kernel of `shape` (frame_length, channels, frequencies)."""
        shape = sizes_of(shape)
        if len(shape) != 3:
            raise ShapeError(
                message("STFT", "the shape must be (frame_length, channels, bins)", f"{shape}")
            )
        frame_length, _, bins = shape
        window = np.ones(frame_length)
        if self.window is not None:
            window = window_values(self.window, frame_length, self.periodic)
            if self.scaling == "density":
                window = window / np.sqrt(np.sum(window**2))
            elif self.scaling == "spectrum":
                window = window / np.sum(window)
        angles = 2 * np.pi * np.outer(np.arange(frame_length), np.arange(bins)) / (2 * (bins - 1))
        wave = np.cos(angles) if self.side == "real" else -np.sin(angles)
        kernel = (window[:, None] * wave)[:, None, :]  # (frame_length, 1, bins)
        return np.broadcast_to(kernel, shape).astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {
            "side": self.side,
            "window": self.window,
            "periodic": self.periodic,
            "scaling": self.scaling,
        }
