"""bfloat16 on processors that cannot multiply it: compiled kernels of float32, between casts.

Without matrix units for bfloat16, XLA takes longer for products of it than of float32, and the
kernels that are compiled here are for float32. So arrays of bfloat16 are cast, and the results cast
back: sums are as exact as ever, and what is rounded to bfloat16 stays so. Steps of `fit` under
"mixed_bfloat16" on two cores of an AMD EPYC (Zen 5), ms before, now, and in float32:

|                                | before | now | float32 |
| MLP 1024-1024-1024, batch 128  | 8.4    | 7.1 | 6.0     |
| transformer 4 × 128, 64 tokens | 63     | 41  | 34      |
| CNN on 32 × 32 pictures        | 6.5    | 5.0 | 2.7     |
"""

from __future__ import annotations

import functools
import platform
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from nacre.ops.kernels import placement as places


def is_widened(placement: places.Placement, *arrays: Any) -> bool:
    """Tell whether what is computed of these arrays is computed in float32, if a kernel takes it.

    Args:
        placement: Where: only in programs of nacre's own, as others may be exported.
        *arrays: The first is bfloat16, the others that or float32, or None.
    """
    first, *others = (None if array is None else array.dtype for array in arrays)
    if placement == "plain" or first != jnp.bfloat16:
        return False
    if any(dtype not in (None, jnp.bfloat16, jnp.float32) for dtype in others):
        return False
    return places.uses_cpu_kernels() and _multiplies_no_bfloat16()


def as_float32(*arrays: Any) -> list[Any]:
    """Shapes of the arrays in float32, to ask a kernel with; None stays."""
    return [None if a is None else jax.ShapeDtypeStruct(a.shape, jnp.float32) for a in arrays]


def in_float32(*arrays: Any) -> list[Any]:
    """The arrays in float32; None stays."""
    return [None if a is None else a.astype(jnp.float32) for a in arrays]


@functools.cache
def _multiplies_no_bfloat16() -> bool:
    """Whether this is an x86 processor without AMX, the only kind this has been measured on."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2]
    except OSError:
        return False
    return "amx_bf16" not in flags.partition("\n")[0].split()
