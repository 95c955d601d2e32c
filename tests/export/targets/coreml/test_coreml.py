"""Core ML: what coremltools' own passes make of what is written is read as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre

pytest.importorskip("coremltools", reason="what writes Core ML's packages is not installed")


def moved(model: Any) -> Any:
    """The model with no weight where it began: a bias of zeros would hide one that is left out."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.2, 1, weight.shape).astype("float32"))
    return model


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda k: k.Conv1DTranspose(2, 3, strides=2), id="transposed"),
        pytest.param(lambda k: k.Conv1D(2, 3), id="convolution"),
        pytest.param(lambda k: k.Dense(2), id="dense"),
        pytest.param(lambda k: k.BatchNormalization(), id="batch normalization"),
        pytest.param(lambda k: k.LayerNormalization(scale=False), id="no scale"),
        pytest.param(lambda k: k.LayerNormalization(center=False), id="no center"),
    ],
)
def test_weights_of_a_layer_all_count(layer: Any, tmp_path: Path) -> None:
    model = moved(nacre.Sequential([nacre.Input((6, 3)), layer(nacre.layers)]))
    report = model.export(tmp_path / "net.mlpackage", verbose=False)
    assert report is not None and report.is_verified


def test_inputs_that_the_reader_passes_over_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nacre.export.targets.coreml import readback

    right = readback._OPS["conv_transpose"]
    names = ("x", "weight", "strides", "dilations", "pad")
    without_bias = lambda i: right({name: i[name] for name in names})
    monkeypatch.setitem(readback._OPS, "conv_transpose", without_bias)
    layer = nacre.layers.Conv1DTranspose(2, 3)
    model = moved(nacre.Sequential([nacre.Input((6, 3)), layer]))
    with pytest.raises(nacre.core.errors.FileFormatError, match="not known here: bias"):
        model.export(tmp_path / "net.mlpackage", verbose=False)


def test_what_a_person_says_of_a_model_is_in_the_package(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    said = {"class_names": "cat, dog", "preprocessing": "x / 255 – 0.5"}
    report = model.export(tmp_path / "m", format="coreml", metadata=said, verbose=False)
    assert report is not None
    tools = pytest.importorskip("coremltools")
    spec = tools.utils.load_spec(report.path)
    assert said.items() <= dict(spec.description.metadata.userDefined).items()
