"""The weights of labels: `class_weight` as weights of samples, and what weights must look like.

A class weight belongs to a label, so what a label is must be known: it is told from the shapes of
targets and predictions and from the loss, never guessed from the targets alone. (batch, time)
labels beside (batch, time, classes) predictions are a label for each step, not one-hot rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from nacre.core import tree
from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.indices import first_in
from nacre.core.interop import to_numpy_if_foreign
from nacre.core.kinds import is_list, is_mapping, is_numpy_array
from nacre.core.warning import warn
from nacre.data.batch_source import BatchSource
from nacre.data.rows import is_picked_late
from nacre.data.sources import ArraySource
from nacre.losses.checking import without_last_axis
from nacre.training import checks
from nacre.training.compile import CompiledTraining

# Weights of classes are looked up in a table while the keys lie this close together.
_LARGEST_TABLE = 1 << 20
_NUMBERS_AT_ONCE = 1 << 22  # of targets that are sparse, or in a file


class ClassWeights:
    """Weights for the labels of one output.

    Args:
        class_weight: class -> weight; a class that is not named counts 1.
        who: Who asks, for messages.
        loss: The output's loss, which tells what its targets are.
        prediction_shape: Shape of the output, the batch first; -1 or None where a size is open.

    Raises:
        ArgumentError: It is no mapping of classes to weights, or names classes there are not.
    """

    def __init__(
        self, class_weight: Any, who: str, loss: Any, prediction_shape: tuple[int | None, ...]
    ) -> None:
        self.who = who
        self.loss = checks.loss_name(loss)
        self.shape = prediction_shape
        self.classes = prediction_shape[-1] if len(prediction_shape) > 1 else 1
        self.table = _checked_table(class_weight, who)
        self._check_keys()

    def _check_keys(self) -> None:
        """Refuse keys that are no class of this output."""
        if self.classes is not None and self.classes > 1:
            known: tuple[int, ...] = tuple(range(self.classes))
            why = f"as the predictions have {self.classes} classes"
        elif self.loss.startswith("binary"):
            known, why = (0, 1), f"as the loss is '{self.loss}'"
        else:
            return
        wrong = [key for key in self.table if key not in known]
        if wrong:
            raise ArgumentError(
                message(
                    self.who,
                    f"the keys of class_weight must be from 0 to {known[-1]}, {why}",
                    f"{wrong[0]}",
                    "A key is the class index itself, as it stands in y.",
                )
            )

    def weigh(self, y: Any, sample_weight: Any, whole: bool = False) -> np.ndarray:
        """Weights of the labels in `y`, times the sample weights there are.

        Args:
            y: Targets.
            sample_weight: Weights, or None.
            whole: Whether these are all labels there are: a negative key must be among them.
        """
        if is_picked_late(y):  # one-hot rows, which all at once would not fit
            step = max(1, _NUMBERS_AT_ONCE // max(1, y.shape[-1]))
            parts = (np.asarray(y[i : i + step]) for i in range(0, len(y), step))
            labels = np.concatenate([self._labels(part) for part in parts])
        else:
            labels = self._labels(np.asarray(to_numpy_if_foreign(y)))
        if whole:
            self._check_negative_keys(labels)
        weights = self._look_up(labels)
        if sample_weight is None:
            return weights
        given = np.asarray(to_numpy_if_foreign(sample_weight))
        fitted = given
        while fitted.ndim > weights.ndim and fitted.shape[-1] == 1:
            fitted = fitted[..., 0]
        if fitted.ndim > weights.ndim or fitted.shape != weights.shape[: fitted.ndim]:
            raise DataError(
                message(
                    self.who,
                    f"sample_weight must have the labels' shape {weights.shape}, or its first axes",
                    f"shape {given.shape}",
                    "Give one number per sample, or one per label.",
                )
            )
        fitted = fitted.reshape(fitted.shape + (1,) * (weights.ndim - fitted.ndim))
        return (weights * fitted).astype(np.float32)

    def _labels(self, y: np.ndarray) -> np.ndarray:
        """Class indices: the targets without the axis of the classes."""
        rank = max(len(self.shape), 2)  # predictions (batch,) are one number a sample
        y = without_last_axis(y, rank - 1)
        if y.ndim == rank - 1:
            return self._whole(y)
        if y.ndim == rank and self.classes in (None, y.shape[-1]):
            return self._of_one_hot(y)
        shown = ", ".join(["batch", *(str(n) for n in self.shape[1:])])
        raise DataError(
            message(
                self.who,
                "class_weight needs one label for each prediction, as class index or one-hot row",
                f"targets of shape {y.shape} for predictions of shape ({shown})",
                "Pass sample_weight with a weight for every label instead.",
            )
        )

    def _of_one_hot(self, y: np.ndarray) -> np.ndarray:
        if not self.loss.startswith(("categorical", "kl_divergence")):
            odd = np.flatnonzero(
                ~(np.isclose(y.sum(axis=-1, dtype=np.float64), 1) & (y.min(axis=-1) >= 0)).ravel()
            )
            if odd.size:
                row = y.reshape(-1, y.shape[-1])[odd[0]]
                raise DataError(
                    message(
                        self.who,
                        "class_weight needs one class a label, so rows of y that add up to 1",
                        f"{row.tolist()} in row {odd[0]}",
                        "Several labels a row have no single class: pass sample_weight, or weigh "
                        "them in the loss.",
                    )
                )
        return y.argmax(axis=-1)

    def _whole(self, labels: np.ndarray) -> np.ndarray:
        """Labels as ints. Between 0 and 1 they are rounded, as in Keras: smoothed binary labels."""
        if labels.dtype.kind in "iub":
            return labels.astype(np.int64)
        rounded = np.rint(labels)
        wrong = ~(labels == rounded)  # NaN too
        if self.classes == 1:
            wrong &= ~((labels >= 0) & (labels <= 1))
        if wrong.any():
            raise DataError(
                message(
                    self.who,
                    "class_weight needs class labels, which are whole numbers",
                    first_in(labels, wrong),
                    "For targets that are no classes pass sample_weight.",
                )
            )
        return rounded.astype(np.int64)

    def _check_negative_keys(self, labels: np.ndarray) -> None:
        negative = [key for key in self.table if key < 0 and not np.any(labels == key)]
        if negative:
            raise ArgumentError(
                message(
                    self.who,
                    "the keys of class_weight must be labels of y",
                    f"{negative[0]}, with labels from {labels.min()} to {labels.max()}",
                    "Keys do not count from the end.",
                )
            )

    def _look_up(self, labels: np.ndarray) -> np.ndarray:
        keys = np.array(list(self.table), np.int64)
        values = np.array(list(self.table.values()), np.float32)
        low, high = int(keys.min()), int(keys.max())
        if high - low >= _LARGEST_TABLE:
            found, inverse = np.unique(labels, return_inverse=True)
            each = np.array([self.table.get(int(label), 1.0) for label in found], np.float32)
            return each[inverse].reshape(labels.shape)
        table = np.ones(high - low + 2, np.float32)  # the last entry is for all other labels
        table[keys - low] = values
        outside = (labels < low) | (labels > high)
        return table[np.where(outside, high - low + 1, labels - low)]


def _is_real(value: object) -> bool:
    return isinstance(value, Real | np.bool_)


def _checked_table(class_weight: Any, who: str) -> dict[int, float]:
    """class -> weight with ints and floats."""
    rule = "class_weight must be a dict: class index -> weight"
    if not is_mapping(class_weight):
        shown = type(class_weight).__name__
        fix = "Pass {0: 1.0, 1: 2.0}"
        if isinstance(class_weight, list | tuple | np.ndarray):
            fix += ", or dict(enumerate(class_weight)) when it holds the weights of classes 0, 1, 2"
        raise ArgumentError(message(who, rule, f"a {shown}", f"{fix}."))
    table: dict[int, float] = {}
    for key, weight in class_weight.items():
        if not _is_real(key) or key != np.floor(float(key)):
            fix = ""
            if isinstance(key, str):
                fix = "Pass {int(label): weight for label, weight in class_weight.items()}."
                if not key.lstrip("-").isdigit():
                    fix = "Use the numbers that stand for the classes in y."
            raise ArgumentError(
                message(who, f"{rule}; classes are whole numbers", f"the key {key!r}", fix)
            )
        is_number = _is_real(weight)
        if not is_number or not np.isfinite(float(weight)) or float(weight) < 0:
            raise ArgumentError(
                message(
                    who, f"{rule}; weights are numbers from 0", f"{weight!r} for class {key}"
                )
            )  # fmt: skip
        table[int(key)] = float(weight)
    return table


def class_weights_for(
    trainer: CompiledTraining, class_weight: Any, y_pred: Any, who: str
) -> WeightsByClass | None:
    """What `class_weight` means for a model; None when none were given.

    Args:
        trainer: Its outputs and losses.
        class_weight: class -> weight for a model with one output; for each output by name, or in a
            list with None for outputs without.
        y_pred: Anything with the shapes of the predictions.
        who: Who asks, for messages.

    Raises:
        ArgumentError: They are for no output, or cannot be used.
    """
    if class_weight is None or (is_mapping(class_weight) and not class_weight):
        return None
    outputs = trainer.outputs or []
    entries = list(class_weight.values()) if is_mapping(class_weight) else class_weight
    is_by_output = is_list(entries) and any(is_mapping(entry) for entry in entries)
    if not is_by_output and len(outputs) != 1:
        names = ", ".join(f"'{o.name}': {{0: ..., 1: ...}}" for o in outputs)
        raise ArgumentError(
            message(
                who,
                "class_weight of a model with several outputs must say which output it is for",
                f"{type(class_weight).__name__} for {len(outputs)} outputs",
                f"Pass class_weight={{{names}}}, or sample_weight with a weight for every label.",
            )
        )
    each = trainer.by_class(class_weight) if is_by_output else [class_weight]
    found: list[ClassWeights | None] = []
    for output, given, prediction in zip(outputs, each, tree.flatten(y_pred), strict=True):
        asks = who if len(outputs) == 1 else f"{who}, output '{output.name}'"
        shape = tuple(prediction.shape)
        is_silent = given is None or (is_mapping(given) and not given)
        found.append(None if is_silent else ClassWeights(given, asks, output.loss, shape))
    return WeightsByClass(trainer, found, who)


class WeightsByClass:
    """Weights of classes for the outputs of a model.

    Args:
        trainer: It tells which targets and weights are whose.
        each: Those of each output, None where it has none.
        who: Who asks, for messages.
    """

    def __init__(
        self, trainer: CompiledTraining, each: Sequence[ClassWeights | None], who: str
    ) -> None:
        self.trainer, self.each, self.who = trainer, each, who

    def weighed(self, batch: Any, whole: bool = False) -> Any:
        """(x, y, sample_weight) with the weights of the classes among the sample weights.

        Raises:
            DataError: An output has weights of classes and no targets.
        """
        x, y, sample_weight = batch
        targets, given = self.trainer.targets_and_weights(y, sample_weight)
        found: list[Any] = []
        for weights, target, own in zip(self.each, targets, given, strict=True):
            if weights is None:
                found.append(own)
            elif target is None:
                rule = "class_weight needs one array of targets for each output it is for"
                raise DataError(message(weights.who, rule, "none"))
            else:
                found.append(weights.weigh(target, own, whole))
        return x, y, found[0] if len(found) == 1 else found


def with_class_weights(
    source: ArraySource | BatchSource, weights: WeightsByClass
) -> ArraySource | BatchSource:
    """The source with weights of classes: at once for arrays, else batch by batch."""
    if isinstance(source, ArraySource):
        y, given = source.targets_and_weights()
        return source.with_sample_weight(weights.weighed((None, y, given), whole=True)[2])
    source.add_conversion(weights.weighed)
    return source


def are_all_present(source: ArraySource | BatchSource) -> bool:
    """Whether there are sample weights, and all lie on the host and are other than 0."""
    if not isinstance(source, ArraySource) or source.convert is not None:
        return False
    weights = [w for w in tree.flatten(source.parts[2]) if w is not None]
    return bool(weights) and all(_is_nowhere_0(w) for w in weights)


def with_present_inputs(x: Any, weights: Sequence[Any]) -> Any:
    """Inputs of the host with a sample, or step, that counts in place of those of weight 0.

    Args:
        x: Arrays.
        weights: The weights of each output that counts, None where all of its samples do.

    Returns:
        The inputs; None where nothing is known to be absent.
    """
    arrays = [w for w in weights if is_numpy_array(w)]
    if not arrays or len(arrays) < len(weights):
        return None
    absent = [np.all(w.reshape(len(w), -1) == 0, axis=1) for w in arrays]
    by_sample = np.logical_and.reduce(absent)
    steps = [w[..., 0] if w.ndim > 2 and w.shape[-1] == 1 else w for w in arrays]
    is_alike = all(w.shape == steps[0].shape for w in steps) and steps[0].ndim > 1
    by_step = np.logical_and.reduce([w == 0 for w in steps]) if is_alike else by_sample

    def present(leaf: Any) -> Any:
        if not is_numpy_array(leaf):
            return leaf
        for one in (by_step, by_sample):
            if leaf.shape[: one.ndim] == one.shape and one.any() and not one.all():
                leaf = leaf.copy()
                leaf[one] = leaf[np.unravel_index(np.argmin(one), one.shape)]
                return leaf
        return np.zeros_like(leaf) if by_sample.all() else leaf

    return tree.map_structure(present, x)


def _is_nowhere_0(weights: Any) -> bool:
    return is_numpy_array(weights) and bool(np.all(weights.astype("float32", copy=False)))


def check_weights(source: ArraySource | BatchSource, who: str) -> None:
    """Look at the values of sample weights: all of arrays, each batch of a source of batches."""
    if isinstance(source, ArraySource):
        _check_values(source.parts[2], who, False)
    else:
        source.add_conversion(_watched(who))


def _watched(who: str) -> Callable[[Any], Any]:
    warned = False

    def check(batch: Any) -> Any:
        nonlocal warned
        warned = _check_values(batch[2], who, warned) or warned
        return batch

    return check


def _check_values(sample_weight: Any, who: str, warned: bool) -> bool:
    """Refuse weights that are no numbers, warn of negative ones; True when there are some.

    Negative weights have a meaning for the loss alone (reinforcement learning weighs by an
    advantage), so they run.
    """
    if sample_weight is None:
        return False
    found = False
    for path, leaf in tree.flatten_with_path(sample_weight):
        if not is_numpy_array(leaf) or leaf.dtype.kind not in "fiu" or not leaf.size:
            continue
        name = "sample_weight" + "".join(f"[{p!r}]" for p in path)
        low, high = leaf.min(), leaf.max()  # NaN when there is one
        if not np.isfinite(low) or not np.isfinite(high):
            got = f"{first_in(leaf, ~np.isfinite(leaf))} of {name}"
            raise DataError(message(who, "sample weights must be finite numbers", got))
        if low < 0:
            found = True
            if not warned:
                # The same words for every batch, so that Python shows them once.
                warn(
                    message(
                        who,
                        "negative sample weights reverse the sign of the loss, and make weighted "
                        "metrics meaningless",
                        f"some below 0 in {name}",
                    )
                )
    return found


__all__ = [
    "ClassWeights",
    "WeightsByClass",
    "are_all_present",
    "check_weights",
    "class_weights_for",
    "with_class_weights",
    "with_present_inputs",
]
