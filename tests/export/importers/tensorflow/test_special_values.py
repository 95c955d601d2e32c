"""NaN, infinities, zeros of both signs and limits of whole numbers mean what TensorFlow makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre.export.importers.tensorflow.ops  # noqa: F401 - registers them
from nacre.export.importers.tensorflow.registry import OPS, DataType, Node
from tests.tiers import first_of_each_is_quick

_KEPT = np.load(Path(__file__).parents[3] / "reference" / "special_values.npz")
_OPS = list(dict.fromkeys(key.rsplit("/", 1)[0] for key in _KEPT.files if "/" in key))
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Cast": {"DstT": DataType(3)},
    "ArgMax": {"output_type": DataType(9)},
    "ArgMin": {"output_type": DataType(9)},
    "LowerBound": {"out_type": DataType(3)},
    "UpperBound": {"out_type": DataType(3)},
}


def _inputs(kind: str, op: str) -> list[np.ndarray]:
    rows = _KEPT["rows"]
    one = np.array(1, "int32")
    if kind == "unary":
        limits = [np.array(np.nan, "float32"), np.array(2, "float32")]
        return [_KEPT["unary"], *(limits if op == "ClipByValue" else [])]
    if kind != "rows":
        before = "" if kind == "binary" else "whole_"
        return [_KEPT[f"{before}first"], _KEPT[f"{before}second"]]
    ordered = np.tile(np.array([-np.inf, 0, 1, np.inf], "float32"), (len(rows), 1))
    ids = np.full(len(rows), 3, "int32")
    return {
        "LogSoftmax": [rows],
        "TopKV2": [np.where(np.isnan(rows), 1, rows).astype("float32"), np.array(3, "int32")],
        "InTopKV2": [rows, ids, np.array(2, "int32")],
        "LowerBound": [ordered, rows],
        "UpperBound": [ordered, rows],
        "All": [rows != 0, one],
        "Any": [rows != 0, one],
    }.get(op, [rows, one])


@pytest.mark.parametrize("case", first_of_each_is_quick(_OPS, lambda case: case.split("/")[0]))
def test_special_values_mean_what_they_mean_there(case: str) -> None:
    kind, op = case.split("/")
    given = _inputs(kind, op)
    node = Node(op, "node", dict(_ATTRIBUTES.get(op, {})))
    is_moving = [array.ndim > 0 and array.dtype != bool for array in given]

    def computed(*moving: Any) -> Any:
        rest = iter(moving)
        return OPS[op].function(
            node, *(next(rest) if m else a for m, a in zip(is_moving, given, strict=True))
        )

    with jax.enable_x64(True), np.errstate(all="ignore"):
        moving = [a for m, a in zip(is_moving, given, strict=True) if m]
        ways = [jax.jit(computed)(*moving)]
        if OPS[op].is_known:  # the same numbers where NumPy computes them
            ways.append(OPS[op].function(node, *given))
    for found in ways:
        for index, part in enumerate(found if isinstance(found, tuple) else (found,)):
            wanted = _KEPT[f"{case}/{index}"]
            assert np.asarray(part).dtype == wanted.dtype
            np.testing.assert_allclose(np.asarray(part), wanted, rtol=2e-5, atol=2e-6)
