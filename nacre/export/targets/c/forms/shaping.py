"""Shapes changed, parts taken, arrays made."""

from __future__ import annotations

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.c.forms._form import form, given
from nacre.export.targets.c.types import SIZE, part, size
from nacre.export.targets.c.unit import Body


@form("constant")
def _constant(make: Body, node: Node) -> None:
    make.bind(node.outputs[0], make.unit.array(np.asarray(node.attributes["value"])))


@form("reshape")
def _reshape(make: Body, node: Node) -> None:
    make.bind(node.outputs[0], make.of(given(node, 0)))


@form("size")
def _size(make: Body, node: Node) -> None:
    (result,) = node.outputs
    make.line(f"{make.of(result)}[0] = ({make.type(result)})({size(node.attributes['size'])});")


@form("iota")
def _iota(make: Body, node: Node) -> None:
    (result,) = node.outputs
    with make.loops(result.shape) as indices:
        index = indices[node.attributes["axis"] % len(indices)]
        make.line(f"{make.at(result, indices)} = ({make.type(result)}){index};")


@form("broadcast_to")
def _broadcast_to(make: Body, node: Node) -> None:
    (result,) = node.outputs
    with make.loops(result.shape) as indices:
        make.line(f"{make.at(result, indices)} = {make.spread(given(node, 0), indices)};")


@form("transpose")
def _transpose(make: Body, node: Node) -> None:
    (result,) = node.outputs
    with make.loops(result.shape) as indices:
        places = dict(zip(node.attributes["permutation"], indices))
        of = make.at(given(node, 0), [places[axis] for axis in range(len(indices))])
        make.line(f"{make.at(result, indices)} = {of};")


@form("concat")
def _concat(make: Body, node: Node) -> None:
    (result,) = node.outputs
    axis = node.attributes["axis"] % len(result.shape)
    start = node.attributes["axis"] * 0
    for x in (v for v in node.inputs if v is not None):
        with make.loops(x.shape) as indices:
            places = list(indices)
            places[axis] = f"{indices[axis]} + {size(start)}" if start != 0 else indices[axis]
            make.line(f"{make.at(result, _bracketed(places))} = {make.at(x, indices)};")
        start = start + x.shape[axis]


def _bracketed(places: list[str]) -> list[str]:
    """Indices, sums among them in brackets."""
    return [p if p.isidentifier() or p.isdigit() else f"({p})" for p in places]


@form("slice")
def _slice(make: Body, node: Node) -> None:
    (result,) = node.outputs
    with make.loops(result.shape) as indices:
        places = [
            _sum(f"{i} * {step}" if step != 1 else i, size(start))
            for i, start, step in zip(
                indices, node.attributes["starts"], node.attributes["strides"]
            )
        ]
        make.line(f"{make.at(result, indices)} = {make.at(given(node, 0), _bracketed(places))};")


def _sum(index: str, start: str) -> str:
    if start == "0":
        return index
    return start if index == "0" else f"{index} + {start}"


@form("split")
def _split(make: Body, node: Node) -> None:
    x = given(node, 0)
    axis = node.attributes["axis"] % len(x.shape)
    start = 0 * node.attributes["axis"]
    for result in node.outputs:
        with make.loops(result.shape) as indices:
            places = list(indices)
            places[axis] = _sum(indices[axis], size(start))
            make.line(f"{make.at(result, indices)} = {make.at(x, _bracketed(places))};")
        start = start + result.shape[axis]


@form("pad")
def _pad(make: Body, node: Node) -> None:
    x, value, (result,) = given(node, 0), given(node, 1), node.outputs
    with make.loops(result.shape) as indices:
        make.line(f"{make.at(result, indices)} = {make.of(value)}[0];")
    with make.loops(x.shape) as indices:
        places = [
            _sum(f"{i} * {gap + 1}" if gap else i, size(low))
            for i, low, gap in zip(indices, node.attributes["low"], node.attributes["interior"])
        ]
        make.line(f"{make.at(result, _bracketed(places))} = {make.at(x, indices)};")


