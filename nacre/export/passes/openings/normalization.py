"""Normalisations."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.passes.openings._term import Term, opening


@opening
def batch_normalization(
    x: Term,
    mean: Term,
    variance: Term,
    offset: Term | None,
    scale: Term | None,
    *,
    axis: int,
    epsilon: float,
) -> Term:
    factor = 1 / (variance + epsilon).op("sqrt")
    factor = factor if scale is None else factor * scale
    shift = -(mean * factor) if offset is None else offset - mean * factor
    along = lambda vector: vector.along(axis, x.ndim).cast(x.dtype)
    return x * along(factor) + along(shift)


def _normalized(x: Term, axes: Sequence[int], epsilon: float) -> Term:
    centred = x - x.reduced("mean", axes)
    return centred / ((centred * centred).reduced("mean", axes) + epsilon).op("sqrt")


def _affine(x: Term, scale: Term | None, offset: Term | None) -> Term:
    x = x if scale is None else x * scale.cast(x.dtype)
    return x if offset is None else x + offset.cast(x.dtype)


@opening
def layer_normalization(
    x: Term, scale: Term | None, offset: Term | None, *, axes: tuple[int, ...], epsilon: float
) -> Term:
    return _affine(_normalized(x.wide(), axes, epsilon), scale, offset)


@opening
def rms_normalization(
    x: Term, scale: Term | None, *, axes: tuple[int, ...], epsilon: float
) -> Term:
    wide = x.wide()
    result = wide / ((wide * wide).reduced("mean", axes) + epsilon).op("sqrt")
    return _affine(result, scale, None)


@opening
def group_normalization(
    x: Term,
    scale: Term | None,
    offset: Term | None,
    *,
    groups: int,
    axis: int,
    epsilon: float,
) -> Term:
    axis = axis % x.ndim
    channels = x.shape[axis]
    assert isinstance(channels, int)
    inner = (*x.shape[:axis], groups, channels // groups, *x.shape[axis + 1 :])
    axes = tuple(a for a in range(1, x.ndim + 1) if a != axis)
    result = _normalized(x.wide().reshape(*inner), axes, epsilon).reshape(*x.shape)
    along = lambda vector: None if vector is None else vector.along(axis, x.ndim)
    return _affine(result, along(scale), along(offset))
