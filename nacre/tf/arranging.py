"""Tensors in another shape or order, put together, taken apart and picked from."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.strings import HostString
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer
from nacre.data.dataset.elements import sealed
from nacre.tf.arguments import ints, listed, t
from nacre.tf.dtypes import as_dtype
from nacre.tf.nodes import node
from nacre.tf.shapes import TensorShape
from nacre.tf.sizes import Sizes, are_known, plain, sizes_of
from nacre.tf.values import are_wide, landed, same, tensor


def shape(x: Any, out_type: Any = "int32") -> Any:
    """The sizes as a tensor, known numbers also while a program is traced."""
    x = x if isinstance(x, HostString) else tensor(x)
    if isinstance(x, KerasTensor) and None in tuple(x.shape):
        raise ArgumentError(
            message(
                "tf.shape",
                "the sizes of a symbolic tensor must be known where a model is described",
                f"{tuple(x.shape)}",
                "Put the computation into the call() of a layer, or take x.shape where the size "
                "is given.",
            )
        )
    if not are_known(tuple(x.shape)):
        return Sizes(x.shape)
    return sealed(np.asarray(tuple(x.shape), as_dtype(out_type or "int32")._dtype))


def size(x: Any, out_type: Any) -> Any:
    """The number of elements."""
    return sealed(np.asarray(tensor(x).size, as_dtype(out_type or "int32")._dtype))


def reshape(x: Any, sizes: Any) -> Any:
    """The same numbers in another shape."""
    wanted = sizes_of(sizes)
    if isinstance(x, np.ndarray):
        return node("Reshape")(x, np.asarray(wanted))
    return ops.reshape(x, wanted)


def ensured(x: Any, wanted: Any) -> Any:
    """The tensor, if it has the shape."""
    TensorShape(x.shape).assert_is_compatible_with(wanted)
    return x


def broadcast(x: Any, sizes: Any) -> Any:
    """The tensor repeated along axes of size 1."""
    wanted = sizes_of(sizes)
    if isinstance(x, np.ndarray) and are_known(wanted):
        return node("BroadcastTo")(x, np.asarray(wanted))
    return ops.broadcast_to(x, wanted)


def transpose(x: Any, perm: Any, conjugate: bool = False, last_two: bool = False) -> Any:
    """Axes in another order, by default backwards; of matrices the last two."""
    order = [*range(x.ndim)][::-1] if perm is None else listed(perm)
    if last_two:
        order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
    if isinstance(x, KerasTensor):
        return ops.transpose(x, order)
    name = "ConjugateTranspose" if conjugate else "Transpose"
    return node(name)(x, np.asarray(order, np.int32))


def stacked(values: Any, axis: Any) -> Any:
    """Tensors side by side along a new axis."""
    return node("Pack")(*same(*list(values)), axis=plain(axis))


def unstacked(x: Any, num: Any, axis: int) -> list[Any]:
    """The parts along an axis."""
    return list(node("Unpack")(x, num=x.shape[axis] if num is None else num, axis=axis))


def joined(values: Any, axis: Any) -> Any:
    """Tensors one after another along an axis."""
    if hasattr(values, "dtype"):  # a tensor alone
        return tensor(values)
    return node("ConcatV2")(*same(*values), ints(axis))


def joined_sizes(prefix: Any, suffix: Any, static: bool = False) -> Any:
    """The sizes of two parts of a shape one after another, as cells make shapes of states.

    Args:
        prefix, suffix: A size, a shape, or a tensor of one or several sizes.
        static: Whether a `TensorShape` is wanted, in which sizes may be open; else a tensor.
    """
    parts = [
        part if hasattr(part, "dtype") else TensorShape(_as_list(part)) for part in (prefix, suffix)
    ]
    if static:
        known = [
            p if isinstance(p, TensorShape) else TensorShape(_as_list(plain(p))) for p in parts
        ]
        return known[0].concatenate(known[1])
    rows = [
        reshape(tensor(list(p), "int32") if isinstance(p, TensorShape) else p, [-1]) for p in parts
    ]
    return joined(rows, 0)


def _as_list(sizes: Any) -> list[Any]:
    return list(sizes) if isinstance(sizes, list | tuple) else [sizes]


def split(x: Any, parts: Any, axis: Any) -> list[Any]:
    """Equal parts, or parts of told sizes."""
    found = plain(parts)
    if isinstance(found, tuple):
        return list(node("SplitV")(x, np.asarray(found), ints(axis)))
    return list(node("Split")(ints(axis), x, num_split=found))


def pad(x: Any, paddings: Any, mode: str, value: Any) -> Any:
    """The tensor with something around it."""
    if mode.upper() in ("REFLECT", "SYMMETRIC"):
        return node("MirrorPad")(x, ints(paddings), mode=mode.upper())
    if mode.upper() != "CONSTANT":
        rule = "mode must be 'CONSTANT', 'REFLECT' or 'SYMMETRIC'"
        raise ArgumentError(message("tf.pad", rule, repr(mode)))
    return node("PadV2")(x, ints(paddings), t(value, x))


def repeat(x: Any, repeats: Any, axis: Any) -> Any:
    """Each part so many times."""
    times = plain(repeats)
    times = np.asarray(times) if isinstance(times, tuple) else times
    if isinstance(x, np.ndarray):
        return landed(np.repeat(x, times, axis))
    return ops.repeat(x, times, axis)


def gather_nd(x: Any, indices: Any, batch_dims: int) -> Any:
    """Parts at places of several axes."""
    pick = node("GatherNd")
    for _ in range(batch_dims):
        pick = jax.vmap(pick)
    return pick(x, indices)


def boolean_mask(x: Any, mask: Any, axis: Any) -> Any:
    """The parts where a mask of known values is true."""
    at = plain(axis) if axis is not None else 0
    if is_tracer(mask):
        where(mask, None, None)  # which tells that values are needed
    sizes = tuple(x.shape[at : at + mask.ndim])
    if not mask.ndim or len(sizes) < mask.ndim or any(map(_differ, sizes, mask.shape)):
        rule = f"the mask must have the shape of these axes of the tensor, {sizes}"
        raise ShapeError(message("tf.boolean_mask", rule, f"shape {tuple(mask.shape)}"))
    flat = np.flatnonzero(np.asarray(mask))
    merged = (*x.shape[:at], -1, *x.shape[at + mask.ndim :])
    return node("GatherV2")(reshape(x, merged), flat.astype(np.int32), np.int32(at))


def _differ(one: Any, other: Any) -> bool:
    return isinstance(one, int) and isinstance(other, int) and one != other


def where(condition: Any, x: Any, y: Any) -> Any:
    """The places that are true; or numbers of one tensor where it is, else of the other."""
    if x is None and y is None:
        return node("Where")(condition)
    if x is None or y is None:
        raise ArgumentError(message("tf.where", "x and y go together", "one of them"))
    return node("SelectV2")(condition, *same(x, y))


class Unique(NamedTuple):
    """Values in the order in which they first stand there, and which of them each number is."""

    y: Any
    idx: Any


class UniqueWithCounts(NamedTuple):
    """The same, and how often each is there."""

    y: Any
    idx: Any
    count: Any


def uniques(name: str, x: Any, out_idx: Any) -> Any:
    """The values that are there."""
    found = node(name)(x, out_idx=as_dtype(out_idx))
    return (Unique if len(found) == 2 else UniqueWithCounts)(*found)


def sorted_places(x: Any, axis: int, direction: str) -> Any:
    """Which number comes first, which second."""
    if are_wide(x):
        host = np.asarray(x)
        host = np.flip(host, axis) if direction == "DESCENDING" else host
        places = np.argsort(host, axis, kind="stable").astype(np.int32)
        if direction == "DESCENDING":
            return landed(np.flip(x.shape[axis] - 1 - places, axis))
        _check_direction(direction)
        return landed(places)
    if direction == "DESCENDING":
        places = ops.argsort(ops.flip(x, axis), axis)
        return ops.flip(x.shape[axis] - 1 - places, axis)
    _check_direction(direction)
    return ops.argsort(x, axis)


def in_order(x: Any, axis: int, direction: str) -> Any:
    """The numbers in order."""
    _check_direction(direction)
    if are_wide(x):
        found = np.sort(np.asarray(x), axis)
        return landed(np.flip(found, axis) if direction == "DESCENDING" else found)
    found = ops.sort(x, axis)
    return ops.flip(found, axis) if direction == "DESCENDING" else found


def _check_direction(direction: str) -> None:
    if direction not in ("ASCENDING", "DESCENDING"):
        rule = "direction must be 'ASCENDING' or 'DESCENDING'"
        raise ArgumentError(message("tf.sort", rule, repr(direction)))


class TopK(NamedTuple):
    """The largest numbers of each row, and where they stand."""

    values: Any
    indices: Any


def top_k(x: Any, k: Any, sorted: bool, index_type: Any) -> TopK:
    """The largest numbers of the last axis."""
    return TopK(*node("TopKV2")(x, ints(k), sorted=sorted, index_type=as_dtype(index_type)))


def searchsorted(ordered: Any, values: Any, side: str, out_type: Any) -> Any:
    """Where numbers belong among ordered ones."""
    name = {"left": "LowerBound", "right": "UpperBound"}.get(side)
    if name is None:
        raise ArgumentError(
            message("tf.searchsorted", "side must be 'left' or 'right'", repr(side))
        )
    flat = [reshape(x, (-1, x.shape[-1])) for x in same(ordered, values)]
    return reshape(node(name)(*flat, out_type=as_dtype(out_type)), values.shape)


def arg(name: str, x: Any, axis: Any, output_type: Any) -> Any:
    """Where the largest or smallest number stands."""
    at = 0 if axis is None else plain(axis)
    if isinstance(x, np.ndarray):
        found = (np.argmax if name == "ArgMax" else np.argmin)(x.view(np.ndarray), axis=at)
        return sealed(np.asarray(found, as_dtype(output_type)._dtype))
    return node(name)(x, np.int32(at), output_type=as_dtype(output_type))
