"""Convolutions and pools."""

from __future__ import annotations

from typing import Any

from nacre.export.capture.jaxpr import Equation, size_of, type_of
from nacre.export.capture.lower import Call, Lowering, NoForm, composite, primitive
from nacre.export.capture.rules.shaping import (
    channels_back,
    channels_last,
    padded,
    reshaped,
    transposed,
)
from nacre.export.graph.ir import Value
from nacre.export.graph.sizes import Size, floor_divided


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in values)


def _padding(padding: Any) -> Any:
    return padding.lower() if isinstance(padding, str) else tuple(map(_ints, padding))


def _is_float(x: Value) -> bool:
    return x.dtype.startswith(("float", "bfloat"))


@composite("conv", "depthwise_conv")
def _conv(low: Lowering, call: Call) -> Value | None:
    x, kernel = call.inputs["inputs"], call.inputs["kernel"]
    if not _is_float(x) or x.dtype != kernel.dtype:
        return None
    attributes: dict[str, Any] = {
        "strides": _ints(call["strides"]),
        "padding": _padding(call["padding"]),
        "dilation_rate": _ints(call["dilation_rate"]),
    }
    if call.op == "conv":
        attributes["groups"] = int(call["groups"])
    last = channels_last(low, x, call["data_format"])
    return channels_back(low, low.add(call.op, last, kernel, **attributes), call["data_format"])


@composite("conv_transpose")
def _conv_transpose(low: Lowering, call: Call) -> Value | None:
    x, kernel = call.inputs["inputs"], call.inputs["kernel"]
    if not _is_float(x) or x.dtype != kernel.dtype:
        return None
    last = channels_last(low, x, call["data_format"])
    strides, dilation = _ints(call["strides"]), _ints(call["dilation_rate"])
    extras = call["output_padding"] or [None] * len(strides)
    same = call["padding"].lower() == "same"
    window: Any = kernel.shape[:-2]
    crop: list[tuple[int, int]] = []
    for size, taps, stride, step, extra in zip(last.shape[1:-1], window, strides, dilation, extras):
        reach = (taps - 1) * step + 1
        pair = _crop(size, reach, stride, same, extra)
        if pair is None:
            return None
        crop.append(pair)
    result = low.add(
        "conv_transpose", last, kernel, strides=strides, crop=tuple(crop), dilation_rate=dilation
    )
    return channels_back(low, result, call["data_format"])


def _crop(
    size: Size, reach: int, stride: int, same: bool, extra: int | None
) -> tuple[int, int] | None:
    """What is cut off before and behind, as `kernels.convolution_geometry.transposed_axis` says it;
    None where that depends on a symbolic size."""
    whole = (size - 1) * stride + reach
    if extra is None:
        total = max(reach - stride, 0)
        out = size * stride if same else size * stride + total
        low = total // 2 if same else 0
    else:
        out = whole - (2 * (reach // 2) if same else 0) + extra
        low = 0
        if same and extra == 0 and reach % 2 == 0:
            low = reach // 2
        elif same:
            # 'same' padding of the convolution that leads back, of `out` elements.
            over = (-floor_divided(out * -1, stride) - 1) * stride + reach - out
            if not isinstance(over, int):
                return None
            low = max(over, 0) // 2
    high = whole - out - low
    return (low, high) if isinstance(high, int) else None


@composite("max_pool", "average_pool")
def _pool(low: Lowering, call: Call) -> Value | None:
    x = call.inputs["inputs"]
    if not _is_float(x):
        return None
    last = channels_last(low, x, call["data_format"])
    result = low.add(
        call.op,
        last,
        pool_size=_ints(call["pool_size"]),
        strides=_ints(call["strides"]),
        padding=_padding(call["padding"]),
    )
    return channels_back(low, result, call["data_format"])


@primitive("conv_general_dilated")
def _general(low: Lowering, equation: Equation, x: Value, kernel: Value) -> Value:
    params = equation.params
    numbers, groups = params["dimension_numbers"], int(params["feature_group_count"])
    if params["batch_group_count"] != 1:
        raise NoForm("batch_group_count")
    dtype = type_of(equation.outputs[0]).dtype
    x, kernel = (v if v.dtype == dtype else low.add("cast", v, dtype=dtype) for v in (x, kernel))
    (batch, channels, *spatial), (out, into, *window) = numbers.lhs_spec, numbers.rhs_spec
    x = transposed(low, x, (batch, *spatial, channels))
    kernel = transposed(low, kernel, (*window, into, out))
    spread = _ints(params["lhs_dilation"])
    if any(step != 1 for step in spread):
        config = [(0, 0, 0), *((0, 0, step - 1) for step in spread), (0, 0, 0)]
        x = padded(low, x, low.number(0, x), config)
    is_vector = not spatial  # a product alone
    if is_vector:
        x, kernel = (reshaped(low, v, (v.shape[0], 1, *v.shape[1:])) for v in (x, kernel))
    pairs = [(size_of(a), size_of(b)) for a, b in params["padding"]]
    if not all(isinstance(n, int) for pair in pairs for n in pair):
        config = [(0, 0, 0), *((a, b, 0) for a, b in pairs), (0, 0, 0)]
        x, pairs = padded(low, x, low.number(0, x), config), [(0, 0)] * len(pairs)
    result = low.add(
        "conv",
        x,
        kernel,
        strides=_ints(params["window_strides"]) or (1,),
        padding=tuple(pairs) or ((0, 0),),
        dilation_rate=_ints(params["rhs_dilation"]) or (1,),
        groups=groups,
    )
    if is_vector:
        result = reshaped(low, result, (result.shape[0], result.shape[2]))
    # The result has (batch, *spatial, channels); the spec says where each of them goes.
    (batch, channels, *spatial) = numbers.out_spec
    order = [0] * len(result.shape)
    for place, axis in zip((batch, *spatial, channels), range(len(order))):
        order[place] = axis
    return transposed(low, result, tuple(order))


@primitive("reduce_window_sum", "reduce_window_max", "reduce_window_min")
def _reduce_window(low: Lowering, equation: Equation, x: Value) -> Value:
    params = equation.params
    if any(step != 1 for step in params["base_dilation"]):
        raise NoForm("base_dilation")
    reducer = equation.primitive.removeprefix("reduce_window_")
    pairs = [(size_of(a), size_of(b)) for a, b in params["padding"]]
    if not all(isinstance(n, int) for pair in pairs for n in pair):
        raise NoForm("padding of symbolic sizes")
    return low.add(
        "reduce_window",
        x,
        reducer=reducer,
        window=_ints(params["window_dimensions"]),
        strides=_ints(params["window_strides"]),
        padding=tuple(pairs),
        dilation_rate=_ints(params["window_dilation"]),
    )
