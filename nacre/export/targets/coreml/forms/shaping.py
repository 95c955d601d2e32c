"""Shapes changed, parts taken, arrays made."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.graph.sizes import SizeExpr
from nacre.export.targets.coreml.maker import Maker, Var
from nacre.export.targets.coreml.support import FLOATS, FORMS, NUMBERS, takes


def _value(node: Node, index: int = 0) -> Value:
    value = node.inputs[index]
    assert value is not None
    return value


@FORMS.form("constant")
def _constant(make: Maker, node: Node) -> Any:
    return node.attributes["value"]


def _is_int32(node: Node) -> str | None:
    return None if node.attributes["dtype"] == "int32" else "Its sizes are of int32: cast them."


@FORMS.form("size")
def _size(make: Maker, node: Node) -> Var:
    size = make.size(node.attributes["size"])
    if isinstance(size, int):
        return np.asarray(size, node.attributes["dtype"])
    dtype = node.attributes["dtype"]
    return size if dtype == "int32" else make.cast(size, dtype)


def _is_line(node: Node) -> str | None:
    is_line = len(node.attributes["shape"]) == 1 and node.attributes["dtype"] == "int32"
    return None if is_line else "It counts along one axis, in int32."


@FORMS.form("iota", limit=_is_line)
def _iota(make: Maker, node: Node) -> Any:
    size = make.size(node.attributes["shape"][0])
    if isinstance(size, int):
        return np.arange(size, dtype="int32")
    return make.add("range_1d", start=np.int32(0), end=size, step=np.int32(1))


@FORMS.form("reshape")
def _reshape(make: Maker, node: Node) -> Any:
    known = make.known(node.inputs[0])
    shape = node.attributes["shape"]
    if known is not None and not any(isinstance(n, SizeExpr) for n in shape):
        return known.reshape(shape)
    if not _value(node).shape:
        x = make.add("expand_dims", x=make.input(node), axes=[0])
        return x if len(shape) == 1 else make.reshape(x, shape)
    return make.reshape(make.input(node), shape)


@FORMS.form("broadcast_to")
def _broadcast_to(make: Maker, node: Node) -> Any:
    x, shape = make.input(node), node.attributes["shape"]
    value = _value(node)
    known = make.known(value)
    if known is not None and not any(isinstance(n, SizeExpr) for n in shape):
        return np.ascontiguousarray(np.broadcast_to(known, shape))
    inner = (*[1] * (len(shape) - len(value.shape)), *value.shape)
    if inner != value.shape:
        x = (
            make.add("expand_dims", x=x, axes=list(range(len(shape) - len(value.shape))))
            if value.shape
            else make.reshape(make.add("expand_dims", x=x, axes=[0]), inner)
        )
    times = [n if old == 1 else 1 for n, old in zip(shape, inner)]
    if value.dtype == "bool":
        whole = make.add("tile", x=make.cast(x, "int32"), reps=make.vector(times))
        return make.cast(whole, "bool")
    return make.add("tile", x=x, reps=make.vector(times))


@FORMS.form("transpose")
def _transpose(make: Maker, node: Node) -> Any:
    order = list(node.attributes["permutation"])
    known = make.known(node.inputs[0])
    if known is not None:
        return np.ascontiguousarray(known.transpose(order))
    return make.add("transpose", x=make.input(node), perm=order)


@FORMS.form("concat")
def _concat(make: Maker, node: Node) -> Var:
    axis = node.attributes["axis"] % len(_value(node).shape)
    values = [make.input(node, i) for i in range(len(node.inputs))]
    if _value(node).dtype == "bool":
        values = [make.cast(x, "int32") for x in values]
        return make.cast(make.add("concat", values=values, axis=axis), "bool")
    return values[0] if len(values) == 1 else make.add("concat", values=values, axis=axis)


@FORMS.form("slice")
def _slice(make: Maker, node: Node) -> Any:
    a = node.attributes
    known = make.known(node.inputs[0])
    sizes = (*a["starts"], *a["stops"])
    if known is not None and not any(isinstance(n, SizeExpr) for n in sizes):
        return known[tuple(map(slice, a["starts"], a["stops"], a["strides"]))]
    shape = _value(node).shape
    to_end = [stop == size for stop, size in zip(a["stops"], shape)]
    # What is cut at its end needs no size of it.
    stops = [0 if end else stop for stop, end in zip(a["stops"], to_end)]
    return make.add(
        "slice_by_index",
        x=make.input(node),
        begin=make.vector(a["starts"]),
        end=make.vector(stops),
        stride=np.array(a["strides"], "int32"),
        begin_mask=[start == 0 for start in a["starts"]],
        end_mask=to_end,
    )


def _known_sizes(node: Node) -> str | None:
    is_known = all(isinstance(n, int) for n in node.attributes["sizes"])
    return None if is_known else "Sizes of parts must be known."


@FORMS.form("split", limit=_known_sizes)
def _split(make: Maker, node: Node) -> Any:
    sizes, axis = node.attributes["sizes"], node.attributes["axis"]
    if len(sizes) == 1:
        return (make.input(node),)
    found = make.add("split", x=make.input(node), split_sizes=list(sizes), axis=axis)
    return tuple(found)


def _pad_limit(node: Node) -> str | None:
    if any(node.attributes["interior"]):
        return "It puts nothing between elements."
    return takes(*NUMBERS, "bool")(node)


@FORMS.form("pad", limit=_pad_limit)
def _pad(make: Maker, node: Node) -> Var:
    low, high = node.attributes["low"], node.attributes["high"]
    x, value, dtype = make.input(node), make.known(node.inputs[1]), _value(node).dtype
    pairs = [n for pair in zip(low, high) for n in pair]
    if value is not None and dtype in FLOATS and len(low) <= 5:
        number = np.asarray(value, dtype)[()]
        return make.add("pad", x=x, pad=make.vector(pairs), mode="constant", constant_val=number)
    # Blocks of the value before and behind: MIL pads floats, with a number that is known.
    for axis, (before, behind) in enumerate(zip(low, high)):
        parts = [
            _filled(make, node, axis, n) if not (isinstance(n, int) and n == 0) else None
            for n in (before, behind)
        ]
        if parts != [None, None]:
            values = [part for part in (parts[0], x, parts[1]) if part is not None]
            if dtype == "bool":
                values = [make.cast(part, "int32") for part in values]
            x = make.add("concat", values=values, axis=axis)
            x = make.cast(x, "bool") if dtype == "bool" else x
    return x


def _filled(make: Maker, node: Node, axis: int, size: Any) -> Var:
    """The value, of the shape of what was padded so far, with a size along an axis."""
    value = _value(node)
    a = node.attributes
    shape: list[Any] = [
        n + low + high if at < axis else n
        for at, (n, low, high) in enumerate(zip(value.shape, a["low"], a["high"]))
    ]
    shape[axis] = size
    number = (
        make.cast(make.input(node, 1), "int32") if value.dtype == "bool" else make.input(node, 1)
    )
    one = make.reshape(make.add("expand_dims", x=number, axes=[0]), [1] * len(shape))
    return make.add("tile", x=one, reps=make.vector(shape))


@FORMS.form("reverse", limit=takes(*NUMBERS))
def _reverse(make: Maker, node: Node) -> Any:
    axes = [axis % len(_value(node).shape) for axis in node.attributes["axes"]]
    known = make.known(node.inputs[0])
    if known is not None:
        return np.ascontiguousarray(np.flip(known, tuple(axes)))
    return make.add("reverse", x=make.input(node), axes=axes)


def _clips(node: Node) -> str | None:
    if node.attributes["outside"] not in ("clip",):
        return "Indices must be inside."
    kind = node.inputs[1]
    if kind is not None and kind.dtype != "int32":
        return "Indices must be int32."
    return None


def _inside(make: Maker, indices: Var, size: Any) -> Var:
    last = size - 1 if isinstance(size, int) else make.add("sub", x=size, y=np.int32(1))
    last = np.int32(last) if isinstance(last, int) else last
    kept = make.add("maximum", x=indices, y=np.int32(0))
    return make.add("minimum", x=kept, y=last)


@FORMS.form("gather", limit=_clips)
def _gather(make: Maker, node: Node) -> Var:
    x, indices, axis = make.input(node), _value(node, 1), node.attributes["axis"]
    dtype = _value(node).dtype
    places = make.input(node, 1)
    known = make.known(indices)
    size = _value(node).shape[axis]
    is_inside = known is not None and isinstance(size, int)
    if not (is_inside and known.min(initial=0) >= 0 and known.max(initial=0) < size):  # type: ignore
        places = _inside(make, places, make.size(size))
    is_one = not indices.shape
    if is_one:
        places = make.add("expand_dims", x=places, axes=[0])
    x = make.cast(x, "int32") if dtype == "bool" else x
    found = make.add("gather", x=x, indices=places, axis=axis)
    found = make.add("squeeze", x=found, axes=[axis]) if is_one else found
    return make.cast(found, "bool") if dtype == "bool" else found


def _places(make: Maker, node: Node) -> Var:
    """Indices of several axes, each moved inside."""
    x, indices = _value(node), _value(node, 1)
    count = indices.shape[-1]
    assert isinstance(count, int)
    last = [size - 1 for size in x.shape[:count]]
    kept = make.add("maximum", x=make.input(node, 1), y=np.int32(0))
    return make.add("minimum", x=kept, y=make.vector(last))


def _has_count(node: Node) -> str | None:
    count = _value(node, 1).shape[-1]
    return _clips(node) if isinstance(count, int) and count else "Indices must be of one axis on."


@FORMS.form("gather_nd", limit=_has_count)
def _gather_nd(make: Maker, node: Node) -> Var:
    dtype, x = _value(node).dtype, make.input(node)
    x = make.cast(x, "int32") if dtype == "bool" else x
    found = make.add("gather_nd", x=x, indices=_places(make, node))
    return make.cast(found, "bool") if dtype == "bool" else found


_MODES = {"set": "update", "add": "add", "mul": "mul", "max": "max", "min": "min"}


@FORMS.form("scatter_nd", limit=_has_count)
def _scatter_nd(make: Maker, node: Node) -> Var:
    mode = _MODES[node.attributes["combine"]]
    dtype = _value(node).dtype
    data, updates = make.input(node), make.input(node, 2)
    if dtype == "bool":
        data, updates = make.cast(data, "int32"), make.cast(updates, "int32")
    found = make.add(
        "scatter_nd", data=data, indices=_places(make, node), updates=updates, mode=mode
    )
    return make.cast(found, "bool") if dtype == "bool" else found


def _draws_float32(node: Node) -> str | None:
    return None if node.attributes["dtype"] == "float32" else "It draws float32: cast them."


@FORMS.form("random_normal", limit=_draws_float32)
def _random_normal(make: Maker, node: Node) -> Var:
    shape = make.vector(node.attributes["shape"])
    return make.add("random_normal", shape=shape, mean=np.float32(0), stddev=np.float32(1))


@FORMS.form("random_uniform", limit=_draws_float32)
def _random_uniform(make: Maker, node: Node) -> Var:
    """From 0 to 1, then moved: MIL's limits are numbers that are known."""
    shape = make.vector(node.attributes["shape"])
    drawn = make.add("random_uniform", shape=shape, low=np.float32(0), high=np.float32(1))
    low, high = make.input(node), make.input(node, 1)
    return make.add("add", x=make.add("mul", x=drawn, y=make.add("sub", x=high, y=low)), y=low)
