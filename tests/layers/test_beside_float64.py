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


BINARY = [
    "add", "subtract", "multiply", "divide", "true_divide", "divide_no_nan", "floor_divide", "mod",
    "fmod", "power", "maximum", "minimum", "fmax", "fmin", "arctan2", "hypot", "logaddexp", "outer",
    "dot", "kron", "heaviside", "linspace",
]  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_whole_numbers_and_a_float_of_python_are_floatx(name: str) -> None:
    op = getattr(nacre.ops, name)
    for dtype in ("bool", "uint8", "int32"):
        if name == "subtract" and dtype == "bool":
            continue
        x = nacre.ops.ones((2,), dtype)
        found = [op(x, 2.5), op(2.5, x), op(x, jax.numpy.asarray(2.5)), jax.jit(op)(x, 2.5)]
        symbol = nacre.KerasTensor((2,), dtype)
        found += [op(symbol, 2.5), op(2.5, symbol)]
        assert {str(y.dtype) for y in found} == {"float32"}, (name, dtype)
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        assert op(nacre.ops.ones((2,), dtype), 2.5).dtype == dtype


def test_other_places_where_whole_numbers_meet_a_float_of_python() -> None:
    x, ops = nacre.ops.ones((2,), "int32"), nacre.ops
    found = [
        ops.where(x > 0, x, 2.5),
        ops.select([x > 0], [x], 2.5),
        ops.clip(x, 0.5, None),
        ops.clip(x, None, 1.5),
        ops.tensordot(x, 2.5, 0),
        nacre.Variable([1, 2], dtype="int32") * 2.5,
        2.5 - nacre.Variable([1, 2], dtype="int32"),
        ops.add(1, 2.5),
        nacre.Input((2,), dtype="int32") * 2.5,
    ]
    assert {str(y.dtype) for y in found} == {"float32"}
    assert ops.multiply(x, 1j).dtype == "complex64"
    assert ops.multiply(x, 2).dtype == "int32" and ops.clip(x, 0, 1).dtype == "int32"


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
