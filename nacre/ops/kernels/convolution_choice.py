"""Which lowering each map of a convolution takes: the one table of measurements.

On a GPU or TPU, with symbolic sizes, and with `NACRE_KERNELS=xla`, plain XLA runs and nothing is
chosen here. Figures are ms on two AVX-512 cores with jaxlib 0.10.2, batch 4 to 32, float32: XLA's
own convolution and gradients, our forms in plain JAX, and the compiled kernels. Training is a
forward pass and both gradients. `python -m bench.grid_conv` measures them again, with
`NACRE_NATIVE=0` the plain forms.

|                                 |        forward        | training | training in a loop body  |
| window, channels, input         |  XLA  |  JAX  | comp. |   XLA    |  XLA  |  JAX  | compiled |
|---------------------------------|-------|-------|-------|----------|-------|-------|----------|
| 3x3, 3 -> 32, 32x32             |  1.49 | 0.297 | 0.123 |     4.02 |    24 | 0.802 |    0.623 |
| 3x3, 64 -> 64, 16x16            |  2.45 |  2.16 |  1.18 |     9.48 |   380 |  6.74 |     3.86 |
| 3x3, 128 -> 128, 28x28          |  4.04 |  3.96 |  3.53 |     15.1 |   929 |  17.5 |     10.9 |
| 3x3 stride 2, 64 -> 128, 16x16  |  1.23 |  1.24 | 0.573 |     3.31 |   211 |  3.33 |     2.16 |
| 7x7 stride 2, 3 -> 64, 64x64    |  2.54 |  2.52 |  1.24 |     18.5 |   325 |  17.3 |     5.25 |
| 1x1, 256 -> 64, 56x56           |   5.7 |  2.25 |  1.79 |     36.5 |   520 |  10.5 |     6.17 |
| 3x3 depthwise, 32, 32x32        |  18.9 | 0.177 | 0.125 |     42.3 |   383 |  6.59 |      0.4 |
| 3x3, 8 groups, 128, 28x28       |  7.31 |   1.2 | 0.574 |      336 |   138 |  8.62 |     1.93 |
| 4x4 transposed, 128 -> 64, 8x8  |  1.45 |  1.44 |  1.19 |      107 |   275 |  6.71 |     3.84 |
| 5, 64 -> 128, 128               | 0.747 | 0.686 | 0.706 |     2.58 |   190 |  2.72 |     2.62 |
| 3x3x3, 16 -> 32, 16x16x16       |  7.39 |  3.75 | 0.899 |     35.8 |   260 |  11.6 |     2.96 |
"""

from collections.abc import Sequence
from typing import Literal

from nacre.ops.kernels.convolution_geometry import Geometry

Map = Literal["forward", "input", "kernel"]
Lowering = Literal["conv", "patches", "taps", "groups", "native"]
MANY_TAPS = 25  # from here on a matrix of patches is more memory traffic than work


def choose(which: Map, kernel_shape: Sequence[int], geometry: Geometry) -> Lowering:
    """Choose the lowering of one of the three maps on a CPU.

    Args:
        kernel_shape: (*window, channels of a group, filters).
    """
    channels, filters = kernel_shape[-2:]
    if geometry.native == "always":
        return "native"  # not slower than any other on any shape of the grid
    if geometry.groups > 1:
        return "taps" if channels == 1 else "groups"
    if len(geometry.offsets) == 1 or len(geometry.window) == 3:
        return "patches"
    if which == "kernel":
        return _for_kernel(geometry, channels, filters)
    if len(geometry.offsets) >= MANY_TAPS and max(geometry.outputs) > 1:
        return "conv"
    if which == "forward":
        if channels == 1:
            return "taps"
        large = channels >= 128 and geometry.outputs[-1] >= 8 and set(geometry.strides) == {1}
        return "conv" if large or _is_wide(geometry, channels) else "patches"
    if len(geometry.offsets) >= 16:
        return "conv"  # 4x4 transposed, 128 -> 64, 8x8: 1.45 against 2.12 with patches
    wide = _is_wide(geometry, channels)
    return "conv" if wide and (filters < 64 or channels >= 128) else "patches"


def _is_wide(geometry: Geometry, channels: int) -> bool:
    """Where XLA's convolution is at its best: unstrided rows of many channels."""
    return geometry.outputs[-1] >= 24 and channels % 8 == 0 and set(geometry.strides) == {1}


def _for_kernel(geometry: Geometry, channels: int, filters: int) -> Lowering:
    """In the body of a loop XLA's gradient takes 35 to 270 times as long as outside."""
    if geometry.placement == "loop":
        return "patches"
    few = _is_wide(geometry, channels) and filters < 64
    return "conv" if few or len(geometry.offsets) >= MANY_TAPS else "patches"
