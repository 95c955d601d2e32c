"""Elements picked and put by index."""

from __future__ import annotations

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.c.forms._form import combined, form, given, highest, lowest
from nacre.export.targets.c.forms.reduction import start_of
from nacre.export.targets.c.types import SIZE, count, is_float, number, part
from nacre.export.targets.c.unit import Body


def filler(dtype: str) -> str:
    """What stands in the place of an element that is not there."""
    if is_float(dtype):
        return number(float("nan"), dtype)
    return "1" if dtype == "bool" else highest(dtype) if dtype[0] == "u" else lowest(dtype)


def index_at(value: Value, text: str) -> str:
    """An index as int64; those of 64 bits without a sign that are too large for it, the largest."""
    if value.dtype == "uint64":
        return f"({text} > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t){text})"
    return f"(int64_t){text}"


@form("gather")
def _gather(make: Body, node: Node) -> None:
    x, indices, (result,) = given(node, 0), given(node, 1), node.outputs
    axis, n = node.attributes["axis"] % len(x.shape), part(x.shape[node.attributes["axis"]])
    rank = len(indices.shape)
    with make.loops(indices.shape) as own:
        make.line(f"const int64_t index = {index_at(indices, make.at(indices, own))};")
        make.line(f"const {SIZE} from = clip_n(index, 0, {n} - 1);")
        others = [1 if a == axis else size for a, size in enumerate(x.shape)]
        with make.loops(others) as outer:
            to = [*outer[:axis], *own, *outer[axis + 1 :]]
            assert len(to) == len(x.shape) - 1 + rank
            picked = make.at(x, [*outer[:axis], "from", *outer[axis + 1 :]])
            if node.attributes["outside"] == "fill":
                picked = f"index != from ? {filler(x.dtype)} : {picked}"
            make.line(f"{make.at(result, to)} = {picked};")


def _places(make: Body, x: Value, indices: Value, own: list[str]) -> list[str]:
    """The place in x that an index names, moved inside; `inside` is whether it was."""
    names: list[str] = []
    make.line("int inside = 1;")
    for axis in range(int(str(indices.shape[-1]))):
        text = index_at(indices, make.at(indices, [*own, str(axis)]))
        make.line(f"const int64_t index{axis} = {text};")
        make.line(f"const {SIZE} p{axis} = clip_n(index{axis}, 0, {part(x.shape[axis])} - 1);")
        make.line(f"inside = inside && index{axis} == p{axis};")
        names.append(f"p{axis}")
    return names


@form("gather_nd")
def _gather_nd(make: Body, node: Node) -> None:
    x, indices, (result,) = given(node, 0), given(node, 1), node.outputs
    with make.loops(indices.shape[:-1]) as own:
        places = _places(make, x, indices, own)
        make.line("(void)inside;")
        with make.loops(x.shape[len(places) :]) as rest:
            picked = make.at(x, [*places, *rest])
            if node.attributes["outside"] == "fill":
                picked = f"inside ? {picked} : {filler(x.dtype)}"
            make.line(f"{make.at(result, [*own, *rest])} = {picked};")


@form("scatter_nd")
def _scatter_nd(make: Body, node: Node) -> None:
    x, indices, updates = given(node, 0), given(node, 1), given(node, 2)
    (result,), how = node.outputs, node.attributes["combine"]
    make.copy(make.of(result), make.of(x), x.dtype, x.shape)
    with make.loops(indices.shape[:-1]) as own:
        places = _places(make, x, indices, own)
        drops = node.attributes["outside"] == "drop"
        make.line("(void)inside;")
        with make.block("if (inside)" if drops else ""), make.loops(x.shape[len(places) :]) as rest:
            to, one = make.at(result, [*places, *rest]), make.at(updates, [*own, *rest])
            new = one if how == "set" else combined(make, how, x.dtype, to, one)
            make.line(f"{to} = {new};")


@form("segment_sum", "segment_prod", "segment_max", "segment_min")
def _segments(make: Body, node: Node) -> None:
    data, ids, (result,) = given(node, 0), given(node, 1), node.outputs
    how = node.op.removeprefix("segment_")
    with make.loop(count(result.shape)) as i:
        make.line(f"{make.of(result)}[{i}] = {start_of(how, data.dtype)};")
    with make.loops(ids.shape) as own:
        make.line(f"const int64_t id = {index_at(ids, make.at(ids, own))};")
        known = f"if (id >= 0 && id < {node.attributes['num_segments']})"
        with make.block(known), make.loops(data.shape[len(ids.shape) :]) as rest:
            to = make.at(result, [f"({SIZE})id", *rest])
            one = make.at(data, [*own, *rest])
            make.line(f"{to} = {combined(make, how, data.dtype, to, one)};")
