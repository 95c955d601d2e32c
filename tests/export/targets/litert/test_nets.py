"""Whole nets in LiteRT: for batches, lengths and picture sizes they were not traced with, and the
same for the same inputs when called again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nacre.core import tree
from nacre.core.wire.tflite import OPERATORS, SCHEMA
from nacre.export.api import prepared
from nacre.export.targets.litert.readback import open_file
from nacre.export.targets.litert.target import TARGET
from nacre.export.targets.target import Request
from tests.export.capture.test_nets import captured, inputs_of, net

NETS = (
    "mlp cnn_channels_first mobile unet images_of_any_size generator volumes lstm "
    "masked_bidirectional gru convolutional_lstm transformer grouped_attention loops graph_net"
).split()


def file_of(name: str) -> bytes:
    graph = prepared(captured(name).graph, TARGET)
    assert not TARGET.support.gaps(graph)
    options = {key: option.default for key, option in TARGET.options.items()}
    content = TARGET.write(Request(graph, name, options))[""]
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize("name", NETS)
def test_a_net_computes_the_same_at_each_call(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    path = tmp_path / "net.tflite"
    path.write_bytes(file_of(name))
    run = open_file(path)
    for call in (0, 1, 0, 0):
        given, arrays = inputs_of(name, call)
        wanted = [np.asarray(x, "float32") for x in tree.flatten(net(name)(given))]
        for one, right in zip(run(arrays), wanted, strict=True):
            np.testing.assert_allclose(one.astype("float32"), right, rtol=1e-5, atol=2e-6)


def test_what_is_computed_in_16_bits_is_computed_in_32(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    path = tmp_path / "net.tflite"
    path.write_bytes(file_of("mixed_precision"))
    given, arrays = inputs_of("mixed_precision", 0)
    wanted = [np.asarray(x, "float32") for x in tree.flatten(net("mixed_precision")(given))]
    for one, right in zip(open_file(path)(arrays), wanted, strict=True):
        np.testing.assert_allclose(one.astype("float32"), right, rtol=5e-2, atol=5e-2)


def read(name: str) -> Any:
    return SCHEMA.unpack("Model", file_of(name))


def test_weights_are_once_in_the_file_and_keep_their_paths() -> None:
    model = read("lstm")
    kernel = next(v for v in net("lstm").weights if v.path.endswith("recurrent_kernel"))
    buffers = [b["data"].tobytes() for b in model["buffers"] if b["data"] is not None]
    assert buffers.count(np.ascontiguousarray(kernel.numpy().T).tobytes()) == 1
    assert len(set(buffers)) == len(buffers)
    assert kernel.path in {t["name"] for graph in model["subgraphs"] for t in graph["tensors"]}
    assert model["buffers"][0]["data"] is None


def test_operators_of_the_first_number_and_of_later_ones_are_both_found() -> None:
    codes = read("loops")["operator_codes"]
    assert {code["deprecated_builtin_code"] for code in codes} <= set(range(128))
    for code in codes:
        assert code["deprecated_builtin_code"] == min(code["builtin_code"], 127)


def test_what_varies_is_open_in_the_signature_and_names_are_kept() -> None:
    model = read("named_inputs")
    (signature,) = model["signature_defs"]
    graph = model["subgraphs"][0]
    names = {part["name"]: part["tensor_index"] for part in signature["inputs"]}
    assert set(names) == {v.name for v in captured("named_inputs").graph.inputs}
    outputs = [part["name"] for part in signature["outputs"]]
    assert outputs == [o.name for o in captured("named_inputs").graph.outputs]
    for place in names.values():
        assert graph["tensors"][place]["shape_signature"][0] == -1


def operators_of(name: str) -> list[str]:
    model = read(name)
    codes = [OPERATORS[code["builtin_code"]] for code in model["operator_codes"]]
    return [codes[op["opcode_index"]] for op in model["subgraphs"][0]["operators"]]


def test_biases_and_relus_are_taken_in_by_what_is_before_them() -> None:
    assert operators_of("mlp").count("ADD") == 0
    cnn = operators_of("cnn")  # whose batch normalisation stands behind a relu
    assert cnn.count("CONV_2D") == 2 and cnn.count("ADD") == 1
    assert not {"RELU", "TRANSPOSE"} & set(cnn)
    assert operators_of("causal_convolutions").count("CONV_2D") == 2
