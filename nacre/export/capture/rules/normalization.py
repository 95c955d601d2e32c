"""Normalisations that the graph has whole."""

from __future__ import annotations

from typing import Any

from nacre.export.capture.lower import Call, Lowering, composite
from nacre.export.capture.rules.shaping import reshaped
from nacre.export.graph.ir import Value


def _is_float(x: Value) -> bool:
    return x.dtype.startswith(("float", "bfloat"))


@composite("batch_normalization")
def _batch(low: Lowering, call: Call) -> Value | None:
    x, *parameters = call.given("x", "mean", "variance", "offset", "scale")
    assert x is not None
    if not _is_float(x) or any(p is not None and len(p.shape) != 1 for p in parameters):
        return None
    axis = call["axis"] % len(x.shape)
    return low.add("batch_normalization", x, *parameters, axis=axis, epsilon=float(call["epsilon"]))


def _along(low: Lowering, parameter: Value | None, x: Value, axes: tuple[int, ...]) -> Any:
    """A parameter of the sizes of `axes`, so that it broadcasts against x."""
    if parameter is None or axes == tuple(range(len(x.shape) - len(parameter.shape), len(x.shape))):
        return parameter
    shape = tuple(n if a in axes else 1 for a, n in enumerate(x.shape))
    return reshaped(low, parameter, shape)


def _axes(axis: Any, x: Value) -> tuple[int, ...]:
    axes = range(len(x.shape)) if axis is None else axis if isinstance(axis, list) else [axis]
    return tuple(sorted(a % len(x.shape) for a in axes))


@composite("layer_normalization")
def _layer(low: Lowering, call: Call) -> Value | None:
    x, gamma, beta = call.given("x", "gamma", "beta")
    assert x is not None
    if not _is_float(x):
        return None
    axes = _axes(call["axis"], x)
    gamma, beta = _along(low, gamma, x, axes), _along(low, beta, x, axes)
    epsilon = float(call["epsilon"])
    return low.add("layer_normalization", x, gamma, beta, axes=axes, epsilon=epsilon)


@composite("rms_normalization")
def _rms(low: Lowering, call: Call) -> Value | None:
    x, scale = call.given("x", "scale")
    assert x is not None
    if not _is_float(x):
        return None
    axes = _axes(call["axis"], x)
    scale = _along(low, scale, x, axes)
    return low.add("rms_normalization", x, scale, axes=axes, epsilon=float(call["epsilon"]))


@composite("group_normalization")
def _group(low: Lowering, call: Call) -> Value | None:
    x, gamma, beta = call.given("x", "gamma", "beta")
    assert x is not None
    axis = call["axis"] % len(x.shape)
    is_plain = all(p is None or len(p.shape) == 1 for p in (gamma, beta))
    if not _is_float(x) or not isinstance(x.shape[axis], int) or not is_plain:
        return None
    groups, epsilon = int(call["groups"]), float(call["epsilon"])
    return low.add("group_normalization", x, gamma, beta, groups=groups, axis=axis, epsilon=epsilon)
