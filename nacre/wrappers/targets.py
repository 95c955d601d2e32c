"""What a classifier's model gets as targets, and what its outputs say about the classes.

Keras gives one-hot rows whatever the loss. Here the loss and the model's outputs decide, so that
each usual pair of last layer and loss works:

    last layer                loss                              targets          form
    k units                   categorical_crossentropy, other   one-hot rows     'one_hot'
    k units                   sparse_categorical_crossentropy   class indices    'labels'
    1 unit, for two classes   binary_crossentropy, hinge        0 or 1           'column'
    k units, several of k     binary_crossentropy               0 and 1          'indicator'

A model may have more units than there are classes in the data, as when a fold lacks one: those
further units are never right and never chosen.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from nacre import losses
from nacre.core.errors import ArgumentError, message
from nacre.losses.logits import activation_for_logits, activation_of_probabilities
from nacre.models import Model

Form = Literal["one_hot", "labels", "column", "indicator"]
_SIGNED = frozenset({"hinge", "squared_hinge"})  # of which targets are -1 and 1, and scores change
# sides at 0.


class Targets(NamedTuple):
    """How classes are written for a model.

    Attributes:
        form: See the module's table.
        classes: How many classes the data have.
        units: How many outputs the model has.
        loss: The loss, as an object or function.
    """

    form: Form
    classes: int
    units: int
    loss: Any

    @property
    def takes_one_hot(self) -> bool:
        """Whether the loss is that of classes that exclude one another."""
        return activation_of_probabilities(self.loss)[0] == "softmax"

    def encode(self, indices: np.ndarray) -> np.ndarray:
        """Class indices (batch,), or rows of 0 and 1 (batch, classes), as the model's targets."""
        if self.form == "labels":
            return indices
        if self.form == "column":
            return indices.astype("float32").reshape(-1, 1)
        if self.form == "indicator":
            return indices.astype("float32")
        return np.eye(self.units, dtype="float32")[indices]

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """The class indices (batch,) of outputs, or rows of 0 and 1 (batch, classes)."""
        if self.form == "indicator":
            if self.takes_one_hot:
                return np.eye(self.units, dtype=int)[outputs.argmax(axis=-1)]
            return (outputs > self._threshold()).astype(int)
        if self.form == "column":
            return (outputs[:, 0] > self._threshold()).astype(int)
        return outputs[:, : self.classes].argmax(axis=-1)

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """One number a sample for two classes, above 0 for the second; else one for each class."""
        if self.form == "indicator":
            return outputs - self._threshold()
        if self.form == "column":
            return outputs[:, 0] - self._threshold()
        if self.classes == 2:
            return outputs[:, 1] - outputs[:, 0]
        return outputs[:, : self.classes]

    def probabilities(self, who: str, outputs: np.ndarray) -> np.ndarray:
        """Probabilities (batch, classes); rows add up to 1 unless a sample may have several."""
        found = activation_for_logits(self.loss, self.units)
        p = outputs if found is None else np.asarray(_ACTIVATIONS[found[0]](outputs))
        is_signed = found is None and _name(self.loss) in _SIGNED
        if is_signed or (p.size and not (p.min() >= 0 and p.max() <= 1 + 1e-5)):
            raise ArgumentError(
                message(
                    f"{who}.predict_proba",
                    "the model's outputs must be probabilities, or logits of a loss that says so",
                    f"outputs from {p.min():.3g} to {p.max():.3g}, loss {_name(self.loss)!r}",
                    "End the model with softmax or sigmoid and a cross-entropy, or give the loss "
                    "from_logits=True.",
                )
            )
        if self.form == "column":
            return np.concatenate([1 - p, p], axis=1)
        if self.form == "indicator":
            return p
        p = p[:, : self.classes]
        total = p.sum(axis=1, keepdims=True)
        return np.where(total > 0, p / np.where(total > 0, total, 1), 1 / self.classes)

    def _threshold(self) -> float:
        is_logits = activation_for_logits(self.loss, self.units) is not None
        return 0.0 if is_logits or _name(self.loss) in _SIGNED else 0.5


_ACTIVATIONS = {"softmax": jax.nn.softmax, "sigmoid": jax.nn.sigmoid}


def targets_for(who: str, model: Model, x: Any, classes: int, *, several: bool) -> Targets:
    """How classes are written for a model that was made for `x`.

    Args:
        who: The estimator's name, for messages.
        model: A compiled model.
        x: Its inputs, of which the shape of a sample counts.
        classes: How many classes there are.
        several: Whether a sample may have several classes, or none.

    Raises:
        ArgumentError: The model has several outputs, or too few units.
    """
    shape = model.compute_output_shape((None, *x.shape[1:]))
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        raise ArgumentError(
            message(who, "its model must have one output of shape (batch, units)", f"{shape}")
        )
    units, loss = shape[1], _loss_of(model)
    reads_labels = getattr(getattr(loss, "fn", loss), "reads_labels", False)
    form: Form = "one_hot"
    if several:
        form = "indicator"
    elif units == 1 and classes == 2:
        form = "column"
    elif reads_labels:
        form = "labels"
    if form != "column" and (units < classes or (several and units != classes)):
        raise ArgumentError(
            message(
                who,
                "its model must have one unit for each class",
                f"{units} for {classes} classes",
                f"Give the last layer {classes} units: a function given as model gets y, and "
                "y.shape[1] is how many.",
            )
        )
    return Targets(form, classes, units, loss)


def _loss_of(model: Model) -> Any:
    spec = model.loss
    if isinstance(spec, dict) and len(spec) == 1:
        (spec,) = spec.values()
    elif isinstance(spec, list | tuple) and len(spec) == 1:
        (spec,) = spec
    if isinstance(spec, type):
        return spec()
    return losses.get(spec) if isinstance(spec, str) else spec


def _name(loss: Any) -> str:
    return getattr(getattr(loss, "fn", loss), "__name__", type(loss).__name__)


__all__ = ["Targets", "targets_for"]
