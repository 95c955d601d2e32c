"""The curves of a training: each metric over the epochs, beside its validation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, UnknownNameError, message, nearest
from nacre.core.pictures import BLUE, ORANGE, finished, new_figure


@dataclass(frozen=True)
class Curve:
    """One metric.

    Attributes:
        name: What it is called in training.
        training, validation: (epochs from 1, values), each as long as it was logged; the values are
            finite or NaN.
    """

    name: str
    training: tuple[list[int], list[float]]
    validation: tuple[list[int], list[float]]


def curves_of(
    history: Mapping[str, Sequence[Any]],
    logged_in: Mapping[str, Sequence[int]],
    names: Sequence[str] | None = None,
) -> list[Curve]:
    """The metrics of a history that are single numbers, the loss first.

    Args:
        history: Name -> values.
        logged_in: Name -> the epochs, from 0, they were logged in.
        names: Those wanted, without 'val_'.

    Raises:
        ArgumentError: There are no epochs.
        UnknownNameError: A name that nothing was logged under.
    """
    if not history:
        rule = "there must be an epoch to show"
        raise ArgumentError(message("History", rule, "none", "Train first: model.fit(...)."))
    known = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    known.sort(key=lambda name: name != "loss")
    for name in names or ():
        if name not in known:
            hint = nearest(name, known)
            fix = f"Did you mean {hint!r}?" if hint else ""
            rule = f"names must be logged in training: {', '.join(known)}"
            raise UnknownNameError(message("History", rule, repr(name), fix))
    found: list[Curve] = []
    for name in names or known:
        keys = (name, f"val_{name}")
        both = [_points(history.get(key, ()), logged_in.get(key, ())) for key in keys]
        if any(values for _, values in both):
            found.append(Curve(name, both[0], both[1]))
    return found


def _points(values: Sequence[Any], epochs: Sequence[int]) -> tuple[list[int], list[float]]:
    if not values or any(np.ndim(value) for value in values):
        return [], []
    if len(epochs) != len(values):  # a history that was written by hand
        epochs = range(len(values))
    numbers = [float(value) for value in values]
    return [epoch + 1 for epoch in epochs], [n if np.isfinite(n) else np.nan for n in numbers]


def plot_curves(curves: Sequence[Curve], save: str | os.PathLike[str] | None) -> Any:
    """A figure with one picture a curve."""
    columns = min(len(curves), 3)
    rows = -(-len(curves) // max(columns, 1))
    size = (4.6 * columns, 3.4 * rows)
    figure, axes = new_figure("History.plot", rows, columns, figsize=size)
    for one, curve in zip(axes, curves, strict=False):
        for (epochs, values), label, colour in (
            (curve.training, "training", BLUE),
            (curve.validation, "validation", ORANGE),
        ):
            if values:
                mark = "o" if len(values) < 12 else ""
                one.plot(epochs, values, color=colour, marker=mark, markersize=4, label=label)
        one.set_xlabel("epoch")
        one.set_ylabel(curve.name)
        one.set_title(curve.name, loc="left")
        one.xaxis.get_major_locator().set_params(integer=True)
        one.margins(x=0.03)
        if curve.training[1] and curve.validation[1]:
            one.legend(frameon=False)
    for one in axes[len(curves) :]:
        one.set_visible(False)
    return finished(figure, save)


__all__ = ["Curve", "curves_of", "plot_curves"]
