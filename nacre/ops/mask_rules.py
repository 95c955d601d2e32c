"""What becomes of a mask in an op: the rules. An op's declaration says which it follows.

A mask marks which positions of a tensor's leading axes, (batch, time), count. An op that keeps
those axes passes the mask on, one that cuts, flips or repeats steps does the same to the mask, and
one that mixes, moves or removes them ends it. Rules look at shapes and attributes only; what they
return computes the new mask, and runs on arrays, traced values and symbolic tensors alike.

Where two operands have masks a position counts when it counts in both: unlike the merging layers,
`x + y` does not leave masked terms out of its sum.
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


class MaskEnds(Exception):
    """The mask ends here; says why."""


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
    def first(self) -> int:
        """The tensor whose mask is meant, for ops of one tensor."""
        return next(i for i, mask in enumerate(self.masks) if mask is not None)

    @property
    def depth(self) -> int:
        """How many leading axes the mask covers."""
        return max(len(mask) for mask in self.masks if mask is not None)

    def axes(self, name: str = "axis", ndim: int | None = None) -> list[int]:
        """An argument that names axes, counted from 0; all axes for None."""
        value = self.arguments[name]
        ndim = len(self.shapes[self.first]) if ndim is None else ndim
        if value is None:
            return list(range(ndim))
        values = value if isinstance(value, list | tuple) else [value]
        return [operator.index(axis) % ndim for axis in values]


Rule = Callable[[MaskedCall], MaskFunction | list[MaskFunction]]

# Why there are no steps in an op's results that a mask of its inputs could describe.
PLACES_CHANGE = "places of the input and of the result do not correspond"
ON_IMAGES = "it works on images, which have no steps"
ON_MATRICES = "it works on whole matrices or vectors"
IN_ONE_ROW = "the steps are put into one row, or counted"
NEW_VALUES = "it makes new values, whatever the input holds"
IN_SEGMENTS = "rows are gathered into segments"
RUNS_A_FUNCTION = "it runs a function of yours"
HAS_AN_ARGUMENT = "it takes its mask as an argument of its own"
READS_SEQUENCES = "it reads whole sequences"


def _same(a: Any, b: Any) -> bool:
    """Whether two sizes are equal; unknown ones fit anything."""
    if a is None or b is None:
        return True
    return bool(a == b)  # False for symbolic sizes of which nobody knows


def leads(mask: tuple[Any, ...], shape: tuple[Any, ...]) -> bool:
    """Whether a mask covers the leading axes of a shape."""
    return len(mask) <= len(shape) and all(map(_same, mask, shape))


# ------------------------------------------------------------------------------- mask functions


def _kept(index: int) -> MaskFunction:
    return lambda tensors, masks: masks[index]


def _on_mask(index: int, function: Callable[[Any], Any]) -> MaskFunction:
    return lambda tensors, masks: function(masks[index])


def _all_of(indices: list[int]) -> MaskFunction:
    """The logical and; a mask of fewer axes holds for all positions within."""

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
    """Operands broadcast; the masks of those that keep their place in the result hold."""
    shape = call.outputs[0]
    fitting = [
        i
        for i, mask in enumerate(call.masks)
        if mask is not None and len(call.shapes[i]) == len(shape) and leads(mask, shape)
    ]
    if not fitting:
        raise MaskEnds("the tensor with the mask is broadcast to other steps")
    return _all_of(fitting)


def of(*names: str) -> Rule:
    """Only the masks of some parameters matter, and their axes stay in place."""

    def rule(call: MaskedCall) -> MaskFunction:
        for i, (name, mask) in enumerate(zip(call.names, call.masks, strict=True)):
            if name in names and mask is not None and leads(mask, call.outputs[0]):
                return _kept(i)
        raise MaskEnds(f"the result does not have the steps of '{names[0]}'")

    return rule


def along(name: str = "axis", why: str = "it works along the axis of the steps") -> Rule:
    """An op along axes; a mask that does not cover them stays."""

    def rule(call: MaskedCall) -> MaskFunction:
        if min(call.axes(name), default=call.depth) < call.depth:
            raise MaskEnds(why)
        return _kept(call.first)

    return rule


reduction = along(why="the axis of the steps is reduced")


def last_axis(call: MaskedCall) -> MaskFunction:
    """An op along the last axis."""
    if call.depth > len(call.shapes[call.first]) - 1:
        raise MaskEnds("it works along the axis of the steps")
    return _kept(call.first)


def moving(function: Callable[..., Any], *names: str) -> Rule:
    """An op that only moves, repeats or drops elements along an axis: the mask's move with them."""

    def rule(call: MaskedCall) -> MaskFunction:
        given = [call.arguments[name] for name in names]
        if call.arguments["axis"] is None:
            raise MaskEnds("without an axis the steps are put into one row")
        axes = [axis for axis in call.axes() if axis < call.depth]
        if not axes:
            return _kept(call.first)
        if len(axes) < len(call.axes()):
            raise MaskEnds("it works on steps and features at once")
        return _on_mask(
            call.first, lambda mask: function(mask, *given, axis=_axis_like(call, axes))
        )

    return rule


