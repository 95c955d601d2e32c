"""Normalisations, made of sums and products, as TensorFlow's own layers make most of them."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules._rule import (
    cast,
    dtype_of,
    rank_of,
    reduce,
    reshape,
    rule,
    value,
)
from nacre.export.targets.graphdef.rules.products import add, multiply


def _wide(dtype: str) -> str:
    return "float32" if dtype in ("float16", "bfloat16") else dtype


@rule("batch_normalization")
def _batch(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, mean, variance, offset, scale = inputs
    narrow, wide = dtype_of(node), dtype_of(node, 1)
    spread = make.like(node.attributes["epsilon"], wide)
    factor = make.add("Rsqrt", [add(make, variance, spread, wide)], T=Kind(wide))
    factor = multiply(make, factor, scale, wide) if scale else factor
    shift = multiply(make, mean, factor, wide)
    if offset:
        shift = make.add("Sub", [offset, shift], T=Kind(wide))
    else:
        shift = make.add("Neg", [shift], T=Kind(wide))
    axis = node.attributes["axis"]
    factor = cast(make, _along(make, factor, node, axis, wide), wide, narrow)
    shift = cast(make, _along(make, shift, node, axis, wide), wide, narrow)
    return add(make, multiply(make, x, factor, narrow), shift, narrow)


def _along(make: Body, parameter: str, node: Node, axis: int, dtype: str) -> str:
    """A vector as one that broadcasts along an axis."""
    behind = rank_of(node) - 1 - axis % rank_of(node)
    return (
        parameter if not behind else reshape(make, parameter, make.ints(-1, *[1] * behind), dtype)
    )


def _normalized(make: Body, x: str, axes: Sequence[int], epsilon: float, dtype: str) -> str:
    """x less its mean, over its deviation."""
    mean = reduce(make, "Mean", x, axes, dtype, True)
    centred = make.add("Sub", [x, mean], T=Kind(dtype))
    return multiply(make, centred, _scale_of(make, centred, axes, epsilon, dtype), dtype)


def _scale_of(make: Body, x: str, axes: Sequence[int], epsilon: float, dtype: str) -> str:
    """1 / sqrt(mean(x²) + epsilon)."""
    squared = make.add("Square", [x], T=Kind(dtype))
    variance = reduce(make, "Mean", squared, axes, dtype, True)
    return make.add("Rsqrt", [add(make, variance, make.like(epsilon, dtype), dtype)], T=Kind(dtype))


@rule("layer_normalization", "rms_normalization")
def _layer(make: Body, node: Node, inputs: Sequence[str]) -> str:
    narrow = dtype_of(node)
    dtype, axes = _wide(narrow), node.attributes["axes"]
    x, scale, *rest = inputs
    x = cast(make, x, narrow, dtype)
    epsilon = node.attributes["epsilon"]
    if node.op == "layer_normalization":
        result = _normalized(make, x, axes, epsilon, dtype)
    else:
        result = multiply(make, x, _scale_of(make, x, axes, epsilon, dtype), dtype)
    if scale:
        result = multiply(make, result, cast(make, scale, dtype_of(node, 1), dtype), dtype)
    if rest and rest[0]:
        result = add(make, result, cast(make, rest[0], dtype_of(node, 2), dtype), dtype)
    return cast(make, result, dtype, narrow)


@rule("group_normalization")
def _group(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, scale, offset = inputs
    narrow, rank, shape = dtype_of(node), rank_of(node), value(node).shape
    dtype, groups, axis = _wide(narrow), node.attributes["groups"], node.attributes["axis"] % rank
    channels = shape[axis]
    assert isinstance(channels, int)
    grouped: tuple[Size, ...] = (
        *shape[:axis], groups, channels // groups, *shape[axis + 1 :]
    )  # fmt: skip
    x = reshape(make, cast(make, x, narrow, dtype), make.sizes(grouped), dtype)
    axes = [a for a in range(1, rank + 1) if a != axis]
    result = _normalized(make, x, axes, node.attributes["epsilon"], dtype)
    result = reshape(make, result, make.sizes(shape), dtype)
    if scale:
        along = _along(make, cast(make, scale, dtype_of(node, 1), dtype), node, axis, dtype)
        result = multiply(make, result, along, dtype)
    if offset:
        along = _along(make, cast(make, offset, dtype_of(node, 2), dtype), node, axis, dtype)
        result = add(make, result, along, dtype)
    return cast(make, result, dtype, narrow)
