"""Mean average precision of detected boxes, by the rule of COCO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, LossInputError, message
from nacre.core.registry import register
from nacre.metrics.metric import Metric
from nacre.ops.boxes.formats import known_format, to_edges
from nacre.ops.boxes.overlap import area

_IOU_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_RECALLS = np.linspace(0, 1, 101)  # where COCO reads precision
# Areas in pixels², both ends included.
_SIZES = {"": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


@dataclass
class _Class:
    """What was gathered for one class: an entry for each image in which it was true or found.

    `hits` and `ignored` have shape (sizes, thresholds, detections), best detection first.
    """

    scores: list[np.ndarray] = field(default_factory=list)
    hits: list[np.ndarray] = field(default_factory=list)
    ignored: list[np.ndarray] = field(default_factory=list)
    num_true: np.ndarray = field(default_factory=lambda: np.zeros(len(_SIZES), int))


@register("metrics/MeanAveragePrecision")
class MeanAveragePrecision(Metric):
    """The mean, over classes and limits of overlap, of precision averaged over recall.

    Detections are taken best first. Each is right if it overlaps enough with a true box of its
    class in its image that no better one took; so one thing found twice is right once. Precision
    where the recall reaches 0, 0.01, ..., 1 is averaged, for each class and each limit of
    intersection over union.

    All detections are ranked together, so they are kept until `result`, on the host: call
    `update_state` on arrays, after `predict` or in a callback, not within `compile(metrics=...)`,
    where a detector's outputs are no boxes yet.

    Args:
        bounding_box_format: Of true and found boxes; see
            `nacre.utils.bounding_boxes.convert_format`. With a relative one the numbers by size of
            things are NaN, as sizes are in pixels.
        iou_thresholds: Limits of intersection over union, or one; by default 0.5, 0.55, ..., 0.95.
        max_detections: Of one class in one image; the best that many count.
        name: Name in logs.
        dtype: Dtype of the result.

    Shapes:
        y_true: 'boxes' (batch, boxes, 4) and 'labels' (batch, boxes), negative for padding; where
            known 'is_crowd' (batch, boxes), whose boxes are around many things: what is found
            there is neither right nor wrong; and 'areas' (batch, boxes) in pixels² instead of the
            boxes' own, to tell small from large.
        y_pred: 'boxes' (batch, boxes, 4), 'labels' (batch, boxes), negative for padding, and
            'confidences' (or 'scores') (batch, boxes), as `non_max_suppression` gives them.
        Each may be a list with such a dict for each image instead, without the batch axis.
    Raises:
        ArgumentError: `update_state` runs within a compiled program.
        LossInputError: Boxes, labels and scores do not fit, a true box has its right edge before
            its left one (another format), or a number is NaN.
    Source:
        Lin et al. 2014, arXiv:1405.0312; the numbers are those of pycocotools 2.0.11. Differs: NaN,
        and not -1, where there is no true box; boxes of a relative format.
    Example:
        >>> metric = MeanAveragePrecision("xyxy")
        >>> truth = {"boxes": [[[0, 0, 10, 10], [20, 20, 30, 30]]], "labels": [[0, 0]]}
        >>> found = {"boxes": [[[0, 0, 10, 9]]], "labels": [[0]], "confidences": [[0.8]]}
        >>> metric.update_state(truth, found)
        >>> round(float(metric.result()), 4), round(metric.summary()["map_50"], 4)
        (0.4545, 0.505)
    """

    direction = "max"
    leaves_out_absent = True
    _settings = frozenset(("_found",))

    def __init__(
        self,
        bounding_box_format: str,
        iou_thresholds: float | Sequence[float] | None = None,
        max_detections: int = 100,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.bounding_box_format = known_format(type(self).__name__, bounding_box_format)
        limits = _IOU_THRESHOLDS if iou_thresholds is None else iou_thresholds
        self.iou_thresholds = [float(limit) for limit in np.ravel(limits)]
        self.max_detections = max_detections
        are_limits = all(0 < limit <= 1 for limit in self.iou_thresholds)
        if not self.iou_thresholds or not are_limits or max_detections < 1:
            rule = "iou_thresholds must be above 0 and up to 1, and max_detections 1 or more"
            got = f"iou_thresholds={self.iou_thresholds}, max_detections={max_detections}"
            raise ArgumentError(message(type(self).__name__, rule, got))
        self._found: dict[int, _Class] = {}

    def reset_state(self) -> None:
        """Forget all boxes."""
        self._found = {}

    def merge_state(self, metrics: Iterable[Metric]) -> None:
        """Add what other metrics of this kind gathered."""
        for metric in metrics:
            if not isinstance(metric, MeanAveragePrecision) or (
                metric.iou_thresholds != self.iou_thresholds
            ):
                rule = "merged metrics must have the same iou_thresholds"
                raise ArgumentError(message(self._who, rule, repr(metric)))
            for label, theirs in metric._found.items():
                mine = self._found.setdefault(label, _Class())
                mine.scores += theirs.scores
                mine.hits += theirs.hits
                mine.ignored += theirs.ignored
                mine.num_true = mine.num_true + theirs.num_true

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in.

        Args:
            y_true: True boxes, see the class.
            y_pred: Boxes that were found, see the class.
            sample_weight: One weight for each image: 0 leaves it out, others count alike.
        """
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((y_true, y_pred))):
            rule = "all detections are ranked together, which needs arrays"
            fix = "Call update_state(truth, detections) after predict() or in a callback."
            raise ArgumentError(message(self._who, rule, "values within a compiled program", fix))
        truths = self._images(y_true, "y_true", ("boxes", "labels"), ("is_crowd", "areas"))
        found = self._images(y_pred, "y_pred", ("boxes", "labels", "confidences"), ())
        if len(truths) != len(found):
            rule = "y_true and y_pred must have one number of images"
            raise LossInputError(message(self._who, rule, f"{len(truths)} and {len(found)}"))
        weights = np.ones(len(truths)) if sample_weight is None else np.asarray(sample_weight)
        if weights.size != len(truths):
            rule = f"sample_weight must have shape ({len(truths)},), one for each image"
            raise LossInputError(message(self._who, rule, f"shape {weights.shape}"))
        for truth, detections, weight in zip(truths, found, weights.reshape(-1), strict=True):
            if weight == 0:
                continue
            for label in {*truth["labels"].tolist(), *detections["labels"].tolist()}:
                self._add(label, _of_label(truth, label), _of_label(detections, label))

    def _images(
        self, given: Any, what: str, needed: tuple[str, ...], possible: tuple[str, ...]
    ) -> list[dict[str, np.ndarray]]:
        """One dict for each image, without padding; boxes as edges."""
        if not isinstance(given, Mapping):
            is_plain = getattr(getattr(given, "dtype", None), "kind", "O") != "O"
            if is_plain or isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
                rule = f"{what} must be a dict with the keys {', '.join(map(repr, needed))}"
                shape = getattr(given, "shape", None)
                got = type(given).__name__ + ("" if shape is None else f" of shape {shape}")
                raise LossInputError(message(self._who, rule, got))
            return [
                image
                for one in given
                for image in self._images(one, f"{what} of an image", needed, possible)
            ]
        arrays = {
            "confidences" if key == "scores" else key: self._array(value, f"{what}, '{key}'")
            for key, value in given.items()
        }
        if missing := [key for key in needed if key not in arrays]:
            rule = f"{what} must have the keys {', '.join(map(repr, needed))}"
            got = f"none of {', '.join(map(repr, missing))} in {sorted(map(str, arrays))}"
            raise LossInputError(message(self._who, rule, got))
        boxes = arrays["boxes"]
        if not boxes.size:
            boxes = np.zeros((*arrays["labels"].shape, 4), "float32")
        arrays = {key: arrays[key] for key in (*needed, *possible) if key in arrays}
        if boxes.ndim not in (2, 3) or any(
            arrays[key].shape != boxes.shape[:-1] for key in arrays if key != "boxes"
        ):
            rule = f"{what} must have boxes (batch, boxes, 4), and one of the rest for each box"
            got = ", ".join(f"'{key}' {array.shape}" for key, array in arrays.items())
            raise LossInputError(message(self._who, rule, got))
        layout = self.bounding_box_format.removeprefix("rel_")
        arrays["boxes"] = np.stack(to_edges(boxes.astype("float64"), layout), axis=-1)
        is_box = self._checked(arrays, what)
        if boxes.ndim == 2:
            return [{key: array[is_box] for key, array in arrays.items()}]
        return [
            {key: array[image][is_box[image]] for key, array in arrays.items()}
            for image in range(len(boxes))
        ]

    def _array(self, values: Any, what: str) -> np.ndarray:
        try:
            array = np.asarray(values)
        except ValueError:  # NumPy's word for rows of different lengths
            rule = "images with different numbers of boxes must be told apart"
            fix = "Give a list with a dict for each image, or fill up with boxes of the label -1."
            got = "rows of different lengths"
            raise LossInputError(message(f"{self._who}, {what}", rule, got, fix)) from None
        if array.dtype.kind in "USO":
            got = f"{array.reshape(-1)[0]!r}" if array.size else f"dtype {array.dtype}"
            raise LossInputError(message(f"{self._who}, {what}", "it must be numbers", got))
        return array

    def _checked(self, arrays: dict[str, np.ndarray], what: str) -> np.ndarray:
        """Which boxes are no padding; refuses what would give a wrong number."""
        labels, boxes = arrays["labels"].astype("float64"), arrays["boxes"]
        is_box = labels >= 0
        rule, got, fix = "", "", ""
        if np.isnan(labels).any() or (labels != np.floor(labels)).any():
            rule, got = "labels must be whole numbers", f"{labels[labels != np.floor(labels)][0]}"
        elif np.isnan(boxes[is_box]).any():
            rule, got = "boxes must be numbers", "NaN"
        elif "confidences" in arrays and np.isnan(arrays["confidences"][is_box]).any():
            rule, got = "confidences must be numbers", "NaN"
        elif "confidences" not in arrays and (boxes[is_box][:, 2:] < boxes[is_box][:, :2]).any():
            wrong = boxes[is_box][(boxes[is_box][:, 2:] < boxes[is_box][:, :2]).any(-1)][0]
            rule = "right and bottom edges must not be before left and top ones"
            got = f"edges {wrong.tolist()} of a box read as {self.bounding_box_format!r}"
            fix = "Give the boxes' format as bounding_box_format, and padding the label -1."
        if rule:
            raise LossInputError(message(f"{self._who}, {what}", rule, got, fix))
        arrays["labels"] = labels.astype("int64")
        return is_box

    def _add(self, label: int, truth: dict[str, Any], found: dict[str, Any]) -> None:
        """Match the boxes of one class in one image."""
        best = np.argsort(-found["confidences"], kind="stable")[: self.max_detections]
        boxes, true_boxes = found["boxes"][best], truth["boxes"]
        crowd = np.asarray(truth.get("is_crowd", np.zeros(len(true_boxes)))).astype(bool)
        true_areas = truth.get("areas", area(true_boxes))
        low, high = np.array(list(_SIZES.values())).T[:, :, None]
        true_ignored = crowd | (true_areas < low) | (true_areas > high)  # (sizes, true boxes)
        other_size = (area(boxes) < low) | (area(boxes) > high)
        limits = np.minimum(np.array(self.iou_thresholds), 1 - 1e-10)
        iou = _overlaps(boxes, true_boxes, crowd)
        hits, ignored = _matched(iou, crowd, true_ignored, other_size, limits)
        gathered = self._found.setdefault(label, _Class())
        gathered.scores.append(found["confidences"][best])
        gathered.hits.append(hits)
        gathered.ignored.append(ignored)
        gathered.num_true = gathered.num_true + np.sum(~true_ignored, axis=1)

    def result(self) -> Any:
        """The mean over classes that have true boxes; NaN where there is none."""
        return jnp.asarray(_mean(self._precisions(0)), self.dtype)

    def _precisions(self, size: int) -> dict[int, np.ndarray]:
        """Class -> average precision for each limit of overlap."""
        return {
            label: _average_precisions(gathered, size)
            for label, gathered in sorted(self._found.items())
            if gathered.num_true[size]
        }

    def _recalls(self, size: int, most: int) -> dict[int, np.ndarray]:
        """Class -> share of true boxes found for each limit, by the best `most` of each image."""
        return {
            label: sum(h[size, :, :most].sum(-1) for h in gathered.hits) / gathered.num_true[size]
            for label, gathered in sorted(self._found.items())
            if gathered.num_true[size]
        }

    def summary(self) -> dict[str, Any]:
        """The twelve numbers of COCO, and each class's own.

        Returns:
            'map' (which `result` gives), 'map_50' and 'map_75' at one limit of overlap (NaN where
            `iou_thresholds` lacks it); 'map_small', 'map_medium', 'map_large' for things up to 32²
            pixels, up to 96² and above; 'mar_1', 'mar_10', 'mar_100' the mean recall of the best
            1, 10, 100 detections of a class in an image, 'mar_small', 'mar_medium', 'mar_large';
            and 'per_class', class -> its part in 'map'.
        """
        everything = self._precisions(0)
        has_pixels = not self.bounding_box_format.startswith("rel_")
        found: dict[str, Any] = {"map": _mean(everything)}
        for limit in (0.5, 0.75):
            places = np.flatnonzero(np.isclose(self.iou_thresholds, limit))[:1]
            at_limit = {label: values[places] for label, values in everything.items()}
            found[f"map_{round(limit * 100)}"] = _mean(at_limit)
        sizes = list(enumerate(_SIZES))[1:]
        for place, size in sizes:
            found[f"map_{size}"] = _mean(self._precisions(place) if has_pixels else {})
        for most in (1, 10, 100):
            found[f"mar_{most}"] = _mean(self._recalls(0, most))
        for place, size in sizes:
            found[f"mar_{size}"] = _mean(self._recalls(place, 100) if has_pixels else {})
        found["per_class"] = {label: float(values.mean()) for label, values in everything.items()}
        return found

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return self._config_with("bounding_box_format", "iou_thresholds", "max_detections")


