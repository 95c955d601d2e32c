"""Shapes, and what arrays are made and put together of."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core.tracing import is_tracer
from nacre.export.importers.tensorflow.registry import Node, op, stops
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Handle,
    TensorList,
    dtype,
    fits,
    integer,
    ints,
    is_known,
    known,
    numbers,
    shape,
)


@op("Const", known=True)
def _const(node: Node) -> Any:
    return node["value"]


@op("Placeholder", "PlaceholderV2")
def _placeholder(node: Node) -> Any:
    raise GraphError("it must be fed, and was not")


@op("PlaceholderWithDefault", "Identity", "Snapshot", "PreventGradient", "EnsureShape", known=True)
@op(
    "CheckNumerics",
    "CheckNumericsV2",
    "RefIdentity",
    "Copy",
    "CopyHost",
    "DebugIdentityV2",
    "GuaranteeConst",
    known=True,
)
def _identity(node: Node, x: Any, *more: Any) -> Any:
    if node.op == "EnsureShape" and not fits(node["shape"].sizes, x):
        raise GraphError(f"an array of shape {node['shape'].sizes} is needed")
    return x


@stops(
    "CheckNumerics", "CheckNumericsV2", at="a number that is NaN or infinite is found",
    gives_nan=True,
)  # fmt: skip
def _stops_numerics(node: Node, x: Any) -> Any:
    return ~numbers(x).all(numbers(x).isfinite(x))


@op("IdentityN", known=True)
def _identities(node: Node, *values: Any) -> Any:
    return values


@op("StopGradient", known=True)
def _stop_gradient(node: Node, x: Any) -> Any:
    return x if is_known(x) else lax.stop_gradient(x)


@op("NoOp", "ControlTrigger", "Print", "PrintV2", "TensorSummaryV2", "ScalarSummary", known=True)
@op("WriteScalarSummary", "WriteSummary", "WriteHistogramSummary", "WriteImageSummary", known=True)
def _nothing(node: Node, *inputs: Any) -> Any:
    return inputs[0] if node.op == "Print" else ()


@op("Assert", host=True)
def _assert(node: Node, holds: Any, *told: Any) -> Any:
    """Checked between the programs; within the program of something else nothing stops."""
    if not is_tracer(holds) and not np.asarray(holds).all():
        texts = [np.asarray(value).tolist() for value in told if not is_tracer(value)]
        parts = [t.decode("utf-8", "replace") if isinstance(t, bytes) else str(t) for t in texts]
        raise GraphError(" ".join(parts) or "a condition of the graph does not hold")
    return ()


# --- shapes ---------------------------------------------------------------------------------------


def _sizes(x: Any) -> tuple[int, ...]:
    if isinstance(x, TensorList):
        return (len(x),)
    if isinstance(x, Handle):
        raise GraphError("a handle has no shape")
    return tuple(np.shape(x))


@op("Shape", known=True)
def _shape(node: Node, x: Any) -> Any:
    return np.asarray(_sizes(x), dtype(node["out_type"]))


@op("ShapeN", known=True)
def _shapes(node: Node, *values: Any) -> Any:
    return tuple(np.asarray(_sizes(x), dtype(node["out_type"])) for x in values)


@op("Rank", known=True)
def _rank(node: Node, x: Any) -> Any:
    return np.asarray(len(_sizes(x)), np.int32)


@op("Size", known=True)
def _size(node: Node, x: Any) -> Any:
    return np.asarray(math.prod(_sizes(x)), dtype(node["out_type"]))


@op("Reshape", known=True)
def _reshape(node: Node, x: Any, sizes: Any) -> Any:
    return numbers(x).reshape(x, ints(sizes))


@op("ExpandDims", known=True)
def _expand_dims(node: Node, x: Any, axis: Any) -> Any:
    return numbers(x).expand_dims(x, integer(axis))


@op("Squeeze", known=True)
def _squeeze(node: Node, x: Any) -> Any:
    axes = tuple(int(axis) for axis in node.get("squeeze_dims", []) or [])
    return numbers(x).squeeze(x, axes or None)


@op("Transpose", "ConjugateTranspose", known=True)
def _transpose(node: Node, x: Any, axes: Any) -> Any:
    found = numbers(x).transpose(x, ints(axes))
    return found if node.op == "Transpose" else numbers(x).conj(found)


@op("InvertPermutation", known=True)
def _invert_permutation(node: Node, x: Any) -> Any:
    return numbers(x).argsort(x).astype(x.dtype)


@op("BroadcastTo", known=True)
def _broadcast_to(node: Node, x: Any, sizes: Any) -> Any:
    return numbers(x).broadcast_to(x, shape(sizes, x.dtype))


@op("BroadcastArgs", known=True)
def _broadcast_args(node: Node, first: Any, second: Any) -> Any:
    return np.asarray(np.broadcast_shapes(ints(first), ints(second)), first.dtype)


@op("BroadcastGradientArgs", known=True)
def _broadcast_gradient_args(node: Node, first: Any, second: Any) -> Any:
    """The axes that each of two shapes was widened along."""
    sizes = [ints(first), ints(second)]
    rank = max(map(len, sizes))
    wide = [(1,) * (rank - len(s)) + s for s in sizes]
    found = np.broadcast_shapes(*wide)
    axes = [
        [i for i in range(rank) if w[i] == 1 and (found[i] != 1 or rank - len(s) > i)]
        for w, s in zip(wide, sizes, strict=True)
    ]
    return tuple(np.asarray(each, first.dtype) for each in axes)


# --- made anew ------------------------------------------------------------------------------------


@op("Fill", known=True)
def _fill(node: Node, sizes: Any, value: Any) -> Any:
    if is_known(value):
        return np.broadcast_to(value, shape(sizes, value.dtype))
    return jnp.broadcast_to(value, shape(sizes, value.dtype))


@op("ZerosLike", known=True)
def _zeros_like(node: Node, x: Any) -> Any:
    if isinstance(x, TensorList):
        return TensorList(jax.tree.map(jnp.zeros_like, x.stacked), x.size, x.shape, x.dtype)
    if is_known(x) and x.dtype == object:
        return np.full(x.shape, b"", object)  # the zero of strings
    return numbers(x).zeros_like(x)


@op("OnesLike", known=True)
def _ones_like(node: Node, x: Any) -> Any:
    return numbers(x).ones_like(x)


@op("Empty")
def _empty(node: Node, sizes: Any) -> Any:
    kind = jax.dtypes.canonicalize_dtype(dtype(node["dtype"]))
    return jnp.zeros(shape(sizes, kind), kind)


@op("Range", known=True)
def _range(node: Node, start: Any, limit: Any, step: Any) -> Any:
    first, end, by = known(start).item(), known(limit).item(), known(step).item()
    if by == 0:
        raise GraphError("a range in steps of 0")
    count = max(0, math.ceil((end - first) / by))
    shape(np.asarray([count]), start.dtype)
    if start.dtype.kind in "iu":
        return np.arange(first, end, by, dtype=start.dtype)
    return (first + np.arange(count) * by).astype(start.dtype)


@op("LinSpace")
def _linspace(node: Node, start: Any, stop: Any, count: Any) -> Any:
    (size,) = shape(np.asarray([integer(count)]), start.dtype)
    return jnp.linspace(start, stop, size, dtype=start.dtype)


@op("OneHot")
def _one_hot(node: Node, indices: Any, depth: Any, on: Any, off: Any) -> Any:
    size, axis = integer(depth), int(node.get("axis", -1))
    indices = jnp.asarray(indices)
    shape(np.asarray([*indices.shape, size]), on.dtype)
    axis = indices.ndim if axis == -1 else axis
    places = jnp.arange(size, dtype=indices.dtype).reshape((-1,) + (1,) * (indices.ndim - axis))
    return jnp.where(jnp.expand_dims(indices, axis) == places, on, off)


# --- put together and taken apart -----------------------------------------------------------------


@op("Pack", known=True)
def _pack(node: Node, *values: Any) -> Any:
    return numbers(*values).stack(values, axis=int(node.get("axis", 0)))


@op("Unpack", known=True)
def _unpack(node: Node, x: Any) -> Any:
    axis = int(node.get("axis", 0))
    if x.shape[axis] != node["num"]:
        raise GraphError(f"{node['num']} parts are asked for")
    moved = numbers(x).moveaxis(x, axis, 0)
    return tuple(moved[i] for i in range(node["num"]))


@op("ConcatV2", known=True)
def _concat(node: Node, *values: Any) -> Any:
    *parts, axis = values
    return numbers(*parts).concatenate(parts, axis=integer(axis))


@op("Concat", known=True)
def _old_concat(node: Node, axis: Any, *parts: Any) -> Any:
    return numbers(*parts).concatenate(parts, axis=integer(axis))


@op("ConcatOffset", known=True)
def _concat_offset(node: Node, axis: Any, *shapes: Any) -> Any:
    at, start, found = integer(axis), 0, []
    for sizes in shapes:
        offset = np.zeros_like(known(sizes))
        offset[at] = start
        start += int(sizes[at])
        found.append(offset)
    return tuple(found)


@op("Split", known=True)
def _split(node: Node, axis: Any, x: Any) -> Any:
    return tuple(numbers(x).split(x, node["num_split"], axis=integer(axis)))


@op("SplitV", known=True)
def _split_sizes(node: Node, x: Any, sizes: Any, axis: Any) -> Any:
    at, parts = integer(axis), list(ints(sizes))
    if -1 in parts:
        parts[parts.index(-1)] = x.shape[at] - sum(size for size in parts if size != -1)
    if sum(parts) != x.shape[at] or min(parts, default=0) < 0:
        raise GraphError(f"parts of {parts} are asked for")
    return tuple(numbers(x).split(x, np.cumsum(parts)[:-1].tolist(), axis=at))


@op("Tile", known=True)
def _tile(node: Node, x: Any, times: Any) -> Any:
    many = ints(times)
    shape(np.multiply(x.shape, many), x.dtype if x.dtype != object else np.int64)
    return numbers(x).tile(x, many)


@op("Pad", "PadV2", known=True)
def _pad(node: Node, x: Any, pads: Any, value: Any = 0) -> Any:
    if not x.ndim:
        return x
    wide = known(pads).tolist()
    shape(np.asarray([n + sum(p) for n, p in zip(x.shape, wide, strict=True)]), x.dtype)
    return numbers(x, value).pad(x, wide, constant_values=value)


@op("MirrorPad", known=True)
def _mirror_pad(node: Node, x: Any, pads: Any) -> Any:
    mode = "reflect" if node.text("mode") == "REFLECT" else "symmetric"
    return numbers(x).pad(x, known(pads).tolist(), mode=mode)


@op("ReverseV2", known=True)
def _reverse(node: Node, x: Any, axes: Any) -> Any:
    return numbers(x).flip(x, ints(axes)) if np.size(axes) else x


@op("ReverseSequence")
def _reverse_sequence(node: Node, x: Any, lengths: Any) -> Any:
    along, batch = node["seq_dim"], node.get("batch_dim", 0)
    x = jnp.moveaxis(jnp.asarray(x), (batch, along), (0, 1))
    at = jnp.arange(x.shape[1])[None]
    ends = jnp.asarray(lengths)[:, None]
    from_ = jnp.where(at < ends, ends - 1 - at, at).reshape(x.shape[:2] + (1,) * (x.ndim - 2))
    return jnp.moveaxis(jnp.take_along_axis(x, from_, axis=1), (0, 1), (batch, along))


@op("Roll", known=True)
def _roll(node: Node, x: Any, shift: Any, axis: Any) -> Any:
    return numbers(x).roll(x, ints(shift), ints(axis))


@op("Select", "SelectV2", known=True)
def _select(node: Node, condition: Any, x: Any, y: Any) -> Any:
    if node.op == "Select" and condition.ndim == 1 and x.ndim > 1:
        condition = condition.reshape((-1,) + (1,) * (x.ndim - 1))
    return numbers(condition, x, y).where(condition, x, y)


@op("SpaceToDepth", "DepthToSpace")
def _depth_and_space(node: Node, x: Any) -> Any:
    size, layout = node["block_size"], node.text("data_format")
    x = jnp.asarray(x)
    if layout == "NCHW":
        x = jnp.moveaxis(x, 1, -1)
    elif layout != "NHWC":
        raise GraphError(f"the layout {layout}")
    n, h, w, c = x.shape
    if node.op == "SpaceToDepth":
        x = x.reshape(n, h // size, size, w // size, size, c).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(n, h // size, w // size, size * size * c)
    else:
        x = x.reshape(n, h, w, size, size, c // size**2).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(n, h * size, w * size, c // size**2)
    return jnp.moveaxis(x, -1, 1) if layout == "NCHW" else x


@op("SpaceToBatchND", "SpaceToBatch")
def _space_to_batch(node: Node, x: Any, block: Any, pads: Any = None) -> Any:
    if node.op == "SpaceToBatch":
        block, pads = np.full(2, node["block_size"]), block
    sizes, x = ints(block), jnp.asarray(x)
    rest = x.shape[1 + len(sizes) :]
    x = jnp.pad(x, [(0, 0), *known(pads).tolist(), *[(0, 0)] * len(rest)])
    split = [n for size, b in zip(x.shape[1:], sizes, strict=False) for n in (size // b, b)]
    k = len(sizes)
    x = x.reshape(x.shape[0], *split, *rest)
    order = [*range(2, 2 * k + 1, 2), 0, *range(1, 2 * k, 2), *range(2 * k + 1, x.ndim)]
    x = x.transpose(order)
    return x.reshape(-1, *x.shape[k + 1 :])


@op("BatchToSpaceND", "BatchToSpace")
def _batch_to_space(node: Node, x: Any, block: Any, crops: Any = None) -> Any:
    if node.op == "BatchToSpace":
        block, crops = np.full(2, node["block_size"]), block
    sizes, x = ints(block), jnp.asarray(x)
    k, rest = len(sizes), x.shape[1 + len(ints(block)) :]
    batch = x.shape[0] // math.prod(sizes)
    space = x.shape[1 : 1 + k]
    x = x.reshape(*sizes, batch, *space, *rest)
    order = [k, *(a for i in range(k) for a in (k + 1 + i, i)), *range(2 * k + 1, x.ndim)]
    x = x.transpose(order).reshape(
        batch, *(n * b for n, b in zip(space, sizes, strict=True)), *rest
    )
    cuts = [slice(a, n - b) for (a, b), n in zip(known(crops).tolist(), x.shape[1:], strict=False)]
    return x[(slice(None), *cuts)]


@op("Where", host=True)
def _where(node: Node, x: Any) -> Any:
    return np.argwhere(np.asarray(x)).astype(np.int64)