def _axis_like(call: MaskedCall, axes: list[int]) -> Any:
    return axes[0] if isinstance(call.arguments["axis"], int) else tuple(axes)


def quantiles(call: MaskedCall) -> MaskFunction:
    """A reduction; several quantiles come as a new first axis."""
    if np.ndim(_plain(call.arguments["q"])) > 0:
        raise MaskEnds("the quantiles come before the steps")
    return cast("MaskFunction", reduction(call))


def flipping(axis: int) -> Rule:
    """`flipud`, `fliplr`."""
    return lambda call: _on_mask(call.first, lambda mask: jnp.flip(mask, axis=axis))


def flip(call: MaskedCall) -> MaskFunction:
    """`flip`: all axes when none is named."""
    axes = tuple(axis for axis in call.axes() if axis < call.depth)
    return (
        _on_mask(call.first, lambda mask: jnp.flip(mask, axis=axes)) if axes else _kept(call.first)
    )


def tile(call: MaskedCall) -> MaskFunction:
    """`tile`: steps that are repeated repeat in the mask."""
    repeats = call.arguments["repeats"]
    repeats = [repeats] if isinstance(repeats, int) else [int(n) for n in repeats]
    repeats = [1] * (len(call.shapes[call.first]) - len(repeats)) + repeats
    if len(repeats) > len(call.shapes[call.first]):
        raise MaskEnds("there are new leading axes")
    return _on_mask(call.first, lambda mask: jnp.tile(mask, repeats[: len(mask.shape)]))


def take(call: MaskedCall) -> MaskFunction:
    """`take`: of a table by masked indices, or of a masked tensor along an axis."""
    index, axis = call.first, call.arguments["axis"]
    if call.names[index] == "indices":
        if axis != 0:
            raise MaskEnds("the indices' steps do not lead the result")
        return _kept(index)
    if axis is None:
        raise MaskEnds("without an axis the steps are put into one row")
    axis %= len(call.shapes[index])
    if axis >= call.depth:
        return _kept(index)
    indices = call.arguments["indices"]
    if len(np.shape(indices)) != 1:
        raise MaskEnds("the indices put other axes in the place of the steps")
    return _on_mask(index, lambda mask: jnp.take(mask, jnp.asarray(indices), axis=axis))


def concatenate(call: MaskedCall) -> MaskFunction:
    """Along the steps masks are put side by side, along features a step must count in all."""
    return _side_by_side(call, call.arguments["axis"])


def stacked_on(axis: int) -> Rule:
    """`vstack`, `hstack`, `dstack`: concatenation on a fixed axis."""

    def rule(call: MaskedCall) -> MaskFunction:
        if len(call.shapes[0]) < 2:
            raise MaskEnds("there are new axes")
        return _side_by_side(call, axis)

    return rule


def _side_by_side(call: MaskedCall, axis: Any) -> MaskFunction:
    if axis is None:
        raise MaskEnds("without an axis the steps are put into one row")
    depth, axis = call.depth, axis % len(call.outputs[0])
    if axis >= depth:
        return elementwise_leading(call)

    def join(tensors: list[Any], masks: list[Any]) -> Any:
        whole = [
            jnp.ones(tensor.shape[:depth], "bool")
            if mask is None
            else jnp.broadcast_to(
                mask.reshape((*mask.shape, *(1,) * (depth - len(mask.shape)))), tensor.shape[:depth]
            )
            for tensor, mask in zip(tensors, masks, strict=True)
        ]
        return jnp.concatenate(whole, axis=axis)

    return join


def elementwise_leading(call: MaskedCall) -> MaskFunction:
    """All masks cover axes that stay as they are: the logical and."""
    return _all_of([i for i, mask in enumerate(call.masks) if mask is not None])


