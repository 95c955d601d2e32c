"""Sums of products."""

from __future__ import annotations

from functools import reduce

from nacre.export.graph.sizes import Size, product_of
from nacre.export.passes.openings._term import Maker, Term, opening


@opening
def dense(x: Term, kernel: Term, bias: Term | None) -> Term:
    rows = x.expanded(0) if x.ndim == 1 else x
    product = rows.op("matmul", kernel)
    product = product.reshape(*product.shape[1:]) if x.ndim == 1 else product
    return product if bias is None else product + bias


@opening
def einsum(*xs: Term, subscripts: str) -> Term:
    left, _, result = subscripts.partition("->")
    operands = list(zip(left.split(","), xs))
    while len(operands) > 1:
        first, second, *rest = operands
        kept = {*result, *(letter for letters, _ in rest for letter in letters)}
        operands = [_pair(first, second, kept), *rest]
    letters, x = _summed(operands[0], set(result))
    return x.transpose(*(letters.index(letter) for letter in result))


def _summed(operand: tuple[str, Term], kept: set[str]) -> tuple[str, Term]:
    """An operand without the axes that nothing keeps."""
    letters, x = operand
    axes = tuple(axis for axis, letter in enumerate(letters) if letter not in kept)
    if not axes:
        return operand
    return "".join(n for n in letters if n in kept), x.reduced("sum", axes, keepdims=False)


def _pair(first: tuple[str, Term], second: tuple[str, Term], kept: set[str]) -> tuple[str, Term]:
    """The product of two operands, summed over what nothing keeps: one product of matrices."""
    (one, x), (other, y) = (
        _summed(first, kept | set(second[0])), _summed(second, kept | set(first[0]))
    )  # fmt: skip
    shared = [letter for letter in one if letter in other]
    batch = [letter for letter in shared if letter in kept]
    summed = [letter for letter in shared if letter not in kept]
    rows = [letter for letter in one if letter not in shared]
    columns = [letter for letter in other if letter not in shared]
    sizes: dict[str, Size] = {**dict(zip(other, y.shape)), **dict(zip(one, x.shape))}
    of = lambda letters: [sizes[letter] for letter in letters]
    left = x.transpose(*(one.index(n) for n in (*batch, *rows, *summed)))
    left = left.reshape(*of(batch), product_of(of(rows)), product_of(of(summed)))
    right = y.transpose(*(other.index(n) for n in (*batch, *summed, *columns)))
    right = right.reshape(*of(batch), product_of(of(summed)), product_of(of(columns)))
    product = left.op("matmul", right)
    return "".join((*batch, *rows, *columns)), product.reshape(*of(batch), *of(rows), *of(columns))


@opening
def attention(
    make: Maker,
    query: Term,
    key: Term,
    value: Term,
    bias: Term | None,
    mask: Term | None,
    *,
    scale: float,
    is_causal: bool,
    soft_cap: float | None,
) -> Term:
    heads, sources = query.shape[2], key.shape[2]
    assert isinstance(heads, int)
    assert isinstance(sources, int)
    if heads != sources:
        repeat = {"sizes": (heads // sources,), "first_axis": 2}
        key, value = key.op("up_sampling", **repeat), value.op("up_sampling", **repeat)
    query, key = query.wide(), key.wide()
    scores = query.transpose(0, 2, 1, 3).op("matmul", key.transpose(0, 2, 3, 1)) * scale
    if soft_cap is not None:
        scores = (scores / soft_cap).op("tanh") * soft_cap
    if bias is not None:
        scores = scores + bias.cast(scores.dtype)
    largest = 3.4028235e38 if scores.dtype == "float32" else 1.7976931348623157e308
    lowest = make.constant(-0.7 * largest, scores.dtype)
    if mask is not None:
        scores = mask.where(scores, lowest)
    if is_causal:
        targets = scores.shape[-2:]
        comes_before = make.iota(targets, 0) >= make.iota(targets, 1)
        scores = comes_before.where(scores, lowest)
    weights = scores.op("softmax", axes=(scores.ndim - 1,)).cast(value.dtype)
    return weights.op("matmul", value.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)


@opening
def depthwise_conv(
    x: Term,
    kernel: Term,
    *,
    strides: tuple[int, ...],
    padding: object,
    dilation_rate: tuple[int, ...],
) -> Term:
    *window, channels, multiplier = kernel.shape
    filters = reduce(lambda a, b: a * b, (channels, multiplier), 1)
    return x.op(
        "conv",
        kernel.reshape(*window, 1, filters),
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        groups=channels,
    )


@opening
def conv_transpose(
    make: Maker,
    x: Term,
    kernel: Term,
    *,
    strides: tuple[int, ...],
    crop: tuple[tuple[int, int], ...],
    dilation_rate: tuple[int, ...],
) -> Term:
    """A convolution of x with zeros between its elements, by the kernel turned around."""
    window = kernel.shape[:-2]
    assert all(isinstance(k, int) for k in window)
    reach = [(int(k) - 1) * d + 1 for k, d in zip(window, dilation_rate)]  # type: ignore[arg-type]
    around = [(r - 1 - a, r - 1 - b) for r, (a, b) in zip(reach, crop)]
    zero = make.constant(0, x.dtype)
    spread = x.op(
        "pad",
        zero,
        low=(0, *(max(a, 0) for a, _ in around), 0),
        high=(0, *(max(b, 0) for _, b in around), 0),
        interior=(0, *(s - 1 for s in strides), 0),
    )
    for axis, (low, high) in enumerate(around, start=1):
        if low < 0 or high < 0:
            spread = spread.part(axis, max(-low, 0), spread.shape[axis] - max(-high, 0))
    turned = kernel.op("reverse", axes=tuple(range(len(window))))
    order = (*range(len(window)), len(window) + 1, len(window))
    return spread.op(
        "conv",
        turned.transpose(*order),
        strides=(1,) * len(window),
        padding="valid",
        dilation_rate=dilation_rate,
        groups=1,
    )
