"""Weights in fewer bits: as float16, or as whole numbers of 8 or 4 bits.

Kernels of dense products and convolutions take weights of 8 and 4 bits as they are and quantize
what they multiply them with at each run; for all others a DEQUANTIZE stands before the reader.

Source: https://ai.google.dev/edge/litert/models/quantization_spec: weights are symmetric, from -127
to 127, one scale a filter; those of 4 bits from -7 to 7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.passes.narrow_weights import LARGEST_FLOAT16
from nacre.export.targets.litert.body import Body, Operator, Scales, Tensor

# Operators whose kernels take such weights: where these are among the inputs, and their axis of
# filters.
FILTERS = {"CONV_2D": (1, 0), "DEPTHWISE_CONV_2D": (1, 3), "FULLY_CONNECTED": (1, 0)}
# Those whose kernels take weights of 4 bits: those of single channels take them in 8 alone.
TAKE_4_BITS = frozenset({"CONV_2D", "FULLY_CONNECTED"})
# Of fewer elements nothing is won.
FEWEST_IN_4_BITS = 1024
_FEWEST = {"float16": 256, "int8": 1024, "int4": FEWEST_IN_4_BITS}


def narrowed(body: Body, dtype: str) -> None:
    """Put the large weights that operators of a subgraph read into fewer bits."""
    made: dict[tuple[int, int | None, str], tuple[Operator | None, Tensor]] = {}
    operators: list[Operator] = []
    for operator in body.operators:
        for place, x in enumerate(operator.inputs):
            if x is None or x.data is None or not _is_large(x, dtype):
                continue
            whole = _takes(operator, place, dtype)
            axis = FILTERS[operator.op][1] if whole else None
            kept = "int8" if dtype == "int4" and operator.op not in TAKE_4_BITS else dtype
            key = (id(x), axis, kept)
            if key not in made:
                made[key] = _narrow(x, kept, axis, whole)
                before = made[key][0]
                if before is not None:
                    operators.append(before)
            operator.inputs[place] = made[key][1]
            if whole and operator.op == "FULLY_CONNECTED":
                operator.options["asymmetric_quantize_inputs"] = True
        operators.append(operator)
    body.operators = operators


def _is_large(x: Tensor, dtype: str) -> bool:
    data = x.numbers
    if x.dtype != "float32" or data.size < _FEWEST[dtype] or not np.isfinite(data).all():
        return False
    return dtype != "float16" or bool(np.abs(data).max() <= LARGEST_FLOAT16)


def _takes(operator: Operator, place: int, dtype: str) -> bool:
    """Whether a kernel takes its weights in 8 bits."""
    known = FILTERS.get(operator.op)
    return dtype in ("int8", "int4") and known is not None and known[0] == place


def _narrow(x: Tensor, dtype: str, axis: int | None, whole: bool) -> tuple[Operator | None, Tensor]:
    """What makes floats of it, None where nothing must, and what is read then."""
    if dtype == "float16":
        stored = Tensor(x.name, dtype, x.shape, x.numbers.astype(dtype))
    else:
        stored = quantized_weights(x, axis, bits=4 if dtype == "int4" and whole else 8)
    if whole:
        return None, stored
    wide = Tensor(f"{x.name}_float32", "float32", x.shape)
    return Operator("DEQUANTIZE", [stored], [wide], {}, ""), wide


def quantized_weights(
    x: Tensor, axis: int | None, least: np.ndarray | None = None, bits: int = 8
) -> Tensor:
    """Weights in 8 or 4 bits: one scale for each index of an axis, or one for all.

    Args:
        least: The smallest scale that each index may have.
    """
    most = 2 ** (bits - 1) - 1
    data = x.numbers.astype("float64")
    others = tuple(a for a in range(x.ndim) if a != axis)
    largest = np.abs(data).max(others if axis is not None else None, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / most
    if least is not None:
        scale = np.maximum(scale, least.reshape(scale.shape))
    numbers = np.clip(np.round(data / scale), -most, most).astype("int8")
    scales = tuple(float(s) for s in scale.reshape(-1))
    kept = Scales(scales, (0,) * len(scales), axis or 0)
    return Tensor(x.name, f"int{bits}", x.shape, numbers, kept)


def all_narrowed(subgraphs: Sequence[Body], dtype: str) -> None:
    """The same for all subgraphs."""
    for body in subgraphs:
        narrowed(body, dtype)


__all__ = ["FEWEST_IN_4_BITS", "FILTERS", "TAKE_4_BITS", "all_narrowed", "quantized_weights"]
