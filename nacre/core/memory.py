"""How much of the device's memory data may take at once."""

from __future__ import annotations

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


__all__ = ["CPU_BUDGET_BYTES", "device_budget"]
