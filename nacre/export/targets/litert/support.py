"""What LiteRT's kernels take: versions of operators, dtypes, ranks.

Source: lite/core/kernels/register.cc and tools/versioning/op_version.cc of LiteRT 2.3; dtypes as
tried with its interpreter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacre.export.targets.litert.body import Operator

DTYPES = frozenset(
    "float32 int32 int64 bool int8 uint8 int16 uint32 uint16 float16 bfloat16".split()
)


def version_of(operator: Operator) -> int:
    """The version of an operator that has what this one uses."""
    options = operator.options
    if operator.op.startswith("RESIZE_") and options.get("half_pixel_centers"):
        return 3
    if operator.op == "BROADCAST_TO":
        return 2
    if operator.op == "FULLY_CONNECTED" and options.get("keep_num_dims"):
        return 5
    return 1


__all__ = ["DTYPES", "version_of"]
