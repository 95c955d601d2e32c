"""Convolutions along one axis are of pictures of one row, and give what the model gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from tests.export.targets.onnx.test_onnx import onnx


def plain(x: Any) -> Any:
    x = layers.Conv1D(64, 5, padding="same", activation="relu")(x)
    return layers.Conv1D(32, 3, padding="causal", dilation_rate=2)(layers.ELU()(x))


def used_twice(x: Any) -> Any:
    first = layers.Conv1D(64, 3, padding="same", activation="relu")(x)
    return first + layers.Conv1D(64, 3, padding="same", activation="sigmoid")(first)


def seen_between(x: Any) -> Any:
    first = layers.Conv1D(64, 3, padding="same", activation="relu")(x)
    return [first, layers.Conv1D(32, 3)(first)]


def bare_between(x: Any) -> Any:
    first = layers.Conv1D(64, 3, padding="same")(x)
    second = layers.Conv1D(64, 3, padding="same")(first)
    return [second, layers.Conv1D(64, 3)(first)]


def twins(x: Any) -> Any:
    layer = layers.Conv1D(32, 5, padding="same", activation="tanh")
    return layer(layer(x))


def strides_and_groups(x: Any) -> Any:
    x = layers.Conv1D(64, 6, strides=2, padding="same", activation="relu")(x)
    return layers.Conv1D(64, 5, groups=4, strides=3)(layers.BatchNormalization()(x))


def small(x: Any) -> Any:
    return layers.Conv1D(8, 3, activation="relu")(x)


def depthwise(x: Any) -> Any:
    return layers.DepthwiseConv1D(33, padding="same")(layers.Conv1D(128, 1)(x))


# Builds a net; how many nodes of ONNX put a row in, and take one away.
NETS = {
    "plain": (plain, 1, 1),
    "used twice": (used_twice, 2, 2),
    "seen between": (seen_between, 2, 2),
    "bare between": (bare_between, 1, 2),
    "twins": (twins, 1, 1),
    "strides and groups": (strides_and_groups, 2, 2),
    "small": (small, 0, 0),
    "depthwise": (depthwise, 1, 1),
}


def exported(name: str, path: Path, **options: Any) -> Any:
    nacre.utils.set_random_seed(1)
    x = layers.Input((None, 32))
    net = nacre.Model(x, NETS[name][0](x))
    for weight in net.weights:
        weight.assign(np.random.default_rng(0).uniform(0.05, 0.4, weight.shape))
    report = net.export(path, format="onnx", verbose=False, **options)
    assert report is not None and report.is_verified  # at several lengths, in onnxruntime
    return onnx.load(path)


@pytest.mark.parametrize("name", NETS)
def test_convolutions_along_one_axis_are_of_pictures(name: str, tmp_path: Path) -> None:
    model = exported(name, tmp_path / "model.onnx")
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    found = Counter(node.op_type for node in model.graph.node)
    assert (found["Unsqueeze"], found["Squeeze"]) == NETS[name][1:]
    kernels = {n.input[1] for n in model.graph.node if n.op_type == "Conv"}
    ranks = {len(w.dims) for w in model.graph.initializer if w.name in kernels}
    assert ranks == ({3} if name == "small" else {4})


@pytest.mark.parametrize(
    "options",
    [{"weights": "float16"}, {"weights": "int8"}, {"external_data": True}, {"opset_version": 13}],
    ids=str,
)
def test_also_with_other_weights_files_and_versions(options: Any, tmp_path: Path) -> None:
    model = exported("plain", tmp_path / "model.onnx", **options)
    assert {"Unsqueeze", "Squeeze"} <= {node.op_type for node in model.graph.node}


def test_what_is_computed_in_8_bits_keeps_its_form(tmp_path: Path) -> None:
    samples = [np.random.default_rng(0).uniform(size=(4, 20, 32)).astype("float32")]
    model = exported("plain", tmp_path / "model.onnx", representative_dataset=samples)
    assert "Unsqueeze" not in {node.op_type for node in model.graph.node}


def test_an_importer_takes_them_back(tmp_path: Path) -> None:
    exported("plain", tmp_path / "model.onnx")
    again = nacre.models.load_model(tmp_path / "model.onnx")
    x = np.random.default_rng(0).normal(size=(2, 11, 32)).astype("float32")
    nacre.utils.set_random_seed(1)
    given = layers.Input((None, 32))
    net = nacre.Model(given, plain(given))
    for weight in net.weights:
        weight.assign(np.random.default_rng(0).uniform(0.05, 0.4, weight.shape))
    np.testing.assert_allclose(
        np.asarray(again(x)), net.predict(x, verbose=0), rtol=1e-4, atol=1e-4
    )
