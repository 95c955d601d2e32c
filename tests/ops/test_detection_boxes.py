"""Anchors, which box each of them finds, and suppression, against loops that say the rule."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core.errors import ArgumentError, ShapeError
from nacre.utils import bounding_boxes as utils


def drawn_boxes(generator, *shape):
    """Boxes with whole edges within 32 pixels, 'xyxy'."""
    start = generator.integers(0, 24, (*shape, 2))
    return np.concatenate([start, start + generator.integers(2, 9, (*shape, 2))], -1).astype("f4")


def share(one, others):
    """Intersection over union, in NumPy."""
    sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
    shared = np.clip(sides, 0, None).prod(-1)
    return shared / (
        np.prod(one[2:] - one[:2]) + np.prod(others[:, 2:] - others[:, :2], -1) - shared
    )


# --------------------------------------------------------------------------------- anchors


def test_anchors_stand_around_the_middles_of_cells_grid_by_grid():
    made = np.asarray(utils.generate_anchors((7, 4, 3), (2, 4), (2, 4), (1.0, 4.0), (1.0, 2.0)))
    assert made.shape == ((4 * 2 + 2 * 1) * 4, 4)
    np.testing.assert_allclose(made[0], [0, 0, 2, 2])
    np.testing.assert_allclose(made[1], [-1, -1, 3, 3])  # the second scale
    np.testing.assert_allclose(made[2], [-1, 0.5, 3, 1.5])  # width four times the height
    np.testing.assert_allclose(made[4], [2, 0, 4, 2])  # the next column
    np.testing.assert_allclose(made[8], [0, 2, 2, 4])  # the next row
    np.testing.assert_allclose(made[32], [0, 0, 4, 4])  # the next grid


def test_anchors_come_in_every_format():
    expected = utils.generate_anchors((8, 16), 4, 6)
    for name in ("xywh", "center_yxhw", "rel_yxyx"):
        made = utils.generate_anchors((8, 16), 4, 6, bounding_box_format=name)
        back = utils.convert_format(made, name, "xyxy", height=8, width=16)
        np.testing.assert_allclose(back, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((8, 8), (4, 8), 4), "2 strides and 1 sizes"),
        (((8, 8), 0, 4), r"strides must be positive numbers\. Got \[0\]"),
        (((8, 8), 2.5, 4), r"strides must be whole numbers\. Got \[2\.5\]"),
        (((8, 8), 4, 4, ()), "aspect_ratios must be positive numbers"),
    ],
)
def test_anchors_that_cannot_be_are_refused(arguments, text):
    with pytest.raises(ArgumentError, match=text):
        utils.generate_anchors(*arguments)


# -------------------------------------------------------------------------------- matching


def matches_by_hand(iou, foreground, background):
    found = np.full(iou.shape[1], -1)
    for anchor, column in enumerate(iou.T):
        if column.max() >= foreground:
            found[anchor] = column.argmax()
        elif column.max() >= background:
            found[anchor] = -2
    return found


def test_each_anchor_finds_the_box_it_overlaps_most():
    generator = np.random.default_rng(0)
    boxes, anchors = drawn_boxes(generator, 5), drawn_boxes(generator, 200)
    iou = np.stack([share(box, anchors) for box in boxes])
    made = utils.match_anchors(anchors, boxes, "xyxy", None, 0.4, 0.2, every_box=False)
    expected = matches_by_hand(iou, 0.4, 0.2)
    assert {-2, -1, 0, 1} <= set(expected)
    np.testing.assert_array_equal(made, expected)


def test_every_box_gets_an_anchor_even_where_several_want_the_same():
    anchors = [[0, 0, 8, 8], [8, 0, 16, 8], [100, 100, 108, 108]]
    # The first two overlap the first anchor most, the third one touches none.
    boxes = [[0, 0, 9, 3], [0, 0, 7, 4], [50, 50, 60, 60]]
    made = utils.match_anchors(anchors, boxes, "xyxy", foreground_iou=0.9)
    assert made.tolist() == [1, 0, -1]


def test_a_box_keeps_its_best_anchor_from_boxes_that_found_none():
    anchors = [[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 3]]
    boxes = [[0, 0, 10, 10], [0, 5, 10, 9], [0, 6, 10, 10]]
    made = utils.match_anchors(anchors, boxes, "xyxy", foreground_iou=0.5).tolist()
    assert made[0] == 0
    assert made[1] == 1


def test_every_present_box_of_a_batch_is_found_and_padding_never():
    generator = np.random.default_rng(1)
    anchors = utils.generate_anchors((32, 32), 4, 6)
    boxes = drawn_boxes(generator, 8, 6)
    labels = generator.integers(-1, 3, (8, 6))
    boxes[labels < 0] = -1
    made = np.asarray(jax.jit(lambda b, n: utils.match_anchors(anchors, b, "xyxy", n))(
        boxes, labels
    ))  # fmt: skip
    for found, names in zip(made, labels, strict=True):
        assert set(found[found >= 0]) == set(np.flatnonzero(names >= 0))
    alone = [utils.match_anchors(anchors, *one) for one in zip(boxes, ["xyxy"] * 8, labels)]
    np.testing.assert_array_equal(made, alone)


def test_targets_decode_to_the_boxes_and_gradients_are_finite():
    anchors = utils.generate_anchors((16, 16), 4, 6)
    boxes = jnp.array([[[2.0, 3, 8, 9], [-1, -1, -1, -1]], [[-1, -1, -1, -1], [0, 0, 0, 0]]])
    labels = jnp.array([[2, -1], [-1, -1]])
    variance = (0.1, 0.1, 0.2, 0.2)

    @jax.jit
    def both(boxes):
        targets = utils.anchor_targets(anchors, boxes, labels, "xyxy", variance=variance)
        deltas = targets["deltas"]
        decoded = utils.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xyxy", variance=variance)
        return jnp.sum(deltas**2), (targets, decoded)

    slopes, (targets, decoded) = jax.jit(jax.grad(both, has_aux=True))(boxes)
    assert np.isfinite(slopes).all()
    is_box = np.asarray(targets["labels"] == 2)
    assert is_box[0].any()
    assert not is_box[1].any()
    np.testing.assert_allclose(decoded[is_box], np.tile(boxes[0, 0], (is_box.sum(), 1)), atol=1e-4)
    np.testing.assert_array_equal(targets["deltas"][~is_box], 0)


def test_targets_of_relative_boxes_need_no_size_of_the_image():
    anchors = utils.generate_anchors((16, 32), 8, 8)
    boxes, sides = np.array([[3.0, 2, 12, 9]]), {"height": 16, "width": 32}
    expected = utils.anchor_targets(anchors, boxes, [1], "xyxy")
    both = [utils.convert_format(b, "xyxy", "rel_yxyx", **sides) for b in (anchors, boxes)]
    made = utils.anchor_targets(*both, [1], "rel_yxyx")
    np.testing.assert_array_equal(made["labels"], expected["labels"])
    np.testing.assert_allclose(made["deltas"], expected["deltas"], atol=1e-5)
    decoded = utils.decode_deltas_to_boxes(both[0], made["deltas"], "rel_yxyx", "REL_yxyx")
    is_box = np.asarray(made["labels"]) == 1
    np.testing.assert_allclose(decoded[is_box], np.tile(both[1], (is_box.sum(), 1)), atol=1e-6)


def test_an_image_without_a_place_for_boxes_is_background():
    targets = utils.anchor_targets([[0, 0, 4, 4]], np.zeros((2, 0, 4)), np.zeros((2, 0)), "xyxy")
    assert targets["labels"].tolist() == [[-1], [-1]]
    assert not targets["deltas"].any()


def test_matching_refuses_limits_and_labels_that_do_not_fit():
    boxes = np.ones((2, 4))
    with pytest.raises(ArgumentError, match="background_iou=0.6, foreground_iou=0.5"):
        utils.match_anchors(boxes, boxes, "xyxy", background_iou=0.6)
    with pytest.raises(ShapeError, match=r"labels must have shape \(2,\).*shape \(3,\)"):
        utils.match_anchors(boxes, boxes, "xyxy", labels=[0, 1, 2])


# ----------------------------------------------------------------------------- suppression


def suppressed_by_hand(boxes, scores, most, iou_limit, score_limit):
    found = []
    order = sorted(np.ndindex(scores.shape), key=lambda at: -scores[at])
    for place, label in order:
        if len(found) == most or scores[place, label] <= score_limit:
            break
        rivals = [boxes[p] for p, other in found if other == label]
        if rivals and share(boxes[place], np.stack(rivals)).max() > iou_limit:
            continue
        found.append((place, label))
    return found


@pytest.mark.parametrize("most", [4, 60])
def test_suppression_follows_its_rule(most):
    generator = np.random.default_rng(2)
    boxes = drawn_boxes(generator, 2, 30) / 2
    scores = generator.permutation(120).reshape(2, 30, 2).astype("f4") / 120
    found = jax.jit(
        lambda b, s: utils.non_max_suppression(b, s, "xyxy", most, 0.3, score_threshold=0.2)
    )(boxes, scores)
    for image in range(2):
        expected = suppressed_by_hand(boxes[image], scores[image], most, 0.3, 0.2)
        count = len(expected)
        assert 3 < count <= most
        labels = np.asarray(found["labels"][image])
        assert labels.tolist() == [label for _, label in expected] + [-1] * (most - count)
        places = [place for place, _ in expected]
        np.testing.assert_array_equal(found["boxes"][image, :count], boxes[image, places])
        assert not np.any(found["boxes"][image, count:])
        best = [scores[image, place, label] for place, label in expected]
        np.testing.assert_array_equal(found["confidences"][image, :count], best)


def test_boxes_read_in_another_format_are_told():
    anchors = utils.generate_anchors((64, 64), 8, 12)
    boxes, labels = np.array([[[30.0, 30, 10, 12], [0, 0, 5, 5]]]), np.array([[2, 0]])
    for match in (utils.match_anchors, utils.anchor_targets):
        arguments = (labels, "xyxy") if match is utils.anchor_targets else ("xyxy", labels)
        with pytest.raises(ArgumentError, match=r"\[30\.0, 30\.0, 10\.0, 12\.0\] read as 'xyxy'"):
            match(anchors, boxes, *arguments)
    assert (utils.anchor_targets(anchors, boxes, labels, "xywh")["labels"] == 2).any()
    with pytest.raises(ArgumentError, match="must not be before"):
        utils.match_anchors(anchors, [[0, 0, np.nan, 2]], "xyxy", [0])


def test_padding_may_be_anything_and_a_box_without_area_is_one():
    anchors = utils.generate_anchors((16, 16), 8, 8)
    boxes, labels = np.array([[9.0, 9, 1, 1], [3, 3, 3, 3]]), np.array([-1, 0])
    assert utils.match_anchors(anchors, boxes, "xyxy", labels).tolist() == [-1] * 4
    compiled = jax.jit(lambda boxes: utils.match_anchors(anchors, boxes, "xyxy", labels))
    assert compiled(boxes).tolist() == [-1] * 4


def test_suppression_is_the_same_in_every_format():
    generator = np.random.default_rng(3)
    boxes, scores = drawn_boxes(generator, 20), generator.random(20).astype("f4")
    expected = utils.non_max_suppression(boxes, scores, "xyxy", 20)
    sides = {"height": 16, "width": 64}
    for name in ("center_xywh", "rel_yxyx"):
        made = utils.convert_format(boxes, "xyxy", name, **sides)
        found = utils.non_max_suppression(made, scores, name, 20)
        back = utils.convert_format(found["boxes"], name, "xyxy", **sides)
        np.testing.assert_allclose(back, expected["boxes"], atol=1e-4)


def test_scores_that_are_no_numbers_are_no_detections():
    found = utils.non_max_suppression(
        [[0, 0, 1, 1], [5, 5, 6, 6]], [np.nan, 0.5], "xyxy", max_detections=2
    )
    assert found["labels"].tolist() == [0, -1]
    assert found["confidences"].tolist() == [0.5, 0.0]
    nothing = utils.non_max_suppression(np.zeros((2, 0, 4)), np.zeros((2, 0, 3)), "xyxy", 2)
    assert nothing["labels"].tolist() == [[-1, -1]] * 2


def test_suppression_refuses_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"shapes \(2, 4\) and \(3, 5\)"):
        utils.non_max_suppression(np.zeros((2, 4)), np.zeros((3, 5)), "xyxy")
    with pytest.raises(ArgumentError, match=r"iou_threshold=1\.5"):
        utils.non_max_suppression(np.zeros((2, 4)), np.zeros(2), "xyxy", iou_threshold=1.5)
