"""Normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.onnx.body import Body, Placed, value_of
from nacre.export.targets.onnx.forms._form import SINGLE, cast_back, cast_in, form, placed, since


def _vector(make: Body, value: Value | None, count: int, number: float, dtype: str) -> str:
    """A parameter; one number everywhere where it is left out."""
    if value is None:
        return make.constant(np.full(count, number, dtype))
    found = make.tensor(value)
    return found if value.dtype == dtype else make.cast(found, dtype)


def _known_channels(node: Node) -> str | None:
    x = value_of(node)
    known = isinstance(x.shape[node.attributes["axis"]], int)
    return None if known and len(x.shape) >= 2 else ""


@form("batch_normalization", limit=_known_channels)
def _batch_normalization(make: Body, node: Node) -> Placed | str:
    x, mean, variance, offset, scale = node.inputs
    assert x is not None
    axis = node.attributes["axis"] % len(x.shape)
    count: Any = x.shape[axis]
    others = [a for a in range(len(x.shape)) if a != axis]
    order = (others[0], axis, *others[1:])
    dtype = SINGLE.computing(x.dtype)
    inputs = [
        _vector(make, scale, count, 1, dtype),
        _vector(make, offset, count, 0, dtype),
        _vector(make, mean, count, 0, dtype),
        _vector(make, variance, count, 1, dtype),
    ]
    tensor = cast_in(make, make.ordered(x, order), x.dtype, SINGLE)
    epsilon = float(node.attributes["epsilon"])
    found = make.add("BatchNormalization", [tensor, *inputs], epsilon=epsilon)
    return placed(make, cast_back(make, found, x.dtype, SINGLE), order)


def _last_axes(node: Node) -> str | None:
    """The axes are the last ones, and parameters have the sizes of these."""
    x, *parameters = node.inputs
    assert x is not None
    axes = sorted(axis % len(x.shape) for axis in node.attributes["axes"])
    inner = x.shape[axes[0] :] if axes else ()
    fits = axes == list(range(len(x.shape) - len(axes), len(x.shape))) and bool(axes)
    fits = fits and all(isinstance(size, int) for size in inner)
    for value in parameters:
        fits = fits and (value is None or _plain(value) == inner)
    return None if fits else ""


def _plain(value: Value) -> tuple[Any, ...]:
    """Sizes without those of 1 in front."""
    shape = value.shape
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


since(17, "layer_normalization")


@form("layer_normalization", limit=_last_axes)
def _layer_normalization(make: Body, node: Node) -> str:
    x, scale, offset = node.inputs
    assert x is not None
    axes = sorted(axis % len(x.shape) for axis in node.attributes["axes"])
    inner: Any = x.shape[axes[0] :]
    dtype = SINGLE.computing(x.dtype)

    def parameter(value: Value | None, number: float) -> str:
        if value is None:
            return make.constant(np.full(inner, number, dtype))
        found = make.tensor(value)
        found = found if value.shape == inner else make.reshape(found, inner)
        return found if value.dtype == dtype else make.cast(found, dtype)

    inputs = [cast_in(make, make.tensor(x), x.dtype, SINGLE), parameter(scale, 1)]
    if offset is not None:
        inputs.append(parameter(offset, 0))
    epsilon = float(node.attributes["epsilon"])
    found = make.add("LayerNormalization", inputs, axis=axes[0], epsilon=epsilon)
    return cast_back(make, found, x.dtype, SINGLE)
