"""Strings picked by what a program computed: names of classes, as classifiers give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nacre.core.wire.tensorflow.graph import AttrValue, GraphDef, NodeDef
from nacre.core.wire.tensorflow.tensors import to_message
from nacre.saving import open_saved_model

_FLOAT, _INT, _STRING = AttrValue(type=1), AttrValue(type=3), AttrValue(type=7)


def _constant(name: str, array: np.ndarray, dtype: AttrValue) -> NodeDef:
    value = AttrValue(tensor=to_message(array))
    return NodeDef(name=name, op="Const", attr={"dtype": dtype, "value": value})


def test_names_of_classes_are_picked_by_what_was_computed(tmp_path: Path) -> None:
    names = np.array([b"cat", b"dog", b"fish"], object)
    kinds = {"Tparams": _STRING, "Tindices": _INT, "Taxis": _INT}
    graph = GraphDef(
        node=[
            NodeDef(name="x", op="Placeholder", attr={"dtype": _FLOAT}),
            _constant("names", names, _STRING),
            _constant("axis", np.array(-1, "int32"), _INT),
            _constant("first", np.array(0, "int32"), _INT),
            NodeDef(
                name="best",
                op="ArgMax",
                input=["x", "axis"],
                attr={"T": _FLOAT, "Tidx": _INT, "output_type": _INT},
            ),
            NodeDef(name="y", op="GatherV2", input=["names", "best", "first"], attr=kinds),
        ]
    )
    (tmp_path / "graph.pb").write_bytes(graph.write())
    program = open_saved_model(tmp_path / "graph.pb")
    scores = np.random.default_rng(0).normal(size=(400, 3)).astype("float32")  # too many to fold
    wanted = names[scores.argmax(-1)]
    assert [bytes(v) if isinstance(v, bytes) else str(v).encode() for v in program(scores)] == [
        *wanted
    ]


def test_strings_that_are_given_keep_zero_bytes_at_their_ends(tmp_path: Path) -> None:
    text = AttrValue(type=7)
    graph = GraphDef(
        node=[
            NodeDef(name="x", op="Placeholder", attr={"dtype": text}),
            NodeDef(name="y", op="StringLength", input=["x"]),
        ]
    )
    (tmp_path / "graph.pb").write_bytes(graph.write())
    program = open_saved_model(tmp_path / "graph.pb")
    assert np.asarray(program([b"a\0\0", b"b"])).tolist() == [3, 1]
    assert int(program(b"a\0")) == 2
