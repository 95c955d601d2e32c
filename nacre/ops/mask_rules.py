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
Way = Callable[[list[Any], list[Any]], Any]


class Ends(Exception):
    """The mask ends here; says why."""


@dataclass(frozen=True)
class Use:
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


Rule = Callable[[Use], Way | list[Way]]

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


# ------------------------------------------------------------------------------- ways


def _kept(index: int) -> Way:
    return lambda tensors, masks: masks[index]


def _on_mask(index: int, function: Callable[[Any], Any]) -> Way:
    return lambda tensors, masks: function(masks[index])


def _all_of(indices: list[int]) -> Way:
    """The logical and; a mask of fewer axes holds for all positions within."""

    def both(a: Any, b: Any) -> Any:
        ndim = max(len(a.shape), len(b.shape))
        a, b = (m.reshape((*m.shape, *(1,) * (ndim - len(m.shape)))) for m in (a, b))
        return jnp.logical_and(a, b)

    def way(tensors: list[Any], masks: list[Any]) -> Any:
        different = list({id(masks[i]): masks[i] for i in indices}.values())
        return reduce(both, different)

    return way


# ------------------------------------------------------------------------------- rules


def elementwise(use: Use) -> Way:
    """Operands broadcast; the masks of those that keep their place in the result hold."""
    shape = use.outputs[0]
    fitting = [
        i
        for i, mask in enumerate(use.masks)
        if mask is not None and len(use.shapes[i]) == len(shape) and leads(mask, shape)
    ]
    if not fitting:
        raise Ends("the tensor with the mask is broadcast to other steps")
    return _all_of(fitting)


def of(*names: str) -> Rule:
    """Only the masks of some parameters matter, and their axes stay in place."""

    def rule(use: Use) -> Way:
        for i, (name, mask) in enumerate(zip(use.names, use.masks, strict=True)):
            if name in names and mask is not None and leads(mask, use.outputs[0]):
                return _kept(i)
        raise Ends(f"the result does not have the steps of '{names[0]}'")

    return rule


def along(name: str = "axis", why: str = "it works along the axis of the steps") -> Rule:
    """An op along axes; a mask that does not cover them stays."""

    def rule(use: Use) -> Way:
        if min(use.axes(name), default=use.depth) < use.depth:
            raise Ends(why)
        return _kept(use.first)

    return rule


reduction = along(why="the axis of the steps is reduced")


def last_axis(use: Use) -> Way:
    """An op along the last axis."""
    if use.depth > len(use.shapes[use.first]) - 1:
        raise Ends("it works along the axis of the steps")
    return _kept(use.first)


def moving(function: Callable[..., Any], *names: str) -> Rule:
    """An op that only moves, repeats or drops elements along an axis: the mask's move with them."""

    def rule(use: Use) -> Way:
        given = [use.arguments[name] for name in names]
        if use.arguments["axis"] is None:
            raise Ends("without an axis the steps are put into one row")
        axes = [axis for axis in use.axes() if axis < use.depth]
        if not axes:
            return _kept(use.first)
        if len(axes) < len(use.axes()):
            raise Ends("it works on steps and features at once")
        return _on_mask(use.first, lambda mask: function(mask, *given, axis=_axis_like(use, axes)))

    return rule


def _axis_like(use: Use, axes: list[int]) -> Any:
    return axes[0] if isinstance(use.arguments["axis"], int) else tuple(axes)


def quantiles(use: Use) -> Way:
    """A reduction; several quantiles come as a new first axis."""
    if np.ndim(_plain(use.arguments["q"])) > 0:
        raise Ends("the quantiles come before the steps")
    return cast("Way", reduction(use))


def flipping(axis: int) -> Rule:
    """`flipud`, `fliplr`."""
    return lambda use: _on_mask(use.first, lambda mask: jnp.flip(mask, axis=axis))


def flip(use: Use) -> Way:
    """`flip`: all axes when none is named."""
    axes = tuple(axis for axis in use.axes() if axis < use.depth)
    return _on_mask(use.first, lambda mask: jnp.flip(mask, axis=axes)) if axes else _kept(use.first)


def tile(use: Use) -> Way:
    """`tile`: steps that are repeated repeat in the mask."""
    repeats = use.arguments["repeats"]
    repeats = [repeats] if isinstance(repeats, int) else [int(n) for n in repeats]
    repeats = [1] * (len(use.shapes[use.first]) - len(repeats)) + repeats
    if len(repeats) > len(use.shapes[use.first]):
        raise Ends("there are new leading axes")
    return _on_mask(use.first, lambda mask: jnp.tile(mask, repeats[: len(mask.shape)]))


def take(use: Use) -> Way:
    """`take`: of a table by masked indices, or of a masked tensor along an axis."""
    index, axis = use.first, use.arguments["axis"]
    if use.names[index] == "indices":
        if axis != 0:
            raise Ends("the indices' steps do not lead the result")
        return _kept(index)
    if axis is None:
        raise Ends("without an axis the steps are put into one row")
    axis %= len(use.shapes[index])
    if axis >= use.depth:
        return _kept(index)
    indices = use.arguments["indices"]
    if len(np.shape(indices)) != 1:
        raise Ends("the indices put other axes in the place of the steps")
    return _on_mask(index, lambda mask: jnp.take(mask, jnp.asarray(indices), axis=axis))


