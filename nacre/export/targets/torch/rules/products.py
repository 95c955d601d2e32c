"""Sums of products."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.torch.program import FORMS, Program, dtype_of, is_float, listed, shape_of


def _of_integers(node: Node) -> bool:
    return not is_float(dtype_of(node)) and not dtype_of(node).startswith("complex")


@FORMS.form("dense")
def _dense(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, kernel, bias = inputs
    if _of_integers(node):
        product = f"torch.matmul({x}, {kernel})"
        return f"{product} + {bias}" if bias else product
    return f"torch.nn.functional.linear({x}, {kernel}.t(), {bias or 'None'})"


@FORMS.form("matmul")
def _matmul(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f"torch.matmul({inputs[0]}, {inputs[1]})"


@FORMS.form("einsum")
def _einsum(make: Program, node: Node, inputs: Sequence[str]) -> str:
    return f'torch.einsum("{node.attributes["subscripts"]}", {listed(inputs)})'


def _not_whole(node: Node) -> str | None:
    """A soft cap has no place in PyTorch's, and its scores in 16 bits hold no such low number as
    stands for 'masked'."""
    is_narrow = dtype_of(node) in ("float16", "bfloat16")
    masked = node.inputs[4] is not None
    return "" if node.attributes["soft_cap"] is not None or (is_narrow and masked) else None


@FORMS.form("attention", limit=_not_whole)
def _attention(make: Program, node: Node, inputs: Sequence[str]) -> str:
    query, key, value, bias, mask = inputs
    dtype, heads, sources = dtype_of(node), shape_of(node)[2], shape_of(node, 1)[2]
    query, key, value = (make.let(f"{x}.permute([0, 2, 1, 3])") for x in (query, key, value))
    if heads != sources:
        times = int(heads) // int(sources)  # type: ignore[arg-type]
        key, value = (make.let(f"torch.repeat_interleave({x}, {times}, 1)") for x in (key, value))
    lengths = [shape_of(node)[1], shape_of(node, 1)[1]]
    is_causal = node.attributes["is_causal"]
    added = f"{bias}.to(torch.{dtype})" if bias else ""
    if mask or (is_causal and bias):
        counts = mask
        if is_causal:
            shape = make.sizes(lengths)
            before = f"torch.ones({shape}, dtype=torch.bool, device=device).tril()"
            counts = f"({mask} & {before})" if mask else before
        lowest = repr(-0.7 * float(np.finfo(dtype).max))
        other = added or f"torch.scalar_tensor(0.0, dtype=torch.{dtype}, device=device)"
        low = f"torch.scalar_tensor({lowest}, dtype=torch.{dtype}, device=device)"
        added, is_causal = f"torch.where({counts}, {other}, {low})", False
    given = f"{query}, {key}, {value}, attn_mask={make.let(added, 'bias') if added else 'None'}"
    given += f", is_causal={is_causal}, scale={float(node.attributes['scale'])!r}"
    return f"torch.nn.functional.scaled_dot_product_attention({given}).permute([0, 2, 1, 3])"
