"""In a process where something computes in float64, all else stays as it was."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre.utils import bounding_boxes
from tests.cases.layers_preprocessing import PREPROCESSING_CASES
from tests.cases.spec import LayerCase
from tests.contracts.layer_rows import built, first_of_class, inputs_only, is_on_host, run

pytestmark = pytest.mark.float64
ROWS = [
    row for row in first_of_class(list(PREPROCESSING_CASES)) if not is_on_host(row) and row.inputs
]


@pytest.fixture(autouse=True)
def beside_float64() -> None:
    nacre.Variable(1.0, dtype="float64")
    assert jax.config.jax_enable_x64


@pytest.mark.slow
@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_preprocessing_gives_the_dtypes_it_gives_alone(row: LayerCase) -> None:
    layer = built(row)
    weights = [variable.value for variable in layer.weights]
    if row.layer == "Hashing":
        pytest.skip("it hashes on the host")
    for training in (True, False):
        call = lambda arrays, values, training=training: run(row, layer, arrays, values, training)
        results = jax.eval_shape(call, inputs_only(row), weights)
        assert all(result.dtype.itemsize <= 4 for result in jax.tree.leaves(results))


@pytest.mark.parametrize("name", ["AugMix", "RandAugment"])
def test_policies_change_images(name: str) -> None:
    images = np.linspace(0, 255, 2 * 4 * 4 * 3, dtype="float32").reshape(2, 4, 4, 3)
    changed = getattr(nacre.layers, name)(seed=1)(images, training=True)
    assert changed.dtype == "float32" and np.isfinite(np.asarray(changed)).all()


def test_boxes_stay_float32() -> None:
    anchors = np.array([[0, 0, 4, 4], [4, 0, 8, 4]], "float32")
    none = np.zeros((0, 4), "float32")
    for boxes, labels in ((anchors[:1], [7]), (none, np.zeros(0, int))):
        targets = bounding_boxes.anchor_targets(anchors, boxes, labels, "xyxy")
        assert targets["deltas"].dtype == "float32"
    kept = bounding_boxes.clip_to_image_size(
        {"boxes": anchors / 8, "labels": np.array([1, 2])}, bounding_box_format="rel_xyxy"
    )
    assert kept["boxes"].dtype == "float32"
