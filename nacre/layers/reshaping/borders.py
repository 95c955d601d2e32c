"""Layers that add to the borders of a grid, or cut them off."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from nacre import ops
from nacre.core.array_types import Array, Shaped
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.numbers import is_whole
from nacre.core.registry import register
from nacre.layers.base.input_spec import InputSpec
from nacre.layers.base.keywords import LayerKeywords
from nacre.layers.base.layer import Layer

Pairs = tuple[tuple[int, int], ...]


def _pairs(who: str, name: str, value: Any, rank: int) -> Pairs:
    """(before, after) for each spatial axis, from one int, an int an axis, or the pairs."""
    items = [value] * rank if is_whole(value, 0) else value
    if rank == 1 and _is_pair(items):
        items = [items]
    if _is_ordered(items):
        items = [(n, n) if is_whole(n, 0) else n for n in items]
    good = _is_ordered(items) and len(items) == rank and all(map(_is_pair, items))
    if not good:
        raise ArgumentError(
            message(
                who,
                f"{name} must be an int, {rank} ints or {rank} pairs (before, after), not negative",
                repr(value),
            )
        )
    pairs: Any = items
    return tuple((int(a), int(b)) for a, b in pairs)


def _is_ordered(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


def _is_pair(value: Any) -> bool:
    """Whether it is two ints of at least 0."""
    if not _is_ordered(value) or len(value) != 2:
        return False
    return all(is_whole(n, 0) for n in value)


def _first_spatial(data_format: str) -> int:
    return 2 if data_format == "channels_first" else 1


class _ZeroPadding(Layer):
    """Zero padding of a grid of any rank."""

    _rank = 0

    def __init__(
        self, padding: Any, data_format: str | None, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        pairs = _pairs(self._who(), "padding", padding, self._rank)
        self.padding: Any = pairs[0] if self._rank == 1 else pairs
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """The grid with zeros around it."""
        widths = [(0, 0)] * (self._rank + 2)
        start = _first_spatial(self.data_format)
        widths[start : start + self._rank] = _pairs(
            self._who(), "padding", self.padding, self._rank
        )
        return ops.pad(inputs, tuple(widths))


@register("layers/ZeroPadding1D")
class ZeroPadding1D(_ZeroPadding):
    """Add zero steps before and after a sequence.

    Args:
        padding: An int for both ends, or (before, after).
        data_format: 'channels_last' (batch, steps, channels) or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.ZeroPadding1D((1, 2))(nacre.ops.ones((2, 5, 3))).shape
        (2, 8, 3)
    """

    _rank = 1

    def __init__(
        self, padding: Any = 1, data_format: str | None = None, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


@register("layers/ZeroPadding2D")
class ZeroPadding2D(_ZeroPadding):
    """Add zero rows and columns around an image.

    Args:
        padding: An int, (rows, columns), or ((top, bottom), (left, right)).
        data_format: 'channels_last' (batch, rows, columns, channels) or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.ZeroPadding2D(((1, 0), (0, 2)))(nacre.ops.ones((1, 4, 4, 3))).shape
        (1, 5, 6, 3)
    """

    _rank = 2

    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Unpack[LayerKeywords]
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


@register("layers/ZeroPadding3D")
class ZeroPadding3D(_ZeroPadding):
    """Add zeros around a volume.

    Args:
        padding: An int, three ints, or three pairs (before, after).
        data_format: 'channels_last' (batch, depth, rows, columns, channels) or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.ZeroPadding3D(1)(nacre.ops.ones((1, 2, 2, 2, 3))).shape
        (1, 4, 4, 4, 3)
    """

    _rank = 3

    def __init__(
        self,
        padding: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


class _Cropping(Layer):
    """Cropping of a grid of any rank."""

    _rank = 0
    data_format = "channels_last"

    def __init__(self, cropping: Any, **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(**kwargs)
        pairs = _pairs(self._who(), "cropping", cropping, self._rank)
        self.cropping: Any = pairs[0] if self._rank == 1 else pairs
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def call(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """The grid without its borders."""
        start = _first_spatial(self.data_format)
        cuts = [slice(None)] * len(inputs.shape)
        for axis, (before, after) in enumerate(
            _pairs(self._who(), "cropping", self.cropping, self._rank), start
        ):
            size = inputs.shape[axis]
            if isinstance(size, int) and before + after >= size:
                raise ShapeError(
                    message(
                        self._who(),
                        f"cropping must leave something of axis {axis}",
                        f"cropping ({before}, {after}) of {size}",
                    )
                )
            cuts[axis] = slice(before, -after if after else None)
        return inputs[tuple(cuts)]


@register("layers/Cropping1D")
class Cropping1D(_Cropping):
    """Cut steps off the ends of a sequence.

    Args:
        cropping: An int for both ends, or (before, after).
    Example:
        >>> import nacre
        >>> nacre.layers.Cropping1D((1, 2))(nacre.ops.ones((2, 5, 3))).shape
        (2, 2, 3)
    """

    _rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Unpack[LayerKeywords]) -> None:
        super().__init__(cropping, **kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask, cropped as the steps are."""
        before, after = _pairs(self._who(), "cropping", self.cropping, self._rank)[0]
        return None if mask is None else mask[:, before : -after if after else None]


@register("layers/Cropping2D")
class Cropping2D(_Cropping):
    """Cut rows and columns off the borders of an image.

    Args:
        cropping: An int, (rows, columns), or ((top, bottom), (left, right)).
        data_format: 'channels_last' (batch, rows, columns, channels) or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.Cropping2D(1)(nacre.ops.ones((1, 4, 4, 3))).shape
        (1, 2, 2, 3)
    """

    _rank = 2

    def __init__(
        self,
        cropping: Any = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(cropping, **kwargs)
        self.data_format = standardize_data_format(data_format)


@register("layers/Cropping3D")
class Cropping3D(_Cropping):
    """Cut the borders off a volume.

    Args:
        cropping: An int, three ints, or three pairs (before, after).
        data_format: 'channels_last' (batch, depth, rows, columns, channels) or 'channels_first'.
    Example:
        >>> import nacre
        >>> nacre.layers.Cropping3D(1)(nacre.ops.ones((1, 4, 4, 4, 3))).shape
        (1, 2, 2, 2, 3)
    """

    _rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Unpack[LayerKeywords],
    ) -> None:
        super().__init__(cropping, **kwargs)
        self.data_format = standardize_data_format(data_format)
