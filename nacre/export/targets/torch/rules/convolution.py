"""Convolutions and pools. PyTorch has channels before the spatial axes; a change of the order of
axes is a view there, which its kernels know as the format 'channels last'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nacre.export.graph.ir import Node
from nacre.export.graph.sizes import Size
from nacre.export.targets.torch.program import FORMS, Program, dtype_of, is_float, listed, shape_of

Pair = tuple[str, str]


def _pairs(
    make: Program,
    sizes: Sequence[Size],
    window: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Any,
) -> list[Pair]:
    """How much is put before and behind each axis, as expressions."""
    if not isinstance(padding, str):
        return [(str(a), str(b)) for a, b in padding]
    found: list[Pair] = []
    for size, taps, stride, step in zip(sizes, window, strides, dilation):
        reach = (taps - 1) * step + 1
        if padding != "same":
            found.append(("0" if padding == "valid" else str(reach - 1), "0"))
        elif stride == 1 or isinstance(size, int):
            # With a stride of 1 it is the same for any size.
            n = size if isinstance(size, int) else reach
            total = max((-(-n // stride) - 1) * stride + reach - n, 0)
            found.append((str(total // 2), str(total - total // 2)))
        else:
            n = make.size(size)
            over = f"(({n} + {stride - 1}) // {stride} - 1) * {stride} + {reach} - {n}"
            total = make.let(make.extreme("max", over, "0"), "total")
            found.append((f"{total} // 2", f"{total} - {total} // 2"))
    return found


def _around(make: Program, x: str, pairs: Sequence[Pair], filler: str) -> str:
    """A tensor whose last axes are padded."""
    if all(pair == ("0", "0") for pair in pairs):
        return x
    around = listed([size for pair in reversed(pairs) for size in pair])
    return make.let(f'torch.nn.functional.pad({x}, {around}, "constant", {filler})', "padded")


def _front(count: int) -> str:
    """The order of axes with channels before `count` spatial axes."""
    return listed([0, count + 1, *range(1, count + 1)])


def _back(count: int) -> str:
    return listed([0, *range(2, count + 2), 1])


def _even(pairs: Sequence[Pair]) -> list[str] | None:
    """The padding of each axis where it is a number, as much before as behind; None otherwise."""
    fits = all(a == b and a.isdigit() for a, b in pairs)
    return [a for a, _ in pairs] if fits else None


@FORMS.form("conv")
def _conv(make: Program, node: Node, inputs: Sequence[str]) -> str:
    x, kernel = inputs
    attributes, count = node.attributes, len(shape_of(node)) - 2
    window = shape_of(node, 1)[:-2]
    strides, dilation = attributes["strides"], attributes["dilation_rate"]
    sizes = shape_of(node)[1:-1]
    pairs = _pairs(make, sizes, window, strides, dilation, attributes["padding"])  # type: ignore
    x = make.let(f"{x}.permute({_front(count)})", "channels_first")
    even = _even(pairs)
    if even is None:
        x, even = _around(make, x, pairs, "0.0"), ["0"] * count
    kernel = f"{kernel}.permute({listed([count + 1, count, *range(count)])})"
    given = f"{x}, {kernel}, None, {listed(strides)}, {listed(even)}, {listed(dilation)}"
    return f"torch.conv{count}d({given}, {attributes['groups']}).permute({_back(count)})"


@FORMS.form("conv_transpose")
def _conv_transpose(make: Program, node: Node, inputs: Sequence[str]) -> str:
    """The whole of it, of which the edges are cut."""
    x, kernel = inputs
    attributes, count = node.attributes, len(shape_of(node)) - 2
    strides, dilation = attributes["strides"], attributes["dilation_rate"]
    kernel = f"{kernel}.permute({listed([count + 1, count, *range(count)])})"
    zeros = listed([0] * count)
    given = f"{x}.permute({_front(count)}), {kernel}, None, {listed(strides)}, {zeros}, {zeros}, 1"
    whole = make.let(f"torch.conv_transpose{count}d({given}, {listed(dilation)})", "whole")
    pairs = [(str(-a), str(-b)) for a, b in attributes["crop"]]
    return f"{_around(make, whole, pairs, '0.0')}.permute({_back(count)})"


def _pools_integers(node: Node) -> str | None:
    return None if is_float(dtype_of(node)) else "Cast to float first."


@FORMS.form("max_pool", "average_pool", limit=_pools_integers)
def _pool(make: Program, node: Node, inputs: Sequence[str]) -> str:
    attributes, count = node.attributes, len(shape_of(node)) - 2
    window, strides = attributes["pool_size"], attributes["strides"]
    ones, sizes = (1,) * count, shape_of(node)[1:-1]
    pairs = _pairs(make, sizes, window, strides, ones, attributes["padding"])
    x = make.let(f"{inputs[0]}.permute({_front(count)})", "channels_first")
    is_max = node.op == "max_pool"
    even = _even(pairs)
    # PyTorch pads by half a window at most.
    if even is None or any(2 * int(a) > n for a, n in zip(even, window)):
        if not is_max:
            return _mean_of_what_is_there(make, x, count, window, strides, pairs)
        x, even = _around(make, x, pairs, 'float("-inf")'), ["0"] * count
    if is_max and count == 1 and not make.is_script:
        # A trace of PyTorch's own for one axis holds for the length that it was traced with.
        inner = f"{x}.unsqueeze(2), [1, {window[0]}], [1, {strides[0]}], [0, {even[0]}]"
        found = f"torch.nn.functional.max_pool2d({inner}).squeeze(2)"
        return f"{found}.permute({_back(count)})"
    given = f"{x}, {listed(window)}, {listed(strides)}, {listed(even)}"
    if is_max:
        found = f"torch.nn.functional.max_pool{count}d({given}, {listed(ones)})"
    else:
        found = f"torch.nn.functional.avg_pool{count}d({given}, False, False)"
    return f"{found}.permute({_back(count)})"


def _mean_of_what_is_there(
    make: Program,
    x: str,
    count: int,
    window: Sequence[int],
    strides: Sequence[int],
    pairs: Sequence[Pair],
) -> str:
    """The mean with zeros around, by the same of ones."""
    mean = lambda v: (
        f"torch.nn.functional.avg_pool{count}d({v}, {listed(window)}, {listed(strides)})"
    )
    total = make.let(mean(_around(make, x, pairs, "0.0")), "total")
    ones = make.let(f"torch.ones_like({x})", "ones")
    share = make.let(mean(_around(make, ones, pairs, "0.0")), "share")
    return f"({total} / {share}).permute({_back(count)})"


_REDUCE = {"sum": "sum", "max": "amax", "min": "amin"}


@FORMS.form("reduce_window", limit=_pools_integers)
def _reduce_window(make: Program, node: Node, inputs: Sequence[str]) -> str:
    attributes, count = node.attributes, len(shape_of(node))
    names = ("window", "strides", "dilation_rate")
    window, strides, dilation = (attributes[name] for name in names)
    sizes = shape_of(node)
    pairs = _pairs(make, sizes, window, strides, dilation, attributes["padding"])
    reducer = attributes["reducer"]
    filler = {"sum": "0.0", "max": 'float("-inf")', "min": 'float("inf")'}[reducer]
    x = _around(make, inputs[0], pairs, filler)
    for axis in range(count):
        if (window[axis], strides[axis]) != (1, 1):
            reach = (window[axis] - 1) * dilation[axis] + 1
            seen = f"{x}.unfold({axis}, {reach}, {strides[axis]})[..., ::{dilation[axis]}]"
            x = make.let(f"torch.{_REDUCE[reducer]}({seen}, [-1])", "windows")
    return x
