"""Boxes and masks on images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nacre.core.errors import ArgumentError, DTypeError, ShapeError
from nacre.visualization import draw_bounding_boxes, draw_segmentation_masks

RED = (255, 0, 0)


def grey(count: int = 1, value: float = 100) -> np.ndarray:
    return np.full((count, 20, 30, 3), value, "float32")


def test_a_box_is_drawn_within_its_edges_in_every_format() -> None:
    boxes = {
        "xyxy": [4, 5, 14, 15], "xywh": [4, 5, 10, 10], "center_yxhw": [10, 9, 10, 10],
        "rel_yxyx": [5 / 20, 4 / 30, 15 / 20, 14 / 30],
    }  # fmt: skip
    for form, box in boxes.items():
        given = {"boxes": np.array([[box]]), "labels": [[0]]}
        drawn = draw_bounding_boxes(grey(), given, form, color=RED, line_thickness=1)
        assert drawn.dtype == np.uint8
        red = np.argwhere((drawn[0] == RED).all(-1))
        assert red.min(0).tolist() == [5, 4] and red.max(0).tolist() == [14, 13], form
        assert len(red) == 36  # an outline, no more


def test_padding_is_not_drawn_and_the_images_stay_as_they_are() -> None:
    images = grey()
    boxes = {"boxes": [[[-1, -1, -1, -1], [2, 2, 9, 9]]], "labels": [[-1, -1]]}
    assert (draw_bounding_boxes(images, boxes, "xyxy", class_mapping={}) == 100).all()
    draw_bounding_boxes(images, {"boxes": [[[2, 2, 9, 9]]]}, "xyxy")
    assert (images == 100).all()


def test_names_are_written_where_a_mapping_is_given() -> None:
    boxes = {"boxes": [[[2, 2, 9, 9]]], "labels": [[1]], "confidences": [[0.5]]}
    without = draw_bounding_boxes(grey(), boxes, "xyxy", color=RED)
    named = draw_bounding_boxes(grey(), boxes, "xyxy", color=RED, class_mapping={1: "a"})
    other = draw_bounding_boxes(grey(), boxes, "xyxy", color=RED, class_mapping={1: "b"})
    assert (named != without).any() and (named != other).any()


@pytest.mark.parametrize("kind", ["uint8", "float32", "int64", "bfloat16"])
def test_images_of_all_dtypes_are_drawn_alike(kind: str) -> None:
    import jax.numpy as jnp

    boxes = {"boxes": [[[2, 2, 9, 9]]], "labels": [[1]]}
    images = jnp.asarray(grey()).astype(kind) if kind == "bfloat16" else grey().astype(kind)
    assert (draw_bounding_boxes(images, boxes, "xyxy")[0, 0, 0] == 100).all()


def test_fractions_are_shares_of_full_colour_and_it_is_said() -> None:
    with pytest.warns(UserWarning, match="fractions between 0 and 1"):
        drawn = draw_segmentation_masks(grey(value=0.2), np.full((1, 20, 30), -1))
    assert (drawn == 51).all()
    assert (draw_segmentation_masks(grey(value=1.0), np.full((1, 20, 30), -1)) == 1).all()


def test_images_of_one_channel_and_of_channels_first() -> None:
    boxes = {"boxes": [[[2, 2, 9, 9]]], "labels": [[1]]}
    assert draw_bounding_boxes(grey()[..., :1], boxes, "xyxy").shape == (1, 20, 30, 3)
    first = draw_bounding_boxes(
        np.moveaxis(grey(), -1, 1), boxes, "xyxy", color=RED, data_format="channels_first"
    )
    last = draw_bounding_boxes(grey(), boxes, "xyxy", color=RED)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


# Of Keras 3.15.1: class -> colour on an image of 100, at alpha=0.8.
KERAS_BLENDED = {0: (20, 20, 20), 1: (20, 121, 44), 2: (21, 223, 69), -1: (100, 100, 100)}


def test_masks_have_the_colours_of_keras() -> None:
    masks = np.array([0, 1, 2, -1]).repeat(150).reshape(1, 20, 30)
    for shape in ((1, 20, 30), (1, 20, 30, 1)):
        drawn = draw_segmentation_masks(grey(), masks.reshape(shape), num_classes=3)
        for label, color in KERAS_BLENDED.items():
            assert (drawn[masks == label] == color).all(), label


def test_masks_are_opaque_without_blending_and_limited_by_what_is_asked_for() -> None:
    masks = np.array([0, 1, 2, 255]).repeat(150).reshape(1, 20, 30)
    opaque = draw_segmentation_masks(grey(), masks, blend=False, ignore_index=255)
    assert opaque.dtype == np.uint8 and (opaque[masks == 2] == (2, 254, 62)).all()
    assert (opaque[masks == 255] == 100).all()
    two = draw_segmentation_masks(grey(), masks, num_classes=2)
    assert (two[masks == 2] == 100).all()
    own = draw_segmentation_masks(grey(), masks, color_mapping={2: RED}, alpha=1.0)
    assert (own[masks == 2] == RED).all() and (own[masks != 2] == 100).all()


BOXES: dict[str, Any] = {"boxes": [[[2, 2, 9, 9]]], "labels": [[1]]}


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"images": grey()[0]}, ShapeError, r"a batch.*images\[None\]"),
        ({"images": grey()[..., 0]}, ShapeError, r"a batch.*images\[..., None\] for grey"),
        ({"images": np.zeros((1, 4, 4, 5))}, ShapeError, "1, 3 or 4 channels"),
        ({"images": np.array([["a"]])}, DTypeError, "must hold numbers"),
        ({"bounding_boxes": [[1, 2, 3, 4]]}, ArgumentError, "dict with 'boxes'"),
        ({"bounding_boxes": {"boxes": [[[1, 2, 3]]]}}, ShapeError, r"\(1, boxes, 4\)"),
        ({"bounding_boxes": {**BOXES, "labels": [1]}}, ShapeError, "labels must have shape"),
        ({"bounding_box_format": "xyz"}, ArgumentError, "a format must be one of"),
        ({"color": (0, 300, 0)}, ArgumentError, "from 0 to 255"),
        ({"line_thickness": 0}, ArgumentError, "line_thickness must be a number over 0"),
        ({"data_format": "last"}, ArgumentError, "data_format"),
    ],
)
def test_what_cannot_be_drawn_is_told(change: dict[str, Any], error: Any, text: str) -> None:
    given = {"images": grey(), "bounding_boxes": BOXES, "bounding_box_format": "xyxy", **change}
    with pytest.raises(error, match=text):
        draw_bounding_boxes(**given)


def test_masks_that_do_not_fit_are_told() -> None:
    with pytest.raises(DTypeError, match=r"whole numbers.*argmax"):
        draw_segmentation_masks(grey(), np.zeros((1, 20, 30, 4)))
    with pytest.raises(ShapeError, match=r"must have shape \(1, 20, 30\)"):
        draw_segmentation_masks(grey(), np.zeros((1, 10, 30), int))
    with pytest.raises(ArgumentError, match="alpha must be from 0 to 1"):
        draw_segmentation_masks(grey(), np.zeros((1, 20, 30), int), alpha=80)


def test_images_boxes_and_masks_may_be_tensors_of_torch() -> None:
    torch = pytest.importorskip("torch")
    boxes = {"boxes": [[[4.0, 5.0, 14.0, 15.0]]], "labels": [[0]], "confidences": [[0.5]]}
    wanted = draw_bounding_boxes(grey(), boxes, "xyxy", class_mapping={0: "a"})
    images = torch.tensor(grey(), requires_grad=True)
    tensors = {
        "boxes": torch.tensor(boxes["boxes"], dtype=torch.bfloat16, requires_grad=True),
        "labels": torch.tensor(boxes["labels"]),
        "confidences": torch.tensor(boxes["confidences"], requires_grad=True),
    }
    alike = {name: [value[0]] for name, value in tensors.items()}  # one for each image
    for given in (tensors, alike):
        drawn = draw_bounding_boxes(images, given, "xyxy", class_mapping={0: "a"})
        np.testing.assert_array_equal(drawn, wanted)
    drawn = draw_segmentation_masks([images[0]], [torch.ones((20, 30), dtype=torch.int32)])
    ones = np.ones((1, 20, 30), "int32")
    np.testing.assert_array_equal(drawn, draw_segmentation_masks(grey(), ones))
