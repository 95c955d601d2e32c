"""How many samples a classifier is right of, whatever form its answers and the labels have."""

from __future__ import annotations

from nacre.core.errors import ArgumentError, message
from nacre.export.targets.target import Array


def hits(output: Array, labels: Array, who: str) -> int:
    """How many samples an output is right of.

    Args:
        output: (batch, ..., classes), scores or probabilities of classes; (batch, ..., 1) or
            (batch,), probabilities of one class; or whole numbers, indices of classes.
        labels: Indices of classes, or an array of the output's shape: one-hot.
        who: What asks.

    Raises:
        ArgumentError: They do not fit.
    """
    given = labels
    if output.dtype.kind in "iu":
        chosen = output
    elif output.ndim < 2 or output.shape[-1] == 1:
        if output.size and not (output.min() >= 0 and output.max() <= 1):
            rule = "labels of one class need probabilities, from 0 to 1"
            fix = "End the model with a sigmoid, or leave labels out."
            raise ArgumentError(message(who, rule, f"{output.min():.3g}…{output.max():.3g}", fix))
        chosen = output > 0.5
        if given.size == chosen.size:
            given = given.reshape(chosen.shape)
    else:
        chosen = output.argmax(-1)
        if given.shape == output.shape:
            given = given.argmax(-1)
        elif given.shape == (*chosen.shape, 1):
            given = given[..., 0]
    if given.shape != chosen.shape:
        rule = f"labels of these samples must have shape {chosen.shape}"
        fix = "Give the index of the class of each sample."
        raise ArgumentError(message(who, rule, f"{labels.shape}", fix))
    return int((chosen == given).sum())


__all__ = ["hits"]
