"""Sums of products, matrices, transforms."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules._rule import (
    cast,
    dtype_of,
    kind_of,
    rank_of,
    reshape,
    rule,
    value,
)
from nacre.export.targets.graphdef.rules.shaping import broadcast


def product(make: Body, left: str, right: str, dtype: str) -> str:
    """The product of two matrices."""
    return make.add("MatMul", [left, right], T=Kind(dtype), transpose_a=False, transpose_b=False)


def add(make: Body, left: str, right: str, dtype: str) -> str:
    """The sum of two tensors."""
    return make.add("AddV2", [left, right], T=Kind(dtype))


def multiply(make: Body, left: str, right: str, dtype: str) -> str:
    """The product of two tensors, element by element."""
    return make.add("Mul", [left, right], T=Kind(dtype))


@rule("dense")
def _dense(make: Body, node: Node, inputs: Sequence[str]) -> str:
    x, kernel, bias = inputs
    dtype, rank = dtype_of(node), rank_of(node)
    features, units = value(node, 1).shape
    if rank != 2:
        assert isinstance(features, int)
        x = reshape(make, x, make.ints(-1, features), dtype)
    result = product(make, x, kernel, dtype)
    if bias:
        if "float" in dtype:
            result = make.add("BiasAdd", [result, bias], T=Kind(dtype), data_format="NHWC")
        else:
            result = add(make, result, bias, dtype)
    if rank != 2:
        shape = (*value(node).shape[:-1], units)
        result = reshape(make, result, make.flexible_sizes(shape), dtype)
    return result


@rule("matmul")
def _matmul(make: Body, node: Node, inputs: Sequence[str]) -> str:
    dtype = dtype_of(node)
    if rank_of(node) == rank_of(node, 1) == 2:
        return product(make, inputs[0], inputs[1], dtype)
    return make.add("BatchMatMulV2", inputs, T=Kind(dtype), adj_x=False, adj_y=False)


def einsum(make: Body, inputs: Sequence[str], subscripts: str, dtype: str) -> str:
    """Sums of products; TensorFlow's op takes at most two inputs at a time."""
    left, result = subscripts.split("->")
    letters, tensors = left.split(","), list(inputs)
    while len(tensors) > 2:
        wanted = set(result).union(*letters[2:])
        kept = "".join(dict.fromkeys(x for x in letters[0] + letters[1] if x in wanted))
        both = f"{letters[0]},{letters[1]}->{kept}"
        tensors[:2] = [einsum(make, tensors[:2], both, dtype)]
        letters[:2] = [kept]
    equation = f"{','.join(letters)}->{result}"
    return make.add("Einsum", tensors, N=len(tensors), T=Kind(dtype), equation=equation)


