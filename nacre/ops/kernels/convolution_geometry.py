"""The static numbers of a convolution or a pooling: sizes, window, padding, where it runs."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Self

from nacre.ops.kernels import placement as places
from nacre.ops.kernels.native.table import WhenUsed

Pairs = tuple[tuple[int, int], ...]
Padding = str | Sequence[tuple[int, int]]


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows that slide over an array; hashable, so that they can be a static argument."""

    sizes: tuple[int, ...]  # spatial sizes of the (wide) input
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Pairs
    dilation: tuple[int, ...]
    # Where the compiled kernels take part:
    native: WhenUsed = dataclasses.field(default="never", kw_only=True)

    @property
    def in_gradients(self) -> Self:
        """The same windows as a part of a gradient."""
        if self.native != "in gradients":
            return self
        return dataclasses.replace(self, native="always")

    @property
    def outputs(self) -> tuple[int, ...]:
        """Spatial sizes of the (narrow) output."""
        return tuple(
            max((size + low + high - (taps - 1) * step - 1) // stride + 1, 0)
            for size, (low, high), taps, step, stride in zip(
                self.sizes, self.padding, self.window, self.dilation, self.strides, strict=True
            )
        )

    @property
    def offsets(self) -> list[tuple[int, ...]]:
        """Where each tap of the window starts, in the padded input, in row-major order."""
        steps = (
            range(0, taps * step, step)
            for taps, step in zip(self.window, self.dilation, strict=True)
        )
        return list(itertools.product(*steps))

    @property
    def tiles(self) -> bool:
        """True where no two windows overlap and none is padded."""
        return self.window == self.strides and not any(low or high for low, high in self.padding)


@dataclasses.dataclass(frozen=True)
class Geometry(Windows):
    """The static numbers of one convolution."""

    groups: int
    placement: places.Placement


def explicit_padding(
    padding: Padding,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
) -> Pairs:
    """Turn a padding name into one (low, high) pair per spatial axis."""
    if not isinstance(padding, str):
        return tuple((low, high) for low, high in padding)
    extents = [(taps - 1) * step + 1 for taps, step in zip(window, dilation, strict=True)]
    name = padding.lower()
    if name == "valid":
        return tuple((0, 0) for _ in window)
    if name == "causal":
        return tuple((extent - 1, 0) for extent in extents)
    if name == "same":
        return tuple(map(same_pair, sizes, extents, strides))
    raise ValueError(
        "convolution: padding must be 'valid', 'same', 'causal' or (low, high) pairs. "
        f"Got {padding!r}."
    )


def same_pair(size: int, extent: int, stride: int) -> tuple[int, int]:
    """Pad so that ceil(size / stride) windows fit, the odd one on the high side."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def transposed_axis(size, taps, stride, step, padding, extra):
    """Return the output size of one axis and the padding of the convolution it undoes."""
    extent = (taps - 1) * step + 1
    if extra is None:
        out = size * stride if padding == "same" else size * stride + max(extent - stride, 0)
        total = max(extent - stride, 0) if padding == "same" else 0
        low = total // 2
    else:
        cropped = 2 * (extent // 2) if padding == "same" else 0
        out = (size - 1) * stride + extent - cropped + extra
        low = same_pair(out, extent, stride)[0] if padding == "same" else 0
        if padding == "same" and extra == 0 and extent % 2 == 0:
            low = extent // 2  # the one case where `out` holds one window less than `size`
    return out, (low, (size - 1) * stride + extent - out - low)
