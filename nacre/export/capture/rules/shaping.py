"""Primitives that change shapes, take parts and make arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.capture.jaxpr import Equation, dtype_name, size_of, sizes_of, type_of
from nacre.export.capture.lower import Call, Lowering, composite, primitive
from nacre.export.graph.ir import Value
from nacre.export.graph.rules import same_shape
from nacre.export.graph.sizes import Size, same_size


def reshaped(low: Lowering, x: Value, shape: tuple[Size, ...]) -> Value:
    """x in another shape, itself where it has it."""
    return x if same_shape(x.shape, shape) else low.add("reshape", x, shape=tuple(shape))


def transposed(low: Lowering, x: Value, order: tuple[int, ...]) -> Value:
    """x with its axes in another order, itself where they are."""
    order = tuple(int(axis) for axis in order)
    return x if order == tuple(range(len(order))) else low.add("transpose", x, permutation=order)


def sliced(low: Lowering, x: Value, starts: Any, stops: Any, strides: Any = None) -> Value:
    """A part of x, itself where it is all."""
    strides = tuple(strides or (1,) * len(x.shape))
    is_all = all(a == 0 for a in starts) and same_shape(tuple(stops), x.shape)
    if is_all and all(s == 1 for s in strides):
        return x
    return low.add("slice", x, starts=tuple(starts), stops=tuple(stops), strides=strides)


@primitive("reshape")
def _reshape(low: Lowering, equation: Equation, x: Value) -> Value:
    if equation.params.get("dimensions") is not None:
        x = transposed(low, x, equation.params["dimensions"])
    return reshaped(low, x, type_of(equation.outputs[0]).shape)


@primitive("squeeze", "expand_dims")
def _squeeze(low: Lowering, equation: Equation, x: Value) -> Value:
    return reshaped(low, x, type_of(equation.outputs[0]).shape)


@primitive("broadcast_in_dim")
def _broadcast_in_dim(low: Lowering, equation: Equation, x: Value, *_: Value) -> Value:
    shape = type_of(equation.outputs[0]).shape
    places = tuple(equation.params["broadcast_dimensions"])
    first = len(shape) - len(places)
    if places != tuple(range(first, len(shape))):
        sizes = [x.shape[places.index(i)] if i in places else 1 for i in range(len(shape))]
        x = reshaped(low, x, tuple(sizes))
    return x if same_shape(x.shape, shape) else low.add("broadcast_to", x, shape=shape)


@primitive("transpose")
def _transpose(low: Lowering, equation: Equation, x: Value) -> Value:
    return transposed(low, x, equation.params["permutation"])


@primitive("concatenate")
def _concatenate(low: Lowering, equation: Equation, *xs: Value) -> Value:
    if len(xs) == 1:
        return xs[0]
    return low.add("concat", *xs, axis=equation.params["dimension"])


@primitive("stack")
def _stack(low: Lowering, equation: Equation, *xs: Value) -> Value:
    axis = equation.params["axis"]
    parts = [reshaped(low, x, (*x.shape[:axis], 1, *x.shape[axis:])) for x in xs]
    return parts[0] if len(parts) == 1 else low.add("concat", *parts, axis=axis)


@primitive("unstack")
def _unstack(low: Lowering, equation: Equation, x: Value) -> list[Value]:
    axis = equation.params["axis"]
    parts: list[Value] = []
    for index, variable in enumerate(equation.outputs):
        starts, stops = [0] * len(x.shape), list(x.shape)
        starts[axis], stops[axis] = index, index + 1
        parts.append(reshaped(low, sliced(low, x, starts, stops), type_of(variable).shape))
    return parts


@primitive("broadcast_to")
def _broadcast_to(low: Lowering, equation: Equation, x: Value, *_: Value) -> Value:
    shape = type_of(equation.outputs[0]).shape
    return x if same_shape(x.shape, shape) else low.add("broadcast_to", x, shape=shape)


@primitive("zeros_like", "empty", "empty2")
def _zeros(low: Lowering, equation: Equation, *_: Value) -> Value:
    dtype, shape = type_of(equation.outputs[0])
    return low.add("broadcast_to", low.constant(0, dtype), shape=shape)


@primitive("tile")
def _tile(low: Lowering, equation: Equation, x: Value) -> Value:
    """Each axis with one of its repeats in front, which are then joined."""
    repeats = equation.params["reps"]
    shape = type_of(equation.outputs[0]).shape
    apart = tuple(n for size in x.shape for n in (1, size))
    wide = tuple(n for times, size in zip(repeats, x.shape) for n in (size_of(times), size))
    if same_shape(apart, wide):
        return x
    return reshaped(low, low.add("broadcast_to", reshaped(low, x, apart), shape=wide), shape)


@primitive("slice")
def _slice(low: Lowering, equation: Equation, x: Value) -> Value:
    params = equation.params
    starts, stops = sizes_of(params["start_indices"]), sizes_of(params["limit_indices"])
    return sliced(low, x, starts, stops, params["strides"])


@primitive("split")
def _split(low: Lowering, equation: Equation, x: Value) -> Any:
    sizes = sizes_of(equation.params["sizes"])
    return low.add_all("split", x, sizes=sizes, axis=equation.params["axis"])


@primitive("pad")
def _pad(low: Lowering, equation: Equation, x: Value, value: Value) -> Value:
    config = equation.params["padding_config"]
    return padded(low, x, value, [(size_of(a), size_of(b), int(i)) for a, b, i in config])


def padded(low: Lowering, x: Value, value: Value, config: Any) -> Value:
    """x with (low, high, interior) elements of `value` put to each axis; negative ones cut."""
    if any(a < 0 or b < 0 for a, b, _ in config if isinstance(a, int) and isinstance(b, int)):
        inside = [(0, 0, i) for *_, i in config]
        x = padded(low, x, value, inside)
        cut = [(max(-a, 0), n - max(-b, 0)) for (a, b, _), n in zip(config, x.shape)]
        x = sliced(low, x, [a for a, _ in cut], [b for _, b in cut])
        config = [(max(a, 0), max(b, 0), 0) for a, b, _ in config]
    if all(part == (0, 0, 0) for part in config):
        return x
    before, behind, interior = zip(*config)
    return low.add("pad", x, value, low=before, high=behind, interior=interior)


@primitive("rev")
def _reverse(low: Lowering, equation: Equation, x: Value) -> Value:
    axes = tuple(int(axis) for axis in equation.params["dimensions"])
    return low.add("reverse", x, axes=axes) if axes else x


@primitive("iota")
def _iota(low: Lowering, equation: Equation, *_: Value) -> Value:
    params = equation.params
    shape, dtype = sizes_of(params["shape"]), dtype_name(params["dtype"])
    return low.add("iota", shape=shape, axis=int(params["dimension"]), dtype=dtype)


@primitive("dynamic_slice")
def _dynamic_slice(low: Lowering, equation: Equation, x: Value, *starts: Value) -> Value:
    sizes = sizes_of(equation.params["slice_sizes"])
    return block(low, x, list(starts), sizes)


def block(low: Lowering, x: Value, starts: list[Value], sizes: tuple[Size, ...]) -> Value:
    """The block of these sizes: a slice where the starts are known."""
    known = [k for k in map(low.known, starts) if k is not None]
    fixed = all(isinstance(n, int) or same_size(n, m) for n, m in zip(x.shape, sizes))
    if len(known) == len(starts) and fixed:
        firsts = [
            int(np.clip(k, 0, n - m)) if isinstance(n, int) and isinstance(m, int) else 0
            for k, n, m in zip(known, x.shape, sizes)
        ]
        return sliced(low, x, firsts, [a + m for a, m in zip(firsts, sizes)])
    return low.add("dynamic_slice", x, *map(_as_index(low), starts), sizes=sizes)


def _as_index(low: Lowering) -> Any:
    return lambda v: v if v.dtype == "int32" else low.add("cast", v, dtype="int32")


@primitive("dynamic_update_slice")
def _update(low: Lowering, equation: Equation, x: Value, update: Value, *starts: Value) -> Value:
    return low.add("dynamic_update_slice", x, update, *map(_as_index(low), starts))


# ------------------------------------------------------------------ composite ops


@composite("pad")
def _named_pad(low: Lowering, call: Call) -> Value | None:
    x, width, mode = call.inputs["x"], call["pad_width"], call["mode"]
    if not isinstance(width, list) or not all(isinstance(pair, list) for pair in width):
        return None
    before, behind = (tuple(int(pair[i]) for pair in width) for i in (0, 1))
    if len(before) != len(x.shape) or min(before + behind) < 0:
        return None
    if mode == "constant" and "constant_values" not in call.inputs:
        zero = low.number(0, x)
        return low.add("pad", x, zero, low=before, high=behind, interior=(0,) * len(before))
    fits = all(
        isinstance(n, int) and max(a, b) < n for n, a, b in zip(x.shape, before, behind) if a or b
    )
    if mode in ("reflect", "symmetric") and fits and x.dtype != "bool":
        return low.add("mirror_pad", x, low=before, high=behind, mode=mode)
    return None


@composite("up_sampling")
def _up_sampling(low: Lowering, call: Call) -> Value:
    sizes = tuple(int(n) for n in call["sizes"])
    return low.add("up_sampling", call.inputs["inputs"], sizes=sizes, first_axis=call["first_axis"])


@composite("resize")
def _resize(low: Lowering, call: Call) -> Value | None:
    x, method = call.inputs["images"], call["interpolation"]
    is_float = x.dtype.startswith(("float", "bfloat"))
    if method not in ("nearest", "bilinear") or call["antialias"] or len(x.shape) != 4:
        return None
    if not is_float and method != "nearest":
        return None
    size = tuple(int(n) for n in call["size"])
    last = channels_last(low, x, call["data_format"])
    return channels_back(
        low, low.add("resize", last, size=size, method=method), call["data_format"]
    )


@composite("one_hot")
def _one_hot(low: Lowering, call: Call) -> Value:
    x = call.inputs["x"]
    if "int" not in x.dtype:
        x = low.add("cast", x, dtype="int32")
    axis = call["axis"] % (len(x.shape) + 1)
    return low.add("one_hot", x, num_classes=call["num_classes"], axis=axis, dtype=call["dtype"])


def channels_last(low: Lowering, x: Value, data_format: str) -> Value:
    """x with channels last."""
    if data_format == "channels_last":
        return x
    return transposed(low, x, (0, *range(2, len(x.shape)), 1))


def channels_back(low: Lowering, x: Value, data_format: str) -> Value:
    """x, which has channels last, as the data format says."""
    if data_format == "channels_last":
        return x
    return transposed(low, x, (0, len(x.shape) - 1, *range(1, len(x.shape) - 1)))
