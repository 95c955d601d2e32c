"""Random numbers: each run gives others."""

from __future__ import annotations

import numpy as np

from nacre.core.wire.onnx import NUMBERS
from nacre.export.graph.ir import Node
from nacre.export.targets.onnx.body import Body
from nacre.export.targets.onnx.forms._form import form


def _drawn(make: Body, node: Node, op: str, dtype: str) -> str:
    shape = make.sizes(node.attributes["shape"])
    like = make.add("ConstantOfShape", [shape], value=np.zeros(1, dtype))
    return make.add(op, [like], dtype=NUMBERS[dtype])


def _computed(node: Node) -> str:
    return "float64" if node.attributes["dtype"] == "float64" else "float32"


@form("random_uniform")
def _random_uniform(make: Body, node: Node) -> str:
    dtype = node.attributes["dtype"]
    low, high = (make.tensor(v) for v in node.inputs if v is not None)
    drawn = _drawn(make, node, "RandomUniformLike", _computed(node))
    drawn = make.cast(drawn, dtype) if dtype != _computed(node) else drawn
    width = make.add("Sub", [high, low])
    return make.add("Add", [make.add("Mul", [drawn, width]), low])


@form("random_normal")
def _random_normal(make: Body, node: Node) -> str:
    drawn = _drawn(make, node, "RandomNormalLike", _computed(node))
    dtype = node.attributes["dtype"]
    return make.cast(drawn, dtype) if dtype != _computed(node) else drawn


def _at_most_32(node: Node) -> str | None:
    is_wide = np.dtype(node.attributes["dtype"]).itemsize > 4
    return "Draw numbers of 32 bits." if is_wide else None


@form("random_bits", limit=_at_most_32)
def _random_bits(make: Body, node: Node) -> str:
    dtype = node.attributes["dtype"]
    # A double has all bits of 32; its floor is a whole number below the limit.
    drawn = _drawn(make, node, "RandomUniformLike", "float64")
    limit = make.constant(np.float64(2.0 ** (8 * np.dtype(dtype).itemsize)))
    whole = make.cast(make.add("Floor", [make.add("Mul", [drawn, limit])]), "int64")
    return make.cast(whole, dtype)
