"""Rules for the types of results, and what they are made of. A rule takes the types of the inputs
and the attributes; ValueError where they do not fit, in words that `verify` puts a place to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from nacre.export.graph.opset import Type
from nacre.export.graph.sizes import Size, floor_divided, larger, same_size

Types: TypeAlias = tuple[Any, ...]
Attributes: TypeAlias = Any
Rule: TypeAlias = Callable[[Types, Attributes], Any]


def require(holds: bool, fault: str) -> None:
    """Raise ValueError with the fault where something does not hold."""
    if not holds:
        raise ValueError(fault)


def same_shape(left: Sequence[Size], right: Sequence[Size]) -> bool:
    """Whether two shapes are the same, whatever the named sizes are."""
    return len(left) == len(right) and all(map(same_size, left, right))


def is_float(dtype: str) -> bool:
    """Whether a dtype is one of floating point."""
    return dtype.startswith(("float", "bfloat"))


def same(types: Types, _: Attributes) -> Type:
    """The type of the first input."""
    return types[0]


def floats(types: Types, _: Attributes) -> Type:
    """The type of the first input, which must be a float or complex."""
    dtype = types[0].dtype
    require(is_float(dtype) or dtype.startswith("complex"), f"a float is needed, not {dtype}")
    return types[0]


def booleans(types: Types, _: Attributes) -> Type:
    """A bool for each element of the first input."""
    return Type("bool", types[0].shape)


def common_dtype(types: Types) -> str:
    """The one dtype that all inputs have."""
    found = [t.dtype for t in types if t is not None]
    require(len(set(found)) == 1, f"inputs must have one dtype, not {', '.join(found)}")
    return found[0]


def broadcast_shapes(*shapes: Sequence[Size]) -> tuple[Size, ...]:
    """The shape that shapes broadcast to, as in NumPy."""
    result: list[Size] = []
    for place in range(-max(map(len, shapes)), 0):
        size: Size = 1
        for shape in shapes:
            if len(shape) < -place or shape[place] == 1:
                continue
            fits = size == 1 or same_size(size, shape[place])
            require(fits, f"shapes {', '.join(map(shape_text, shapes))} do not broadcast")
            size = shape[place] if size == 1 else size
        result.append(size)
    return tuple(result)


def shape_text(shape: Sequence[Size]) -> str:
    """A shape for messages."""
    return f"[{', '.join(map(str, shape))}]"


def broadcast(types: Types, _: Attributes) -> Type:
    """The common dtype, and the shape all inputs broadcast to."""
    return Type(common_dtype(types), broadcast_shapes(*(t.shape for t in types)))


def compared(types: Types, _: Attributes) -> Type:
    """A bool for each element of what the inputs, of one dtype, broadcast to."""
    return Type("bool", broadcast(types, _).shape)


def axis_in(axis: int, ndim: int) -> int:
    """An axis, which must be one of the `ndim`, counted from the front."""
    require(-ndim <= axis < ndim, f"axis {axis} is none of {ndim}")
    return axis % ndim


def without_axes(shape: Sequence[Size], axes: Sequence[int], keepdims: bool) -> tuple[Size, ...]:
    """A shape without some axes, or with size 1 there."""
    gone = {axis_in(axis, len(shape)) for axis in axes}
    require(len(gone) == len(axes), f"axes {tuple(axes)} must differ")
    kept = (1 if i in gone else size for i, size in enumerate(shape) if keepdims or i not in gone)
    return tuple(kept)


def reduced(types: Types, attributes: Attributes) -> Type:
    """The input without `axes`, or with size 1 there where `keepdims`."""
    x = types[0]
    return Type(x.dtype, without_axes(x.shape, attributes["axes"], attributes["keepdims"]))


def along_axis(types: Types, attributes: Attributes) -> Type:
    """The type of the first input, which has the axis `axis`."""
    axis_in(attributes["axis"], len(types[0].shape))
    return types[0]


def windows(size: Size, window: int, stride: int, dilation: int, padding: Any) -> Size:
    """How many windows fit along an axis.

    Args:
        size: Of the axis.
        window, stride, dilation: Of the windows.
        padding: 'valid', 'same', 'causal', or how much is put before and behind.
    """
    reach = (window - 1) * dilation + 1
    if padding == "same":
        return -floor_divided(size * -1, stride)
    before, behind = (
        (0, 0) if padding == "valid" else (reach - 1, 0) if padding == "causal" else padding
    )
    return larger(floor_divided(size + before + behind - reach, stride) + 1, 0)


def window_shape(shape: Sequence[Size], attributes: Attributes, window: Any) -> tuple[Size, ...]:
    """The spatial sizes that windows leave of (batch, *spatial, channels)."""
    spatial = shape[1:-1]
    padding, strides = attributes["padding"], attributes["strides"]
    dilation = attributes.get("dilation_rate") or (1,) * len(spatial)
    for name, given in (("window", window), ("strides", strides), ("dilation_rate", dilation)):
        require(len(given) == len(spatial), f"{name} must have {len(spatial)} sizes: {given}")
    pads = [padding] * len(spatial) if isinstance(padding, str) else padding
    require(len(pads) == len(spatial), f"padding must be that of {len(spatial)} axes: {pads}")
    return tuple(map(windows, spatial, window, strides, dilation, pads))
