"""Mean average precision is pycocotools's, and refuses what would give a wrong number."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jax
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, LossInputError
from nacre.metrics import MeanAveragePrecision
from nacre.utils.bounding_boxes import convert_format

REFERENCE = Path(__file__).parents[1] / "reference" / "average_precision.json"
CASES = json.loads(REFERENCE.read_text())
TRUTH = {"boxes": [[0, 0, 10, 10], [20, 20, 30, 30]], "labels": [0, 1]}
FOUND = {"boxes": [[0, 0, 10, 10], [20, 20, 30, 30]], "labels": [0, 1], "confidences": [0.9, 0.8]}


def truth_of(image):
    return {key: image[key] for key in ("boxes", "labels", "is_crowd")}


def found_of(image):
    found = {"boxes": image["found"], "labels": image["found_labels"]}
    return {**found, "confidences": image["confidences"]}


def padded(images):
    """One dict of arrays; padding at the end has the label -1 and boxes of -1."""
    most = max(len(image["labels"]) for image in images)
    joined = {}
    for key in images[0]:
        shape = (most, 4) if key == "boxes" else (most,)
        joined[key] = np.full((len(images), *shape), -1.0)
        for row, image in zip(joined[key], images, strict=True):
            if image[key]:
                row[: len(image[key])] = image[key]
    return joined


def made(images, box_format="xywh", batch_size=5, metric=None):
    metric = metric or MeanAveragePrecision(box_format)
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        both = [padded(list(map(of, batch))) for of in (truth_of, found_of)]
        if box_format != "xywh":
            for data in both:
                data["boxes"] = convert_format(data["boxes"], "xywh", box_format, 200, 400)
        metric.update_state(*both)
    return metric


def numbers(metric):
    """As the reference has them: -1 where there is no true box."""
    found = metric.summary()
    per_class = {str(label): value for label, value in found.pop("per_class").items()}
    plain = {key: -1.0 if math.isnan(value) else value for key, value in found.items()}
    return {**plain, **{f"class {label}": value for label, value in per_class.items()}}


def expected_numbers(case):
    expected = dict(CASES[case]["numbers"])
    per_class = expected.pop("per_class")
    return {**expected, **{f"class {label}": value for label, value in per_class.items()}}


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_pycocotools(case):
    metric = made(CASES[case]["images"])
    assert numbers(metric) == pytest.approx(expected_numbers(case), abs=2e-6)
    assert float(metric.result()) == pytest.approx(metric.summary()["map"], abs=1e-6)


def test_a_list_with_one_dict_for_each_image_gives_the_same():
    images = CASES["many"]["images"]
    metric = MeanAveragePrecision("xywh")
    metric.update_state(list(map(truth_of, images)), list(map(found_of, images)))
    assert numbers(metric) == pytest.approx(expected_numbers("many"), abs=2e-6)


def test_other_formats_give_the_same_but_sizes_of_relative_boxes_are_unknown():
    images = CASES["many"]["images"]
    absolute, relative = made(images, "center_yxhw"), made(images, "rel_yxyx")
    assert numbers(absolute) == pytest.approx(expected_numbers("many"), abs=2e-6)
    assert float(relative.result()) == pytest.approx(expected_numbers("many")["map"], abs=2e-6)
    found = relative.summary()
    assert math.isnan(found["map_small"])
    assert math.isnan(found["mar_large"])


def test_known_areas_tell_small_from_large():
    metric = MeanAveragePrecision("xyxy")
    metric.update_state({**TRUTH, "areas": [1, 5000]}, FOUND)
    found = metric.summary()
    assert (found["map_small"], found["map_medium"]) == pytest.approx((1.0, 1.0))
    assert math.isnan(found["map_large"])


def test_parts_merge_and_a_reset_forgets():
    images = CASES["many"]["images"]
    one, other = made(images[:10]), made(images[10:])
    one.merge_state([other])
    assert numbers(one) == pytest.approx(numbers(made(images)))
    one.reset_state()
    assert math.isnan(float(one.result()))
    assert numbers(made(images, metric=one)) == pytest.approx(expected_numbers("many"), abs=2e-6)


def test_images_of_weight_zero_are_absent():
    metric = MeanAveragePrecision("xyxy")
    wrong = {**FOUND, "labels": [1, 0]}
    metric.update_state([TRUTH, TRUTH], [FOUND, wrong], sample_weight=[2.0, 0.0])
    assert float(metric.result()) == pytest.approx(1.0)


def test_what_is_found_where_nothing_is_counts_against_it():
    metric = MeanAveragePrecision("xyxy", iou_thresholds=[0.5])
    nothing = {"boxes": np.zeros((0, 4)), "labels": []}
    metric.update_state([nothing, TRUTH], [{**FOUND, "confidences": [1.0, 1.0]}, FOUND])
    found = metric.summary()
    assert found["map_50"] == pytest.approx(0.5)  # the best detection of each class is wrong
    assert math.isnan(found["map_75"])
    assert set(found["per_class"]) == {0, 1}


def test_the_best_of_suppression_goes_in_as_it_is():
    found = nacre.utils.bounding_boxes.non_max_suppression(
        np.array([TRUTH["boxes"]]), np.array([[[0.9, 0.0], [0.0, 0.8]]]), "xyxy", 5
    )
    metric = MeanAveragePrecision("xyxy")
    metric.update_state({key: np.array([value]) for key, value in TRUTH.items()}, found)
    assert float(metric.result()) == pytest.approx(1.0)


def test_config_round_trip():
    metric = MeanAveragePrecision("rel_xywh", [0.3, 0.5], 7, name="found")
    again = nacre.metrics.deserialize(nacre.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    assert again.iou_thresholds == [0.3, 0.5]


@pytest.mark.parametrize(
    ("truth", "found", "text"),
    [
        (FOUND, TRUTH, "y_pred must have the keys 'boxes', 'labels', 'confidences'.*confidences"),
        ({**TRUTH, "labels": [0]}, FOUND, r"one of the rest for each box.*'labels' \(1,\)"),
        ({**TRUTH, "labels": [0, 0.5]}, FOUND, r"labels must be whole numbers\. Got 0\.5"),
        (
            {**TRUTH, "boxes": [[5, 5, 4, 4]] * 2},
            FOUND,
            r"\[5.0, 5.0, 4.0, 4.0\].*as 'xyxy'.*bound",
        ),
        (TRUTH, {**FOUND, "confidences": [0.5, np.nan]}, "confidences must be numbers"),
        (TRUTH, {**FOUND, "boxes": [[0, 0, np.nan, 4]] * 2}, "boxes must be numbers"),
        ({**TRUTH, "labels": ["cat", "dog"]}, FOUND, "'labels': it must be numbers.*'cat'"),
        (
            {"boxes": [[[0, 0, 4, 4]], []], "labels": [[0], []]},
            [FOUND, FOUND],
            "'boxes': images with different numbers of boxes.*a list with a dict for each image",
        ),
        ([TRUTH, TRUTH], [FOUND], r"one number of images\. Got 2 and 1"),
    ],
)
def test_what_does_not_fit_is_refused(truth, found, text):
    with pytest.raises(LossInputError, match=text):
        MeanAveragePrecision("xyxy").update_state(truth, found)


@pytest.mark.parametrize(
    "given", [np.zeros((1, 2, 4)), [np.zeros((2, 4))], "boxes", 3, None, [[1]]]
)
def test_what_is_no_dict_is_refused(given):
    with pytest.raises(LossInputError, match="must be a dict with the keys 'boxes', 'labels'"):
        MeanAveragePrecision("xyxy").update_state(given, [FOUND])


def test_images_may_come_one_by_one():
    metric = MeanAveragePrecision("xyxy")
    metric.update_state((TRUTH for _ in range(2)), np.array([FOUND, FOUND], object))
    assert float(metric.result()) == 1.0


def test_limits_may_be_an_array():
    metric = MeanAveragePrecision("xyxy", np.array([0.25, 0.5]))
    assert metric.get_config()["iou_thresholds"] == [0.25, 0.5]


def test_one_limit_needs_no_list():
    metric = MeanAveragePrecision("xyxy", 0.75)
    assert metric.get_config()["iou_thresholds"] == [0.75]


def test_arguments_and_compiled_programs_are_refused():
    with pytest.raises(ArgumentError, match=r"iou_thresholds=\[1\.5\]"):
        MeanAveragePrecision("xyxy", [1.5])
    with pytest.raises(ArgumentError, match=r"iou_thresholds=\[\]"):
        MeanAveragePrecision("xyxy", [])
    with pytest.raises(ArgumentError, match="a format must be one of"):
        MeanAveragePrecision("xxyy")
    metric = MeanAveragePrecision("xyxy")
    with pytest.raises(ArgumentError, match=r"compiled program.*after predict\(\)"):
        jax.jit(metric.update_state)(TRUTH, FOUND)
    with pytest.raises(ArgumentError, match="must have the same iou_thresholds"):
        metric.merge_state([MeanAveragePrecision("xyxy", [0.5])])