def concatenate(use: Use) -> Way:
    """Along the steps masks are put side by side, along features a step must count in all."""
    return _side_by_side(use, use.arguments["axis"])


def stacked_on(axis: int) -> Rule:
    """`vstack`, `hstack`, `dstack`: concatenation on a fixed axis."""

    def rule(use: Use) -> Way:
        if len(use.shapes[0]) < 2:
            raise Ends("there are new axes")
        return _side_by_side(use, axis)

    return rule


def _side_by_side(use: Use, axis: Any) -> Way:
    if axis is None:
        raise Ends("without an axis the steps are put into one row")
    depth, axis = use.depth, axis % len(use.outputs[0])
    if axis >= depth:
        return elementwise_leading(use)

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


def elementwise_leading(use: Use) -> Way:
    """All masks cover axes that stay as they are: the logical and."""
    return _all_of([i for i, mask in enumerate(use.masks) if mask is not None])


def stack(use: Use) -> Way:
    """`stack`: a new axis behind the steps leaves the masks as they are."""
    if use.axes(ndim=len(use.outputs[0]))[0] < use.depth:
        raise Ends("a new axis comes before or between batch and time")
    return elementwise_leading(use)


def split_on(axis: int | None = None) -> Rule:
    """`split` and its kin: each part gets its part of the mask."""

    def rule(use: Use) -> Way | list[Way]:
        index = use.first
        on = axis if axis is not None else use.axes()[0]
        if on >= use.depth:
            return _kept(index)
        sizes = [shape[on] for shape in use.outputs]
        if not all(isinstance(size, int) for size in sizes):
            raise Ends("the sizes of the parts are not known")
        starts = [sum(sizes[:i]) for i in range(len(sizes))]

        def part(start: int, size: int) -> Way:
            return _on_mask(
                index, lambda mask: jax.lax.slice_in_dim(mask, start, start + size, axis=on)
            )

        return [part(start, size) for start, size in zip(starts, sizes, strict=True)]

    return rule


def unstack(use: Use) -> Way:
    """`unstack`: parts along features keep the mask."""
    if use.axes()[0] < use.depth:
        raise Ends("the axis of the steps is removed")
    return _kept(use.first)


def expand_dims(use: Use) -> Way:
    """`expand_dims`: new axes behind the steps leave the mask as it is."""
    if min(use.axes(ndim=len(use.outputs[0]))) < use.depth:
        raise Ends("a new axis comes before or between batch and time")
    return _kept(use.first)


def squeeze(use: Use) -> Way:
    """`squeeze`: the axes of the mask must stay."""
    axes = use.axes()
    if use.arguments["axis"] is None:
        axes = [axis for axis in axes if use.shapes[use.first][axis] == 1]
    if min(axes, default=use.depth) < use.depth:
        raise Ends("the axis of the steps is removed")
    return _kept(use.first)


def reshape(use: Use) -> Way:
    """`reshape`: the mask stays when the leading axes it covers do."""
    shape, new, depth = use.shapes[use.first], use.outputs[0], use.depth
    leads = len(new) >= depth and all(map(_same, shape[:depth], new[:depth]))
    if not (leads and _same(_product(shape[depth:]), _product(new[depth:]))):
        raise Ends("batch and time do not stay the leading axes")
    return _kept(use.first)


def _product(sizes: tuple[Any, ...]) -> Any:
    return None if None in sizes else math.prod(sizes)


def _in_place(use: Use, order: list[int]) -> Way:
    if order[: use.depth] != list(range(use.depth)):
        raise Ends("batch and time do not stay the leading axes")
    return _kept(use.first)


def transpose(use: Use) -> Way:
    """`transpose`: batch and time must stay in front."""
    ndim = len(use.shapes[use.first])
    axes = use.arguments["axes"]
    return _in_place(use, list(range(ndim))[::-1] if axes is None else use.axes("axes"))


def swapaxes(use: Use) -> Way:
    """`swapaxes`: batch and time must stay in front."""
    order = list(range(len(use.shapes[use.first])))
    a, b = use.axes("axis1")[0], use.axes("axis2")[0]
    order[a], order[b] = b, a
    return _in_place(use, order)


