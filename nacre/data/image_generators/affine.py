"""Images turned, moved, sheared and zoomed: one matrix for all of it, by scipy.ndimage.

JAX brings SciPy along; it is imported with the first image that is changed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.interop import optional_import

Array = np.ndarray[Any, Any]
FILL_MODES = ("constant", "nearest", "reflect", "wrap")


def apply_affine_transform(
    x: Array,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> Array:
    """An image turned by `theta`, moved, sheared and zoomed around its middle.

    Args:
        x: The image, three axes.
        theta: The angle of the turn, in degrees.
        tx, ty: By how many pixels it moves to the left, and up.
        shear: The angle of the shear, in degrees.
        zx, zy: How many old pixels a new one is wide, and high: under 1 the image grows.
        row_axis, col_axis, channel_axis: Which axes of `x` these are.
        fill_mode: What is outside of the image: 'nearest', 'constant', 'reflect' or 'wrap'.
        cval: The color outside for 'constant'.
        order: Of the splines that pixels between are made with, 0 to 5.

    Shapes:
        x, returns  three axes, in the dtype of `x`

    Raises:
        ShapeError: `x` has another number of axes.
        ArgumentError: An argument breaks its rule.

    Source: tf.keras 2.15, whose pixels were compared. Differs: an image that is not square is
    turned, sheared and zoomed around its middle, where tf.keras exchanges height and width.

    Example:
        >>> import numpy as np
        >>> image = np.arange(9.0).reshape(3, 3, 1)
        >>> apply_affine_transform(image, ty=1, row_axis=0, col_axis=1, channel_axis=2)[..., 0]
        array([[3., 4., 5.],
               [6., 7., 8.],
               [6., 7., 8.]])
    """
    who = "apply_affine_transform"
    require_fill(who, fill_mode, order)
    image = np.asarray(x)
    axes = {axis % 3 for axis in (row_axis, col_axis, channel_axis)}
    if image.ndim != 3 or len(axes) < 3:
        rule = "x must be an image with axes for rows, columns and channels"
        got = f"shape {image.shape}, axes {row_axis}, {col_axis} and {channel_axis}"
        raise ShapeError(message(who, rule, got))
    matrix = _matrix(theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return image
    ndimage: Any = optional_import("scipy.ndimage", extra="plot", who=who)
    channels = np.moveaxis(image, (channel_axis, row_axis, col_axis), (0, 1, 2))
    matrix = _of_rows_and_columns(matrix, channels.shape[1], channels.shape[2])
    changed = np.empty(channels.shape, channels.dtype)
    for channel, output in zip(channels, changed, strict=True):
        ndimage.affine_transform(
            channel, matrix[:2, :2], matrix[:2, 2],
            output=output, order=order, mode=fill_mode, cval=cval,
        )  # fmt: skip
    return np.moveaxis(changed, (0, 1, 2), (channel_axis, row_axis, col_axis))


def require_fill(who: str, fill_mode: Any, order: Any) -> None:
    """Refuse a fill mode, or an order of splines, that there is not."""
    if fill_mode not in FILL_MODES:
        rule = f"fill_mode must be one of {', '.join(FILL_MODES)}"
        raise ArgumentError(message(who, rule, repr(fill_mode)))
    if order not in range(6):
        raise ArgumentError(message(who, "the order of splines must be from 0 to 5", repr(order)))


def _matrix(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> Array | None:
    """Where a pixel comes from: homogeneous coordinates x, y, 1; None for where it is."""
    steps: list[Any] = []
    if theta:
        turn = math.radians(theta)
        sine, cosine = math.sin(turn), math.cos(turn)
        steps.append([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    if tx or ty:
        steps.append([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    if shear:
        lean = math.radians(shear)
        steps.append([[1, -math.sin(lean), 0], [0, math.cos(lean), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        steps.append([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
    if not steps:
        return None
    matrix = np.array(steps[0], float)
    for step in steps[1:]:
        matrix = matrix @ np.array(step, float)
    return matrix


def _of_rows_and_columns(matrix: Array, height: int, width: int) -> Array:
    """A matrix for (x, y), turned around the middle, as one for (row, column)."""
    middle = np.eye(3)
    middle[:2, 2] = width / 2 - 0.5, height / 2 - 0.5
    back = np.eye(3)
    back[:2, 2] = -middle[:2, 2]
    whole = middle @ matrix @ back
    return whole[[1, 0, 2]][:, [1, 0, 2]]


# -------------------------------------------------------------------------------- at random


def random_rotation(
    x: Array,
    rg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image turned by an angle drawn from -rg to rg degrees, by `np.random`.

    Args:
        x, row_axis, col_axis, channel_axis, fill_mode, cval: See `apply_affine_transform`.
        rg: The largest angle.
        interpolation_order: Its `order`.
    """
    theta = np.random.uniform(-rg, rg)
    return apply_affine_transform(
        x, theta=theta, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shift(
    x: Array,
    wrg: float,
    hrg: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image moved by shares of its size, drawn from -wrg to wrg and -hrg to hrg.

    Args:
        x, row_axis, col_axis, channel_axis, fill_mode, cval: See `apply_affine_transform`.
        wrg, hrg: The largest share of the width, and of the height.
        interpolation_order: Its `order`.

    Source: tf.keras 2.15. Differs: `hrg` moves along the height and `wrg` along the width, which it
    exchanges.
    """
    height, width = x.shape[row_axis], x.shape[col_axis]
    ty = np.random.uniform(-hrg, hrg) * height  # in tf.keras's order
    tx = np.random.uniform(-wrg, wrg) * width
    return apply_affine_transform(
        x, tx=tx, ty=ty, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shear(
    x: Array,
    intensity: float,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image sheared by an angle drawn from -intensity to intensity degrees.

    Args:
        x, row_axis, col_axis, channel_axis, fill_mode, cval: See `apply_affine_transform`.
        intensity: The largest angle.
        interpolation_order: Its `order`.
    """
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(
        x, shear=shear, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_zoom(
    x: Array,
    zoom_range: Any,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    interpolation_order: int = 1,
) -> Array:
    """An image zoomed along each axis by a number drawn from a range.

    Args:
        x, row_axis, col_axis, channel_axis, fill_mode, cval: See `apply_affine_transform`.
        zoom_range: (least, most), such as (0.8, 1.2).
        interpolation_order: Its `order`.

    Raises:
        ArgumentError: `zoom_range` is no pair.
    """
    least, most = pair("random_zoom", "zoom_range", zoom_range, "(0.8, 1.2)")
    zx, zy = (1, 1) if least == most == 1 else np.random.uniform(least, most, 2)
    return apply_affine_transform(
        x, zx=zx, zy=zy, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def pair(who: str, name: str, given: Any, such_as: str) -> tuple[float, float]:
    """Two numbers, the least and the most, or the error that says so."""
    try:
        least, most = given
        return float(least), float(most)
    except (TypeError, ValueError):
        rule = f"{name} must be two numbers, such as {such_as}"
        raise ArgumentError(message(who, rule, repr(given)[:60])) from None


__all__ = [
    "FILL_MODES",
    "apply_affine_transform",
    "pair",
    "random_rotation",
    "random_shear",
    "random_shift",
    "random_zoom",
    "require_fill",
]