@form("mirror_pad")
def _mirror_pad(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    edge = 1 if node.attributes["mode"] == "symmetric" else 0
    with make.loops(result.shape) as indices:
        places = list(indices)
        for axis, (n, low) in enumerate(zip(x.shape, node.attributes["low"])):
            if low == 0 and node.attributes["high"][axis] == 0:
                continue
            # As long as it lies outside it is mirrored at the nearer edge.
            name = f"p{axis}"
            make.line(f"{SIZE} {name} = {indices[axis]} - {low};")
            last = f"{part(n)} - 1"
            with make.block(f"while ({name} < 0 || {name} > {last})"):
                back = f"2 * ({last}) - {name} + {edge}"
                make.line(f"{name} = {name} < 0 ? -{name} - {edge} : {back};")
            places[axis] = name
        make.line(f"{make.at(result, indices)} = {make.at(x, places)};")


@form("reverse")
def _reverse(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    axes = {axis % len(x.shape) for axis in node.attributes["axes"]}
    with make.loops(result.shape) as indices:
        places = [
            f"({part(n)} - 1 - {i})" if axis in axes and n != 1 else i
            for axis, (i, n) in enumerate(zip(indices, x.shape))
        ]
        make.line(f"{make.at(result, indices)} = {make.at(x, places)};")


@form("dynamic_slice")
def _dynamic_slice(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    starts = _starts(make, node, 1, result.shape)
    with make.loops(result.shape) as indices:
        places = [f"({i} + {start})" for i, start in zip(indices, starts)]
        make.line(f"{make.at(result, indices)} = {make.at(x, places)};")


@form("dynamic_update_slice")
def _dynamic_update_slice(make: Body, node: Node) -> None:
    x, update, (result,) = given(node, 0), given(node, 1), node.outputs
    make.copy(make.of(result), make.of(x), x.dtype, x.shape)
    starts = _starts(make, node, 2, update.shape)
    with make.loops(update.shape) as indices:
        places = [f"({i} + {start})" for i, start in zip(indices, starts)]
        make.line(f"{make.at(result, places)} = {make.at(update, indices)};")


def _starts(make: Body, node: Node, first: int, block: object) -> list[str]:
    """Where a block begins, moved so that it lies inside."""
    x, names = given(node, 0), []
    assert isinstance(block, tuple)
    for axis, (n, m) in enumerate(zip(x.shape, block)):
        start = f"(int64_t){make.of(given(node, first + axis))}[0]"
        make.line(f"const {SIZE} s{axis} = clip_n({start}, 0, {part(n)} - {part(m)});")
        names.append(f"s{axis}")
    return names


@form("up_sampling")
def _up_sampling(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    first, sizes = node.attributes["first_axis"], node.attributes["sizes"]
    with make.loops(result.shape) as indices:
        places = list(indices)
        for axis, times in enumerate(sizes, start=first):
            if times != 1 and indices[axis] != "0":
                places[axis] = f"({indices[axis]} / {times})"
        make.line(f"{make.at(result, indices)} = {make.at(x, places)};")


@form("one_hot")
def _one_hot(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    axis, type_ = node.attributes["axis"] % len(result.shape), make.type(result)
    with make.loops(result.shape) as indices:
        of = make.at(x, [i for a, i in enumerate(indices) if a != axis])
        same = f"(int64_t){of} == {indices[axis]}"
        if x.dtype == "uint64":  # the largest are none of the classes
            same = f"{of} == (uint64_t){indices[axis]}"
        make.line(f"{make.at(result, indices)} = ({type_})({same});")


@form("resize")
def _resize(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    bilinear, type_ = node.attributes["method"] == "bilinear", make.type(result)
    with make.loops(result.shape) as indices:
        places: list[list[str]] = [[indices[0]], [], [], [indices[3]]]
        for axis in (1, 2):
            old, new = part(x.shape[axis]), part(result.shape[axis])
            centre = f"((double){indices[axis]} + 0.5) * (double){old} / (double){new}"
            make.line(f"const double c{axis} = {centre}{' - 0.5' if bilinear else ''};")
            low = f"{SIZE} a{axis} = min_n(({SIZE})(c{axis} > 0 ? c{axis} : 0), {old} - 1);"
            make.line(f"const {low}")
            places[axis].append(f"a{axis}")
            if bilinear:
                make.line(f"const {SIZE} b{axis} = min_n(a{axis} + 1, {old} - 1);")
                share = f"c{axis} > 0 ? c{axis} - (double)a{axis} : 0"
                make.line(f"const {type_} t{axis} = ({type_})({share});")
                places[axis].append(f"b{axis}")
        if not bilinear:
            make.line(f"{make.at(result, indices)} = {make.at(x, [p[0] for p in places])};")
            return
        corners = {
            (a, b): make.at(x, [indices[0], places[1][a], places[2][b], indices[3]])
            for a in (0, 1)
            for b in (0, 1)
        }
        for b in (0, 1):
            rows = f"{corners[0, b]} * (1 - t1) + {corners[1, b]} * t1"
            make.line(f"const {type_} r{b} = ({type_})({rows});")
        make.line(f"{make.at(result, indices)} = ({type_})(r0 * (1 - t2) + r1 * t2);")
