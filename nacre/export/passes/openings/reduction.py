"""Sums, extremes, running sums, orders."""

from __future__ import annotations

from typing import Any

from nacre.export.graph.ir import Builder, Value
from nacre.export.graph.sizes import product_of
from nacre.export.passes.openings._term import Maker, Term, opening


@opening
def reduce_mean(make: Maker, x: Term, *, axes: tuple[int, ...], keepdims: bool) -> Term:
    wide = x.wide()
    count = make.size(product_of(x.shape[axis] for axis in axes), wide.dtype)
    return wide.reduced("sum", axes, keepdims) / count


@opening
def logsumexp(x: Term, *, axes: tuple[int, ...], keepdims: bool) -> Term:
    top = x.reduced("max", axes)
    top = top.op("is_finite").where(top, 0.0)
    summed = (x - top).op("exp").reduced("sum", axes).op("log") + top
    if keepdims:
        return summed
    dropped = {axis % x.ndim for axis in axes}
    return summed.reshape(*(n for axis, n in enumerate(x.shape) if axis not in dropped))


@opening
def reduce_all(x: Term, *, axes: tuple[int, ...], keepdims: bool) -> Term:
    return x.cast("int32").reduced("min", axes, keepdims).cast("bool")


@opening
def reduce_any(x: Term, *, axes: tuple[int, ...], keepdims: bool) -> Term:
    return x.cast("int32").reduced("max", axes, keepdims).cast("bool")


@opening
def argmin(x: Term, *, axis: int, dtype: str) -> Term:
    # All bits turned is -x - 1: the order backwards, without overflow.
    backwards = -x if x.is_float else x.op("not")
    return backwards.op("argmax", axis=axis, dtype=dtype)


def _running(make: Maker, op: str, x: Term, axis: int, reverse: bool) -> Term:
    """Each element joined to what the ones before gave, along an axis: a scan."""
    axis = axis % x.ndim
    first = (axis, *(a for a in range(x.ndim) if a != axis))
    back = tuple(first.index(a) for a in range(x.ndim))
    rows = x.transpose(*first)
    body = Builder("running")
    total: Value = body.input("total", x.dtype, rows.shape[1:])
    part: Value = body.input("part", x.dtype, rows.shape[1:])
    new = _joined(body, op, total, part)
    graph = body.finish([("total", new), ("kept", new)])
    start = make.full(rows.shape[1:], _START[op](x.dtype), x.dtype)
    _, kept = make.add_all(
        "scan",
        [start, rows],
        {"body": graph},
        constants=0,
        carries=1,
        length=rows.shape[0],
        reverse=reverse,
    )
    return kept.transpose(*back)


def _joined(body: Builder, op: str, total: Value, part: Value) -> Value:
    if op != "logaddexp":
        return body.add(op, [total, part])
    top = body.add("max", [total, part])
    less = body.add("neg", [body.add("abs", [body.add("sub", [total, part])])])
    added = body.add("add", [top, body.add("log1p", [body.add("exp", [less])])])
    # Two infinities have no difference.
    return body.add("select", [body.add("is_finite", [less]), added, top])


def _limit(sign: int) -> Any:
    def limit(dtype: str) -> float | int:
        if "float" in dtype:
            return sign * float("inf")
        bits = int(dtype.lstrip("uint"))
        if dtype.startswith("u"):
            return 0 if sign < 0 else 2**bits - 1
        return -(2 ** (bits - 1)) if sign < 0 else 2 ** (bits - 1) - 1

    return limit


_START: dict[str, Any] = {
    "add": lambda _: 0,
    "mul": lambda _: 1,
    "max": _limit(-1),
    "min": _limit(1),
    "logaddexp": _limit(-1),
}


@opening
def cumsum(make: Maker, x: Term, *, axis: int, reverse: bool) -> Term:
    return _running(make, "add", x, axis, reverse)


@opening
def cumprod(make: Maker, x: Term, *, axis: int, reverse: bool) -> Term:
    return _running(make, "mul", x, axis, reverse)


@opening
def cummax(make: Maker, x: Term, *, axis: int, reverse: bool) -> Term:
    return _running(make, "max", x, axis, reverse)


@opening
def cummin(make: Maker, x: Term, *, axis: int, reverse: bool) -> Term:
    return _running(make, "min", x, axis, reverse)


