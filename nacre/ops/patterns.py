"""Reshaping written as a pattern, as in einops."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.ops import mask_rules as masks
from nacre.ops._arrays import Tensor, array
from nacre.ops._define import Family

op = Family("einops")

Groups = list[list[str]]


def _parse(side: str, pattern: str) -> Groups:
    """The axes of one side: a list of names for each axis, several for one in brackets."""
    groups: Groups = []
    inside = False
    for token in side.replace("(", " ( ").replace(")", " ) ").split():
        if token == "(":
            groups.append([])
            inside = True
        elif token == ")":
            inside = False
        elif inside:
            groups[-1].append(token)
        else:
            groups.append([] if token == "1" else [token])
    if inside or side.count("(") != side.count(")"):
        raise ArgumentError(message("rearrange", "brackets must be closed", repr(pattern)))
    return groups


def _spread_dots(groups: Groups, count: int) -> Groups:
    """`...` replaced by as many axes as it stands for."""
    spread: Groups = []
    for group in groups:
        if group == ["..."]:
            spread += [[f"...{i}"] for i in range(count)]
        elif "..." in group:
            at = group.index("...")
            spread.append([*group[:at], *(f"...{i}" for i in range(count)), *group[at + 1 :]])
        else:
            spread.append(group)
    return spread


def _sizes(before: Groups, shape: tuple[Any, ...], given: dict[str, int]) -> dict[str, Any]:
    """The size of every named axis."""
    sizes: dict[str, Any] = dict(given)
    for group, size in zip(before, shape, strict=True):
        unknown = [name for name in group if name not in sizes]
        known = math.prod(sizes[name] for name in group if name in sizes)
        if len(unknown) > 1:
            raise ArgumentError(
                message(
                    "rearrange",
                    f"the sizes of all but one of ({' '.join(group)}) must be given",
                    f"no {unknown}",
                    f"Pass {unknown[0]}=... .",
                )
            )
        if unknown:
            sizes[unknown[0]] = size // known
        if math.prod(sizes[name] for name in group) != size:
            raise ShapeError(
                message(
                    "rearrange",
                    f"an axis of size {size} must be the product of ({' '.join(group)})",
                    str({name: sizes[name] for name in group}),
                )
            )
    return sizes


@op(masks=masks.rearrange)
def rearrange(tensor: Tensor, pattern: str, **axes_lengths: Any) -> jax.Array:
    """Reshape and transpose as a pattern says: axes by name, those in brackets joined.

    Raises:
        ArgumentError: The pattern does not name the same axes on both sides.
    Example:
        >>> rearrange([[1, 2], [3, 4]], "a b -> (b a)").tolist()
        [1, 3, 2, 4]
    """
    x = array(tensor)
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise ArgumentError(message("rearrange", "the pattern must have an arrow", repr(pattern)))
    before, after = _parse(left, pattern), _parse(right, pattern)
    named = sum(group != ["..."] for group in before)
    before, after = (_spread_dots(groups, x.ndim - named) for groups in (before, after))
    names = [name for group in before for name in group]
    wanted = [name for group in after for name in group]
    if sorted(names) != sorted(wanted) or len(set(names)) != len(names):
        raise ArgumentError(
            message("rearrange", "both sides must name the same axes once", repr(pattern))
        )
    if len(before) != x.ndim:
        raise ShapeError(
            message("rearrange", f"{pattern!r} must fit the tensor", f"shape {tuple(x.shape)}")
        )
    sizes = _sizes(before, x.shape, axes_lengths)
    x = jnp.reshape(x, [sizes[name] for name in names])
    x = jnp.transpose(x, [names.index(name) for name in wanted])
    return jnp.reshape(x, [math.prod(sizes[name] for name in group) for group in after])


__all__, __dir__ = op.shown()
