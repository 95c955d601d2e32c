"""bfloat16 on processors without matrix units for it: between casts, by kernels of float32.

XLA takes longer there for products of bfloat16 than of float32, and most kernels that are compiled
here are for float32. So arrays of bfloat16 are cast, and the results cast back: sums are as exact
as ever, and what is rounded to bfloat16 stays so. Where the processor multiplies pairs of bfloat16,
products of matrices have a kernel of their own (`native/halves.cc`), which casts nothing. Steps of
`fit` under "mixed_bfloat16" on two cores of an AMD EPYC (Zen 5), ms by XLA alone, by kernels of
float32, with the one for pairs, and in float32:

|                                | XLA | float32's | pairs | float32 |
| MLP 1024-1024-1024, batch 128  | 11  | 4.6       | 2.9   | 3.8     |
| transformer 4 × 128, 64 tokens | 61  | 41        | 29    | 35      |
| CNN on 32 × 32 pictures        | 106 | 4.6       | 4.6   | 2.4     |
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


def multiplies_pairs() -> bool:
    """Tell whether this processor multiplies pairs of bfloat16 in one instruction.

    False where it has matrix units for them, which XLA uses.
    """
    return _multiplies_no_bfloat16() and "avx512_bf16" in _flags()


def _multiplies_no_bfloat16() -> bool:
    """Whether this is an x86 processor without AMX, the only kind this has been measured on."""
    return bool(_flags()) and "amx_bf16" not in _flags()


@functools.cache
def _flags() -> frozenset[str]:
    """What the system says an x86 processor has; nothing of others."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return frozenset()
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2]
    except OSError:
        return frozenset()
    return frozenset(flags.partition("\n")[0].split())
