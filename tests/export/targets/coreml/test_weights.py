"""Weights of Core ML's packages in 8 and 4 bits."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.export.targets.coreml import readback

coremltools = pytest.importorskip("coremltools", reason="what writes packages is not installed")


def model() -> Any:
    nacre.utils.set_random_seed(0)
    # A kernel that blocks of 32 fill, and one that they do not.
    return nacre.Sequential([nacre.Input((64,)), layers.Dense(40, "relu"), layers.Dense(33)])


def constants(path: str) -> dict[str, Any]:
    """What works weights out, with its numbers as coremltools has them, by their kind and place."""
    load = importlib.import_module("coremltools.converters.mil.frontend.milproto.load").load
    net = coremltools.models.MLModel(path, skip_model_load=True)
    program = load(net.get_spec(), net.get_spec().specificationVersion, net.weights_dir)
    found = [
        op for op in program.functions["main"].operations if op.op_type.startswith("constexpr")
    ]
    return {f"{op.op_type} {i}": op for i, op in enumerate(found)}


@pytest.mark.parametrize(
    ("dtype", "deployment", "most", "kinds"),
    [
        ("int8", "iOS16", 0.02, ["affine_dequantize", "affine_dequantize"]),
        ("int4", "iOS18", 0.2, ["blockwise_shift_scale", "blockwise_shift_scale"]),
    ],
)
def test_a_package_of_few_bits_holds_nearly_the_same_weights(
    tmp_path: Path, dtype: str, deployment: str, most: float, kinds: list[str]
) -> None:
    net = model()
    report = net.export(
        tmp_path / "m.mlpackage", weights=dtype, deployment=deployment, verbose=False
    )
    assert report.is_verified
    assert 0 < report.precision.after.error < most
    assert report.precision.after.size_bytes < report.precision.before.size_bytes * 0.6
    found = constants(report.path)
    assert [key.split()[0].removeprefix("constexpr_") for key in found] == kinds
    for op, dense in zip(found.values(), net.layers, strict=True):
        right = dense.kernel.numpy().T
        inputs = readback._Asked(
            (n, np.asarray(v.val)) for n, v in op.inputs.items() if v is not None
        )
        here = readback._OPS[op.op_type](inputs)
        np.testing.assert_allclose(here, op.materialized_val_inference(), 1e-5, 1e-7)
        assert np.abs(here - right).max() < np.abs(right).max() * most


def test_4_bits_need_a_system_that_has_them(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"needs deployment='iOS18'. Got 'iOS17'"):
        model().export(tmp_path / "m.mlpackage", weights="int4", verbose=False)
    assert not list(tmp_path.iterdir())


def test_a_wrong_scale_is_found(tmp_path: Path, monkeypatch: Any) -> None:
    right = readback._OPS["constexpr_affine_dequantize"]
    monkeypatch.setitem(readback._OPS, "constexpr_affine_dequantize", lambda i: right(i) * 1.5)
    with pytest.raises(FileFormatError, match="where the model gives"):
        model().export(tmp_path / "m.mlpackage", weights="int8", verbose=False)
