"""Weights in 8 and 4 bits: what stands in the file, what it costs, and what stays in floats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.core.nibbles import in_bytes_as_stored
from nacre.export.targets.onnx import weights
from nacre.export.targets.onnx.weights import quantized
from tests.contracts.test_target_contract import writable

onnx = pytest.importorskip("onnx", reason="what reads the files is not installed")


def dense() -> Any:
    return [nacre.Input((64,)), layers.Dense(48, "relu"), layers.Dense(33)]


def pictures() -> Any:
    return [
        nacre.Input((8, 8, 16)),
        layers.Conv2D(16, 3, name="conv"),
        layers.Conv2DTranspose(16, 3),
        layers.GlobalAveragePooling2D(),
    ]


def words() -> Any:
    return [
        nacre.Input((None,), dtype="int32"),
        layers.Embedding(90, 32),
        layers.Bidirectional(layers.LSTM(12, return_sequences=True)),
        layers.RNN(layers.StackedRNNCells([layers.GRUCell(24), layers.SimpleRNNCell(6)])),
    ]


def exported(net: Any, path: Path, format: str = "onnx", **options: Any) -> Any:
    writable(format)
    nacre.utils.set_random_seed(0)
    model = nacre.Sequential(net())
    return model.export(path / "m", format=format, verbose=False, **options)


def stored(path: str) -> dict[str, int]:
    """Paths of arrays in 8 (3) and 4 (22) bits."""
    found = onnx.load(path).graph.initializer
    return {x.name.split("/", 1)[1]: x.data_type for x in found if x.data_type in (3, 22)}


@pytest.mark.parametrize("format", ["onnx", "openvino"])
@pytest.mark.parametrize("net", [dense, pictures, words])
@pytest.mark.parametrize(("dtype", "most"), [("int8", 0.02), ("int4", 0.2)])
def test_a_file_of_few_bits_computes_nearly_the_same(
    tmp_path: Path, format: str, net: Any, dtype: str, most: float
) -> None:
    report = exported(net, tmp_path, format, weights=dtype)
    assert report.is_verified and report.precision is not None
    assert 0 < report.precision.after.error < most
    assert report.precision.before.error < 1e-5
    assert report.precision.after.size_bytes < report.precision.before.size_bytes


def test_large_weights_have_8_bits_and_small_ones_all(tmp_path: Path) -> None:
    path = exported(words, tmp_path, weights="int8").path
    onnx.checker.check_model(path, full_check=True)
    assert set(stored(path).values()) == {3}
    # Biases have less than 1,024 numbers, and loops read weights as floats.
    assert not [name for name in stored(path) if "bias" in name or "gru_cell" in name]
    assert len(stored(path)) == 3


def test_4_bits_are_for_products_and_the_rest_has_8(tmp_path: Path) -> None:
    path = exported(pictures, tmp_path, weights="int4").path
    onnx.checker.check_model(path, full_check=True)
    assert stored(path) == {"conv/kernel": 22, "conv2d_transpose/kernel": 3}
    assert onnx.load(path).opset_import[0].version == 21


def test_a_fourth_and_an_eighth_of_the_bytes_are_left(tmp_path: Path) -> None:
    net = lambda: [nacre.Input((256,)), layers.Dense(256, use_bias=False)]
    for dtype, part in (("int8", 0.26), ("int4", 0.17)):
        precision = exported(net, tmp_path, weights=dtype).precision
        assert precision.after.size_bytes < part * precision.before.size_bytes


def test_a_weight_that_is_not_finite_stays_in_floats(tmp_path: Path) -> None:
    model = nacre.Sequential(dense())
    model.layers[0].kernel.assign(np.full((64, 48), np.inf, "float32"))
    report: Any = model.export(tmp_path / "m.onnx", weights="int8", verbose=False)
    assert len(stored(report.path)) == 1


def test_a_weight_that_two_layers_read_is_kept_once(tmp_path: Path) -> None:
    words_in = nacre.Input((None,), dtype="int32")
    table = layers.ReversibleEmbedding(60, 32, name="table")
    hidden = layers.Dense(32, "tanh")(table(words_in))
    model = nacre.Model(words_in, table(hidden, reverse=True))
    report: Any = model.export(tmp_path / "m.onnx", weights="int4", verbose=False)
    assert report.is_verified
    kept = [x for x in onnx.load(report.path).graph.initializer if "table" in x.name]
    assert sum(len(x.raw_data) for x in kept) < 60 * 32


def test_weights_in_a_second_file_have_few_bits_too(tmp_path: Path) -> None:
    report = exported(dense, tmp_path, weights="int4", external_data=True)
    assert report.is_verified and len(list(tmp_path.glob("*.data"))) == 1
    onnx.checker.check_model(report.path, full_check=True)


def test_a_version_without_4_bits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"needs opset_version 21 or later. Got 18"):
        exported(dense, tmp_path, weights="int4", opset_version=18)
    assert not list(tmp_path.iterdir())
    assert exported(dense, tmp_path, weights="int8", opset_version=13).is_verified


def test_a_wrong_scale_is_found(tmp_path: Path, monkeypatch: Any) -> None:
    wrong = lambda *given: (quantized(*given)[0], quantized(*given)[1] * np.float32(1.5))
    monkeypatch.setattr(weights, "quantized", wrong)
    with pytest.raises(FileFormatError, match="first layer that differs is '.*dense"):
        exported(dense, tmp_path, weights="int8")


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_quantized_models_are_written_as_they_are(tmp_path: Path, mode: str) -> None:
    writable("onnx")
    model = nacre.Sequential(dense())
    model.quantize(mode)
    report: Any = model.export(tmp_path / "m.onnx", verbose=False)
    assert report.is_verified and report.largest_difference < 1e-5
    assert report.size_bytes < 12_000  # 4,656 weights


@pytest.mark.parametrize(
    ("bits", "axis", "block"), [(8, None, 0), (8, 1, 0), (4, 0, 16), (4, 1, 0)]
)
def test_each_number_is_within_half_a_step(bits: int, axis: int | None, block: int) -> None:
    data = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
    data[:, 2] = 0.0
    numbers, scales = quantized(data, bits, axis, block)
    shape = {None: (), 0: (2, 6), 1: (6,)}[axis]
    assert scales.shape == shape and scales.dtype == np.float32
    spread = np.repeat(scales, block, 0) if block else scales
    assert np.all(np.abs(numbers * spread - data) <= spread * 0.5001)
    assert np.abs(numbers).max() == 2 ** (bits - 1) - 1


def test_halves_of_bytes_are_read_back() -> None:
    numbers = np.arange(-7, 8, dtype="int8")
    packed = in_bytes_as_stored(numbers)
    both = np.stack([packed & 15, packed >> 4], -1).ravel()[: numbers.size].astype("int8")
    np.testing.assert_array_equal(np.where(both > 7, both - 16, both), numbers)
