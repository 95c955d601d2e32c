"""Forms in TF.js: TensorFlow's, but for what its kernels do otherwise or lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from nacre.export.graph.ir import Node
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules import FORMS as TENSORFLOW
from nacre.export.targets.graphdef.rules._rule import Form, cast, dtype_of, transpose, value
from nacre.export.targets.support import Limit


def _as(op: str, form: Form, make: Body, node: Node, inputs: Sequence[str]) -> str | Sequence[str]:
    """A form that serves several ops, for one of them."""
    return form(make, replace(node, op=op), inputs)


_TEXTS = "text_"
FORMS: dict[str, Form] = {
    op: partial(_as, op, form) for op, form in TENSORFLOW.by_op.items() if not op.startswith(_TEXTS)
}
LIMITS: dict[str, Limit] = dict(TENSORFLOW.limits)
# Opened: TF.js has no kernel, or one that takes axes or edges otherwise.
for _op in ("segment_sum", "segment_prod", "segment_max", "segment_min", "one_hot"):
    del FORMS[_op]


def _no_extremes(node: Node) -> str | None:
    clips = node.attributes["combine"] in ("add", "set") and node.attributes["outside"] == "clip"
    return None if clips else "TF.js joins by sums only what is scattered."


def _scatter_nd(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """x and, scattered into zeros, what comes to it: TF.js's ScatterNd adds up what meets."""
    if node.attributes["combine"] == "set":
        found = TENSORFLOW.by_op["scatter_nd"](make, node, inputs)
        assert isinstance(found, str)
        return found
    x, indices, updates = inputs
    dtype = dtype_of(node)
    count = value(node, 1).shape[-1]
    assert isinstance(count, int)
    limits = [make.size(size) for size in value(node).shape[:count]]
    whole = make.add("Pack", limits, N=count, T=Kind("int32"), axis=0)
    most = make.add("Sub", [whole, make.ints(*[1] * count)], T=Kind("int32"))
    inside = make.add("Minimum", [indices, most], T=Kind("int32"))
    inside = make.add("Maximum", [inside, make.ints(*[0] * count)], T=Kind("int32"))
    sizes = make.sizes(value(node).shape)
    added = make.add("ScatterNd", [inside, updates, sizes], T=Kind(dtype), Tindices=Kind("int32"))
    return make.add("AddV2", [x, added], T=Kind(dtype))


# --- whole numbers --------------------------------------------------------------------------------


def _sizes_of(make: Body, inputs: Sequence[str], kind: Kind) -> list[str]:
    return [make.add("Abs", [x], T=kind) for x in inputs]


