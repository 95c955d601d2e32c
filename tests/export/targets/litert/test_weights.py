"""Fewer bits: sizes of files, errors of numbers, and that a fault in them is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.core.wire.tflite import DTYPES, OPERATORS, SCHEMA
from nacre.export.targets.litert import quantizing

pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
IMAGES = np.random.default_rng(0).normal(size=(24, 8, 8, 3)).astype("float32")


@pytest.fixture(scope="module")
def model() -> Any:
    nacre.utils.set_random_seed(0)
    layers = nacre.layers
    return nacre.Sequential(
        [
            nacre.Input((8, 8, 3)),
            layers.Conv2D(16, 3, activation="relu", name="first"),
            layers.SeparableConv2D(32, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(40, activation="tanh"),
            layers.Dense(4, activation="softmax"),
        ],
        name="small",
    )


def operators(path: Path) -> tuple[list[str], Any]:
    found = SCHEMA.unpack("Model", path.read_bytes())
    codes = [OPERATORS[code["builtin_code"]] for code in found["operator_codes"]]
    graph = found["subgraphs"][0]
    return [codes[op["opcode_index"]] for op in graph["operators"]], graph


@pytest.mark.parametrize(
    ("weights", "share", "error"), [("float16", 0.62, 1e-3), ("int8", 0.6, 2e-2)]
)
def test_weights_in_fewer_bits_make_smaller_files(
    model: Any, tmp_path: Path, weights: str, share: float, error: float
) -> None:
    whole = model.export(tmp_path / "whole.tflite", verbose=False)
    small = model.export(tmp_path / "small.tflite", weights=weights, verbose=False)
    assert small.is_verified and small.size_bytes < share * whole.size_bytes
    assert whole.largest_difference < 1e-6 < small.largest_difference < error


def one_by_one() -> Iterator[list[np.ndarray]]:
    for image in IMAGES:
        yield [image[None]]


@pytest.mark.parametrize("ends", ["int8", "uint8"])
def test_all_is_computed_in_8_bits(model: Any, tmp_path: Path, ends: str) -> None:
    path = tmp_path / "m.tflite"
    report = model.export(
        path, representative_dataset=one_by_one, input_type=ends, output_type=ends, verbose=False
    )
    assert report.is_verified and report.largest_difference < 0.1
    ops, graph = operators(path)
    assert "DEQUANTIZE" not in ops
    types = {DTYPES[tensor["type"]] for tensor in graph["tensors"]}
    assert types <= {"int8", "int32", ends}
    for place in (*graph["inputs"], *graph["outputs"]):
        assert DTYPES[graph["tensors"][place]["type"]] == ends
    assert (
        json.loads((tmp_path / "m.tflite.report.json").read_text())["options"][
            "representative_dataset"
        ]
        == "24 samples"
    )


@pytest.mark.parametrize(
    "given",
    [IMAGES[:4, None], [{"input_layer": IMAGES[:2]}], ([x[None]] for x in IMAGES[:3])],
    ids=["array", "names", "generator"],
)
def test_samples_may_be_given_in_any_form(model: Any, tmp_path: Path, given: Any) -> None:
    if isinstance(given, list):
        given = [{model.input_names[0]: IMAGES[:2]}]
    report = model.export(tmp_path / "m.tflite", representative_dataset=given, verbose=False)
    assert report.is_verified


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"input_type": "int8"}, "representative_dataset"),
        ({"representative_dataset": []}, "there must be samples"),
        ({"representative_dataset": [IMAGES[:2] * np.nan]}, "must be finite"),
        ({"representative_dataset": [[IMAGES[0]]]}, "float32\\[batch, 8, 8, 3\\]"),
        ({"representative_dataset": [[IMAGES[:1], IMAGES[:1]]]}, "1 arrays"),
        ({"weights": "int3"}, "float16"),
    ],
)
def test_what_does_not_fit_is_told(
    model: Any, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ArgumentError, match=words):
        model.export(tmp_path / "m.tflite", verbose=False, **options)
    assert not list(tmp_path.iterdir())


def test_a_wrong_scale_is_found(model: Any, tmp_path: Path, monkeypatch: Any) -> None:
    right = quantizing.quantized_weights

    def wrong(*given: Any) -> Any:
        found = right(*given)
        found.scales = found.scales._replace(scale=tuple(4 * s for s in found.scales.scale))
        return found

    monkeypatch.setattr(quantizing, "quantized_weights", wrong)
    with pytest.raises(FileFormatError, match="must compute"):
        model.export(tmp_path / "m.tflite", representative_dataset=one_by_one, verbose=False)
    assert not list(tmp_path.iterdir())


def test_loops_stay_floats_with_weights_of_8_bits(tmp_path: Path) -> None:
    nacre.utils.set_random_seed(0)
    ids = nacre.Input((None,), dtype="int32")
    x = nacre.layers.LSTM(48)(nacre.layers.Embedding(90, 48)(ids))
    model = nacre.Model(ids, nacre.layers.Dense(3)(x))
    data = [np.random.default_rng(i).integers(0, 90, (1, 5)).astype("int32") for i in range(8)]
    path = tmp_path / "m.tflite"
    whole = model.export(tmp_path / "w.tflite", verbose=False)
    report = model.export(path, representative_dataset=data, weights="int8", verbose=False)
    assert report.is_verified and report.size_bytes < 0.6 * whole.size_bytes
    assert "WHILE" in operators(path)[0]


def test_masked_scores_do_not_take_all_the_steps(tmp_path: Path) -> None:
    nacre.utils.set_random_seed(0)
    x = nacre.Input((6, 16))
    y = nacre.layers.MultiHeadAttention(2, 8)(x, x, use_causal_mask=True)
    model = nacre.Model(x, nacre.layers.Dense(5)(y))
    data = np.random.default_rng(0).normal(size=(20, 1, 6, 16)).astype("float32")
    report = model.export(tmp_path / "m.tflite", representative_dataset=data, verbose=False)
    assert report.is_verified and report.largest_difference < 0.05


def test_filters_of_next_to_nothing_keep_their_bias(tmp_path: Path) -> None:
    nacre.utils.set_random_seed(0)
    model = nacre.Sequential([nacre.Input((8, 8, 3)), nacre.layers.Conv2D(4, 3)])
    kernel, bias = model.layers[-1].kernel, model.layers[-1].bias
    kernel.assign(kernel.numpy() * np.array([1, 1e-9, 0, 1e-4], "float32"))
    bias.assign(np.array([0.5, 1, 1, -1], "float32"))
    report = model.export(tmp_path / "m.tflite", representative_dataset=one_by_one, verbose=False)
    assert report.is_verified and report.largest_difference < 0.02


def test_samples_beyond_those_that_are_looked_at_are_told(tmp_path):
    model = nacre.Sequential([nacre.Input((2,)), nacre.layers.Dense(2)])
    many = [[np.ones((1, 2), "float32")]] * 1001
    with pytest.warns(UserWarning, match="the first 1000 samples"):
        model.export(tmp_path / "m.tflite", representative_dataset=many, verbose=False)


WHOLE_IN_4_BITS = {
    "dense": (lambda: nacre.layers.Dense(51), (63,)),
    "convolution": (lambda: nacre.layers.Conv2D(31, 3, strides=2, padding="same"), (9, 9, 7)),
    "groups": (lambda: nacre.layers.Conv2D(48, 3, groups=2), (5, 5, 32)),
    "convolution of sequences": (lambda: nacre.layers.Conv1D(33, 3), (12, 17)),
}


@pytest.mark.parametrize("name", WHOLE_IN_4_BITS)
@pytest.mark.parametrize("is_all_whole", [False, True])
def test_weights_of_4_bits_are_read_as_they_were_written(
    name: str, is_all_whole: bool, tmp_path: Path
) -> None:
    """Kernels whose numbers are whole ones of 4 bits, by a scale a filter, lose nothing."""
    make, shape = WHOLE_IN_4_BITS[name]
    random = np.random.default_rng(0)
    model = nacre.Sequential([nacre.Input(shape), make()])
    kernel = model.layers[0].kernel
    numbers = random.integers(-7, 8, kernel.shape)
    numbers.reshape(-1, kernel.shape[-1])[0] = 7
    scales = random.uniform(0.01, 1, kernel.shape[-1])
    kernel.assign((numbers * scales).astype("float32"))
    x = random.uniform(-1, 1, (8, *shape)).astype("float32")
    samples = {"representative_dataset": [[one[None]] for one in x]} if is_all_whole else {}
    path = tmp_path / "m.tflite"
    report = model.export(path, weights="int4", samples=x, verbose=False, **samples)
    assert report is not None and report.precision is not None
    assert report.precision.after.error < 0.02, "what 8 bits of the inputs cost"
    kinds = [DTYPES[tensor["type"]] for tensor in operators(path)[1]["tensors"]]
    assert "int4" in kinds
    loaded = nacre.models.load_model(path)
    np.testing.assert_allclose(
        np.asarray(loaded(x)), np.asarray(model(x)), atol=0.03 * np.abs(model(x)).max()
    )


def test_kernels_of_single_channels_keep_8_bits(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((9, 9, 128)), nacre.layers.DepthwiseConv2D(3)])
    report = model.export(tmp_path / "m.tflite", weights="int4", verbose=False)
    assert report is not None and report.precision is not None
    assert report.precision.after.error < 0.03


def test_what_a_person_says_of_a_model_is_in_the_file(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    said = {"class_names": "cat, dog", "preprocessing": "x / 255 – 0.5"}
    model.export(tmp_path / "m.tflite", metadata=said, verbose=False)
    found = SCHEMA.unpack("Model", (tmp_path / "m.tflite").read_bytes())
    texts = {
        entry["name"]: bytes(found["buffers"][entry["buffer"]]["data"]).decode()
        for entry in found["metadata"]
    }
    assert said.items() <= texts.items()
