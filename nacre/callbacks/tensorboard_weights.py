"""Weights as pictures, for TensorBoard's page of images."""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST_PIXELS = 2048  # a side; of longer ones every so many rows are left out
_MOST_TILES = 16  # a side, of a picture that is put together from those of the channels


def picture(weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """A weight as gray pictures, the least value black and the largest white.

    Shapes:
        weight   (a,)           one column
                 (a, b)         one picture, lying
                 (k, in, out)   a picture for each output
                 (h, w, in, out)  one of tiles: inputs below, outputs beside one another
        returns  (pictures, height, width, 1)  floats from 0 to 1; None for other shapes
    Source:
        Keras 3.15. Differs: its pictures hold the values as they are, where negative ones are black
        and those above 1 white; of kernels with four axes it only shows those of 1, 3 or 4 outputs,
        whose outputs it takes for colors.
    """
    values = np.squeeze(weight.astype(np.float32))  # of the axes, those that say something
    if values.ndim == 1:
        pictures = values[None, :, None]
    elif values.ndim == 2:
        lying = values.T if values.shape[0] > values.shape[1] else values
        pictures = lying[None]
    elif values.ndim == 3:
        pictures = np.moveaxis(values, -1, 0)
    elif values.ndim == 4:
        pictures = _tiles(values)[None]
    else:
        return None
    rows, columns = (-(-size // _MOST_PIXELS) for size in pictures.shape[1:])
    return _shades(pictures[:, ::rows, ::columns])[..., None]


def _tiles(kernel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(h, w, in, out) -> one picture, with a line of the least value between tiles."""
    kernel = kernel[:, :, :_MOST_TILES, :_MOST_TILES]
    padded = np.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)), constant_values=np.nan)
    height, width, inputs, outputs = padded.shape
    tiles = padded.transpose(2, 0, 3, 1).reshape(inputs * height, outputs * width)
    return tiles[:-1, :-1]


def _shades(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    finite = values[np.isfinite(values)]
    least, most = (finite.min(), finite.max()) if finite.size else (0, 0)
    if least == most:
        return np.full_like(values, 0.5)
    return np.nan_to_num((values - least) / (most - least), nan=0, posinf=1, neginf=0)


__all__ = ["picture"]