def stack(call: MaskedCall) -> MaskFunction:
    """`stack`: a new axis behind the steps leaves the masks as they are."""
    if call.axes(ndim=len(call.outputs[0]))[0] < call.depth:
        raise MaskEnds("a new axis comes before or between batch and time")
    return elementwise_leading(call)


def split_on(axis: int | None = None) -> Rule:
    """`split` and its kin: each part gets its part of the mask."""

    def rule(call: MaskedCall) -> MaskFunction | list[MaskFunction]:
        index = call.first
        on = axis if axis is not None else call.axes()[0]
        if on >= call.depth:
            return _kept(index)
        sizes = [shape[on] for shape in call.outputs]
        if not all(isinstance(size, int) for size in sizes):
            raise MaskEnds("the sizes of the parts are not known")
        starts = [sum(sizes[:i]) for i in range(len(sizes))]

        def part(start: int, size: int) -> MaskFunction:
            return _on_mask(
                index, lambda mask: jax.lax.slice_in_dim(mask, start, start + size, axis=on)
            )

        return [part(start, size) for start, size in zip(starts, sizes, strict=True)]

    return rule


def unstack(call: MaskedCall) -> MaskFunction:
    """`unstack`: parts along features keep the mask."""
    if call.axes()[0] < call.depth:
        raise MaskEnds("the axis of the steps is removed")
    return _kept(call.first)


def expand_dims(call: MaskedCall) -> MaskFunction:
    """`expand_dims`: new axes behind the steps leave the mask as it is."""
    if min(call.axes(ndim=len(call.outputs[0]))) < call.depth:
        raise MaskEnds("a new axis comes before or between batch and time")
    return _kept(call.first)


def squeeze(call: MaskedCall) -> MaskFunction:
    """`squeeze`: the axes of the mask must stay."""
    axes = call.axes()
    if call.arguments["axis"] is None:
        axes = [axis for axis in axes if call.shapes[call.first][axis] == 1]
    if min(axes, default=call.depth) < call.depth:
        raise MaskEnds("the axis of the steps is removed")
    return _kept(call.first)


def reshape(call: MaskedCall) -> MaskFunction:
    """`reshape`: the mask stays when the leading axes it covers do."""
    shape, new, depth = call.shapes[call.first], call.outputs[0], call.depth
    leads = len(new) >= depth and all(map(_same, shape[:depth], new[:depth]))
    if not (leads and _same(_product(shape[depth:]), _product(new[depth:]))):
        raise MaskEnds("batch and time do not stay the leading axes")
    return _kept(call.first)


def _product(sizes: tuple[Any, ...]) -> Any:
    return None if None in sizes else math.prod(sizes)


def _in_place(call: MaskedCall, order: list[int]) -> MaskFunction:
    if order[: call.depth] != list(range(call.depth)):
        raise MaskEnds("batch and time do not stay the leading axes")
    return _kept(call.first)


def transpose(call: MaskedCall) -> MaskFunction:
    """`transpose`: batch and time must stay in front."""
    ndim = len(call.shapes[call.first])
    axes = call.arguments["axes"]
    return _in_place(call, list(range(ndim))[::-1] if axes is None else call.axes("axes"))


def swapaxes(call: MaskedCall) -> MaskFunction:
    """`swapaxes`: batch and time must stay in front."""
    order = list(range(len(call.shapes[call.first])))
    a, b = call.axes("axis1")[0], call.axes("axis2")[0]
    order[a], order[b] = b, a
    return _in_place(call, order)