def _rem(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """TF.js has the rest of a division towards below: of the sizes, with the sign of x. Of integers
    by zero it is x."""
    dtype = dtype_of(node)
    kind, by = Kind(dtype), inputs[1]
    if dtype == "int32":
        is_zero, by = _not_zero(make, by, dtype)
    x, y = _sizes_of(make, [inputs[0], by], kind)
    rest = make.add("FloorMod", [x, y], T=kind)
    found = make.add("Mul", [make.add("Sign", [inputs[0]], T=kind), rest], T=kind)
    if dtype != "int32":
        return found
    return make.add("SelectV2", [is_zero, inputs[0], found], T=kind)


def _not_zero(make: Body, tensor: str, dtype: str) -> tuple[str, str]:
    """Where a divisor is zero, and it with ones there."""
    one, zero = make.like(1, dtype), make.like(0, dtype)
    kind = Kind(dtype)
    is_zero = make.add("Equal", [tensor, zero], T=kind, incompatible_shape_error=True)
    return is_zero, make.add("SelectV2", [is_zero, one, tensor], T=kind)


def _div(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """Of integers towards zero: the quotient of the sizes, with its sign; by zero -1."""
    dtype = dtype_of(node)
    kind = Kind(dtype)
    if dtype != "int32":
        return make.add("RealDiv", list(inputs), T=kind)
    is_zero, by = _not_zero(make, inputs[1], dtype)
    x, y = _sizes_of(make, [inputs[0], by], kind)
    signs = [make.add("Sign", [v], T=kind) for v in (inputs[0], by)]
    size = make.add("FloorDiv", [x, y], T=kind)
    quotient = make.add("Mul", [make.add("Mul", signs, T=kind), size], T=kind)
    return make.add("SelectV2", [is_zero, make.like(-1, dtype), quotient], T=kind)


# --- orders ---------------------------------------------------------------------------------------


def _key(make: Body, tensor: str, dtype: str, *, falling: bool) -> tuple[str, str]:
    """What TopKV2 puts into order, largest first, and its dtype. NaN are put beyond infinity, which
    counts as the largest float32."""
    if dtype == "bool":
        tensor, dtype = cast(make, tensor, "bool", "int32"), "int32"
    kind = Kind(dtype)
    if dtype == "int32":
        minus = make.like(-1, dtype)  # -1 - x turns the order without overflow
        return (tensor if falling else make.add("Sub", [minus, tensor], T=kind)), dtype
    is_nan = make.add("NotEqual", [tensor, tensor], T=kind, incompatible_shape_error=True)
    edge = make.like(np.inf if falling else -np.inf, dtype)
    tensor = make.add("Minimum", [tensor, make.like(float(np.finfo(dtype).max), dtype)], T=kind)
    tensor = tensor if falling else make.add("Neg", [tensor], T=kind)
    return make.add("SelectV2", [is_nan, edge, tensor], T=kind), dtype


def _order(make: Body, key: str, dtype: str, count: str) -> str:
    found = make.add_all(
        "TopKV2", [key, count], 2, T=Kind(dtype), Tindices=Kind("int32"), sorted=True
    )
    return found[1]


def _picked(make: Body, tensor: str, places: str, dtype: str, rank: int) -> str:
    """The elements at places of the last axis."""
    return make.add(
        "GatherV2",
        [tensor, places, make.constant(rank - 1, "int32")],
        Tparams=Kind(dtype),
        Tindices=Kind("int32"),
        Taxis=Kind("int32"),
        batch_dims=rank - 1,
    )


def _top_k(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    dtype, rank = dtype_of(node), len(value(node).shape)
    key, kind = _key(make, inputs[0], dtype, falling=True)
    # All are put into order, since of equal ones at the edge TopKV2 takes any.
    shape = value(node).shape
    places = _order(make, key, kind, make.size(shape[-1]))
    begin = make.ints(*[0] * rank)
    size = make.ints(*[-1] * (rank - 1), node.attributes["k"])
    places = make.add("Slice", [places, begin, size], T=Kind("int32"), Index=Kind("int32"))
    return [_picked(make, inputs[0], places, dtype, rank), places]


def _one_key(node: Node) -> str | None:
    return None if node.attributes["num_keys"] == 1 else "Sort by one key."


def _sort(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    """Of equal ones TopKV2 takes the first one first."""
    rank = len(value(node).shape)
    axis = node.attributes["axis"] % rank
    order = [a for a in range(rank) if a != axis] + [axis]
    back = [order.index(a) for a in range(rank)]
    dtypes = [dtype_of(node, i) for i in range(len(inputs))]
    turned = [transpose(make, x, order, d) for x, d in zip(inputs, dtypes)]
    key, kind = _key(make, turned[0], dtypes[0], falling=False)
    places = _order(make, key, kind, make.size(value(node).shape[axis]))
    found = [_picked(make, x, places, d, rank) for x, d in zip(turned, dtypes)]
    return [transpose(make, x, back, d) for x, d in zip(found, dtypes)]


def _extreme_place(make: Body, node: Node, inputs: Sequence[str]) -> str:
    """TF.js finds it among numbers, and gives it as int32."""
    dtype = dtype_of(node)
    tensor = cast(make, inputs[0], dtype, "int32") if dtype == "bool" else inputs[0]
    kind = Kind("int32" if dtype == "bool" else dtype)
    op = {"argmax": "ArgMax", "argmin": "ArgMin"}[node.op]
    axis = make.constant(node.attributes["axis"], "int32")
    found = make.add(op, [tensor, axis], T=kind, Tidx=Kind("int32"), output_type=Kind("int32"))
    return cast(make, found, "int32", node.attributes["dtype"])


FORMS |= {
    "scatter_nd": _scatter_nd,
    "rem": _rem,
    "div": _div,
    "top_k": _top_k,
    "sort": _sort,
    "argmax": _extreme_place,
    "argmin": _extreme_place,
}
LIMITS |= {"scatter_nd": _no_extremes, "sort": _one_key}

__all__ = ["FORMS", "LIMITS"]
