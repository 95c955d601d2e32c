"""Models of fewer bits: each format holds them, verified in its runtime, or lists what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, UnsupportedOpError

pytestmark = pytest.mark.slow  # files are written, opened and run

MODES: dict[str, Any] = {
    "float8": "float8",
    "int8": "int8",
    "int4": nacre.quantizers.Int4QuantizationConfig(block_size=None),
    "int4 in blocks": nacre.quantizers.Int4QuantizationConfig(block_size=8),
}
# Format -> its package, and the modes it lacks an op or dtype for.
FORMATS: dict[str, tuple[str, set[str]]] = {
    "onnx": ("onnxruntime", set()),
    "litert": ("ai_edge_litert", {"float8"}),
    "stablehlo": ("jax", set()),
    "c": ("jax", {"float8"}),
    "npz": ("jax", {"float8"}),
    "coreml": ("coremltools", {"float8", "int4", "int4 in blocks"}),
    "tensorrt": ("onnxruntime", set(MODES)),
}


def quantized(mode: str, is_trained: bool) -> Any:
    nacre.utils.set_random_seed(3)
    ids = nacre.Input((6,), dtype="int32")
    x = layers.Embedding(50, 16)(ids)
    x = layers.EinsumDense("abc,cd->abd", (None, 16), activation="relu")(x)
    model = nacre.Model(ids, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))
    how = MODES[mode]
    if mode == "float8":
        model.quantize("float8", filters="dense")  # tables have no form of it
    else:
        model.quantize(**({"mode": how} if isinstance(how, str) else {"config": how}))
    if is_trained:  # scales of float8 are those of the numbers that were met
        model.compile("sgd", "mse")
        ids = np.random.default_rng(0).integers(0, 50, (8, 6))
        model.fit(ids, np.ones((8, 4)), verbose=0)
    return model


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("format", FORMATS)
def test_a_format_holds_a_model_or_lists_what_it_lacks(
    format: str, mode: str, tmp_path: Path
) -> None:
    package, lacking = FORMATS[format]
    pytest.importorskip(package, reason=f"what runs {format} files is not installed")
    model, path = quantized(mode, is_trained=mode == "float8"), tmp_path / "m"
    if mode in lacking:
        with pytest.raises(UnsupportedOpError, match="without one"):
            model.export(path, format=format, verbose=False)
        assert not list(tmp_path.iterdir())
        return
    report = model.export(path, format=format, verbose=False)
    assert report is not None and report.is_verified


def test_floats_of_8_bits_choose_a_version_that_has_them(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="what reads ONNX files is not installed")
    pytest.importorskip("onnxruntime", reason="what runs ONNX files is not installed")
    quantized("float8", is_trained=False).export(tmp_path / "m.onnx", verbose=False)
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == 19
    with pytest.raises(ArgumentError, match="opset_version must have all ops"):
        quantized("float8", is_trained=False).export(
            tmp_path / "n.onnx", opset_version=18, verbose=False
        )
