"""Fourier transforms of real numbers along one axis, and the parts of complex numbers."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.litert.body import Body, Tensor
from nacre.export.targets.litert.rules._rule import dtype_of, rule


def _of_one_axis(node: Node) -> str | None:
    lengths = node.attributes["lengths"]
    is_power = all(n & (n - 1) == 0 for n in lengths)
    fits = node.attributes["kind"] == "rfft" and len(lengths) == 1 and is_power
    fits = fits and dtype_of(node) == "float32"
    return None if fits else "Take rfft of float32, of a length that is a power of two."


@rule("fft", limit=_of_one_axis)
def _fft(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The kernel transforms two axes: of the first one there is but one row."""
    (x,) = inputs
    (length,) = node.attributes["lengths"]
    shape = node.outputs[0].shape
    row = make.expand(x, x.ndim - 1)
    whole = (*shape[:-1], 1, shape[-1])
    found = make.add("RFFT2D", [row, make.ints(1, length)], "complex64", whole)
    return make.reshape(found, shape)


@rule("real", "imag", limit=lambda node: None if dtype_of(node) == "complex64" else "Take float32.")
def _part(make: Body, node: Node, inputs: Sequence[Tensor]) -> Tensor:
    (x,) = inputs
    return make.add(node.op.upper(), [x], "float32", x.shape)
