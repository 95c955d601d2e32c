"""Normalisations, whole."""

from __future__ import annotations

from nacre.export.graph.ir import Node
from nacre.export.targets.c.forms._form import form
from nacre.export.targets.c.types import count, number, suffix
from nacre.export.targets.c.unit import Body


@form("batch_normalization")
def _batch(make: Body, node: Node) -> None:
    x, mean, variance, offset, scale = node.inputs
    assert x is not None and mean is not None and variance is not None
    (result,) = node.outputs
    axis, type_ = node.attributes["axis"] % len(x.shape), make.type(x)
    epsilon = number(node.attributes["epsilon"], x.dtype)
    with make.loop(x.shape[axis]) as c:
        root = f"sqrt{suffix(x.dtype)}({make.of(variance)}[{c}] + {epsilon})"
        times = f"{make.of(scale)}[{c}]" if scale is not None else number(1, x.dtype)
        plus = f"{make.of(offset)}[{c}]" if offset is not None else number(0, x.dtype)
        make.line(f"const {type_} factor = {times} / {root};")
        make.line(f"const {type_} shift = {plus} - {make.of(mean)}[{c}] * factor;")
        with make.loops([1 if a == axis else n for a, n in enumerate(x.shape)]) as indices:
            indices[axis] = c
            make.line(f"{make.at(result, indices)} = {make.at(x, indices)} * factor + shift;")


@form("layer_normalization", "rms_normalization")
def _layer(make: Body, node: Node) -> None:
    x, scale, *rest = node.inputs
    assert x is not None
    offset, (result,) = rest[0] if rest else None, node.outputs
    axes = {axis % len(x.shape) for axis in node.attributes["axes"]}
    type_, f = make.type(x), suffix(x.dtype)
    epsilon, is_centred = number(node.attributes["epsilon"], x.dtype), bool(rest)
    inside = [n if axis in axes else 1 for axis, n in enumerate(x.shape)]
    total = count([n for axis, n in enumerate(x.shape) if axis in axes])
    with make.loops([1 if axis in axes else n for axis, n in enumerate(x.shape)]) as outer:

        def places(inner: list[str]) -> list[str]:
            return [inner[a] if a in axes else outer[a] for a in range(len(outer))]

        make.line(f"{type_} {'mean = 0, ' if is_centred else ''}square = 0;")
        if is_centred:
            with make.loops(inside) as inner:
                make.line(f"mean += {make.at(x, places(inner))};")
            make.line(f"mean /= ({type_})({total});")
        less = " - mean" if is_centred else ""
        with make.loops(inside) as inner:
            make.line(f"const {type_} d = {make.at(x, places(inner))}{less};")
            make.line("square += d * d;")
        make.line(f"const {type_} factor = 1 / sqrt{f}(square / ({type_})({total}) + {epsilon});")
        with make.loops(inside) as inner:
            at = places(inner)
            times = f" * {make.spread(scale, at)}" if scale is not None else ""
            plus = f" + {make.spread(offset, at)}" if offset is not None else ""
            text = f"({make.at(x, at)}{less}) * factor{times}{plus}"
            make.line(f"{make.at(result, at)} = {text};")


@form("group_normalization")
def _group(make: Body, node: Node) -> None:
    x, scale, offset = node.inputs
    assert x is not None
    (result,) = node.outputs
    axis, groups = node.attributes["axis"] % len(x.shape), node.attributes["groups"]
    type_, each = make.type(x), int(str(x.shape[axis])) // groups
    epsilon = number(node.attributes["epsilon"], x.dtype)
    inside = [1 if a == 0 else each if a == axis else n for a, n in enumerate(x.shape)]
    total = count(inside)
    with make.loop(x.shape[0]) as sample, make.loop(groups) as group:

        def places(inner: list[str]) -> list[str]:
            at = list(inner)
            at[0], at[axis] = sample, f"({group} * {each} + {inner[axis]})"
            return at

        make.line(f"{type_} mean = 0, square = 0;")
        with make.loops(inside) as inner:
            make.line(f"mean += {make.at(x, places(inner))};")
        make.line(f"mean /= ({type_})({total});")
        with make.loops(inside) as inner:
            make.line(f"const {type_} d = {make.at(x, places(inner))} - mean;")
            make.line("square += d * d;")
        root = f"sqrt{suffix(x.dtype)}(square / ({type_})({total}) + {epsilon})"
        make.line(f"const {type_} factor = 1 / {root};")
        with make.loops(inside) as inner:
            at = places(inner)
            times = f" * {make.of(scale)}[{at[axis]}]" if scale is not None else ""
            plus = f" + {make.of(offset)}[{at[axis]}]" if offset is not None else ""
            make.line(f"{make.at(result, at)} = ({make.at(x, at)} - mean) * factor{times}{plus};")
