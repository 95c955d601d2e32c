"""Targets that are strings: refused, with the line that makes numbers of them.

They are not mapped in silence: which number a name gets would follow from the names that one set
happens to hold, and a second set, a loaded model or a callback would have to be told. The line
keeps the names in a list of the user's, which serves every set, and in which a name that is not
there is an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre import losses
from nacre.core import tree
from nacre.core.errors import DTypeError, message
from nacre.core.kinds import is_numpy_array
from nacre.core.strings import is_text
from nacre.training import checks

_LOOKED_AT = 10_000  # labels, for whether they are numbers, and which names there are

_BY_INDEX = (
    "names = sorted(set(y)); y = np.array([names.index(name) for name in y]), "
    "and the same second line for validation and test labels"
)


def refuse_text_targets(model: Any, batch: Any, who: str) -> None:
    """Raise when targets or sample weights are strings.

    Args:
        model: Its loss says what targets have to become.
        batch: (x, y, sample_weight) as arrays.
        who: Who asks, for messages.

    Raises:
        DTypeError: They are.
    """
    for label, part in (("targets", batch[1]), ("sample weights", batch[2])):
        for leaf in tree.flatten(part):
            if _begins_with_text(leaf):
                fix = "" if label == "targets" else "Use np.asarray(weights).astype('float32')."
                got = f"strings such as {np.ravel(leaf[:1]).tolist()[0]!r}"
                fix = fix or _fix(np.ravel(leaf[:_LOOKED_AT]), leaf.ndim, _loss_name(model))
                raise DTypeError(message(f"{who}, {label}", "they must be numbers", got, fix))


def _begins_with_text(leaf: Any) -> bool:
    return is_numpy_array(leaf) and leaf.dtype.kind in "OUS" and is_text(leaf[:1])


def _fix(labels: np.ndarray, rank: int, loss: str) -> str:
    if _are_numbers(labels):
        return "Numbers that are written as strings need y = np.asarray(y).astype('float32')."
    first = "y = np.ravel(y); " if rank > 1 else ""
    names = sorted(set(labels.tolist()))
    if loss.startswith("binary") and len(names) == 2:
        return f"Say which class is 1: y = (np.asarray(y) == {names[1]!r}).astype('float32')."
    if loss.startswith("categorical"):
        one_hot = "nacre.utils.to_categorical(y, len(names))"
        return f"Keep the names of the classes: {first}{_BY_INDEX}; then y = {one_hot}."
    if loss.startswith("sparse") or not loss:
        return f"Keep the names of the classes: {first}{_BY_INDEX}."
    return (
        f"Keep the names of the classes: {first}{_BY_INDEX}. Names are no quantities: beside them "
        "stands loss='sparse_categorical_crossentropy', with a unit of softmax for each class."
    )


def _are_numbers(labels: np.ndarray) -> bool:
    try:
        return bool(np.isfinite(labels.astype("float64")).all())
    except ValueError:
        return False


def _loss_name(model: Any) -> str:
    """The name of the loss of a model with one; empty where there are several, or none."""
    given = None if model._trainer is None else model._trainer.given["loss"]
    if not isinstance(given, str) and not callable(given):
        return ""
    return checks.loss_name(losses.get(given))


__all__ = ["refuse_text_targets"]