def _of_label(image: dict[str, np.ndarray], label: int) -> dict[str, np.ndarray]:
    return {key: array[image["labels"] == label] for key, array in image.items()}


def _overlaps(boxes: np.ndarray, true_boxes: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """(detections, true boxes); with a crowd the share of the detection that lies in it."""
    low = np.maximum(boxes[:, None, :2], true_boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], true_boxes[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    own = np.broadcast_to(area(boxes)[:, None], shared.shape)
    whole = np.where(crowd, own, own + area(true_boxes) - shared)
    return np.where(whole > 0, shared / np.where(whole > 0, whole, 1), 0.0)


def _matched(
    iou: np.ndarray,
    crowd: np.ndarray,
    true_ignored: np.ndarray,
    other_size: np.ndarray,
    limits: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Which detections are right and which do not count, each (sizes, limits, detections).

    Each takes, best detection first, the true box it overlaps most of those that nobody took, one
    that does not count only where no other overlaps enough; of equals the last one.
    """
    count, num_true = iou.shape
    shape = (len(true_ignored), len(limits), count)
    hits, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    taken = np.zeros((*shape[:2], num_true), bool)
    skipped = np.broadcast_to(true_ignored[:, None, :], taken.shape)
    for place in range(count if num_true else 0):
        is_open = (iou[place] >= limits[:, None]) & (~taken | crowd)
        counting = is_open & ~skipped
        is_open = np.where(counting.any(-1, keepdims=True), counting, is_open)
        key = np.where(is_open, iou[place], -1.0)[..., ::-1]
        best = (num_true - 1 - key.argmax(-1))[..., None]
        is_found = is_open.any(-1)
        does_not_count = np.take_along_axis(skipped, best, -1)[..., 0]
        hits[:, :, place] = is_found & ~does_not_count
        ignored[:, :, place] = is_found & does_not_count
        was = np.take_along_axis(taken, best, -1)
        np.put_along_axis(taken, best, was | is_found[..., None], -1)
    return hits, ignored | (~hits & ~ignored & other_size[:, None, :])


def _average_precisions(gathered: _Class, size: int) -> np.ndarray:
    """Precision averaged over recall, for each limit of overlap."""
    order = np.argsort(-np.concatenate(gathered.scores), kind="stable")
    hits = np.concatenate([h[size] for h in gathered.hits], axis=-1)[:, order]
    ignored = np.concatenate([i[size] for i in gathered.ignored], axis=-1)[:, order]
    right = np.cumsum(hits, axis=-1)
    counted = np.cumsum(~ignored, axis=-1)
    recall = right / gathered.num_true[size]
    precision = right / np.maximum(counted, 1)
    # At each recall the best precision of this recall or more.
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=-1)[:, ::-1]
    averages = np.zeros(len(hits))
    for limit, (reached, best) in enumerate(zip(recall, envelope, strict=True)):
        places = np.searchsorted(reached, _RECALLS, side="left")
        averages[limit] = np.append(best, 0.0)[places].mean()
    return averages


def _mean(by_class: dict[int, np.ndarray]) -> float:
    values = np.concatenate([*by_class.values(), np.zeros(0)])
    return float(values.mean()) if len(values) else float("nan")


__all__ = ["MeanAveragePrecision"]
