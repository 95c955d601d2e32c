"""Kernels of resampling: what a pixel counts by its distance, from 0 on, in pixels.

Sources: Mitchell and Netravali 1988, 'Reconstruction filters in computer graphics', equation 8, of
which Keys 1981 is the case b = 0; Duchon 1979 (Lanczos); the others as in tf.image.resize.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Kernel = Callable[[Array], Array]


def cubic(b: float, c: float) -> Kernel:
    """Two cubic pieces, to a distance of 2. Keys's slope `a` is -c where b is 0."""

    def weights(x: Array) -> Array:
        inner = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)
        outer = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2
        outer = outer + (-12 * b - 48 * c) * x + 8 * b + 24 * c
        return np.where(x < 1, inner, np.where(x < 2, outer, 0.0)) / 6

    return weights


def lanczos(radius: int) -> Kernel:
    """A sinc within another that is as wide as the radius."""
    return lambda x: np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0.0)


def gaussian(x: Array) -> Array:
    """Radius 1.5, σ 0.5."""
    return np.where(x < 1.5, np.exp(-(x**2) / (2 * 0.5**2)), 0.0)


__all__ = ["Kernel", "cubic", "gaussian", "lanczos"]