def moveaxis(use: Use) -> Way:
    """`moveaxis`: batch and time must stay in front."""
    source, destination = use.axes("source"), use.axes("destination")
    order = [a for a in range(len(use.shapes[use.first])) if a not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return _in_place(use, order)


def rearrange(use: Use) -> Way:
    """`rearrange`: both sides of the pattern must begin with the same plain names."""
    sides = [side.split()[: use.depth] for side in use.arguments["pattern"].split("->")]
    if sides[0] != sides[1] or any(c in "".join(sides[0]) for c in "(.1"):
        raise Ends("batch and time do not stay the leading axes")
    return _kept(use.first)


def pad(use: Use) -> Way:
    """`pad`: whether added steps count nobody knows."""
    widths = use.arguments["pad_width"]
    if isinstance(widths, int) or (widths and isinstance(widths[0], int)):
        widths = [widths] * len(use.shapes[use.first])
    if any(np.any(np.asarray(width) != 0) for width in list(widths)[: use.depth]):
        raise Ends("steps are added, and nothing tells whether they count")
    return _kept(use.first)


def one_hot(use: Use) -> Way:
    """`one_hot`: the axis of the classes comes behind the steps."""
    if use.axes(ndim=len(use.outputs[0]))[0] < use.depth:
        raise Ends("the classes come before the steps")
    return _kept(use.first)


def slice_block(use: Use) -> Way:
    """`slice`: the block's part of the mask."""
    starts, sizes = use.arguments["start_indices"], use.arguments["shape"]
    if isinstance(starts, KerasTensor):
        raise Ends("where the block begins is not known yet")

    def cut(mask: Any) -> Any:
        ndim = len(mask.shape)
        return jax.lax.dynamic_slice(
            mask, [jnp.asarray(starts[axis]) for axis in range(ndim)], tuple(sizes)[:ndim]
        )

    return _on_mask(use.first, cut)


def get_item(use: Use) -> Way:
    """`x[key]`: the same slices of the mask, as long as batch and time stay."""
    key = use.arguments["key"]
    parts = list(key) if isinstance(key, tuple) else [key]
    ndim, depth = len(use.shapes[use.first]), use.depth
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    parts[at : at + 1] = [slice(None)] * (ndim - taken)
    arrays = [part for part in parts if not isinstance(part, int | slice) and part is not None]
    if arrays and (len(arrays) > 1 or any(isinstance(part, int) for part in parts)):
        raise Ends("it is indexed by arrays on several axes")
    own: list[Any] = []
    for part in parts:
        if len(own) == depth:
            break
        if part is None:
            raise Ends("a new axis comes before or between batch and time")
        if isinstance(part, bool | np.bool_):
            raise Ends("it is indexed by a truth value")
        if isinstance(part, slice):
            own.append(part)
        elif isinstance(part, int) or np.ndim(_plain(part)) == 0:
            raise Ends("one step is taken, so that no axis of steps is left")
        elif np.ndim(_plain(part)) == 1 and str(_dtype(part)) != "bool":
            own.append(_plain(part))
        else:
            raise Ends("the indices put other axes in the place of the steps")
    if all(isinstance(part, slice) and part == slice(None) for part in own):
        return _kept(use.first)
    return _on_mask(use.first, lambda mask: mask[tuple(own)])


def _plain(part: Any) -> Any:
    if isinstance(part, KerasTensor):
        raise Ends("the indices are not known yet")
    if isinstance(part, Variable):
        return part.value
    return np.asarray(part) if isinstance(part, list) else part


def _dtype(part: Any) -> Any:
    return getattr(_plain(part), "dtype", None)


def contraction(rows: Callable[[Use], int]) -> Rule:
    """A product of matrices: the axes of the first operand before those contracted stay."""

    def rule(use: Use) -> Way:
        left = use.masks[0] if use.names[0] == next(iter(use.arguments)) else None
        if left is None or len(left) > rows(use) or not leads(left, use.outputs[0]):
            raise Ends("the steps are summed over, or do not lead the result")
        return _kept(0)

    return rule


# `matmul`, `dot`, `inner`: the last axis is summed over.
matrix_product = contraction(lambda use: len(use.shapes[0]) - 1)


def rows_of_tensordot(use: Use) -> int:
    axes = use.arguments["axes"]
    ndim = len(use.shapes[0])
    if isinstance(axes, int):
        return ndim - axes
    first = axes[0] if isinstance(axes[0], list | tuple) else [axes[0]]
    return min((axis % ndim for axis in first), default=ndim)


def einsum(use: Use) -> Way:
    """`einsum`: the labels of the masked axes must lead the result too."""
    given = [use.arguments.get("subscripts"), *(use.arguments.get("operands") or ())]
    equation = next((item for item in given if isinstance(item, str)), "")
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    fitting = []
    offset = len(terms) - len(use.shapes)
    for i, mask in enumerate(use.masks):
        if mask is None or not arrow or offset:
            continue
        labels = [_spread(term, len(shape)) for term, shape in zip(terms, use.shapes, strict=True)]
        result = _spread(right, len(use.outputs[0]))
        if labels[i][: len(mask)] == result[: len(mask)]:
            fitting.append(i)
    if not fitting:
        raise Ends("the steps are summed over, or do not lead the result")
    return _all_of(fitting)


def _spread(term: str, ndim: int) -> list[str]:
    """The labels of one term; '...' becomes as many as it stands for, counted from its right."""
    before, dots, after = term.partition("...")
    if not dots:
        return list(term)
    count = ndim - len(before) - len(after)
    return [*before, *(f".{i}" for i in range(count, 0, -1)), *after]
