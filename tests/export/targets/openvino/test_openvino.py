"""OpenVINO's files: two of them, numbers as they are, names kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, UnsupportedOpError

openvino = pytest.importorskip("openvino", reason="what writes and runs its files is not installed")


def small() -> Any:
    nacre.utils.set_random_seed(0)
    return nacre.Sequential(
        [
            nacre.Input((None, 3), name="steps"),
            nacre.layers.Bidirectional(nacre.layers.LSTM(4, return_sequences=True)),
            nacre.layers.GlobalMaxPooling1D(),
            nacre.layers.Dense(2, name="answer"),
        ],
        name="small",
    )


def test_a_model_of_any_length_is_two_files_and_verified(tmp_path: Path) -> None:
    report = small().export(tmp_path / "net.xml", verbose=False, metadata={"classes": "a, b"})
    assert report.format == "openvino"
    assert report.is_verified
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "net.bin", "net.xml", "net.xml.report.json"
    ]  # fmt: skip
    model = openvino.Core().read_model(str(tmp_path / "net.xml"))
    assert model.input(0).any_name == "steps"
    assert model.output(0).any_name == "answer"
    assert model.get_friendly_name() == "small"
    assert model.get_rt_info(["nacre", "classes"]).astype(str) == "a, b"
    assert model.input(0).partial_shape[1].is_dynamic


def test_numbers_are_kept_in_32_bits_unless_16_are_asked_for(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((64,)), nacre.layers.Dense(64)])
    sizes = {}
    for weights in ("float32", "float16"):
        path = tmp_path / f"{weights}.xml"
        assert model.export(path, verbose=False, weights=weights).is_verified
        sizes[weights] = path.with_suffix(".bin").stat().st_size
    assert sizes["float32"] >= 64 * 64 * 4
    assert sizes["float16"] < 0.6 * sizes["float32"]


def test_an_option_of_onnx_is_none_here(tmp_path: Path) -> None:
    with pytest.raises((ArgumentError, TypeError), match="opset_version"):
        small().export(tmp_path / "net.xml", opset_version=18)
    assert not list(tmp_path.iterdir())


def test_equal_ones_keep_their_order(tmp_path: Path) -> None:
    inputs = nacre.Input((6,), name="x")
    model = nacre.Model(inputs, nacre.ops.argsort(inputs, axis=-1))
    x = np.array([[1, 0, 1, 0, np.nan, 1]], "float32")
    assert model.export(tmp_path / "net.xml", verbose=False, samples=[x]).is_verified


@pytest.mark.parametrize("steps", [5, None])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_recurrent_layers_of_one_input_each_read_it(
    kind: str, steps: int | None, tmp_path: Path
) -> None:
    """With known steps OpenVINO had exchanged batch and time of all but one."""
    nacre.utils.set_random_seed(0)
    layer = getattr(nacre.layers, kind)
    x = nacre.Input((steps, 3))
    both = nacre.layers.Bidirectional(layer(3, return_sequences=True))(x)
    third = layer(2, return_sequences=True)(x)
    model = nacre.Model(x, [both, third, layer(2)(x)])
    sample = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")
    report = model.export(tmp_path / "net.xml", verbose=False, samples=[sample])
    assert report is not None and report.is_verified


def test_volumes_are_enlarged(tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((2, 2, 3, 2)), nacre.layers.UpSampling3D()])
    assert model.export(tmp_path / "net.xml", verbose=False).is_verified


def test_tables_of_words_are_refused_in_a_line(tmp_path: Path) -> None:
    words = nacre.layers.StringLookup(vocabulary=["a", "b"])
    model = nacre.Sequential([nacre.Input((2,), dtype="string"), words])
    with pytest.raises(UnsupportedOpError, match="Look words up before the model"):
        model.export(tmp_path / "net.xml", verbose=False)
