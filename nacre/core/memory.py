"""How much of the device's memory data may take at once, and memory that is given back."""

from __future__ import annotations

import ctypes
import gc
import os

import jax

from nacre.core.typed_jax import free_memory

# On a CPU, where "sending" arrays is a copy in the same memory. On an accelerator half of its
# memory that is free is used: a training needs the rest.
CPU_BUDGET_BYTES = 1 << 30


def device_budget(cpu_bytes: int = CPU_BUDGET_BYTES) -> int:
    """Bytes of data kept on the device at once; `NACRE_DEVICE_BUDGET_BYTES` sets another number.

    Args:
        cpu_bytes: What holds on a CPU.
    """
    given = os.environ.get("NACRE_DEVICE_BUDGET_BYTES")
    if given:
        return int(given)
    if jax.default_backend() == "cpu":
        return cpu_bytes
    free = free_memory()
    return (8 << 30 if free is None else free) // 2


def give_back_memory() -> None:
    """Give memory that was let go back to the system, where the C library keeps it (glibc does).

    What compiles, and what loads large files, lets hundreds of megabytes go in small pieces, which
    stay with the process and count as its own until it is asked for them: malloc_trim(3).
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library
        return


__all__ = ["CPU_BUDGET_BYTES", "device_budget", "give_back_memory"]
