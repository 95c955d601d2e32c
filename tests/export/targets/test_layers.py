"""Every layer, in the formats that need no other library, and in ONNX: what the file computes is
what the graph does. Those that draw, or compute in complex numbers, are refused in C, and told;
ONNX refuses complex numbers alone."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.export.api import prepared
from nacre.export.capture import Captured
from nacre.export.graph.evaluate import evaluate
from nacre.export.targets import find_target
from nacre.export.targets.target import Request
from nacre.export.verification import first_far, write_plainly
from tests.export.capture.test_layers import CAPTURED, arrays_among, graph_of, has_draws

# PMML has few of them; most of those that it has are here to be seen.
FORMATS = ("npz", "c", "pmml", "onnx")


ROWS = {row.id: row for row in CAPTURED}


@functools.lru_cache(maxsize=1)
def graph_for_all_formats(row_id: str) -> tuple[Any, Captured, Any, Any]:
    """The graph of the layer whose formats are next: capturing it takes most of the time."""
    return graph_of(ROWS[row_id])


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("row_id", ROWS)
def test_a_layer_computes_in_a_file_what_its_graph_does(
    name: str, row_id: str, tmp_path: Path
) -> None:
    target = find_target(name, "test")
    if name == "onnx":
        pytest.importorskip("onnxruntime", reason="what runs ONNX files is not installed")
    runtime = target.runtimes[-1 if name == "pmml" else 0]
    if why := runtime.runs_here():
        pytest.skip(why)
    _, captured, positional, keywords = graph_for_all_formats(row_id)
    graph = prepared(captured.graph, target)
    gaps = target.support.gaps(graph)
    if name == "npz":
        assert not gaps
    if name == "onnx" and gaps:
        assert all(text.startswith(("fft", "real", "imag", "complex")) for text in gaps)
    if name == "c" and gaps:
        assert all(text.startswith(("random_", "fft", "real", "imag", "complex")) for text in gaps)
    if gaps:
        return
    options = {key: option.default for key, option in target.options.items()}
    path = tmp_path / f"layer{target.suffix}"
    write_plainly(path, target.write(Request(graph, "layer", options)))
    arrays = arrays_among(positional, keywords)
    found = [np.asarray(x) for x in runtime.open(path)(arrays)]
    right = list(evaluate(captured.graph, arrays).outputs.values())
    assert [x.shape for x in found] == [x.shape for x in right]
    if has_draws(captured):
        return
    narrow = any(x.dtype.itemsize == 2 for x in right)
    for one, wanted in zip(found, right, strict=True):
        far = first_far(one, wanted, target.narrow if narrow else target.tolerance)
        assert far is None, f"at {far}: {one[far]} where {wanted[far]} is right"
