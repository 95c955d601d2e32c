"""Rules for how masks propagate through ops. An op's declaration says which one it follows.

A mask marks the valid positions along a tensor's leading axes, (batch, time). An op that keeps
those axes keeps the mask, one that slices, flips or repeats steps does the same to the mask, and
one that mixes, moves or removes them drops it. Rules look at shapes and attributes only; what they
return computes the new mask, and runs on arrays, traced values and symbolic tensors alike.

Where two operands have masks a position is valid when it is valid in both: unlike the merging
layers, `x + y` does not leave masked terms out of its sum.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable

# (tensors, masks) -> the mask; tensors and masks in one order, None where a tensor has no mask.
MaskFunction = Callable[[list[Any], list[Any]], Any]


class MaskDropped(Exception):
    """The results have no mask; the message is the reason."""


@dataclass(frozen=True)
class MaskedCall:
    """One call of an op on tensors of which at least one has a mask.

    Attributes:
        arguments: All arguments, by parameter name, defaults included.
        names: Parameter of each tensor; tensors of a list share one.
        shapes: Shape of each tensor.
        masks: Shape of each tensor's mask, None without one.
        outputs: Shapes of the results.
    """

    arguments: dict[str, Any]
    names: list[str]
    shapes: list[tuple[Any, ...]]
    masks: list[tuple[Any, ...] | None]
    outputs: list[tuple[Any, ...]]

    @property
    def masked_index(self) -> int:
        """Index of the first tensor that has a mask: the only one, for ops of one tensor."""
        return next(i for i, mask in enumerate(self.masks) if mask is not None)

    @property
    def mask_ndim(self) -> int:
        """How many leading axes the mask covers."""
        return max(len(mask) for mask in self.masks if mask is not None)

    def axes(self, name: str = "axis", ndim: int | None = None) -> list[int]:
        """An argument that names axes, as numbers from 0; all axes for None."""
        value = self.arguments[name]
        ndim = len(self.shapes[self.masked_index]) if ndim is None else ndim
        if value is None:
            return list(range(ndim))
        values = value if isinstance(value, list | tuple) else [value]
        return [operator.index(axis) % ndim for axis in values]


Rule = Callable[[MaskedCall], MaskFunction | list[MaskFunction]]

# Reasons why a mask of the inputs cannot describe an op's results.
POSITIONS_CHANGE = "positions of the input and of the result do not correspond"
ON_IMAGES = "it works on images, which have no time axis"
ON_MATRICES = "it works on whole matrices or vectors"
FLATTENS = "it flattens its input, or counts elements"
NEW_VALUES = "its values do not depend on those of the input"
IN_SEGMENTS = "it reduces segments, which are not steps"
RUNS_A_FUNCTION = "it runs a function of yours"
HAS_AN_ARGUMENT = "it takes its mask as an argument"
READS_SEQUENCES = "it reads whole sequences"


def _sizes_match(a: Any, b: Any) -> bool:
    """Whether two sizes are equal; an unknown one matches any."""
    if a is None or b is None:
        return True
    return bool(a == b)  # False for symbolic sizes that may differ


def covers_leading_axes(mask: tuple[Any, ...], shape: tuple[Any, ...]) -> bool:
    """Whether a mask covers the leading axes of a shape."""
    return len(mask) <= len(shape) and all(map(_sizes_match, mask, shape))


# ------------------------------------------------------------------------------- mask functions


def _same_mask(index: int) -> MaskFunction:
    return lambda tensors, masks: masks[index]


def _transformed(index: int, function: Callable[[Any], Any]) -> MaskFunction:
    return lambda tensors, masks: function(masks[index])


def _intersection(indices: list[int]) -> MaskFunction:
    """The logical and; a mask with fewer axes is broadcast over the further ones."""

    def both(a: Any, b: Any) -> Any:
        ndim = max(len(a.shape), len(b.shape))
        a, b = (m.reshape((*m.shape, *(1,) * (ndim - len(m.shape)))) for m in (a, b))
        return jnp.logical_and(a, b)

    def function(tensors: list[Any], masks: list[Any]) -> Any:
        different = list({id(masks[i]): masks[i] for i in indices}.values())
        return reduce(both, different)

    return function


# ------------------------------------------------------------------------------- rules


def elementwise(call: MaskedCall) -> MaskFunction:
    """Operands broadcast; masks of those that the result has the leading axes of are combined."""
    shape = call.outputs[0]
    fitting = [
        i
        for i, mask in enumerate(call.masks)
        if mask is not None
        and len(call.shapes[i]) == len(shape)
        and covers_leading_axes(mask, shape)
    ]
    if not fitting:
        raise MaskDropped("the masked tensor is broadcast along the time axis")
    return _intersection(fitting)


def of(*names: str) -> Rule:
    """The result has the leading axes, and so the mask, of one of some parameters."""

    def rule(call: MaskedCall) -> MaskFunction:
        for i, (name, mask) in enumerate(zip(call.names, call.masks, strict=True)):
            if name in names and mask is not None and covers_leading_axes(mask, call.outputs[0]):
                return _same_mask(i)
        raise MaskDropped(f"the result does not have the time axis of '{names[0]}'")

    return rule


def along(name: str = "axis", why: str = "it works along the time axis") -> Rule:
    """An op along axes; a mask that does not cover them is kept."""

    def rule(call: MaskedCall) -> MaskFunction:
        if min(call.axes(name), default=call.mask_ndim) < call.mask_ndim:
            raise MaskDropped(why)
        return _same_mask(call.masked_index)

    return rule


reduction = along(why="the time axis is reduced")


def last_axis(call: MaskedCall) -> MaskFunction:
    """An op along the last axis."""
    if call.mask_ndim > len(call.shapes[call.masked_index]) - 1:
        raise MaskDropped("it works along the time axis")
    return _same_mask(call.masked_index)


def moved_by(function: Callable[..., Any], *names: str) -> Rule:
    """An op that moves, repeats or drops elements along an axis: `function` does so to the mask."""

    def rule(call: MaskedCall) -> MaskFunction:
        given = [call.arguments[name] for name in names]
        if call.arguments["axis"] is None:
            raise MaskDropped("without an axis the input is flattened")
        axes = [axis for axis in call.axes() if axis < call.mask_ndim]
        if not axes:
            return _same_mask(call.masked_index)
        if len(axes) < len(call.axes()):
            raise MaskDropped("it works along time and features at once")
        return _transformed(
            call.masked_index, lambda mask: function(mask, *given, axis=_axis_like(call, axes))
        )

    return rule


def _axis_like(call: MaskedCall, axes: list[int]) -> Any:
    return axes[0] if isinstance(call.arguments["axis"], int) else tuple(axes)


def quantiles(call: MaskedCall) -> MaskFunction:
    """A reduction; several quantiles add a new first axis."""
    if np.ndim(_plain(call.arguments["q"])) > 0:
        raise MaskDropped("the axis of the quantiles comes before (batch, time)")
    return cast("MaskFunction", reduction(call))


def flipped_along(axis: int) -> Rule:
    """`flipud`, `fliplr`."""
    return lambda call: _transformed(call.masked_index, lambda mask: jnp.flip(mask, axis=axis))


def flip(call: MaskedCall) -> MaskFunction:
    """`flip`: along all axes when none is named."""
    axes = tuple(axis for axis in call.axes() if axis < call.mask_ndim)
    return (
        _transformed(call.masked_index, lambda mask: jnp.flip(mask, axis=axes))
        if axes
        else _same_mask(call.masked_index)
    )


def tile(call: MaskedCall) -> MaskFunction:
    """`tile`: the mask is repeated along its axes, too."""
    repeats = call.arguments["repeats"]
    repeats = [repeats] if isinstance(repeats, int) else [int(n) for n in repeats]
    repeats = [1] * (len(call.shapes[call.masked_index]) - len(repeats)) + repeats
    if len(repeats) > len(call.shapes[call.masked_index]):
        raise MaskDropped("it adds leading axes")
    return _transformed(call.masked_index, lambda mask: jnp.tile(mask, repeats[: len(mask.shape)]))


def take(call: MaskedCall) -> MaskFunction:
    """`take`: of a table by masked indices, or of a masked tensor along an axis."""
    index, axis = call.masked_index, call.arguments["axis"]
    if call.names[index] == "indices":
        if axis != 0:
            raise MaskDropped("the axes of the indices are not the leading ones of the result")
        return _same_mask(index)
    if axis is None:
        raise MaskDropped("without an axis the input is flattened")
    axis %= len(call.shapes[index])
    if axis >= call.mask_ndim:
        return _same_mask(index)
    indices = call.arguments["indices"]
    if len(np.shape(indices)) != 1:
        raise MaskDropped("the axes of the indices replace the time axis")
    return _transformed(index, lambda mask: jnp.take(mask, jnp.asarray(indices), axis=axis))


def concatenate(call: MaskedCall) -> MaskFunction:
    """Along time the masks are concatenated; along features a step must be valid in all inputs."""
    return _concatenated(call, call.arguments["axis"])


def concatenated_along(axis: int) -> Rule:
    """`vstack`, `hstack`, `dstack`: concatenation on a fixed axis."""

    def rule(call: MaskedCall) -> MaskFunction:
        if len(call.shapes[0]) < 2:
            raise MaskDropped("it adds axes")
        return _concatenated(call, axis)

    return rule


def _concatenated(call: MaskedCall, axis: Any) -> MaskFunction:
    if axis is None:
        raise MaskDropped("without an axis the input is flattened")
    depth, axis = call.mask_ndim, axis % len(call.outputs[0])
    if axis >= depth:
        return elementwise_leading(call)

    def join(tensors: list[Any], masks: list[Any]) -> Any:
        filled = [
            jnp.ones(tensor.shape[:depth], "bool")
            if mask is None
            else jnp.broadcast_to(
                mask.reshape((*mask.shape, *(1,) * (depth - len(mask.shape)))), tensor.shape[:depth]
            )
            for tensor, mask in zip(tensors, masks, strict=True)
        ]
        return jnp.concatenate(filled, axis=axis)

    return join


def elementwise_leading(call: MaskedCall) -> MaskFunction:
    """All masks cover axes that stay as they are: a position must be valid in all of them."""
    return _intersection([i for i, mask in enumerate(call.masks) if mask is not None])


def stack(call: MaskedCall) -> MaskFunction:
    """`stack`: a new axis after (batch, time) leaves the masks as they are."""
    if call.axes(ndim=len(call.outputs[0]))[0] < call.mask_ndim:
        raise MaskDropped("a new axis comes before or between batch and time")
    return elementwise_leading(call)


def split_along(axis: int | None = None) -> Rule:
    """`split` and its variants: each part gets its part of the mask."""

    def rule(call: MaskedCall) -> MaskFunction | list[MaskFunction]:
        index = call.masked_index
        along = axis if axis is not None else call.axes()[0]
        if along >= call.mask_ndim:
            return _same_mask(index)
        sizes = [shape[along] for shape in call.outputs]
        if not all(isinstance(size, int) for size in sizes):
            raise MaskDropped("the sizes of the parts are unknown")
        starts = [sum(sizes[:i]) for i in range(len(sizes))]

        def part(start: int, size: int) -> MaskFunction:
            return _transformed(
                index, lambda mask: jax.lax.slice_in_dim(mask, start, start + size, axis=along)
            )

        return [part(start, size) for start, size in zip(starts, sizes, strict=True)]

    return rule


def unstack(call: MaskedCall) -> MaskFunction:
    """`unstack`: along features, each part keeps the mask."""
    if call.axes()[0] < call.mask_ndim:
        raise MaskDropped("the time axis is removed")
    return _same_mask(call.masked_index)


def expand_dims(call: MaskedCall) -> MaskFunction:
    """`expand_dims`: new axes after (batch, time) leave the mask as it is."""
    if min(call.axes(ndim=len(call.outputs[0]))) < call.mask_ndim:
        raise MaskDropped("a new axis comes before or between batch and time")
    return _same_mask(call.masked_index)


def squeeze(call: MaskedCall) -> MaskFunction:
    """`squeeze`: the axes of the mask must not be removed."""
    axes = call.axes()
    if call.arguments["axis"] is None:
        axes = [axis for axis in axes if call.shapes[call.masked_index][axis] == 1]
    if min(axes, default=call.mask_ndim) < call.mask_ndim:
        raise MaskDropped("the time axis is removed")
    return _same_mask(call.masked_index)


def reshape(call: MaskedCall) -> MaskFunction:
    """`reshape`: the mask is kept when the leading axes it covers are."""
    shape, new, depth = call.shapes[call.masked_index], call.outputs[0], call.mask_ndim
    is_kept = len(new) >= depth and all(map(_sizes_match, shape[:depth], new[:depth]))
    if not (is_kept and _sizes_match(_product(shape[depth:]), _product(new[depth:]))):
        raise MaskDropped("batch and time are no longer the leading axes")
    return _same_mask(call.masked_index)


def _product(sizes: tuple[Any, ...]) -> Any:
    return None if None in sizes else math.prod(sizes)


def _if_leading_axes_stay(call: MaskedCall, order: list[int]) -> MaskFunction:
    if order[: call.mask_ndim] != list(range(call.mask_ndim)):
        raise MaskDropped("batch and time are no longer the leading axes")
    return _same_mask(call.masked_index)


def transpose(call: MaskedCall) -> MaskFunction:
    """`transpose`: batch and time must stay in front."""
    ndim = len(call.shapes[call.masked_index])
    axes = call.arguments["axes"]
    return _if_leading_axes_stay(
        call, list(range(ndim))[::-1] if axes is None else call.axes("axes")
    )


def swapaxes(call: MaskedCall) -> MaskFunction:
    """`swapaxes`: batch and time must stay in front."""
    order = list(range(len(call.shapes[call.masked_index])))
    a, b = call.axes("axis1")[0], call.axes("axis2")[0]
    order[a], order[b] = b, a
    return _if_leading_axes_stay(call, order)


def moveaxis(call: MaskedCall) -> MaskFunction:
    """`moveaxis`: batch and time must stay in front."""
    source, destination = call.axes("source"), call.axes("destination")
    order = [a for a in range(len(call.shapes[call.masked_index])) if a not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return _if_leading_axes_stay(call, order)


def rearrange(call: MaskedCall) -> MaskFunction:
    """`rearrange`: both sides of the pattern must begin with the same plain names."""
    sides = [side.split()[: call.mask_ndim] for side in call.arguments["pattern"].split("->")]
    if sides[0] != sides[1] or any(c in "".join(sides[0]) for c in "(.1"):
        raise MaskDropped("batch and time are no longer the leading axes")
    return _same_mask(call.masked_index)


def pad(call: MaskedCall) -> MaskFunction:
    """`pad`: whether added steps are valid is unknown."""
    widths = call.arguments["pad_width"]
    if isinstance(widths, int) or (widths and isinstance(widths[0], int)):
        widths = [widths] * len(call.shapes[call.masked_index])
    if any(np.any(np.asarray(width) != 0) for width in list(widths)[: call.mask_ndim]):
        raise MaskDropped("it adds steps, and whether they are valid is unknown")
    return _same_mask(call.masked_index)


def one_hot(call: MaskedCall) -> MaskFunction:
    """`one_hot`: the axis of the classes must come after (batch, time)."""
    if call.axes(ndim=len(call.outputs[0]))[0] < call.mask_ndim:
        raise MaskDropped("the axis of the classes comes before (batch, time)")
    return _same_mask(call.masked_index)


def slice_block(call: MaskedCall) -> MaskFunction:
    """`slice`: the same block of the mask."""
    starts, sizes = call.arguments["start_indices"], call.arguments["shape"]
    if isinstance(starts, KerasTensor):
        raise MaskDropped("the start of the slice is unknown")

    def sliced(mask: Any) -> Any:
        ndim = len(mask.shape)
        return jax.lax.dynamic_slice(
            mask, [jnp.asarray(starts[axis]) for axis in range(ndim)], tuple(sizes)[:ndim]
        )

    return _transformed(call.masked_index, sliced)


def get_item(call: MaskedCall) -> MaskFunction:
    """`x[key]`: the same slices of the mask, as long as batch and time are not removed."""
    key = call.arguments["key"]
    parts = list(key) if isinstance(key, tuple) else [key]
    ndim, depth = len(call.shapes[call.masked_index]), call.mask_ndim
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    parts[at : at + 1] = [slice(None)] * (ndim - taken)
    arrays = [part for part in parts if not isinstance(part, int | slice) and part is not None]
    if arrays and (len(arrays) > 1 or any(isinstance(part, int) for part in parts)):
        raise MaskDropped("it is indexed by arrays on several axes")
    mask_key: list[Any] = []
    for part in parts:
        if len(mask_key) == depth:
            break
        if part is None:
            raise MaskDropped("a new axis comes before or between batch and time")
        if isinstance(part, bool | np.bool_):
            raise MaskDropped("it is indexed by a boolean")
        if isinstance(part, slice):
            mask_key.append(part)
        elif isinstance(part, int) or np.ndim(_plain(part)) == 0:
            raise MaskDropped("a single step is taken, so that no time axis is left")
        elif np.ndim(_plain(part)) == 1 and str(_dtype(part)) != "bool":
            mask_key.append(_plain(part))
        else:
            raise MaskDropped("the axes of the indices replace the time axis")
    if all(isinstance(part, slice) and part == slice(None) for part in mask_key):
        return _same_mask(call.masked_index)
    return _transformed(call.masked_index, lambda mask: mask[tuple(mask_key)])


def _plain(part: Any) -> Any:
    if isinstance(part, KerasTensor):
        raise MaskDropped("the indices are unknown")
    if isinstance(part, Variable):
        return part.value
    return np.asarray(part) if isinstance(part, list) else part


def _dtype(part: Any) -> Any:
    return getattr(_plain(part), "dtype", None)


def contraction(num_axes: Callable[[MaskedCall], int]) -> Rule:
    """A product of matrices: the result has the leading axes of the first operand that remain.

    Args:
        num_axes: Of a call, how many leading axes of the first operand are not contracted.
    """

    def rule(call: MaskedCall) -> MaskFunction:
        left = call.masks[0] if call.names[0] == next(iter(call.arguments)) else None
        if (
            left is None
            or len(left) > num_axes(call)
            or not covers_leading_axes(left, call.outputs[0])
        ):
            raise MaskDropped("the time axis is summed over, or is no longer a leading axis")
        return _same_mask(0)

    return rule


# `matmul`, `dot`, `inner`: the last axis is summed over.
matrix_product = contraction(lambda call: len(call.shapes[0]) - 1)


def uncontracted_axes(call: MaskedCall) -> int:
    axes = call.arguments["axes"]
    ndim = len(call.shapes[0])
    if isinstance(axes, int):
        return ndim - axes
    first = axes[0] if isinstance(axes[0], list | tuple) else [axes[0]]
    return min((axis % ndim for axis in first), default=ndim)


def einsum(call: MaskedCall) -> MaskFunction:
    """`einsum`: the labels of the mask's axes must be the first ones of the result too."""
    given = [call.arguments.get("subscripts"), *(call.arguments.get("operands") or ())]
    equation = next((item for item in given if isinstance(item, str)), "")
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    fitting = []
    offset = len(terms) - len(call.shapes)
    for i, mask in enumerate(call.masks):
        if mask is None or not arrow or offset:
            continue
        labels = [_spread(term, len(shape)) for term, shape in zip(terms, call.shapes, strict=True)]
        result = _spread(right, len(call.outputs[0]))
        if labels[i][: len(mask)] == result[: len(mask)]:
            fitting.append(i)
    if not fitting:
        raise MaskDropped("the time axis is summed over, or is no longer a leading axis")
    return _intersection(fitting)


def _spread(term: str, ndim: int) -> list[str]:
    """The labels of one term; '...' becomes one label for each axis it stands for."""
    before, dots, after = term.partition("...")
    if not dots:
        return list(term)
    count = ndim - len(before) - len(after)
    return [*before, *(f".{i}" for i in range(count, 0, -1)), *after]
