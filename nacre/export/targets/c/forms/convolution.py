"""Convolutions and pools of any number of spatial axes, channels last: for each place of the
window a loop, what lies outside left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from nacre.export.graph.ir import Node, Value
from nacre.export.graph.sizes import Size
from nacre.export.targets.c.forms._form import combined, form, given
from nacre.export.targets.c.forms.reduction import start_of
from nacre.export.targets.c.types import SIZE, count, number, part, size
from nacre.export.targets.c.unit import Body, flat


def pads_before(
    make: Body, sizes: Sequence[Size], window: Sequence[int], strides: Any, dilation: Any,
    padding: Any,
) -> list[str]:  # fmt: skip
    """How much is put before each axis, as C."""
    found: list[str] = []
    for axis, (n, taps, stride, step) in enumerate(zip(sizes, window, strides, dilation)):
        reach = (taps - 1) * step + 1
        if padding == "valid":
            found.append("0")
        elif padding == "causal":
            found.append(str(reach - 1))
        elif padding != "same":
            found.append(str(padding[axis][0]))
        elif isinstance(n, int):
            found.append(str(max((-(-n // stride) - 1) * stride + reach - n, 0) // 2))
        else:
            places = f"floordiv_n({size(n)} + {stride - 1}, {stride})"
            total = f"({places} - 1) * {stride} + {reach} - {part(n)}"
            make.line(f"const {SIZE} pad{axis} = max_n({total}, 0) / 2;")
            found.append(f"pad{axis}")
    return found


@contextlib.contextmanager
def taps_inside(
    make: Body, sizes: Sequence[Size], places: Sequence[str], window: Sequence[int],
    strides: Any, dilation: Any, pads: Sequence[str],
) -> Iterator[tuple[list[str], list[str]]]:  # fmt: skip
    """A loop over the places of a window that lie inside: the place in the window, and in x."""
    with contextlib.ExitStack() as stack:
        taps: list[str] = []
        inside: list[str] = []
        steps = zip(sizes, places, window, strides, dilation, pads)
        for n, place, reach, stride, step, pad in steps:
            tap = stack.enter_context(make.loop(reach))
            at = [f"{place} * {stride}" if stride != 1 else place] if place != "0" else []
            at += [f"{tap} * {step}" if step != 1 else tap] if tap != "0" else []
            text = " + ".join(at) or "0"
            if pad != "0":
                text = f"{text} - {pad}" if not pad.startswith("-") else f"{text} + {pad[1:]}"
            name = f"at{len(inside)}"
            make.line(f"const {SIZE} {name} = {text};")
            if reach != 1 or pad != "0":
                make.line(f"if ({name} < 0 || {name} >= {part(n)}) continue;" if tap != "0"
                          else f"if ({name} >= 0 && {name} < {part(n)})")  # fmt: skip
                if tap == "0":
                    stack.enter_context(make.block())
            taps.append(tap)
            inside.append(name)
        yield taps, inside


def pointer(make: Body, name: str, value: Value, indices: Sequence[str], is_const: bool) -> None:
    """A pointer to the channels at a place."""
    place = flat(value.shape, [*indices, "0"])
    const = "const " if is_const else ""
    make.line(f"{const}{make.type(value)} *const {name} = {make.of(value)} + {place};")


@form("conv")
def _conv(make: Body, node: Node) -> None:
    x, kernel, (result,) = given(node, 0), given(node, 1), node.outputs
    a = node.attributes
    window, groups = [int(str(n)) for n in kernel.shape[:-2]], a["groups"]
    each, filters = part(kernel.shape[-2]), kernel.shape[-1]
    sizes = x.shape[1:-1]
    pads = pads_before(make, sizes, window, a["strides"], a["dilation_rate"], a["padding"])
    type_ = make.type(x)
    with make.loops(result.shape[:-1]) as indices:
        pointer(make, "to", result, indices, False)
        with make.loop(filters) as f:
            make.line(f"to[{f}] = {number(0, x.dtype)};")
        places = indices[1:]
        with taps_inside(make, sizes, places, window, a["strides"], a["dilation_rate"], pads) as (
            taps,
            at,
        ):
            pointer(make, "from", x, [indices[0], *at], True)
            tap = flat(kernel.shape[:-2], taps)
            inner = f"({tap}) * {each}"
            some = int(str(filters)) // groups
            with make.loop(groups) as group, make.loop(kernel.shape[-2]) as c:
                channel = c if group == "0" else f"{group} * {each} + {c}"
                start = "" if group == "0" else f" + {group} * {some}"
                make.line(f"const {type_} value = from[{channel}];")
                make.line(f"const {type_} *const row = {make.of(kernel)}"
                          f" + ({inner} + {c}) * {part(filters)}{start};")  # fmt: skip
                with make.loop(some) as f:
                    own = f if group == "0" else f"{group} * {some} + {f}"
                    make.line(f"to[{own}] += value * row[{f}];")


@form("depthwise_conv")
def _depthwise(make: Body, node: Node) -> None:
    x, kernel, (result,) = given(node, 0), given(node, 1), node.outputs
    a, sizes = node.attributes, x.shape[1:-1]
    window, times = [int(str(n)) for n in kernel.shape[:-2]], int(str(kernel.shape[-1]))
    pads = pads_before(make, sizes, window, a["strides"], a["dilation_rate"], a["padding"])
    with make.loops(result.shape[:-1]) as indices:
        pointer(make, "to", result, indices, False)
        with make.loop(result.shape[-1]) as f:
            make.line(f"to[{f}] = {number(0, x.dtype)};")
        with taps_inside(
            make, sizes, indices[1:], window, a["strides"], a["dilation_rate"], pads
        ) as (taps, at):
            pointer(make, "from", x, [indices[0], *at], True)
            tap = flat(kernel.shape[:-2], taps)
            make.line(f"const {make.type(x)} *const row = {make.of(kernel)}"
                      f" + ({tap}) * {part(result.shape[-1])};")  # fmt: skip
            with make.loop(x.shape[-1]) as c, make.loop(times) as m:
                own = c if times == 1 else f"{c} * {times} + {m}"
                make.line(f"to[{own}] += from[{c}] * row[{own}];")


@form("conv_transpose")
def _conv_transpose(make: Body, node: Node) -> None:
    x, kernel, (result,) = given(node, 0), given(node, 1), node.outputs
    a, filters, channels = node.attributes, kernel.shape[-2], kernel.shape[-1]
    window = [int(str(n)) for n in kernel.shape[:-2]]
    with make.loop(count(result.shape)) as i:
        make.line(f"{make.of(result)}[{i}] = {number(0, x.dtype)};")
    with make.loops(x.shape[:-1]) as indices:
        pointer(make, "from", x, indices, True)
        # Where an element goes to: a window of the result, less what is cut off.
        pads = [str(low) for low, _ in a["crop"]]
        with taps_inside(
            make, result.shape[1:-1], indices[1:], window, a["strides"], a["dilation_rate"], pads
        ) as (taps, at):
            pointer(make, "to", result, [indices[0], *at], False)
            tap = flat(kernel.shape[:-2], taps)
            make.line(f"const {make.type(x)} *const rows = {make.of(kernel)}"
                      f" + ({tap}) * {part(filters)} * {part(channels)};")  # fmt: skip
            with make.loop(filters) as f:
                make.line(f"{make.type(x)} sum = {number(0, x.dtype)};")
                row = f"{f} * {part(channels)} + "
                with make.loop(channels) as c:
                    make.line(f"sum += from[{c}] * rows[{row}{c}];")
                make.line(f"to[{f}] += sum;")


@form("max_pool", "average_pool")
def _pool(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    a, sizes, is_mean = node.attributes, x.shape[1:-1], node.op == "average_pool"
    ones, how = (1,) * len(sizes), "sum" if is_mean else "max"
    window = list(a["pool_size"])
    pads = pads_before(make, sizes, window, a["strides"], ones, a["padding"])
    # Where padding cuts, what is cut off counts for no window; windows do not reach it.
    with make.loops(result.shape[:-1]) as indices:
        pointer(make, "to", result, indices, False)
        if is_mean:
            make.line(f"{SIZE} seen = 0;")
        with make.loop(x.shape[-1]) as c:
            make.line(f"to[{c}] = {start_of(how, x.dtype)};")
        with taps_inside(make, sizes, indices[1:], window, a["strides"], ones, pads) as (_, at):
            pointer(make, "from", x, [indices[0], *at], True)
            if is_mean:
                make.line("++seen;")
            with make.loop(x.shape[-1]) as c:
                make.line(f"to[{c}] = {combined(make, how, x.dtype, f'to[{c}]', f'from[{c}]')};")
        if is_mean:
            with make.loop(x.shape[-1]) as c:
                make.line(f"to[{c}] /= ({make.type(x)})seen;")


@form("reduce_window")
def _reduce_window(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    a, window = node.attributes, list(node.attributes["window"])
    pads = pads_before(make, x.shape, window, a["strides"], a["dilation_rate"], a["padding"])
    with make.loops(result.shape) as indices:
        make.line(f"{make.type(x)} all = {start_of(a['reducer'], x.dtype)};")
        with taps_inside(
            make, x.shape, indices, window, a["strides"], a["dilation_rate"], pads
        ) as (_, at):
            one = make.at(x, at)
            make.line(f"all = {combined(make, a['reducer'], x.dtype, 'all', one)};")
        make.line(f"{make.at(result, indices)} = all;")
