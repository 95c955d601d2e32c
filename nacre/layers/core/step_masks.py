"""Masks that go with the first axes of a tensor, checked before they are used."""

from __future__ import annotations

from typing import Any

from nacre import ops
from nacre.core.errors import ShapeError, message
from nacre.core.shapes import fits_leading_axes
from nacre.layers.base.input_spec import plain_sizes
from nacre.layers.base.layer import Layer


def fitting_mask(layer: Layer, mask: Any, shape: Any) -> Any:
    """`mask` as a tensor, when its sizes are the first ones of `shape` (or 1).

    Raises:
        ShapeError: They are not.
    """
    mask = mask if hasattr(mask, "shape") else ops.convert_to_tensor(mask)
    if not fits_leading_axes(mask.shape, shape):
        came, wanted = plain_sizes(mask.shape), plain_sizes(shape)
        raise ShapeError(
            message(
                layer._who(),
                "the mask must have the first axes of the input, batch first",
                f"a mask of shape {came} and an input of shape {wanted}",
            )
        )
    return mask
