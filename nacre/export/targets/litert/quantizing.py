"""Whole numbers of 8 bits from end to end, for processors without floats: each tensor gets the
scale of the numbers it had for samples of data.

What has kernels of 8 bits is computed so; before all else, and what loops compute, a DEQUANTIZE
makes floats, and behind it a QUANTIZE whole numbers again.

Source: https://ai.google.dev/edge/litert/models/quantization_spec: activations from -128 to 127
with a zero point, weights symmetric, biases int32 with the scale of the product. Differs: a dense
product has one scale a unit as convolutions have one a filter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nacre.export.targets.litert.body import Body, Operator, Scales, Tensor
from nacre.export.targets.litert.weights import (
    FEWEST_IN_4_BITS,
    FILTERS,
    TAKE_4_BITS,
    quantized_weights,
)

# Tensor -> the smallest and the largest number it had.
Ranges = Mapping[Tensor, tuple[float, float]]

# Results have the scale of the first input: numbers are only moved, chosen or averaged.
_KEEP = frozenset(
    "AVERAGE_POOL_2D MAX_POOL_2D RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE SLICE STRIDED_SLICE PAD "
    "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR GATHER REDUCE_MAX".split()
)
# Results have a scale of their own.
_OWN = frozenset("ADD SUB MUL MEAN RELU RELU6 LEAKY_RELU HARD_SWISH GELU BATCH_MATMUL".split())
# Results have a known range.
_FIXED = {
    "LOGISTIC": Scales((1 / 256,), (-128,)),
    "SOFTMAX": Scales((1 / 256,), (-128,)),
    "TANH": Scales((1 / 128,), (0,)),
}
# Of operators of two inputs of 8 bits that broadcast.
_MOST_AXES = 4
# Half of what int32 holds: sums of products are added to it.
_LARGEST_BIAS = 2.0**30
# Of the numbers of a tensor; those of networks are far from it.
_WIDEST = 1e5


def quantized(body: Body, ranges: Ranges, inputs: str, outputs: str, weights: str = "int8") -> None:
    """Compute a subgraph in 8 bits as far as kernels go.

    Args:
        ranges: Of all its tensors of floats.
        inputs, outputs: 'float32', 'int8' or 'uint8': what the file is given and gives.
        weights: 'int4' keeps those of dense layers and convolutions in 4 bits.
    """
    _Quantizing(body, ranges, weights).run(inputs, outputs)


class _Quantizing:
    def __init__(self, body: Body, ranges: Ranges, weights: str) -> None:
        self.body, self.ranges, self.weights = body, ranges, weights
        self.operators: list[Operator] = []
        self.whole: dict[Tensor, Tensor] = {}  # of 8 bits, for those of floats
        self.has_floats: set[Tensor] = set()

    def run(self, inputs: str, outputs: str) -> None:
        body = self.body
        self.has_floats = {x for x in body.inputs if x.dtype == "float32"}
        if inputs != "float32":
            body.inputs = [self._taken(x, inputs) for x in body.inputs]
        for operator in body.operators:
            if self._is_whole(operator):
                self._operator(operator)
            else:
                for x in operator.inputs:
                    self._floats(x)
                self.operators.append(operator)
                self.has_floats.update(operator.outputs)
        body.outputs = [self._given(x, outputs) for x in body.outputs]
        body.operators = self.operators

    # --- ends -------------------------------------------------------------------------------------

    def _taken(self, x: Tensor, dtype: str) -> Tensor:
        """An input of whole numbers."""
        if x.dtype != "float32":
            return x
        self.has_floats.discard(x)
        inner = self._as_whole(x, self._scales(x))
        if dtype == "int8":
            return inner
        taken = _unsigned(inner)
        self.operators.append(Operator("QUANTIZE", [taken], [inner]))
        return taken

    def _given(self, x: Tensor, dtype: str) -> Tensor:
        """An output of floats or of whole numbers."""
        if x.dtype != "float32":
            return x
        if dtype == "float32":
            self._floats(x)
            return x
        inner = self._quantized(x)
        if dtype == "int8":
            return inner
        given = _unsigned(inner)
        self.operators.append(Operator("QUANTIZE", [inner], [given]))
        return given

    # --- tensors ----------------------------------------------------------------------------------

    def _scales(self, x: Tensor) -> Scales:
        low, high = self.ranges[x]
        return _scales_of(min(low, 0.0), max(high, 0.0))

    def _as_whole(self, x: Tensor, scales: Scales) -> Tensor:
        made = Tensor(x.name, "int8", x.shape, None, scales)
        self.whole[x] = made
        return made

    def _floats(self, x: Tensor | None) -> None:
        """See to it that a tensor is there as floats."""
        if x is None or x in self.has_floats or x not in self.whole:
            return
        self.has_floats.add(x)
        self.operators.append(Operator("DEQUANTIZE", [self.whole[x]], [x]))

    def _quantized(self, x: Tensor) -> Tensor:
        """A tensor as whole numbers."""
        found = self.whole.get(x)
        if found is not None:
            return found
        if x.data is not None:
            data = x.numbers
            scales = _scales_of(min(float(data.min()), 0.0), max(float(data.max()), 0.0))
            numbers = np.round(data / scales.scale[0]) + scales.zero_point[0]
            numbers = np.clip(numbers, -128, 127).astype("int8")
            found = self.whole[x] = Tensor(x.name, "int8", x.shape, numbers, scales)
            return found
        found = self._as_whole(x, self._scales(x))
        self.operators.append(Operator("QUANTIZE", [x], [found]))
        return found

    def _rescaled(self, x: Tensor, scales: Scales) -> Tensor:
        """A tensor as whole numbers of other scales."""
        found = self._quantized(x)
        if found.scales == scales:
            return found
        made = Tensor(f"{x.name}_rescaled", "int8", x.shape, None, scales)
        self.operators.append(Operator("QUANTIZE", [found], [made]))
        return made

    # --- operators --------------------------------------------------------------------------------

    def _is_whole(self, operator: Operator) -> bool:
        """Whether it has a kernel of 8 bits for these inputs."""
        op, result = operator.op, operator.outputs[0]
        if result.dtype != "float32" or not all(map(self._is_narrow, (result, *operator.inputs))):
            return False
        if op in FILTERS or op == "TRANSPOSE_CONV":
            weights = operator.inputs[1]
            bias = operator.inputs[2] if op in FILTERS else None
            is_known = bias is None or bias.data is not None
            return weights is not None and weights.data is not None and is_known
        if op in ("ADD", "SUB", "MUL") and result.ndim > _MOST_AXES:
            return False
        if op == "CONCATENATION":
            return True
        return op in _KEEP or op in _OWN or op in _FIXED

    def _is_narrow(self, x: Tensor | None) -> bool:
        """Whether 255 steps tell the numbers of a tensor apart: not those of masked scores, among
        which are the lowest that there are."""
        if x is None or x.dtype != "float32":
            return True
        if x.data is not None:
            return bool(np.abs(x.numbers).max(initial=0) < _WIDEST)
        low, high = self.ranges.get(x, (-np.inf, np.inf))
        return high - low < _WIDEST

    def _operator(self, operator: Operator) -> None:
        op, result = operator.op, operator.outputs[0]
        if op in FILTERS or op == "TRANSPOSE_CONV":
            inputs = self._filtered(operator)
        elif op == "CONCATENATION":
            scales = self._scales(result)
            inputs = [None if x is None else self._rescaled(x, scales) for x in operator.inputs]
        else:
            inputs = [
                self._quantized(x) if x is not None and x.dtype == "float32" else x
                for x in operator.inputs
            ]
        first = next(x for x in inputs if x is not None and x.dtype == "int8")
        scales = first.scales if op in _KEEP else _FIXED.get(op) or self._scales(result)
        assert scales is not None
        made = Operator(op, inputs, [self._as_whole(result, scales)], operator.options)
        self.operators.append(made)

    def _filtered(self, operator: Operator) -> list[Tensor | None]:
        """Inputs of a product with weights: these have one scale a filter, the bias that of both
        together."""
        place = 2 if operator.op == "TRANSPOSE_CONV" else 0
        source, weights = operator.inputs[place], operator.inputs[1]
        assert source is not None
        assert weights is not None
        x = self._quantized(source)
        axis = FILTERS.get(operator.op, (1, 0))[1]
        assert x.scales is not None
        bias = operator.inputs[2] if operator.op in FILTERS else None
        least = None
        if bias is not None:  # of a filter of next to nothing the bias must fit into 32 bits
            least = np.abs(bias.numbers.astype("float64")) / x.scales.scale[0] / _LARGEST_BIAS
        is_narrower = self.weights == "int4" and operator.op in TAKE_4_BITS
        bits = 4 if is_narrower and weights.numbers.size >= FEWEST_IN_4_BITS else 8
        narrow = quantized_weights(weights, axis, least, bits)
        assert narrow.scales is not None
        inputs: list[Tensor | None] = [*operator.inputs]
        inputs[place], inputs[1] = x, narrow
        if operator.op in FILTERS:
            scale = np.asarray(narrow.scales.scale) * x.scales.scale[0]
            inputs[2] = _bias(bias, narrow, scale)
        return inputs


def _bias(bias: Tensor | None, weights: Tensor, scale: np.ndarray) -> Tensor:
    data = np.zeros(len(scale)) if bias is None else bias.numbers
    numbers = np.round(data / scale).astype("int32")
    scales = Scales(tuple(float(s) for s in scale), (0,) * len(scale))
    name = f"{weights.name}_bias" if bias is None else bias.name
    return Tensor(name, "int32", numbers.shape, numbers, scales)


def _scales_of(low: float, high: float) -> Scales:
    """Scale and zero point of a range that 0 is in, and stands for itself."""
    scale = (high - low) / 255 or 1.0
    zero_point = int(np.clip(round(-128 - low / scale), -128, 127))
    return Scales((scale,), (zero_point,))


def _unsigned(x: Tensor) -> Tensor:
    """The same numbers without sign."""
    assert x.scales is not None
    scales = Scales(x.scales.scale, (x.scales.zero_point[0] + 128,))
    return Tensor(x.name, "uint8", x.shape, None, scales)


__all__ = ["Ranges", "quantized"]
