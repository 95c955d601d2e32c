"""Products and convolutions in 8 bits, by the range of the numbers that samples give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.export.targets.onnx import eight_bits
from tests.contracts.test_target_contract import writable

onnx = pytest.importorskip("onnx", reason="what reads the files is not installed")
RANDOM = np.random.default_rng(0)
PICTURES = [RANDOM.random((2, 12, 12, 3), "float32") for _ in range(6)]
TEXTS = [RANDOM.integers(0, 40, (2, 7)).astype("int32") for _ in range(6)]


def pictures() -> Any:
    return [
        nacre.Input((12, 12, 3)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.DepthwiseConv2D(3, activation="relu6"),
        layers.Flatten(),
        layers.Dense(5, name="last"),
    ]


def texts() -> Any:
    return [
        nacre.Input((None,), dtype="int32"),
        layers.Embedding(40, 16),
        layers.SimpleRNN(12, return_sequences=True),
        layers.Dense(24, "gelu"),
        layers.Dense(5, use_bias=False),
    ]


def exported(net: Any, path: Path, data: Any, format: str = "onnx", **options: Any) -> Any:
    writable(format)
    nacre.utils.set_random_seed(0)
    model = nacre.Sequential(net())
    return model.export(
        path / "m", format=format, representative_dataset=data, verbose=False, **options
    )


def ops(path: str) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


@pytest.mark.parametrize("format", ["onnx", "openvino"])
@pytest.mark.parametrize(("net", "data"), [(pictures, PICTURES), (texts, TEXTS)])
def test_a_file_of_8_bits_computes_nearly_the_same(
    tmp_path: Path, format: str, net: Any, data: Any
) -> None:
    report = exported(net, tmp_path, data, format)
    assert report.is_verified and report.precision is not None
    assert 1e-5 < report.precision.after.error < 0.05
    assert report.precision.before.error < 1e-5


def test_products_convolutions_and_their_biases_are_whole_numbers(tmp_path: Path) -> None:
    path = exported(pictures, tmp_path, lambda: ([x] for x in PICTURES)).path
    onnx.checker.check_model(path, full_check=True)
    kinds = [x.data_type for x in onnx.load(path).graph.initializer]
    int8, int32 = 3, 6
    assert kinds.count(int8) == 3 and kinds.count(int32) >= 3
    # What goes in, and what comes out of the two convolutions behind their rectifiers; no result.
    assert ops(path).count("QuantizeLinear") >= 3
    output = onnx.load(path).graph.output[0].name
    assert next(n for n in onnx.load(path).graph.node if output in n.output).op_type == "Gemm"


def test_the_runtime_computes_convolutions_in_whole_numbers(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="what runs the files is not installed")
    path = exported(pictures, tmp_path, PICTURES).path
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert ops(options.optimized_model_filepath).count("QLinearConv") == 2


def test_no_pair_of_products_is_more_than_16_bits_hold(tmp_path: Path) -> None:
    path = exported(pictures, tmp_path, PICTURES).path
    for x in onnx.load(path).graph.initializer:
        if x.data_type == 3:
            assert np.abs(onnx.numpy_helper.to_array(x).astype(int)).max() == 63
    assert 2 * 63 * 255 < 2**15


def test_numbers_that_no_range_holds_stay_floats(tmp_path: Path) -> None:
    x = nacre.Input((4,))
    # log of 0: what the last product takes is infinite for the samples.
    net = nacre.Model(x, layers.Dense(3)(nacre.ops.log(layers.Dense(4, "relu")(x))))
    net.layers[1].kernel.assign(-np.eye(4, dtype="float32"))
    data = [np.ones((2, 4), "float32")]
    path = tmp_path / "m.onnx"
    net.export(path, representative_dataset=data, verify=False, verbose=False)
    kinds = [x.data_type for x in onnx.load(path).graph.initializer]
    assert kinds.count(3) == 1


def test_a_wrong_scale_is_found(tmp_path: Path, monkeypatch: Any) -> None:
    right = eight_bits.quantized
    wrong = lambda *given: (right(*given)[0], right(*given)[1] * np.float32(2))
    monkeypatch.setattr(eight_bits, "quantized", wrong)
    with pytest.raises(FileFormatError, match="where the model gives"):
        exported(pictures, tmp_path, PICTURES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "there must be samples of data"),
        ([np.full((1, 12, 12, 3), np.nan, "float32")], "must be finite"),
        ([np.zeros((1, 12, 9, 3), "float32")], r"Got shape \(1, 12, 9, 3\)"),
        (3, "it must be samples"),
    ],
)
def test_samples_that_do_not_fit_are_told(tmp_path: Path, data: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        exported(pictures, tmp_path, data)
    assert not list(tmp_path.iterdir())


def test_tensorrt_is_given_no_whole_numbers(tmp_path: Path) -> None:
    refused: list[dict[str, Any]] = [{"representative_dataset": PICTURES}, {"weights": "int8"}]
    for options in refused:
        with pytest.raises(ArgumentError):
            nacre.Sequential(pictures()).export(tmp_path / "m", format="tensorrt", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("weights", ["float16", "int4"])
def test_samples_and_weights_of_other_bits_exclude_each_other(tmp_path: Path, weights: str) -> None:
    with pytest.raises(ArgumentError, match=f"weights must be 'int8' or 'float32'.*'{weights}'"):
        exported(pictures, tmp_path, PICTURES, weights=weights)
    assert not list(tmp_path.iterdir())
