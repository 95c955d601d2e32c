"""Weights kept in 8 or 4 bits: whole numbers and their scales in the file, and a DequantizeLinear
before what reads them, which runtimes work out when they load it or compute with as it is.

Weights are symmetric, of 8 bits from -127 to 127 with one scale a filter, of 4 bits from -7 to 7
with one scale for each block of 32, or of 16, that one number is summed of.

Source: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html, since 13 with an axis, since 21
with blocks and with 4 bits. Differs: weights of convolutions have one scale a filter in 4 bits too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from nacre.core.nibbles import in_bytes_as_stored
from nacre.export.targets.onnx.body import Array, Body, Made, Stored, graphs_within

Bits: TypeAlias = Literal["int8", "int4"]
SINCE_4_BITS = 21  # the version of ONNX's ops
_FEWEST = 1024  # elements: of smaller ones (biases, statistics) nothing is won
_BLOCKS = (32, 16)  # runtimes want blocks that fill an axis, and none smaller
# Whose weights are kept in 4 bits: others lose too much, or have no kernel for them.
_TAKE_4_BITS = frozenset({"Conv", "MatMul", "Gemm", "Gather"})


@dataclass(frozen=True)
class _Scaled:
    """How an array is scaled: all with one scale; with one for each index of an axis; or, where
    `block` is not 0, with one for each so many numbers along it."""

    axis: int | None
    block: int = 0


def quantize_weights(body: Body, dtype: Bits) -> None:
    """Put the large weights that a graph reads into fewer bits; those that loops read stay as they
    are."""
    _Quantizing(body, dtype).run()


class _Quantizing:
    def __init__(self, root: Body, dtype: Bits) -> None:
        self.root, self.dtype = root, dtype
        self.wide: dict[str, str] = {}  # by the names of weights
        # ONNX Runtime 1.32 takes no DequantizeLinear in a loop, and OpenVINO 2026.4 none around it.
        self.in_loops = {
            name for inner in graphs_within(root) for made in inner.nodes for name in made.inputs
        }

    def run(self) -> None:
        nodes: list[Made] = []
        for made in self.root.nodes:
            for place, name in enumerate(made.inputs):
                if name not in self.wide and self._is_large(name):
                    inputs, attributes = self._scaled(name, made, place)
                    own = self.wide[name] = self.root.shared.own(f"{name}_float32")
                    nodes.append(Made("DequantizeLinear", inputs, [own], attributes, own))
            made.inputs = [self.wide.get(name, name) for name in made.inputs]
            nodes.append(made)
        self.root.nodes[:] = nodes

    def _is_large(self, name: str) -> bool:
        item = None if name in self.in_loops else self.root.shared.stored.get(name)
        if item is None or item.dtype != "float32" or item.data.size < _FEWEST:
            return False
        return bool(np.isfinite(item.data).all())

    def _scaled(self, name: str, made: Made, place: int) -> tuple[list[str], dict[str, Any]]:
        """The tensors and attributes of what works a weight out, which is kept so from here on: the
        first that reads it says along which axis it is scaled."""
        shared = self.root.shared
        data = shared.stored[name].data
        is_short = self.dtype == "int4" and made.op in _TAKE_4_BITS
        how = _scaled_as(made, place, data, is_short)
        numbers, scales = quantized(data, 4 if is_short else 8, how.axis, how.block)
        scale = shared.own(f"{name}_scale")
        packed = in_bytes_as_stored(numbers) if is_short else numbers
        shared.stored[name] = Stored(name, packed, "int4" if is_short else "", numbers.shape)
        shared.stored[scale] = Stored(scale, scales)
        attributes: dict[str, Any] = {}
        if how.axis is not None:
            attributes = {"axis": how.axis, **({"block_size": how.block} if how.block else {})}
        return [name, scale], attributes


def _scaled_as(made: Made, place: int, data: Array, is_short: bool) -> _Scaled:
    """The axis of filters, and in 4 bits that of blocks: what one number is summed over."""
    filters, sums = None, None
    match made.op, place:
        case "Conv", 1:
            filters = 0
        case "ConvTranspose", 1:
            filters = 1
        case (("LSTM" | "GRU" | "RNN"), (1 | 2)):
            filters = 1  # gates by units; both directions share theirs
        case "Gather", 0 if data.ndim == 2 and not made.attributes.get("axis", 0):
            filters, sums = 0, 1
        case "MatMul", 1 if data.ndim > 1:
            filters, sums = data.ndim - 1, data.ndim - 2
        case "MatMul", 0 if data.ndim > 1:
            filters, sums = data.ndim - 2, data.ndim - 1
        case "Gemm", (0 | 1):
            is_turned = bool(made.attributes.get("transB" if place else "transA", 0))
            filters = 0 if is_turned == bool(place) else 1
            sums = 1 - filters
    if is_short and sums is not None:
        block = next((size for size in _BLOCKS if data.shape[sums] % size == 0), 0)
        if block:
            return _Scaled(sums, block)
    return _Scaled(filters)


def filters_of(made: Made, place: int, data: Array) -> int:
    """The axis of a weight that has an index for each of a node's results."""
    axis = _scaled_as(made, place, data, False).axis
    assert axis is not None
    return axis


def quantized(
    data: Array, bits: int, axis: int | None = None, block: int = 0
) -> tuple[Array, Array]:
    """Whole numbers (int8) and their scales: one for all, one for each index of an axis, or one for
    each block of so many numbers along it.

    Example:
        >>> quantized(np.float32([[1, -2], [0, 254]]), 8, axis=0)[1].tolist()
        [0.015748031437397003, 2.0]
    """
    most = 2 ** (bits - 1) - 1
    size = np.abs(data)
    if axis is not None and block:
        largest = np.maximum.reduceat(size, np.arange(0, data.shape[axis], block), axis)
    else:
        others = None if axis is None else tuple(a for a in range(data.ndim) if a != axis)
        largest = size.max(others, keepdims=True)
    scales = (largest / np.float32(most)).astype("float32")
    scales = np.where(scales > 0, scales, np.float32(1))
    spread = np.repeat(scales, block, axis) if block else scales
    numbers = np.clip(np.rint(data / spread), -most, most).astype("int8")
    return numbers, scales if block else scales.reshape(() if axis is None else -1)


__all__ = [
    "SINCE_4_BITS",
    "Bits",
    "filters_of",
    "quantize_weights",
    "quantized",
]
