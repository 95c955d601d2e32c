"""Steps of a graph that are computed as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nacre.core.wire.tensorflow.graph import AttrList, AttrValue, GraphDef, NodeDef
from nacre.core.wire.tensorflow.tensors import to_message
from nacre.export.importers.tensorflow.joined import with_joined_padding
from nacre.export.importers.tensorflow.plan import Library
from nacre.saving import open_saved_model

_FLOAT, _INT = AttrValue(type=1), AttrValue(type=3)
_X = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")


def _constant(name: str, array: np.ndarray, kind: AttrValue) -> NodeDef:
    value = AttrValue(tensor=to_message(array))
    return NodeDef(name=name, op="Const", attr={"dtype": kind, "value": value})


def _graph(op: str, pads: list[list[int]], fill: float = 0.0) -> GraphDef:
    kernel = np.random.default_rng(1).normal(size=(3, 3, 3, 2)).astype("float32")
    strides = AttrValue(list=AttrList(i=[1, 2, 2, 1]))
    return GraphDef(
        node=[
            NodeDef(name="x", op="Placeholder", attr={"dtype": _FLOAT}),
            _constant("pads", np.array(pads, "int32"), _INT),
            _constant("fill", np.array(fill, "float32"), _FLOAT),
            _constant("kernel", kernel, _FLOAT),
            NodeDef(
                name="padded",
                op="PadV2",
                input=["x", "pads", "fill"],
                attr={"T": _FLOAT, "Tpaddings": _INT},
            ),
            NodeDef(
                name="y",
                op=op,
                input=["padded", "kernel"],
                attr={"T": _FLOAT, "strides": strides, "padding": AttrValue(s=b"VALID")},
            ),
        ]
    )


def _taken_by_convolution(graph: GraphDef) -> str:
    plan = with_joined_padding(Library(graph).plan_for(["x:0"], ["y:0"]))
    last = plan.steps[plan.outputs[0][0]]
    return plan.steps[last.inputs[0][0]].node.op


@pytest.mark.parametrize("op", ["Conv2D", "DepthwiseConv2dNative"])
def test_a_convolution_pads_by_itself_where_zeros_were_put_around(op: str, tmp_path: Path) -> None:
    pads = [[0, 0], [0, 1], [2, 1], [0, 0]]
    graph = _graph(op, pads)
    assert _taken_by_convolution(graph) == "_Arg"
    (tmp_path / "joined.pb").write_bytes(graph.write())
    unpadded = _graph(op, np.zeros((4, 2), int).tolist())
    (tmp_path / "plain.pb").write_bytes(unpadded.write())
    found = open_saved_model(tmp_path / "joined.pb")(_X)
    wanted = open_saved_model(tmp_path / "plain.pb")(np.pad(_X, pads))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("pads", "fill"),
    [([[0, 0], [1, 1], [1, 1], [0, 0]], 1.0), ([[1, 0], [1, 1], [1, 1], [0, 0]], 0.0)],
    ids=["ones", "more samples"],
)
def test_what_is_no_padding_of_a_convolution_stays(pads: list[list[int]], fill: float) -> None:
    assert _taken_by_convolution(_graph("Conv2D", pads, fill)) == "PadV2"
