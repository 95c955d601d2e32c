"""Weights of 8 and 4 bits: how they are laid out, stored and made float again."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from nacre.quantizers import (
    AbsMaxQuantizer,
    abs_max_quantize_grouped_with_zero_point,
    pack_int4,
    unpack_int4,
)

INT4_RANGE = (-8, 7)


class Weight(NamedTuple):
    """One weight and how its numbers are grouped.

    Attributes:
        name: Attribute of the layer.
        shape: Shape of the float weight.
        reduced: Axes that are summed over where the weight is used; they share a scale.
        matrix: (rows, columns) of the 4-bit matrix. Keras reshapes the weight to it as it is: a
            column belongs to one output only where the axes that are summed over come first.
        pack_axis, group_axis: Axes of the matrix along which numbers are paired and grouped.
        scale_shape: Shape of the 8-bit weight's scale.
        zero_dtype: Dtype of the zero points.
    """

    name: str
    shape: tuple[int, ...]
    reduced: tuple[int, ...]
    scale_shape: tuple[int, ...]
    matrix: tuple[int, int]
    pack_axis: int = 1
    group_axis: int = 0
    zero_dtype: str = "int8"

    @property
    def has_output_columns(self) -> bool:
        """Whether each line across the group axis belongs to one output."""
        return self.shape == self.matrix or self.reduced == tuple(range(len(self.reduced)))

    @property
    def full_scale_shape(self) -> tuple[int, ...]:
        """Shape in which a scale by output stands beside the weight."""
        return tuple(1 if axis in self.reduced else n for axis, n in enumerate(self.shape))


def int8_arrays(weight: Weight, value: Any, quantizer: Any) -> dict[str, Any]:
    """The 8-bit numbers and their scale, by the ending of their names."""
    quantizer = quantizer or AbsMaxQuantizer(axis=weight.reduced)
    numbers, scale = quantizer(value, to_numpy=True)
    return {"": numbers, "_scale": scale.reshape(weight.scale_shape)}


def int4_arrays(weight: Weight, value: Any, quantizer: Any, block_size: int) -> dict[str, Any]:
    """The packed 4-bit numbers, scale and perhaps zero points, by the ending of their names."""
    matrix = np.asarray(value).reshape(weight.matrix)
    axis = weight.group_axis
    if block_size == -1:
        quantizer = quantizer or AbsMaxQuantizer(axis=axis, value_range=INT4_RANGE)
        numbers, scale = quantizer(matrix, to_numpy=True)
        arrays = {"_scale": scale.reshape(-1)}
    else:
        lines = matrix if axis == 0 else matrix.T
        numbers, scale, zero = abs_max_quantize_grouped_with_zero_point(
            lines, block_size, INT4_RANGE, to_numpy=True
        )
        if axis == 1:
            numbers, scale, zero = numbers.T, scale.T, zero.T
        arrays = {"_scale": scale, "_zero": zero.astype(weight.zero_dtype)}
    packed, _, _ = pack_int4(numbers, axis=weight.pack_axis)
    return {"": packed, **arrays}


def unpacked(weight: Weight, packed: Any) -> Any:
    """The 4-bit numbers as a matrix of int8."""
    return unpack_int4(packed, weight.matrix[weight.pack_axis], axis=weight.pack_axis)


def int4_values(weight: Weight, numbers: Any, scale: Any, zero: Any, block_size: int) -> Any:
    """The matrix of floats that 4-bit numbers stand for.

    Formula:
        x = q / s by output;  x = (q - z) · s by blocks
    """
    axis = weight.group_axis
    if block_size == -1:
        return numbers.astype(scale.dtype) / jnp.expand_dims(scale, axis)
    size = numbers.shape[axis]
    scale = jnp.repeat(scale, block_size, axis=axis, total_repeat_length=None)
    zero = jnp.repeat(zero, block_size, axis=axis)
    cut = tuple(slice(0, size) if i == axis else slice(None) for i in range(2))
    return (numbers.astype(scale.dtype) - zero[cut].astype(scale.dtype)) * scale[cut]


def group_index(size: int, block_size: int) -> np.ndarray:
    """The block each input belongs to, as Keras stores it."""
    return (np.arange(size) // block_size).astype("float32")
