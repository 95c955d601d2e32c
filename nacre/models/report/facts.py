"""What a report shows, read off a model, its history and data."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nacre.core import tree
from nacre.core.errors import ArgumentError, message
from nacre.data.batch_source import BatchSource
from nacre.losses import expected_activation
from nacre.training import checks, inputs


@dataclass(frozen=True)
class Column:
    """An array of the data: shape, dtype, range, and how many of its numbers are not finite."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    low: float | None
    high: float | None
    mean: float | None
    missing: int


@dataclass(frozen=True)
class Predictions:
    """What a model predicts of samples, and what is true, for one output.

    Attributes:
        name: The output's name.
        kind: 'classes', 'labels' (each yes or no) or 'quantities'.
        true, predicted: Indices of classes (samples,); bools (samples, labels); or numbers
            (samples,).
    """

    name: str
    kind: Literal["classes", "labels", "quantities"]
    true: np.ndarray
    predicted: np.ndarray


def samples(model: Any, x: Any, y: Any, most: int, who: str) -> tuple[Any, Any]:
    """The first samples as arrays of the host: inputs, and targets or None."""
    source = inputs.source_of(model, x, y, who=who)
    if not isinstance(source, BatchSource):
        taken = source.cut(slice(0, most))
        pair = taken.pack([None if a is None else np.asarray(a) for a in taken.leaves])
        return pair[0], pair[1]
    batches: list[Any] = []
    count = 0
    for batch in source.batches(0):
        batches.append(batch[:2])
        count += len(next(leaf for leaf in tree.flatten(batch[0]) if leaf is not None))
        if count >= most:
            break
    leaves = zip(*(tree.flatten(batch) for batch in batches), strict=True)
    joined = [None if g[0] is None else np.concatenate(list(g))[:most] for g in leaves]
    pair = tree.pack_sequence_as(batches[0], joined)
    return pair[0], pair[1]


def describe(structure: Any, role: str) -> list[Column]:
    """Shape, dtype and range of each array."""
    found: list[Column] = []
    for path, leaf in tree.flatten_with_path(structure):
        if leaf is None:
            continue
        array = np.asarray(leaf)
        name = "/".join([role, *map(str, path)])
        if array.dtype.kind not in "iufb" or not array.size:
            found.append(Column(name, array.shape, str(array.dtype), None, None, None, 0))
            continue
        numbers = array.astype("float64")
        known = numbers[np.isfinite(numbers)]
        low, high, mean = (
            (float(known.min()), float(known.max()), float(known.mean()))
            if known.size
            else (None, None, None)
        )
        missing = int(numbers.size - known.size)
        found.append(Column(name, array.shape, str(array.dtype), low, high, mean, missing))
    return found


def predictions_of(model: Any, x: Any, y: Any, batch_size: int) -> list[Predictions]:
    """What the model predicts of samples beside what is true, for each output with targets."""
    predicted = tree.flatten(model.predict(x, batch_size=batch_size, verbose=0))
    trainer = model._trainer
    if trainer is not None and trainer.outputs is not None:
        rows = [(o.name, o.loss, t, p) for o, t, p, _ in trainer.split(y, predicted, None)]
    else:
        targets = tree.flatten(y)
        rows = [
            (f"output {i + 1}" if len(targets) > 1 else "output", None, t, p)
            for i, (t, p) in enumerate(zip(targets, predicted, strict=False))
        ]
    return [_predictions(*row) for row in rows if row[2] is not None]


def _predictions(name: str, loss: Any, given: Any, found: Any) -> Predictions:
    """Targets and outputs read as classes, labels or quantities: as the loss says, and without one
    as they look."""
    truth, found = np.asarray(given), np.asarray(found, "float64")
    kind = checks.loss_name(loss) if loss is not None else ""
    is_whole = truth.dtype.kind in "iub" or (truth.size and np.all(truth == np.round(truth)))
    classes = found.shape[-1] if found.ndim > 1 else 1
    if "sparse_categorical" in kind or (
        not kind and is_whole and classes > 1 and truth.size * classes == found.size
    ):
        return _of_classes(name, truth.reshape(-1), found)
    if "categorical" in kind and classes > 1:
        return _of_classes(name, truth.argmax(axis=-1).reshape(-1), found)
    zeros_and_ones = truth.size > 0 and bool(np.all((truth == 0) | (truth == 1)))
    if "binary" in kind or (not kind and zeros_and_ones and truth.size == found.size):
        threshold = 0.0 if expected_activation(loss) == "linear" else 0.5
        predicted = (found > threshold).reshape(len(found), -1)
        true = (truth > 0.5).reshape(len(truth), -1)
        if predicted.shape[1] == 1:
            classes = true[:, 0].astype(int), predicted[:, 0].astype(int)
            return Predictions(name, "classes", *classes)
        return Predictions(name, "labels", true, predicted)
    count = min(truth.size, found.size)
    quantities = truth.reshape(-1)[:count].astype("float64"), found.reshape(-1)[:count]
    return Predictions(name, "quantities", *quantities)


def _of_classes(name: str, truth: np.ndarray, found: np.ndarray) -> Predictions:
    predicted = found.argmax(axis=-1).reshape(-1)
    keep = (truth >= 0) & (truth < found.shape[-1])  # labels that are ignored lie outside
    return Predictions(name, "classes", truth[keep].astype(int), predicted[keep])


def confusion(true: np.ndarray, predicted: np.ndarray, count: int) -> np.ndarray:
    """How often (row) is taken for (column), (count, count)."""
    return np.bincount(true * count + predicted, minlength=count * count).reshape(count, count)


def named_classes(given: Sequence[Any] | None, count: int, who: str) -> list[str]:
    """Names of classes: those given, or their numbers.

    Raises:
        ArgumentError: There are fewer names than classes.
    """
    if given is None:
        return [str(index) for index in range(count)]
    names = [str(name) for name in given]
    if len(names) < count:
        rule = f"class_names must have a name for each of {count} classes"
        raise ArgumentError(message(who, rule, f"{len(names)}"))
    return names


__all__ = [
    "Column",
    "Predictions",
    "confusion",
    "describe",
    "named_classes",
    "predictions_of",
    "samples",
]
