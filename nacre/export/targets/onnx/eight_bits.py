"""Products and convolutions in 8 bits: QuantizeLinear and DequantizeLinear around what they take
and give, which runtimes compute as one in whole numbers where they have kernels.

Each tensor gets the scale of the numbers it had for samples of data: from 0 to 255 with a zero
point. Weights have one scale a filter and numbers from -63 to 63: a pair of their products with
what they meet is then no more than 16 bits hold, in which processors without VNNI add two up.
Biases are int32 with the scale of the product.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "QDQ" and
"reduce_range".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nacre.export.targets.onnx.body import Array, Body, Made, Stored
from nacre.export.targets.onnx.weights import filters_of, quantized

# Tensor -> the smallest and the largest number it had.
Ranges = Mapping[str, tuple[float, float]]
_WHOLE = frozenset({"Conv", "MatMul", "Gemm"})
_BITS_OF_WEIGHTS = 7
_LARGEST_BIAS = 2.0**30  # half of what int32 holds: sums are added to it


def is_whole(body: Body, made: Made) -> bool:
    """Whether a node is computed in 8 bits: by a weight of floats that stands in the file."""
    stored = body.shared.stored
    if made.op not in _WHOLE or made.inputs[0] in stored or made.inputs[1] not in stored:
        return False
    weight = stored[made.inputs[1]]
    has_scale = not any(made.attributes.get(name) for name in ("transA",)) and (
        made.attributes.get("alpha", 1.0) == made.attributes.get("beta", 1.0) == 1.0
    )
    fits = weight.dtype == "float32" and weight.data.ndim > 1 and bool(weight.data.size)
    return fits and has_scale and bool(np.isfinite(weight.data).all())


def tensors_to_measure(body: Body) -> list[str]:
    """The tensors that get scales: what such nodes take, and what they give."""
    found: dict[str, None] = {}
    for made in body.nodes:
        if is_whole(body, made):
            found[made.inputs[0]] = found[_result(body, made)] = None
    return list(found)


def _result(body: Body, made: Made) -> str:
    """What a node gives, with the rectifier behind it that alone reads it."""
    (name,) = made.outputs
    readers = [other for other in body.nodes if name in other.inputs]
    is_given = any(name == output for output, *_ in body.outputs)
    if len(readers) == 1 and not is_given and readers[0].op in ("Relu", "Clip"):
        return readers[0].outputs[0]
    return name


def compute_in_8_bits(body: Body, ranges: Ranges) -> None:
    """Put QuantizeLinear and DequantizeLinear around the products of a graph."""
    _Quantizing(body, ranges).run()


class _Quantizing:
    def __init__(self, body: Body, ranges: Ranges) -> None:
        self.body, self.ranges = body, ranges
        self.scales: dict[str, tuple[str, str, np.float32]] = {}
        self.given = {name for name, *_ in body.outputs}
        self.rounded: dict[str, str] = {}  # what is read in place of a tensor
        self.weights: dict[str, tuple[str, Array]] = {}

    def run(self) -> None:
        whole = {id(m): _result(self.body, m) for m in self.body.nodes if is_whole(self.body, m)}
        behind = {name for name in whole.values() if name not in self.given}
        nodes: list[Made] = []
        for made in self.body.nodes:
            if id(made) in whole and made.inputs[0] in self.ranges:
                self._product(made, nodes)
            nodes.append(made)
            for place, name in enumerate(made.outputs):
                if name in behind and name in self.ranges:  # all read what is rounded
                    own = made.outputs[place] = self.body.shared.own(f"{name}_exact")
                    self._pair(own, name, name, nodes)
                    self.rounded[name] = name
        self.body.nodes[:] = nodes

    def _product(self, made: Made, nodes: list[Made]) -> None:
        x, weight = made.inputs[:2]
        if x not in self.rounded:
            self.rounded[x] = self.body.shared.own(f"{x}_rounded")
            self._pair(x, self.rounded[x], x, nodes)
        stored = self.body.shared.stored
        step = self._scale(x)[2]
        if weight not in self.weights:
            data = stored[weight].data
            axis = filters_of(made, 1, data)
            numbers, scales = quantized(data, _BITS_OF_WEIGHTS, axis)
            kept = self.body.shared.own(f"{weight}_int8")
            self._store(kept, numbers)
            wide = self._dequantized([kept, self._store(f"{kept}_scale", scales)], axis, nodes)
            self.weights[weight] = wide, scales
        wide, scales = self.weights[weight]
        made.inputs[:2] = [self.rounded[x], wide]
        if len(made.inputs) > 2 and made.inputs[2] in stored:
            self._bias(made, step * scales, nodes)

    def _bias(self, made: Made, steps: Array, nodes: list[Made]) -> None:
        """A bias in the steps of the products, where 32 bits hold it; else in floats."""
        bias = self.body.shared.stored[made.inputs[2]]
        fits = bias.dtype == "float32" and bias.data.shape == steps.shape
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = np.rint(bias.data.astype("float64") / steps) if fits else np.array(np.inf)
        if np.all(np.abs(numbers) < _LARGEST_BIAS):
            kept = self.body.shared.own(f"{bias.name}_int32")
            self._store(kept, numbers.astype("int32"))
            scale = self._store(f"{kept}_scale", steps.astype("float32"))
            made.inputs[2] = self._dequantized([kept, scale], 0, nodes)

    def _pair(self, source: str, result: str, measured: str, nodes: list[Made]) -> None:
        """A tensor in 8 bits and back in floats."""
        scale, zero, _ = self._scale(measured)
        whole = self.body.shared.own(f"{measured}_uint8")
        nodes.append(Made("QuantizeLinear", [source, scale, zero], [whole], {}, whole))
        nodes.append(
            Made(
                "DequantizeLinear",
                [whole, scale, zero],
                [result],
                {},
                self.body.shared.own(f"{whole}_back"),
            )
        )

    def _scale(self, tensor: str) -> tuple[str, str, np.float32]:
        if tensor not in self.scales:
            low, high = self.ranges[tensor]
            low, high = min(low, 0.0), max(high, 0.0)  # 0 stands for itself
            step = np.float32((high - low) / 255) or np.float32(1)
            zero = np.uint8(np.clip(round(-low / float(step)), 0, 255))
            name = self._store(f"{tensor}_scale", np.asarray(step))
            self.scales[tensor] = name, self._store(f"{tensor}_zero", np.asarray(zero)), step
        return self.scales[tensor]

    def _dequantized(self, inputs: Sequence[str], axis: int, nodes: list[Made]) -> str:
        own = self.body.shared.own(f"{inputs[0]}_float32")
        nodes.append(Made("DequantizeLinear", list(inputs), [own], {"axis": axis}, own))
        return own

    def _store(self, name: str, data: Array) -> str:
        stored = self.body.shared.stored
        own = name if name not in stored and name in self.body.shared.names else None
        own = own or self.body.shared.own(name)
        stored[own] = Stored(own, data)
        return own


def ranges_of(
    body: Body,
    samples: Sequence[Sequence[Array]],
    run: Callable[[Body], Callable[[Sequence[Array]], Sequence[Array]]],
) -> Ranges:
    """The ranges of the tensors that get scales, over samples.

    Args:
        run: Makes of a graph what runs it.
    """
    places = {name: place for place, (name, *_) in enumerate(body.inputs)}
    names = tensors_to_measure(body)
    inner = [name for name in names if name not in places]
    before = list(body.outputs)
    body.outputs[:] = [(name, "float32", None) for name in inner]
    found: dict[str, tuple[float, float]] = {}
    call = run(body) if inner else lambda arrays: []
    for arrays in samples:
        results = dict(zip(inner, call(arrays), strict=True))
        for name in names:
            x = results[name] if name in results else np.asarray(arrays[places[name]])
            if x.size and np.isfinite(x).all():
                low, high = found.get(name, (0.0, 0.0))
                found[name] = min(low, float(x.min())), max(high, float(x.max()))
            elif x.size:
                found.pop(name, None)
                names = [n for n in names if n != name]  # such numbers have no scale
    body.outputs[:] = before
    return found


__all__ = ["Ranges", "compute_in_8_bits", "is_whole", "ranges_of", "tensors_to_measure"]
