"""Images moved, turned, bent and resized: all that reads pixels at new places."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.errors import InconclusiveDimensionOperation

from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.random import draw_key
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array, floating, is_inexact
from nacre.ops._define import Family, composite, info_of
from nacre.ops.pixels import channels_last, gaussian_kernel, put_back, separable_filter

op = Family("image", masks=masks.ON_IMAGES)

_METHODS = {
    "nearest": "nearest",
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


def _method(interpolation: str) -> str:
    if interpolation not in _METHODS:
        raise ArgumentError(
            message("resize", f"interpolation must be one of {list(_METHODS)}", repr(interpolation))
        )
    return _METHODS[interpolation]


def to_dtype(values: jax.Array, dtype: Any) -> jax.Array:
    """Floats as `dtype`; for integers rounded and limited to what it holds."""
    if values.dtype == dtype or not jnp.issubdtype(dtype, jnp.integer):
        return values.astype(dtype)
    info = jnp.iinfo(dtype)
    return jnp.clip(jnp.round(values), info.min, info.max).astype(dtype)


@composite(name="resize")
def _resize(
    images: Tensor, size: tuple[int, int], interpolation: str, antialias: bool, data_format: str
) -> jax.Array:
    x = array(images)
    height_axis = 1 if data_format == "channels_last" else 2
    if x.ndim == 3:
        height_axis -= 1
    shape = list(x.shape)
    shape[height_axis : height_axis + 2] = size
    wide = x if is_inexact(x) or interpolation == "nearest" else x.astype("float32")
    with _as_wide_as(wide, shape):
        resized = jax.image.resize(wide, shape, _method(interpolation), antialias=antialias)
    return to_dtype(resized, x.dtype)


def _as_wide_as(x: jax.Array, shape: list[Any]) -> AbstractContextManager[Any]:
    """JAX weighs pixels in 64 bits where it has them, for images of 32 too: other last digits.

    Sizes that are not known yet are of the setting they were traced under.
    """
    changing = [pair for pair in zip(x.shape, shape, strict=True) if pair[0] is not pair[1]]
    is_known = all(isinstance(size, int) for pair in changing for size in pair)
    return jax.enable_x64(False) if is_known and x.dtype.itemsize < 8 else nullcontext()


@op(masks=masks.POSITIONS_CHANGE)
def resize(
    images: Tensor,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> jax.Array:
    """Images in another size.

    Args:
        size: (height, width).
        interpolation: 'nearest', 'bilinear', 'bicubic', 'lanczos3' or 'lanczos5'.
        antialias: Widen the filter when the image gets smaller.
        crop_to_aspect_ratio: Cut the middle part with the new proportions first.
        pad_to_aspect_ratio: Add `fill_value` on the short side first.
    """
    x = array(images)
    data_format = standardize_data_format(data_format)
    if x.ndim not in (3, 4):
        raise ShapeError(message("resize", "images must have 3 or 4 axes", f"shape {x.shape}"))
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ArgumentError(
            message(
                "resize", "only one of crop_to_aspect_ratio and pad_to_aspect_ratio may be True",
                "both",
            )
        )  # fmt: skip
    if fill_mode != "constant":
        raise ArgumentError(message("resize", "fill_mode must be 'constant'", repr(fill_mode)))
    height, width = (int(n) for n in size)
    axis = (1 if data_format == "channels_last" else 2) - (4 - x.ndim)
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        reshape = _cropped if crop_to_aspect_ratio else _padded
        x = reshape(x, axis, height, width, fill_value)
    return _resize(
        x,
        size=(height, width),
        interpolation=interpolation,
        antialias=bool(antialias),
        data_format=data_format,
    )


def _cropped(x: jax.Array, axis: int, height: int, width: int, _: float) -> jax.Array:
    """The middle part with the proportions height : width."""
    top, left, new_rows, new_columns = crop_window(x.shape[axis], x.shape[axis + 1], height, width)
    x = lax.slice_in_dim(x, top, top + new_rows, axis=axis)
    return lax.slice_in_dim(x, left, left + new_columns, axis=axis + 1)


def _padded(x: jax.Array, axis: int, height: int, width: int, fill_value: float) -> jax.Array:
    """Margins added on the short side, to the proportions height : width."""
    top, left, _, _ = pad_window(x.shape[axis], x.shape[axis + 1], height, width)
    pads = [(0, 0)] * x.ndim
    pads[axis], pads[axis + 1] = (-top, -top), (-left, -left)
    return jnp.pad(x, pads, constant_values=jnp.asarray(fill_value, x.dtype))


def refuse_open_sizes(what: str, *sizes: Any) -> None:
    """Raise where a size varies, of something that is another one for small and for large images.

    JAX would decide some of these by themselves: that 32·n is no less than 4. What follows holds
    for multiples of 32 alone, and nothing that runs a file asks for them.
    """
    unknown = [size for size in sizes if jax.export.is_symbolic_dim(size)]
    if unknown:
        raise InconclusiveDimensionOperation(f"{what} by the size '{unknown[0]}' is inconclusive")


def crop_window(rows: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The largest middle part with the proportions height : width: top, left, rows, columns.

    Example:
        >>> crop_window(16, 20, 8, 8)
        (0, 2, 16, 16)
    """
    refuse_open_sizes("A crop to proportions", rows, columns)
    new_rows = min(rows, columns * height // width) or 1
    new_columns = min(columns, rows * width // height) or 1
    return (rows - new_rows) // 2, (columns - new_columns) // 2, new_rows, new_columns


def pad_window(rows: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    """The window with equal margins and the proportions height : width, as `crop_window` tells it.

    It begins before the image: top and left are not positive.

    Example:
        >>> pad_window(16, 20, 8, 8)
        (-2, 0, 20, 20)
    """
    refuse_open_sizes("A padding to proportions", rows, columns)
    top = (max(rows, columns * height // width) - rows) // 2
    left = (max(columns, rows * width // height) - columns) // 2
    return -top, -left, rows + 2 * top, columns + 2 * left


@op
def scale_and_translate(
    images: Tensor,
    output_shape: Any,
    scale: Tensor,
    translation: Tensor,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> jax.Array:
    """Images scaled and moved along `spatial_dims`, within a new shape; zeros outside.

    Args:
        method: 'linear', 'cubic', 'lanczos3' or 'lanczos5' (or 'bilinear', 'bicubic' ...).
    """
    names = {"bilinear": "linear", "trilinear": "linear", "triangle": "linear"}
    names |= {"bicubic": "cubic", "tricubic": "cubic"}
    x = floating(images)
    return jax.image.scale_and_translate(
        x,
        tuple(output_shape),
        tuple(spatial_dims),
        array(scale).astype(x.dtype),
        array(translation).astype(x.dtype),
        names.get(method, method),
        antialias,
    )


# --- reading at places ---------------------------------------------------------------------------


def _place(index: jax.Array, size: int, fill_mode: str) -> tuple[jax.Array, Any]:
    """An index within the axis for one that may be outside, and whether its pixel counts."""
    if fill_mode == "constant":
        return jnp.clip(index, 0, size - 1), (index >= 0) & (index < size)
    if fill_mode == "nearest":
        return jnp.clip(index, 0, size - 1), True
    if fill_mode == "wrap":
        return index % size, True
    if fill_mode == "mirror":
        last = max(size - 1, 1)
        return jnp.abs((index + last) % (2 * last) - last) % size, True
    if fill_mode == "reflect":
        turned = index % (2 * size)
        return jnp.where(turned < size, turned, 2 * size - 1 - turned), True
    modes = ("constant", "nearest", "wrap", "mirror", "reflect")
    raise ArgumentError(
        message("map_coordinates", f"fill_mode must be one of {modes}", repr(fill_mode))
    )


def _corners(coordinate: jax.Array, order: int) -> list[tuple[jax.Array, Any]]:
    """The pixels of one axis that a coordinate reads, each with its weight."""
    if order == 0:
        # Halves go away from zero.
        rounded = jnp.where(
            coordinate >= 0, jnp.floor(coordinate + 0.5), jnp.ceil(coordinate - 0.5)
        )
        return [(rounded.astype("int32"), 1)]
    lower = jnp.floor(coordinate)
    upper_weight = coordinate - lower
    index = lower.astype("int32")
    return [(index, 1 - upper_weight), (index + 1, upper_weight)]


@op
def map_coordinates(
    inputs: Tensor,
    coordinates: Tensor,
    order: int,
    fill_mode: str = "constant",
    fill_value: float = 0,
) -> jax.Array:
    """Values read at places between the elements.

    Args:
        coordinates: One row for each axis of `inputs`.
        order: 0 takes the nearest element, 1 interpolates linearly.
        fill_mode: What lies outside: 'constant' (`fill_value`), 'nearest', 'wrap', 'mirror' (about
            the middle of the edge element) or 'reflect' (about its outer border).
    """  # fmt: skip
    x, places = array(inputs), floating(coordinates)
    if order not in (0, 1):
        raise ArgumentError(message("map_coordinates", "order must be 0 or 1", repr(order)))
    if places.ndim < 2 or places.shape[0] != x.ndim:
        raise ShapeError(
            message(
                "map_coordinates",
                "coordinates must have one row for each axis of inputs",
                f"coordinates {tuple(places.shape)} and inputs {tuple(x.shape)}",
            )
        )
    axes = [_corners(row, order) for row in places]
    total: Any = 0
    for corner in itertools.product(*axes):
        found = [_place(i, n, fill_mode) for (i, _), n in zip(corner, x.shape, strict=True)]
        values = x[tuple(index for index, _ in found)]
        counts = [c for _, c in found if c is not True]
        if counts:
            inside = counts[0]
            for more in counts[1:]:
                inside = inside & more
            values = jnp.where(inside, values, jnp.asarray(fill_value, x.dtype))
        for _, weight in corner:
            values = values * weight
        total = total + values
    return to_dtype(total, x.dtype)


def _sampled(
    x: jax.Array, rows: jax.Array, columns: jax.Array, order: int, fill_mode: str, fill_value: float
) -> jax.Array:
    """Images (batch, height, width, channels) read at places (batch, height, width)."""
    read = info_of(map_coordinates).function

    def one(image: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
        places = jnp.stack([row, column])
        plane = lambda channel: read(channel, places, order, fill_mode, fill_value)
        return jax.vmap(plane, in_axes=-1, out_axes=-1)(image)

    return jax.vmap(one)(x, rows, columns)


def _order(who: str, interpolation: str) -> int:
    orders = {"nearest": 0, "bilinear": 1}
    if interpolation not in orders:
        raise ArgumentError(
            message(who, f"interpolation must be one of {list(orders)}", repr(interpolation))
        )
    return orders[interpolation]


def _grid(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The row and the column of every pixel, (height, width) each."""
    rows, columns = jnp.meshgrid(
        jnp.arange(x.shape[1], dtype="float32"),
        jnp.arange(x.shape[2], dtype="float32"),
        indexing="ij",
    )
    return rows, columns


@op
def affine_transform(
    images: Tensor,
    transform: Tensor,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Images turned, scaled, moved or sheared.

    Args:
        transform: [a0, a1, a2, b0, b1, b2, c0, c1], one for each image or for all: the pixel at
            column x and row y comes from column a0·x + a1·y + a2 and row b0·x + b1·y + b2.
            c0 and c1 are not used.
        fill_mode: What lies outside: 'constant', 'nearest', 'wrap' or 'reflect'.
    """
    order = _order("affine_transform", interpolation)
    x, layout = channels_last("affine_transform", images, data_format)
    matrix = floating(transform).astype("float32")
    if matrix.shape[-1] != 8 or matrix.ndim not in (1, 2):
        raise ShapeError(
            message("affine_transform", "transform must have shape (8,) or (batch, 8)",
                    f"{tuple(matrix.shape)}")
        )  # fmt: skip
    matrix = jnp.broadcast_to(matrix, (x.shape[0], 8))
    rows, columns = _grid(x)
    a = [matrix[:, i, None, None] for i in range(6)]
    new_columns = a[0] * columns + a[1] * rows + a[2]
    new_rows = a[3] * columns + a[4] * rows + a[5]
    return put_back(_sampled(x, new_rows, new_columns, order, fill_mode, fill_value), layout)


@op
def perspective_transform(
    images: Tensor,
    start_points: Tensor,
    end_points: Tensor,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> jax.Array:
    """Images seen from elsewhere: four points of each move to four others.

    Shapes:
        start_points, end_points  (4, 2) or (batch, 4, 2): column and row of each point
    """
    order = _order("perspective_transform", interpolation)
    x, layout = channels_last("perspective_transform", images, data_format)
    start, end = (floating(p).astype("float32") for p in (start_points, end_points))
    if start.shape[-2:] != (4, 2) or end.shape != start.shape:
        raise ShapeError(
            message(
                "perspective_transform",
                "both sets of points must have shape (4, 2) or (batch, 4, 2)",
                f"{tuple(start.shape)} and {tuple(end.shape)}",
            )
        )
    matrix = homography(end, start)
    matrix = jnp.broadcast_to(matrix, (x.shape[0], 8))
    rows, columns = _grid(x)
    m = [matrix[:, i, None, None] for i in range(8)]
    depth = m[6] * columns + m[7] * rows + 1
    new_columns = (m[0] * columns + m[1] * rows + m[2]) / depth
    new_rows = (m[3] * columns + m[4] * rows + m[5]) / depth
    return put_back(_sampled(x, new_rows, new_columns, order, "constant", fill_value), layout)


def homography(source: jax.Array, target: jax.Array) -> jax.Array:
    """The eight numbers of the projective map that takes source points to target points.

    Formula:
        u = (m0·x + m1·y + m2) / (m6·x + m7·y + 1), v = (m3·x + m4·y + m5) / (the same)

        With points p = (x, y, 1) and q = (u, v, 1), and c_1 = p_2 × p_3 and so on in turn,
        p_4 is to the sum of λ_i p_i as c_i · p_4 are to λ_i; of q alike μ_i. The map is
        Σ_i μ_i / λ_i q_i c_iᵀ, so that no equations are solved, which no format has.
    Source:
        Heckbert 1989, "Fundamentals of Texture Mapping and Image Warping", section 2.2: adjoints.
    """
    crosses, shares = _crosses(source)  # (..., 3, 3), (..., 3)
    _, target_shares = _crosses(target)
    others = jnp.roll(shares, -1, -1) * jnp.roll(shares, -2, -1)
    factors = target_shares * others  # in place of a division by a share
    points = _homogeneous(target)[..., :3, :]
    matrix = sum(
        factors[..., i, None, None] * points[..., i, :, None] * crosses[..., i, None, :]
        for i in range(3)
    )
    numbers = jnp.reshape(matrix, (*matrix.shape[:-2], 9))
    return numbers[..., :8] / numbers[..., 8:]


def _homogeneous(points: jax.Array) -> jax.Array:
    return jnp.concatenate([points, jnp.ones_like(points[..., :1])], axis=-1)


def _crosses(points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Products of the first three points two by two, and the fourth point's shares by them."""
    first = _homogeneous(points)
    three, fourth = first[..., :3, :], first[..., 3:, :]
    crosses = jnp.cross(jnp.roll(three, -1, -2), jnp.roll(three, -2, -2))
    return crosses, jnp.sum(crosses * fourth, axis=-1)


@op
def elastic_transform(
    images: Tensor,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> jax.Array:
    """Images bent at random, as if printed on rubber.

    Args:
        alpha: How strong, in pixels before smoothing.
        sigma: How smooth: the standard deviation of a Gaussian filter over the displacements.

    Source:
        Simard et al. 2003, "Best practices for convolutional neural networks".
    """
    order = _order("elastic_transform", interpolation)
    x, layout = channels_last("elastic_transform", images, data_format)
    size = int(6 * sigma) | 1
    noise = jax.random.normal(draw_key(seed), (*x.shape[:3], 2), "float32")
    kernel = jnp.asarray(gaussian_kernel(size, sigma), "float32")
    moves = separable_filter(noise * sigma, kernel, kernel) * alpha
    rows, columns = _grid(x)
    new_rows, new_columns = rows + moves[..., 0], columns + moves[..., 1]
    return put_back(_sampled(x, new_rows, new_columns, order, fill_mode, fill_value), layout)


__all__, __dir__ = op.shown()
