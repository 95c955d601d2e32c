"""What LiteRT's kernels take: versions of operators, dtypes, ranks.

Source: lite/core/kernels/register.cc and tools/versioning/op_version.cc of LiteRT 2.3; dtypes as
tried with its interpreter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacre.export.targets.litert.body import Operator

DTYPES = frozenset(
    "float32 int32 int64 bool int8 uint8 int16 uint32 uint16 float16 bfloat16 complex64".split()
)


# The version of an operator of 8 bits where it is not the second.
_OF_8_BITS = {
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "QUANTIZE": 1, "RESHAPE": 1,
    "EXPAND_DIMS": 1, "GELU": 2,
}  # fmt: skip
# Of floats multiplied with weights of 8 bits, one scale a filter.
_HYBRID = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12}
# With weights of 4 bits, one scale a filter.
_OF_4_BITS = {"CONV_2D": 7, "FULLY_CONNECTED": 12}


def version_of(operator: Operator) -> int:
    """The version of an operator that has what this one uses."""
    options, op = operator.options, operator.op
    dtypes = [x.dtype for x in operator.inputs if x is not None]
    if op == "DEQUANTIZE":
        return 3 if dtypes[0] == "float16" else 2
    if op in _HYBRID and dtypes[:2] == ["float32", "int8"]:
        return _HYBRID[op]
    if op in _OF_4_BITS and dtypes[1] == "int4":
        return _OF_4_BITS[op]
    weights = operator.inputs[1] if len(operator.inputs) > 1 else None
    if op == "FULLY_CONNECTED" and weights is not None and weights.scales is not None:
        # One scale a unit: runtimes before it would take the first one for all.
        return 12 if len(weights.scales.scale) > 1 else 4
    is_quantized = any(x is not None and x.scales is not None for x in operator.inputs)
    if is_quantized and operator.outputs[0].dtype in ("int8", "uint8"):
        return _OF_8_BITS.get(op, 2)
    if op.startswith("RESIZE_") and options.get("half_pixel_centers"):
        return 3
    if op == "BROADCAST_TO":
        return 2
    if op == "FULLY_CONNECTED" and options.get("keep_num_dims"):
        return 5
    return 1


__all__ = ["DTYPES", "version_of"]
