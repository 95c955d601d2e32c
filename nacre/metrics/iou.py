"""Intersection over union of predicted and true regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.dtypes import is_float
from nacre.core.errors import ArgumentError, LossInputError, message
from nacre.core.older import is_older_meant
from nacre.core.registry import register
from nacre.core.scope import get_mask
from nacre.core.warning import warn
from nacre.losses.checking import as_array, describe, same_rank
from nacre.losses.reduction import divide_or_zero
from nacre.metrics.metric import Metric
from nacre.metrics.reduction import combined_weights


@register("metrics/IoU")
class IoU(Metric):
    """The mean intersection over union of chosen classes, from a confusion matrix.

    Classes that occur neither in targets nor in predictions do not count. What is read as class
    indices must be whole numbers from 0 to `num_classes - 1`, or `ignore_class`, or weigh nothing:
    another value on the host is an error, a traced one makes the result NaN. Scores of a model that
    would be read as indices are refused when training starts, by their dtype. (Keras cuts them to
    whole numbers, so that every score below 1 is class 0.)

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes looked at.
        name: Name in logs.
        dtype: Dtype of the matrix, int32 by default; choose a float one for weights that are no
            whole numbers.
        ignore_class: A label whose samples do not count.
        sparse_y_true: Whether targets are class indices (else one-hot).
        sparse_y_pred: Whether predictions are class indices (else scores).
        axis: Axis of the classes when they are not class indices.

    Formula:
        true positives / (true positives + false positives + false negatives)
    Raises:
        ArgumentError: `target_class_ids` are not among the classes.
        LossInputError: Targets and predictions do not fit.
    Example:
        >>> metric = IoU(num_classes=2, target_class_ids=[0])
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    leaves_out_absent = True
    direction = "max"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype or "int32")
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        wrong = [i for i in self.target_class_ids if not 0 <= i < num_classes]
        if wrong:
            rule = f"target_class_ids must be from 0 to {num_classes - 1}"
            raise ArgumentError(message(type(self).__name__, rule, str(wrong)))
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        shape = (num_classes, num_classes)
        self.total_confusion_matrix = self.add_variable(
            shape, "zeros", name="total_confusion_matrix"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: Targets: class indices, or one-hot.
            y_pred: Predictions: class indices, or scores.
            sample_weight: One weight per value, or per leading axis.
        """
        mask = get_mask(y_pred)
        y_true, y_pred = as_array(y_true), as_array(y_pred)
        if not self.sparse_y_true:
            y_true = jnp.argmax(y_true, axis=self.axis)
        if not self.sparse_y_pred:
            y_pred = jnp.argmax(y_pred, axis=self.axis)
        elif is_older_meant() and jnp.issubdtype(y_pred.dtype, jnp.floating):
            warn(
                f"{self._who}: scores are cut to whole numbers, as in tf.keras 2, so that 0.9 is "
                "class 0. BinaryIoU(threshold=0.5) and sparse_y_pred=False take scores."
            )
            y_pred = y_pred.astype("int32")
        self._add(y_true, y_pred, sample_weight, mask)

    def _check_predictions(self, y_pred: Any) -> None:
        if type(self).update_state is not IoU.update_state or not self.sparse_y_pred:
            return  # scores are turned into classes, here or by the user's own `update_state`
        if is_older_meant():
            return
        if jnp.issubdtype(y_pred.dtype, jnp.floating):
            shape = ("batch", *y_pred.shape[1:])
            got = f"scores of shape ({', '.join(map(str, shape))}), {y_pred.dtype}"
            self._refuse(self._PREDICTIONS, got, y_pred.shape)

    _PREDICTIONS = "predictions must be class indices, as sparse_y_pred=True says"

    def _refuse(self, rule: str, got: str, shape: tuple[int, ...]) -> NoReturn:
        fix = "For one score a value use BinaryIoU(threshold=0.5)"
        if shape and shape[-1] == self.num_classes and len(shape) > 1:
            fix = "For one score a class pass sparse_y_pred=False"
        fix += "; cast predictions that are whole numbers to int32."
        raise LossInputError(message(self._who, rule, got, fix))

    def _invalid_labels(self, y_true: Any, y_pred: Any, counts: Any) -> Any:
        """Where a value that counts is no class. An error for arrays on the host."""
        wrong = jnp.zeros((), bool)
        for values, what in ((y_true, "targets"), (y_pred, "predictions")):
            whole = jnp.floor(values) == values if is_float(str(values.dtype)) else True
            here = ~(whole & (values >= 0) & (values < self.num_classes)) & counts
            wrong |= here
            if isinstance(here, jax.core.Tracer):
                continue
            places = np.argwhere(np.asarray(here))
            if not len(places):
                continue
            place = tuple(places[0])
            value = np.asarray(values)[place]
            got = f"{value:.6g} at {tuple(map(int, place))}"
            if value != np.floor(value) and what == "predictions":
                self._refuse(self._PREDICTIONS, f"a score, {got}", values.shape)
            rule = f"{what} must be whole numbers from 0 to {self.num_classes - 1}"
            fix = "Give more num_classes, or ignore_class for a label that is not to count."
            raise LossInputError(message(self._who, rule, got, fix))
        return wrong

    def _add(self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> None:
        given = y_true
        y_true, y_pred = same_rank(y_true, y_pred)
        if y_true.shape != y_pred.shape:
            rule = f"targets must have the predictions' shape {y_pred.shape}"
            fix = "For one-hot targets or scores pass sparse_y_true=False or sparse_y_pred=False."
            raise LossInputError(message(self._who, rule, describe(given), fix))
        weights = combined_weights(self._who, sample_weight, mask, y_true.shape, "float32")
        weights = jnp.ones((), "float32") if weights is None else weights
        counts = jnp.broadcast_to(weights != 0, y_true.shape)
        if self.ignore_class is not None:
            counts &= y_true != self.ignore_class
        wrong = self._invalid_labels(y_true, y_pred, counts)
        known = counts & ~wrong
        weights = jnp.where(known, weights, 0.0).astype(self.dtype).reshape(-1)
        cell = y_true.astype("int32") * self.num_classes + y_pred.astype("int32")
        cell = jnp.where(known, cell, 0).reshape(-1)
        cells = jnp.zeros((self.num_classes**2,), weights.dtype).at[cell].add(weights)
        cells = cells.reshape(self.num_classes, self.num_classes)
        # A matrix of counts has no NaN: what cannot be counted makes it, and keeps it, negative.
        matrix = self.total_confusion_matrix.value
        spoilt = jnp.any(wrong) | jnp.any(matrix < 0)
        self.total_confusion_matrix.assign(jnp.where(spoilt, -1, matrix + cells))

    def result(self) -> Any:
        """The mean over the chosen classes so far; NaN after a traced value that is no class."""
        matrix = self.total_confusion_matrix.value.astype("float32")
        overlap = jnp.diagonal(matrix)
        union = jnp.sum(matrix, axis=0) + jnp.sum(matrix, axis=1) - overlap
        chosen = jnp.asarray(self.target_class_ids)
        overlap, union = overlap[chosen], union[chosen]
        mean = divide_or_zero(
            jnp.sum(divide_or_zero(overlap, union)), jnp.sum((union > 0).astype("float32"))
        )
        return jnp.where(jnp.any(matrix < 0), jnp.nan, mean)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with(
            "num_classes",
            "target_class_ids",
            "ignore_class",
            "sparse_y_true",
            "sparse_y_pred",
            "axis",
        )


@register("metrics/MeanIoU")
class MeanIoU(IoU):
    """The mean intersection over union of all classes.

    Args:
        num_classes: Number of classes.
        name: Name in logs.
        dtype: Dtype of the matrix, see `IoU`.
        ignore_class: A label whose samples do not count.
        sparse_y_true: Whether targets are class indices (else one-hot).
        sparse_y_pred: Whether predictions are class indices (else scores).
        axis: Axis of the classes when they are not class indices.

    Example:
        >>> metric = MeanIoU(num_classes=2)
        >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with(
            "num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis"
        )


@register("metrics/BinaryIoU")
class BinaryIoU(IoU):
    """Intersection over union of two classes told apart by a threshold.

    Args:
        target_class_ids: The classes looked at: 0, 1 or both.
        threshold: A score above it (or equal) is class 1. In `compile`, beside a loss with
            `from_logits=True`, 0.5 is taken as a probability.
        name: Name in logs.
        dtype: Dtype of the matrix, see `IoU`.

    Example:
        >>> metric = BinaryIoU(threshold=0.3)
        >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
        >>> round(float(metric.result()), 4)
        0.3333
    """

    leaves_out_absent = True
    _settings = frozenset(("threshold",))

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: 0 or 1.
            y_pred: Scores, the same shape.
            sample_weight: One weight per value, or per leading axis.
        """
        mask = get_mask(y_pred)
        y_pred = (as_array(y_pred) >= self.threshold).astype("int32")
        self._add(as_array(y_true), y_pred, sample_weight, mask)

    def _reads_probabilities(self) -> bool:
        return self.threshold == 0.5

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with("target_class_ids", "threshold")


@register("metrics/OneHotIoU")
class OneHotIoU(IoU):
    """`IoU` of one-hot targets.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes looked at.
        name: Name in logs.
        dtype: Dtype of the matrix, see `IoU`.
        ignore_class: A label whose samples do not count.
        sparse_y_pred: Whether predictions are class indices (else scores).
        axis: Axis of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with(
            "num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis"
        )


@register("metrics/OneHotMeanIoU")
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets.

    Args:
        num_classes: Number of classes.
        name: Name in logs.
        dtype: Dtype of the matrix, see `IoU`.
        ignore_class: A label whose samples do not count.
        sparse_y_pred: Whether predictions are class indices (else scores).
        axis: Axis of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with("num_classes", "ignore_class", "sparse_y_pred", "axis")
