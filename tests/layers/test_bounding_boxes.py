"""Bounding boxes and segmentation masks move as the pixels do, and as Keras moves them."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError
from nacre.ops import geometry
from nacre.utils import bounding_boxes as utils

FACTS = json.loads((Path(__file__).parents[1] / "reference" / "boxes.json").read_text())
BOXES = np.array(FACTS["boxes"], "float32")
LABELS = np.array(FACTS["labels"])
SIDES = {"height": FACTS["height"], "width": FACTS["width"]}
SHAPE = (2, FACTS["height"], FACTS["width"], 1)

LAYERS = {
    "zoom": lambda **k: layers.RandomZoom((0.3, 0.3), (-0.1, -0.1), **k),
    "rotation": lambda **k: layers.RandomRotation((0.03, 0.03), **k),
    "translation": lambda **k: layers.RandomTranslation((0.25, 0.25), (-0.3, -0.3), **k),
    "resizing": lambda **k: layers.Resizing(16, 60, **k),
    "resizing_crop": lambda **k: layers.Resizing(16, 16, crop_to_aspect_ratio=True, **k),
    "center_crop": lambda **k: layers.CenterCrop(12, 16, **k),
    "center_crop_small": lambda **k: layers.CenterCrop(64, 16, **k),
}


def sample(box_format="xyxy", boxes=BOXES):
    """Images whose pixels are one inside the first box, with masks alike."""
    images = np.zeros(SHAPE, "float32")
    for image, (left, top, right, bottom) in zip(images, boxes[:, 0].astype(int), strict=True):
        image[top:bottom, left:right] = 1
    converted = utils.convert_format(boxes, "xyxy", box_format, **SIDES)
    return {
        "images": images,
        "labels": np.arange(2),
        "segmentation_masks": images.astype("int32"),
        "bounding_boxes": {"boxes": converted, "labels": LABELS},
    }


def edges_of(data, box_format):
    """The boxes as edges, (batch, boxes, 4)."""
    images = data["images"]
    size = {"height": images.shape[1], "width": images.shape[2]}
    boxes = utils.convert_format(data["bounding_boxes"]["boxes"], box_format, "xyxy", **size)
    return np.asarray(boxes)


# ------------------------------------------------------------------------------- functions


@pytest.mark.parametrize("name", FACTS["converted"])
def test_formats_are_those_of_keras(name):
    expected = np.array(FACTS["converted"][name])
    np.testing.assert_allclose(
        utils.convert_format(BOXES, "xyxy", name, **SIDES), expected, atol=1e-5
    )
    back = utils.convert_format({"boxes": expected, "a": 1}, name.upper(), "xyxy", **SIDES)
    np.testing.assert_allclose(back["boxes"], BOXES, atol=2e-3)
    assert back["a"] == 1


def test_overlaps_and_moves_are_those_of_keras():
    one, other = BOXES
    np.testing.assert_allclose(utils.compute_iou(one, other, "xyxy"), FACTS["iou"], atol=1e-5)
    np.testing.assert_allclose(utils.compute_ciou(one, other, "xyxy"), FACTS["ciou"], atol=1e-5)
    cut = utils.crop(BOXES, top=11, left=9, height=8, width=10)
    np.testing.assert_allclose(cut, FACTS["crop"], atol=1e-5)
    np.testing.assert_allclose(utils.pad(BOXES, top=11, left=9), FACTS["pad"], atol=1e-5)
    for case in FACTS["affine"]:
        found = utils.affine_transform(BOXES, *case["arguments"], **SIDES)
        np.testing.assert_allclose(found, case["boxes"], atol=2e-4)


@pytest.mark.parametrize("measure", [utils.compute_iou, utils.compute_ciou])
def test_boxes_without_size_have_overlaps_and_gradients_that_are_numbers(measure):
    """A detector predicts points and lines at first, and fills up with them."""
    boxes = [[1, 1, 1, 1], [0, 1, 2, 1], [1, 0, 1, 2], [0, 0, 2, 2], [-1, -1, -1, -1]]
    pairs = np.array([(one, other) for one in boxes for other in boxes], "float32")
    one, other = pairs[:, 0], pairs[:, 1]
    shape = (slice(None), None) if measure is utils.compute_iou else (slice(None),)
    total, gradients = jax.value_and_grad(
        lambda one, other: measure(one[shape], other[shape], "xyxy").sum(), argnums=(0, 1)
    )(one, other)
    assert np.isfinite(total) and all(np.isfinite(gradient).all() for gradient in gradients)


def test_overlaps_with_a_box_of_nan_are_nan_and_it_is_no_anchors_box():
    boxes = np.array([[np.nan] * 4, [0, 0, 2, 2]], "float32")
    np.testing.assert_array_equal(
        utils.compute_iou(boxes, boxes, "xyxy"), [[np.nan] * 2, [np.nan, 1]]
    )
    np.testing.assert_array_equal(utils.compute_ciou(boxes, boxes, "xyxy"), [np.nan, 1])
    np.testing.assert_array_equal(utils.match_anchors(boxes[1:], boxes, "xyxy"), [1])


@pytest.mark.parametrize("name", FACTS["encoded"])
def test_deltas_are_those_of_keras(name):
    anchors, deltas = np.array(FACTS["anchors"]), np.array(FACTS["deltas"])
    variance = [0.1, 0.1, 0.2, 0.2]
    encoded = utils.encode_box_to_deltas(anchors, BOXES, "xyxy", "xyxy", name, variance)
    np.testing.assert_allclose(encoded, FACTS["encoded"][name], atol=1e-4)
    decoded = utils.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xywh", name, variance)
    np.testing.assert_allclose(decoded, FACTS["decoded"][name], atol=1e-4)
    back = utils.decode_deltas_to_boxes(
        {"p3": anchors}, {"p3": encoded}, "xyxy", "xyxy", name, variance
    )
    np.testing.assert_allclose(back["p3"], BOXES, rtol=1e-4)


def test_masked_and_empty_pairs_of_boxes():
    none = np.full((1, 4), -1.0)
    table = utils.compute_iou(none, BOXES[0], "xyxy", use_masking=True, mask_val=-7)
    assert table.tolist() == [[-7.0, -7.0]]
    assert utils.compute_iou(none, none, "xyxy").tolist() == [[0.0]]
    relative = utils.convert_format(BOXES, "xyxy", "rel_xyxy", **SIDES)
    np.testing.assert_allclose(
        utils.compute_iou(relative, relative[0], "rel_xyxy"),
        utils.compute_iou(BOXES, BOXES[0], "xyxy"),
        rtol=1e-5,
    )


def test_shear_turn_and_scale_are_applied_one_after_the_other():
    """The map of all three is the product of the maps of each (boxes without area are points)."""
    points = np.array([[3.0, 4, 3, 4], [9, 2, 9, 2]])
    middle = {"height": 11, "width": 11}
    step = lambda boxes, *numbers: utils.affine_transform(boxes, *numbers, **middle)
    turned = step(points, 30, 0, 0, 1, 0, 0)
    sheared = step(step(turned, 0, 0, 0, 1, 0, 20), 0, 0, 0, 1, 10, 0)
    np.testing.assert_allclose(
        step(points, 30, 0, 0, 1.5, 10, 20), step(sheared, 0, 0, 0, 1.5, 0, 0), atol=1e-4
    )


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: utils.convert_format(BOXES, "corners", "xyxy"), ArgumentError, "'corners'"),
        (lambda: utils.convert_format(BOXES, "xyxy", "rel_xyxy"), ArgumentError, "height=None"),
        (lambda: utils.convert_format(BOXES[..., :3], "xyxy", "xywh"), ShapeError, "(2, 2, 3)"),
        (lambda: utils.crop(BOXES, 0, 0, 4, 4, "rel_xyxy"), ArgumentError, "absolute format"),
        (
            lambda: utils.compute_iou(np.zeros((2, 3, 4)), np.zeros((3, 3, 4)), "xyxy"),
            ShapeError,
            "one batch size",
        ),
        (
            lambda: utils.encode_box_to_deltas(BOXES[0], BOXES, "xyxy", "xyxy", "xyxy"),
            ArgumentError,
            "encoding_format must be",
        ),
        (
            lambda: utils.decode_deltas_to_boxes(BOXES[0], BOXES, "xyxy", "xyxy", variance=[1.0]),
            ArgumentError,
            "four numbers",
        ),
    ],
)
def test_wrong_boxes_are_refused(make, error, text):
    with pytest.raises(error) as raised:
        make()
    assert text in str(raised.value)


# ------------------------------------------------------------------------------- layers


@pytest.mark.parametrize("box_format", ["xyxy", "center_yxhw", "rel_xywh"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_move_boxes_as_keras_does(name, box_format):
    moved = LAYERS[name](bounding_box_format=box_format)(sample(box_format), training=True)
    expected = FACTS["layers"][name]
    np.testing.assert_allclose(edges_of(moved, box_format), expected["boxes"], atol=1e-3)
    np.testing.assert_array_equal(moved["bounding_boxes"]["labels"], expected["labels"])


MOVING = {
    **LAYERS,
    "flip": layers.RandomFlip,
    "shear": lambda **k: layers.RandomShear((0.2, 0.2), (0.1, 0.1), **k),
    "perspective": lambda **k: layers.RandomPerspective(1.0, 0.4, **k),
    "elastic": lambda **k: layers.RandomElasticTransform(scale=(0.3, 0.3), **k),
    "crop": lambda **k: layers.RandomCrop(24, 30, **k),
    "resizing_pad": lambda **k: layers.Resizing(48, 48, pad_to_aspect_ratio=True, **k),
    "rand_augment": lambda **k: layers.RandAugment(value_range=(0, 1), **k),
}


@pytest.mark.parametrize(
    "data_format", ["channels_last", pytest.param("channels_first", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", MOVING)
def test_the_box_is_around_the_moved_pixels(name, data_format):
    """The mask of the first box, moved too, lies within its box and reaches its edges."""
    seeded = {} if name.startswith(("resizing", "center")) else {"seed": 5}
    layer = MOVING[name](bounding_box_format="xyxy", data_format=data_format, **seeded)
    if hasattr(layer, "fill_mode"):
        layer.fill_mode = "constant"  # reflected pixels are outside every box
    data = sample()
    if data_format == "channels_first":
        for key in ("images", "segmentation_masks"):
            data[key] = np.moveaxis(data[key], -1, 1)
    moved = layer(data, training=True)
    masks = np.asarray(moved["segmentation_masks"])
    masks = (masks[:, 0] if data_format == "channels_first" else masks[..., 0]).astype(bool)
    boxes = np.asarray(moved["bounding_boxes"]["boxes"])[:, 0]
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        if not mask.any():
            assert (right - left) * (bottom - top) < 4
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        slack = 2.5 if name in ("rotation", "shear", "perspective", "rand_augment") else 1.01
        assert left - 1.01 <= found[0] <= left + slack and top - 1.01 <= found[1] <= top + slack
        assert right - slack <= found[2] <= right + 1.01
        assert bottom - slack <= found[3] <= bottom + 1.01


def test_a_half_turn_is_two_flips():
    turn = layers.RandomRotation((0.5, 0.5), bounding_box_format="xyxy")
    moved = turn(sample(), training=True)["bounding_boxes"]["boxes"]
    left, top, right, bottom = np.moveaxis(BOXES, -1, 0)
    height, width = SIDES["height"], SIDES["width"]
    expected = np.stack([width - right, height - bottom, width - left, height - top], -1)
    np.testing.assert_allclose(moved, expected, atol=1e-3)


def test_nothing_moves_outside_training_but_sizes_change():
    for name in ("zoom", "rotation", "flip", "shear", "rand_augment"):
        layer = MOVING[name](bounding_box_format="xyxy")
        kept = layer(sample(), training=False)["bounding_boxes"]
        np.testing.assert_array_equal(kept["boxes"], BOXES)
    crop = layers.RandomCrop(12, 16, bounding_box_format="xyxy")(sample(), training=False)
    np.testing.assert_allclose(edges_of(crop, "xyxy"), FACTS["layers"]["center_crop"]["boxes"])


def test_one_image_alone_and_layers_in_a_row():
    batch, one = sample(), {}
    for key, value in batch.items():
        one[key] = {k: v[0] for k, v in value.items()} if isinstance(value, dict) else value[0]
    steps = layers.Pipeline(
        [
            layers.Resizing(16, 20, bounding_box_format="xyxy"),
            layers.CenterCrop(10, 10, bounding_box_format="xyxy"),
        ]
    )
    moved = steps(one)["bounding_boxes"]
    assert moved["boxes"].shape == (2, 4)
    np.testing.assert_allclose(moved["boxes"], steps(batch)["bounding_boxes"]["boxes"][0])


def test_mixed_images_have_the_boxes_of_both():
    data = {**sample(), "labels": np.eye(2, dtype="float32")}
    mixed = layers.MixUp(seed=1, bounding_box_format="xyxy")(data, training=True)
    assert mixed["bounding_boxes"]["boxes"].shape == (2, 4, 4)
    np.testing.assert_array_equal(mixed["bounding_boxes"]["boxes"][:, :2], BOXES)
    with pytest.raises(ArgumentError, match="cannot follow"):
        layers.CutMix(bounding_box_format="xyxy")(data, training=True)


def test_masks_are_flipped_with_their_images():
    data = sample()
    moved = layers.RandomFlip(seed=3, bounding_box_format="xyxy")(data, training=True)
    np.testing.assert_array_equal(moved["images"], moved["segmentation_masks"])
    assert not np.array_equal(moved["images"], data["images"])


def test_boxes_go_through_a_compiled_program():
    import jax

    layer = layers.RandomRotation((0.03, 0.03), bounding_box_format="xyxy")
    compiled = jax.jit(lambda data: layer(data, training=True))
    moved = compiled(jax.tree.map(jnp.asarray, sample()))["bounding_boxes"]["boxes"]
    np.testing.assert_allclose(moved, FACTS["layers"]["rotation"]["boxes"], atol=1e-3)
    assert nacre.utils.bounding_boxes.convert_format is utils.convert_format


@pytest.mark.parametrize("size", [32.0, 2000.0])
def test_a_projective_map_takes_points_to_points(size):
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * size
    start, end = (corners + rng.normal(size=(20, 4, 2)) * 0.1 * size for _ in range(2))
    found = geometry.homography(jnp.asarray(start, "float32"), jnp.asarray(end, "float32"))
    m = np.asarray(found, "float64")[..., None, :]
    x, y = start[..., 0], start[..., 1]
    depth = m[..., 6] * x + m[..., 7] * y + 1
    columns = (m[..., 0] * x + m[..., 1] * y + m[..., 2]) / depth
    rows = (m[..., 3] * x + m[..., 4] * y + m[..., 5]) / depth
    np.testing.assert_allclose(np.stack([columns, rows], -1), end, atol=2e-6 * size)
