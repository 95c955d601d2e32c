"""Sums of products."""

from __future__ import annotations

import string
from typing import Any

from nacre.export.capture.jaxpr import Equation, type_of
from nacre.export.capture.lower import Call, Lowering, composite, primitive
from nacre.export.graph.ir import Value


@primitive("dot_general")
def _dot_general(low: Lowering, equation: Equation, x: Value, y: Value) -> Value:
    """As a product of matrices where it is one, else by letters."""
    dtype = type_of(equation.outputs[0]).dtype
    x, y = (v if v.dtype == dtype else low.add("cast", v, dtype=dtype) for v in (x, y))
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    nx, ny = len(x.shape), len(y.shape)
    batch = tuple(range(len(left_batch)))
    in_front = tuple(left_batch) == tuple(right_batch) == batch
    if in_front and nx == ny == len(batch) + 2 and left == (nx - 1,) and right == (ny - 2,):
        return low.add("matmul", x, y)
    if not batch and ny == 2 and left == (nx - 1,) and right == (0,) and nx >= 2:
        return low.add("matmul", x, y)
    letters = iter(string.ascii_letters)
    xs = [next(letters) for _ in range(nx)]
    ys: list[Any] = [None] * ny
    for i, j in zip((*left, *left_batch), (*right, *right_batch)):
        ys[j] = xs[i]
    ys = [letter or next(letters) for letter in ys]
    first = [xs[i] for i in left_batch]
    rest = [xs[i] for i in range(nx) if i not in (*left, *left_batch)]
    rest += [ys[j] for j in range(ny) if j not in (*right, *right_batch)]
    result = "".join(first + rest)
    return low.add("einsum", x, y, subscripts=f"{''.join(xs)},{''.join(ys)}->{result}")


@composite("dense")
def _dense(low: Lowering, call: Call) -> Value | None:
    x, kernel, bias = call.given("x", "kernel", "bias")
    assert x is not None and kernel is not None
    dtypes = {v.dtype for v in (x, kernel, bias) if v is not None}
    if len(dtypes) > 1 or len(kernel.shape) != 2 or len(x.shape) < 2:
        return None
    return low.add("dense", x, kernel, bias)


@composite("einsum")
def _einsum(low: Lowering, call: Call) -> Value | None:
    x, y, subscripts = call.inputs["x"], call.inputs["y"], call["subscripts"].replace(" ", "")
    left, arrow, result = subscripts.partition("->")
    plain = arrow and "." not in left and x.dtype == y.dtype == call.types[0].dtype
    if not plain or set(call.attributes) != {"subscripts"}:
        return None
    parts = left.split(",")
    if any(len(set(part)) < len(part) for part in (*parts, result)):
        return None
    sizes: dict[str, Any] = {}
    for part, value in zip(parts, (x, y)):
        for letter, size in zip(part, value.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                return None  # a size of 1 broadcasts
    return low.add("einsum", x, y, subscripts=subscripts)


@composite("dot_product_attention")
def _attention(low: Lowering, call: Call) -> Value | None:
    query, key, value, bias, mask = call.given("query", "key", "value", "bias", "mask")
    assert query is not None and key is not None and value is not None
    if len({query.dtype, key.dtype, value.dtype}) > 1:
        return None
    if mask is not None and mask.dtype != "bool":
        mask = low.add("not_equal", mask, low.number(0, mask))
    cap = call["attn_logits_soft_cap"]
    return low.add(
        "attention", query, key, value, bias, mask, scale=float(call["scale"]),
        is_causal=bool(call["is_causal"]), soft_cap=None if cap is None else float(cap),
    )  # fmt: skip