@rule("einsum")
def _einsum(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return einsum(make, inputs, node.attributes["subscripts"], dtype_of(node))


@rule("attention")
def _attention(make: Body, node: Node, inputs: Sequence[str]) -> str:
    query, key, values, bias, mask = inputs
    narrow = dtype_of(node)
    wide = "float32" if narrow in ("float16", "bfloat16") else narrow
    heads = value(node).shape[2]
    key = _repeated(make, key, node, 1, heads)
    values = _repeated(make, values, node, 2, heads)
    pair = [cast(make, query, narrow, wide), cast(make, key, dtype_of(node, 1), wide)]
    scores = einsum(make, pair, "btnh,bsnh->bnts", wide)
    scores = multiply(make, scores, make.like(node.attributes["scale"], wide), wide)
    cap = node.attributes["soft_cap"]
    if cap is not None:
        limit = make.like(cap, wide)
        scores = make.add("RealDiv", [scores, limit], T=Kind(wide))
        scores = multiply(make, make.add("Tanh", [scores], T=Kind(wide)), limit, wide)
    if bias:
        scores = add(make, scores, cast(make, bias, dtype_of(node, 3), wide), wide)
    lowest = make.like(_LOWEST[wide], wide)
    if mask:
        scores = make.add("SelectV2", [mask, scores, lowest], T=Kind(wide))
    if node.attributes["is_causal"]:
        visible = _causal(make, node)
        scores = make.add("SelectV2", [visible, scores, lowest], T=Kind(wide))
    weights = cast(make, make.add("Softmax", [scores], T=Kind(wide)), wide, dtype_of(node, 2))
    return einsum(make, [weights, values], "bnts,bsnh->btnh", dtype_of(node, 2))


# 0.7 of the most negative number: sums of two stay finite.
_LOWEST = {"float32": -0.7 * 3.4028234663852886e38, "float64": -0.7 * 1.7976931348623157e308}


def _repeated(make: Body, tensor: str, node: Node, index: int, heads: object) -> str:
    """Keys or values of fewer heads, each repeated."""
    batch, length, own, features = value(node, index).shape
    if own == heads:
        return tensor
    assert isinstance(own, int) and isinstance(heads, int)
    dtype = dtype_of(node, index)
    wide = make.sizes((batch, length, own, 1, features))
    tensor = reshape(make, tensor, wide, dtype)
    tensor = broadcast(make, tensor, (batch, length, own, heads // own, features), dtype)
    return reshape(make, tensor, make.sizes((batch, length, heads, features)), dtype)


def _causal(make: Body, node: Node) -> str:
    zero, one = make.constant(0, "int32"), make.constant(1, "int32")
    kind = Kind("int32")
    targets = make.add("Range", [zero, make.size(value(node).shape[1]), one], Tidx=kind)
    sources = make.add("Range", [zero, make.size(value(node, 1).shape[1]), one], Tidx=kind)
    targets = reshape(make, targets, make.ints(-1, 1), "int32")
    return make.add("LessEqual", [sources, targets], T=kind)


# --- matrices, transforms -------------------------------------------------------------------------


@rule("cholesky")
def _cholesky(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add("Cholesky", inputs, T=kind_of(node))


@rule("triangular_solve")
def _triangular_solve(make: Body, node: Node, inputs: Sequence[str]) -> str:
    a, b = inputs
    dtype = dtype_of(node)
    if node.attributes["unit_diagonal"]:
        shape = value(node).shape[:-1]
        ones = broadcast(make, make.like(1, dtype), shape, dtype)
        a = make.add("MatrixSetDiag", [a, ones], T=Kind(dtype))
    return make.add(
        "MatrixTriangularSolve",
        [a, b],
        T=Kind(dtype),
        lower=node.attributes["lower"],
        adjoint=node.attributes["transpose"],
    )


_FOURIER = {"fft": "FFT", "ifft": "IFFT", "rfft": "RFFT", "irfft": "IRFFT"}


def _three_axes(node: Node) -> str | None:
    return "Transform at most three axes at once." if len(node.attributes["lengths"]) > 3 else None


@rule("fft", limit=_three_axes)
def _fft(make: Body, node: Node, inputs: Sequence[str]) -> str:
    lengths, kind = node.attributes["lengths"], node.attributes["kind"]
    op = _FOURIER[kind] + {1: "", 2: "2D", 3: "3D"}[len(lengths)]
    given, made = dtype_of(node), node.outputs[0].dtype
    if kind in ("fft", "ifft"):
        return make.add(op, inputs, Tcomplex=Kind(given))
    real, wide = (given, made) if kind == "rfft" else (made, given)
    return make.add(op, [inputs[0], make.ints(*lengths)], Treal=Kind(real), Tcomplex=Kind(wide))


@rule("real", "imag")
def _part(make: Body, node: Node, inputs: Sequence[str]) -> str:
    op = "Real" if node.op == "real" else "Imag"
    return make.add(op, inputs, T=kind_of(node), Tout=Kind(node.outputs[0].dtype))


@rule("complex")
def _complex(make: Body, node: Node, inputs: Sequence[str]) -> str:
    return make.add("Complex", inputs, T=kind_of(node), Tout=Kind(node.outputs[0].dtype))
