"""Sums, largest elements and their places; running sums; order."""

from __future__ import annotations

from nacre.export.graph.ir import Node
from nacre.export.targets.c.forms._form import (
    combined,
    form,
    given,
    highest,
    is_nan,
    lowest,
    without,
)
from nacre.export.targets.c.types import SIZE, count, is_float, number, part, suffix
from nacre.export.targets.c.unit import Body, flat

_HOW = {
    "reduce_sum": "sum", "reduce_mean": "sum", "reduce_prod": "prod", "reduce_max": "max",
    "reduce_min": "min", "reduce_all": "and", "reduce_any": "or",
}  # fmt: skip


def start_of(how: str, dtype: str) -> str:
    """What changes nothing."""
    if how in ("max", "min"):
        return lowest(dtype) if how == "max" else highest(dtype)
    return number({"sum": 0, "prod": 1, "and": 1, "or": 0}[how], dtype)


@form(*_HOW)
def _reduced(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    axes = {axis % len(x.shape) for axis in node.attributes["axes"]}
    how, type_ = _HOW[node.op], make.type(x)
    kept = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
    with make.loops(kept) as indices:
        make.line(f"{type_} all = {start_of(how, x.dtype)};")
        with make.loops([n if axis in axes else 1 for axis, n in enumerate(x.shape)]) as inner:
            places = [inner[a] if a in axes else indices[a] for a in range(len(x.shape))]
            one = make.at(x, places)
            make.line(f"all = ({type_})({combined(make, how, x.dtype, 'all', one)});")
        own = list(indices) if node.attributes["keepdims"] else without(indices, sorted(axes))
        if node.op == "reduce_mean":
            total = count([n for axis, n in enumerate(x.shape) if axis in axes])
            make.line(f"all /= ({type_})({total});")
        make.line(f"{make.at(result, own)} = all;")


@form("softmax", "log_softmax")
def _softmax(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    axes = {axis % len(x.shape) for axis in node.attributes["axes"]}
    type_, f = make.type(x), suffix(x.dtype)
    inner_shape = [n if axis in axes else 1 for axis, n in enumerate(x.shape)]

    def places(inner: list[str], outer: list[str]) -> list[str]:
        return [inner[a] if a in axes else outer[a] for a in range(len(x.shape))]

    with make.loops([1 if axis in axes else n for axis, n in enumerate(x.shape)]) as outer:
        make.line(f"{type_} top = {lowest(x.dtype)}, sum = 0;")
        with make.loops(inner_shape) as inner:
            one = make.at(x, places(inner, outer))
            make.line(f"top = {make.helper('max', x.dtype)}(top, {one});")
        with make.loops(inner_shape) as inner:
            at = places(inner, outer)
            if node.op == "softmax":
                make.line(f"sum += {make.at(result, at)} = exp{f}({make.at(x, at)} - top);")
            else:
                make.line(f"sum += exp{f}({make.at(result, at)} = {make.at(x, at)} - top);")
        if node.op == "log_softmax":
            make.line(f"sum = log{f}(sum);")
        with make.loops(inner_shape) as inner:
            sign = "/" if node.op == "softmax" else "-"
            make.line(f"{make.at(result, places(inner, outer))} {sign}= sum;")


@form("argmax", "argmin")
def _place(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    axis, sign = node.attributes["axis"] % len(x.shape), ">" if node.op == "argmax" else "<"
    with make.loops([1 if a == axis else n for a, n in enumerate(x.shape)]) as indices:
        make.line(f"{SIZE} best = 0;")
        with make.block(f"for ({SIZE} j = 1; j < {part(x.shape[axis])}; ++j)"):
            make.line(f"const {make.type(x)} one = {_at(make, x, indices, axis, 'j')};")
            make.line(f"const {make.type(x)} top = {_at(make, x, indices, axis, 'best')};")
            wins = f"one {sign} top"
            if is_float(x.dtype):  # the first NaN is the largest, and the smallest
                wins = f"{wins} || (one != one && top == top)"
            make.line(f"if ({wins}) best = j;")
        own = without(indices, [axis])
        make.line(f"{make.at(result, own)} = ({make.type(result)})best;")


def _at(make: Body, x: object, indices: list[str], axis: int, index: str) -> str:
    """The element at an index of an axis."""
    places = list(indices)
    places[axis] = index
    return make.at(x, places)  # type: ignore[arg-type]


@form("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def _running(make: Body, node: Node) -> None:
    x, (result,) = given(node, 0), node.outputs
    axis, how = node.attributes["axis"] % len(x.shape), node.op.removeprefix("cum")
    n = part(x.shape[axis])
    with make.loops([1 if a == axis else n for a, n in enumerate(x.shape)]) as indices:
        start = lowest(x.dtype) if how == "logsumexp" else start_of(how, x.dtype)
        make.line(f"{make.type(x)} all = {start};")
        with make.block(f"for ({SIZE} step = 0; step < {n}; ++step)"):
            at = f"{n} - 1 - step" if node.attributes["reverse"] else "step"
            make.line(f"const {SIZE} j = {at};")
            one = _at(make, x, indices, axis, "j")
            if how == "logsumexp":
                make.line(f"all = {make.helper('logaddexp', x.dtype)}(all, {one});")
            else:
                make.line(f"all = {combined(make, how, x.dtype, 'all', one)};")
            make.line(f"{_at(make, result, indices, axis, 'j')} = all;")


@form("sort")
def _sort(make: Body, node: Node) -> None:
    xs = [v for v in node.inputs if v is not None]
    first, keys = xs[0], xs[: node.attributes["num_keys"]]
    axis = node.attributes["axis"] % len(first.shape)
    n = part(first.shape[axis])
    order = make.scratch("int64", (first.shape[axis],))
    with make.loops([1 if a == axis else n for a, n in enumerate(first.shape)]) as indices:
        make.line(f"int64_t *const order = {order};")
        # By insertion: equal ones keep their order.
        with make.block(f"for ({SIZE} i = 0; i < {n}; ++i)"):
            make.line(f"{SIZE} j = i;")
            with make.block("for (; j > 0; --j)"):
                make.line(f"const {SIZE} other = ({SIZE})order[j - 1];")
                make.line("int before = 0;")
                for key in reversed(keys):
                    one = _at(make, key, indices, axis, "i")
                    than = _at(make, key, indices, axis, "other")
                    less = f"{one} < {than}"
                    same = f"{one} == {than}"
                    if is_float(key.dtype):  # NaN come last
                        nan, others = is_nan(key.dtype, one), is_nan(key.dtype, than)
                        less = f"({less} || (!{nan} && {others}))"
                        same = f"({same} || ({nan} && {others}))"
                    make.line(f"before = {less} || ({same} && before);")
                make.line("if (!before) break;")
                make.line("order[j] = order[j - 1];")
            make.line("order[j] = i;")
        with make.block(f"for ({SIZE} i = 0; i < {n}; ++i)"):
            make.line(f"const {SIZE} from = ({SIZE})order[i];")
            for x, result in zip(xs, node.outputs):
                to = _at(make, result, indices, axis, "i")
                make.line(f"{to} = {_at(make, x, indices, axis, 'from')};")


@form("top_k")
def _top_k(make: Body, node: Node) -> None:
    x, (values, places) = given(node, 0), node.outputs
    type_, n, k = make.type(x), part(x.shape[-1]), node.attributes["k"]
    with make.loops(x.shape[:-1]) as indices:
        row = f"{make.of(x)} + {flat([*x.shape[:-1], x.shape[-1]], [*indices, '0'])}"
        make.line(f"const {type_} *const row = {row};")
        make.line(f"{SIZE} last = -1;")
        with make.loop(k, "r") as r:
            make.line(f"{SIZE} best = -1;")
            with make.block(f"for ({SIZE} j = 0; j < {n}; ++j)"):
                after = f"(last < 0 || {_before('last', 'j', x.dtype)})"
                first = f"(best < 0 || {_before('j', 'best', x.dtype)})"
                make.line(f"if ({after} && {first}) best = j;")
            make.line("last = best;")
            make.line(f"{make.at(values, [*indices, r])} = row[best];")
            make.line(f"{make.at(places, [*indices, r])} = (int32_t)best;")


def _before(one: str, other: str, dtype: str) -> str:
    """Whether the element at a place comes before that at another, in falling order."""
    a, b = f"row[{one}]", f"row[{other}]"
    larger, same = f"{a} > {b}", f"{a} == {b}"
    if is_float(dtype):
        larger = f"({larger} || ({is_nan(dtype, a)} && !{is_nan(dtype, b)}))"
        same = f"({same} || ({is_nan(dtype, a)} && {is_nan(dtype, b)}))"
    return f"({larger} || ({same} && {one} < {other}))"


@form("searchsorted")
def _searchsorted(make: Body, node: Node) -> None:
    edges, values, (result,) = given(node, 0), given(node, 1), node.outputs
    sign = "<" if node.attributes["side"] == "left" else "<="
    with make.loop(count(values.shape)) as i:
        make.line(f"const {make.type(values)} one = {make.of(values)}[{i}];")
        make.line("int32_t count = 0;")
        below = f"{make.of(edges)}[j] {sign} one || {is_nan(values.dtype, 'one')}"
        with make.block(f"for ({SIZE} j = 0; j < {part(edges.shape[0])}; ++j)"):
            make.line(f"if ({below}) ++count;")
        make.line(f"{make.of(result)}[{i}] = count;")