@opening
def cumlogsumexp(make: Maker, x: Term, *, axis: int, reverse: bool) -> Term:
    return _running(make, "logaddexp", x, axis, reverse)


@opening
def sort(*xs: Term, axis: int, num_keys: int) -> tuple[Term, ...]:
    make, (key, *_) = xs[0].make, xs
    if num_keys > 1:
        # As equal ones keep their order, by the last key first and by the first one last.
        for at in reversed(range(num_keys)):
            turned = (*xs[at:], *xs[:at])
            found = make.add_all("sort", turned, axis=axis, num_keys=1)
            xs = (*found[len(xs) - at :], *found[: len(xs) - at])
        return xs
    if key.dtype == "bool":
        return make.add_all("sort", (key.cast("int32"), *xs), axis=axis, num_keys=1)[1:]
    return _by_counting(make, xs, axis)


@opening
def top_k(make: Maker, x: Term, *, k: int) -> tuple[Term, Term]:
    last = x.ndim - 1
    places = make.iota(x.shape, last)
    # Turned around, so that of equal ones the first is the last, and turned back.
    turned = [v.op("reverse", axes=(last,)) for v in (x, places)]
    in_order = make.add_all("sort", turned, axis=last, num_keys=1)
    values, found = (v.op("reverse", axes=(last,)).part(last, 0, k) for v in in_order)
    return values, found


@opening
def searchsorted(edges: Term, values: Term, *, side: str) -> Term:
    column = values.expanded(values.ndim)
    is_below = edges < column if side == "left" else edges <= column
    return is_below.cast("int32").reduced("sum", (values.ndim,), keepdims=False)


@opening
def segment_sum(make: Maker, data: Term, ids: Term, *, num_segments: int) -> Term:
    return _segments(make, "add", data, ids, num_segments)


@opening
def segment_prod(make: Maker, data: Term, ids: Term, *, num_segments: int) -> Term:
    return _segments(make, "mul", data, ids, num_segments)


@opening
def segment_max(make: Maker, data: Term, ids: Term, *, num_segments: int) -> Term:
    return _segments(make, "max", data, ids, num_segments)


@opening
def segment_min(make: Maker, data: Term, ids: Term, *, num_segments: int) -> Term:
    return _segments(make, "min", data, ids, num_segments)


def _segments(make: Maker, combine: str, data: Term, ids: Term, count: int) -> Term:
    start = make.full((count, *data.shape[ids.ndim :]), _START[combine](data.dtype), data.dtype)
    return start.op("scatter_nd", ids.expanded(ids.ndim), data, combine=combine, outside="drop")


def _by_counting(make: Maker, xs: tuple[Term, ...], axis: int) -> tuple[Term, ...]:
    """By how many come before each in the first one: as many comparisons as pairs, for
    formats without any order.
    Each place then takes the one element that has so many before it."""
    axis = axis % xs[0].ndim
    size, ndim = xs[0].shape[axis], xs[0].ndim
    places = make.iota((size,), 0)
    comes_before = places.along(ndim, ndim + 1) < places.along(ndim - 1, ndim + 1)
    last = lambda x: x.transpose(*(a for a in range(ndim) if a != axis), axis)
    for key in reversed(_comparable(xs[0])):
        row, column = last(key).expanded(ndim - 1), last(key).expanded(ndim)
        comes_before = (row < column).op("or", row.equals(column).op("and", comes_before))
    before = comes_before.cast("int32").reduced("sum", (ndim,), keepdims=False)
    is_there = before.expanded(ndim - 1).equals(places.along(ndim - 1, ndim + 1))
    found: list[Term] = []
    for x in xs:
        wide = x.cast("int32") if x.dtype == "bool" else x
        row = is_there.where(last(wide).expanded(ndim - 1), 0)
        picked = row.reduced("sum", (ndim,), keepdims=False)
        back = (*range(axis), ndim - 1, *range(axis, ndim - 1))
        found.append(picked.transpose(*back).cast(x.dtype))
    return tuple(found)


def _comparable(x: Term) -> list[Term]:
    """Keys that compare as a key is sorted: what is NaN comes last."""
    if not x.is_float:
        return [x]
    is_number = x.equals(x)
    return [is_number.op("not").cast("int32"), is_number.where(x, 0)]
