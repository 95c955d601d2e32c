"""TensorRT's ONNX: nothing is joined where it is put, and the command for an engine lies beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import ops
from nacre.core.errors import UnsupportedOpError

onnx = pytest.importorskip("onnx", reason="the checker of ONNX is not installed")
pytest.importorskip("onnxruntime", reason="what runs ONNX files is not installed")


def graph_net() -> Any:
    nacre.utils.set_random_seed(0)
    nodes, owners = nacre.Input((3,), name="nodes"), nacre.Input((), dtype="int32", name="owners")
    hidden = nacre.layers.Dense(4, activation="relu")(nodes)
    sums = ops.segment_sum(hidden, owners, num_segments=5)
    largest = ops.segment_max(hidden, owners, num_segments=5)
    return nacre.Model([nodes, owners], [sums, ops.exp(-ops.relu(largest))], name="molecules")


def test_segments_are_products(tmp_path: Path) -> None:
    report = graph_net().export(
        tmp_path / "m.onnx",
        format="tensorrt",
        verbose=False,
        samples=[[np.ones((3, 3), "float32"), np.array([4, 9, -1], "int32")]],
    )
    assert report.is_verified
    assert report.format == "tensorrt"
    found = onnx.load(tmp_path / "m.onnx").graph.node
    assert "ScatterND" not in {node.op_type for node in found}
    assert "MatMul" in {node.op_type for node in found}


def test_the_command_names_every_input_with_three_sizes(tmp_path: Path) -> None:
    graph_net().export(tmp_path / "m.onnx", format="tensorrt", verbose=False)
    said = (tmp_path / "m.onnx.trtexec.sh").read_text()
    assert "trtexec --onnx='m.onnx' --saveEngine='m.engine'" in said
    for which, size in (("min", 1), ("opt", 8), ("max", 64)):
        assert f"--{which}Shapes='nodes':{size}x3,'owners':{size}" in said


def test_a_dtype_that_it_lacks_is_told(tmp_path: Path) -> None:
    x = nacre.Input((3,), dtype="uint8", name="pixels")
    model = nacre.Model(x, ops.cast(x, "float32") / 255.0)
    with pytest.raises(UnsupportedOpError, match="uint8 of 'pixels'"):
        model.export(tmp_path / "m.onnx", format="tensorrt")
    assert not list(tmp_path.iterdir())