def moveaxis(call: MaskedCall) -> MaskFunction:
    """`moveaxis`: batch and time must stay in front."""
    source, destination = call.axes("source"), call.axes("destination")
    order = [a for a in range(len(call.shapes[call.first])) if a not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return _in_place(call, order)


def rearrange(call: MaskedCall) -> MaskFunction:
    """`rearrange`: both sides of the pattern must begin with the same plain names."""
    sides = [side.split()[: call.depth] for side in call.arguments["pattern"].split("->")]
    if sides[0] != sides[1] or any(c in "".join(sides[0]) for c in "(.1"):
        raise MaskEnds("batch and time do not stay the leading axes")
    return _kept(call.first)


def pad(call: MaskedCall) -> MaskFunction:
    """`pad`: whether added steps count nobody knows."""
    widths = call.arguments["pad_width"]
    if isinstance(widths, int) or (widths and isinstance(widths[0], int)):
        widths = [widths] * len(call.shapes[call.first])
    if any(np.any(np.asarray(width) != 0) for width in list(widths)[: call.depth]):
        raise MaskEnds("steps are added, and nothing tells whether they count")
    return _kept(call.first)


def one_hot(call: MaskedCall) -> MaskFunction:
    """`one_hot`: the axis of the classes comes behind the steps."""
    if call.axes(ndim=len(call.outputs[0]))[0] < call.depth:
        raise MaskEnds("the classes come before the steps")
    return _kept(call.first)


def slice_block(call: MaskedCall) -> MaskFunction:
    """`slice`: the block's part of the mask."""
    starts, sizes = call.arguments["start_indices"], call.arguments["shape"]
    if isinstance(starts, KerasTensor):
        raise MaskEnds("where the block begins is not known yet")

    def cut(mask: Any) -> Any:
        ndim = len(mask.shape)
        return jax.lax.dynamic_slice(
            mask, [jnp.asarray(starts[axis]) for axis in range(ndim)], tuple(sizes)[:ndim]
        )

    return _on_mask(call.first, cut)


def get_item(call: MaskedCall) -> MaskFunction:
    """`x[key]`: the same slices of the mask, as long as batch and time stay."""
    key = call.arguments["key"]
    parts = list(key) if isinstance(key, tuple) else [key]
    ndim, depth = len(call.shapes[call.first]), call.depth
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    parts[at : at + 1] = [slice(None)] * (ndim - taken)
    arrays = [part for part in parts if not isinstance(part, int | slice) and part is not None]
    if arrays and (len(arrays) > 1 or any(isinstance(part, int) for part in parts)):
        raise MaskEnds("it is indexed by arrays on several axes")
    own: list[Any] = []
    for part in parts:
        if len(own) == depth:
            break
        if part is None:
            raise MaskEnds("a new axis comes before or between batch and time")
        if isinstance(part, bool | np.bool_):
            raise MaskEnds("it is indexed by a truth value")
        if isinstance(part, slice):
            own.append(part)
        elif isinstance(part, int) or np.ndim(_plain(part)) == 0:
            raise MaskEnds("one step is taken, so that no axis of steps is left")
        elif np.ndim(_plain(part)) == 1 and str(_dtype(part)) != "bool":
            own.append(_plain(part))
        else:
            raise MaskEnds("the indices put other axes in the place of the steps")
    if all(isinstance(part, slice) and part == slice(None) for part in own):
        return _kept(call.first)
    return _on_mask(call.first, lambda mask: mask[tuple(own)])


def _plain(part: Any) -> Any:
    if isinstance(part, KerasTensor):
        raise MaskEnds("the indices are not known yet")
    if isinstance(part, Variable):
        return part.value
    return np.asarray(part) if isinstance(part, list) else part


def _dtype(part: Any) -> Any:
    return getattr(_plain(part), "dtype", None)


def contraction(rows: Callable[[MaskedCall], int]) -> Rule:
    """A product of matrices: the axes of the first operand before those contracted stay."""

    def rule(call: MaskedCall) -> MaskFunction:
        left = call.masks[0] if call.names[0] == next(iter(call.arguments)) else None
        if left is None or len(left) > rows(call) or not leads(left, call.outputs[0]):
            raise MaskEnds("the steps are summed over, or do not lead the result")
        return _kept(0)

    return rule


# `matmul`, `dot`, `inner`: the last axis is summed over.
matrix_product = contraction(lambda call: len(call.shapes[0]) - 1)


def rows_of_tensordot(call: MaskedCall) -> int:
    axes = call.arguments["axes"]
    ndim = len(call.shapes[0])
    if isinstance(axes, int):
        return ndim - axes
    first = axes[0] if isinstance(axes[0], list | tuple) else [axes[0]]
    return min((axis % ndim for axis in first), default=ndim)


def einsum(call: MaskedCall) -> MaskFunction:
    """`einsum`: the labels of the masked axes must lead the result too."""
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
        raise MaskEnds("the steps are summed over, or do not lead the result")
    return _all_of(fitting)


def _spread(term: str, ndim: int) -> list[str]:
    """The labels of one term; '...' becomes as many as it stands for, counted from its right."""
    before, dots, after = term.partition("...")
    if not dots:
        return list(term)
    count = ndim - len(before) - len(after)
    return [*before, *(f".{i}" for i in range(count, 0, -1)), *after]
