"""What a SavedModel cannot do is told in words: missing ops, wrong inputs, damaged and hostile files."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre.core.errors import (
    ArgumentError,
    DTypeError,
    FileFormatError,
    NacreError,
    NotThereError,
    ShapeError,
    UnsupportedError,
)
from nacre.core.wire.tensorflow.graph import AttrList, AttrValue, GraphDef, NodeDef, TensorProto
from nacre.core.wire.tensorflow.saved_model import SavedModel
from nacre.core.wire.tensorflow.tensors import shape_message, to_message
from nacre.export.importers.tensorflow.calls import fitted
from nacre.export.importers.tensorflow.registry import OPS, Op
from nacre.saving import open_saved_model, tensorflow_op
from tests.export.importers.tensorflow.saved_models import extracted

_FLOAT = AttrValue(type=1)


def _graph(*nodes: NodeDef) -> GraphDef:
    x = NodeDef(name="x", op="Placeholder", attr={"dtype": _FLOAT})
    return GraphDef(node=[x, *nodes])


def _written(graph: GraphDef, folder: Path) -> Path:
    path = folder / "graph.pb"
    path.write_bytes(graph.write())
    return path


def test_all_missing_ops_are_told_at_once_with_their_nodes(tmp_path: Path) -> None:
    graph = _graph(
        NodeDef(name="first", op="QuantumLeap", input=["x"]),
        NodeDef(name="second", op="TimeTravel", input=["first"]),
        NodeDef(name="third", op="QuantumLeap", input=["second"]),
    )
    program = open_saved_model(_written(graph, tmp_path))
    told = r"2 that it does not: QuantumLeap \(first, third\), TimeTravel \(second\)"
    with pytest.raises(UnsupportedError, match=told):
        program(np.zeros(2, "float32"))


def test_an_op_of_the_users_own_is_computed(tmp_path: Path) -> None:
    tensorflow_op("Twice")(lambda node, x: x * 2)
    try:
        program = open_saved_model(
            _written(_graph(NodeDef(name="y", op="Twice", input=["x"])), tmp_path)
        )
        assert program(np.array([1, 2], "float32")).tolist() == [2, 4]
    finally:
        del OPS["Twice"]


def test_errors_of_the_users_own_op_pass_as_they_are_with_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPS, "Odd", Op(lambda node, x: int("three")))
    node = NodeDef(name="y", op="Odd", input=["x"])
    program = open_saved_model(_written(_graph(node), tmp_path))
    with pytest.raises(ValueError, match="invalid literal") as raised:
        program(np.zeros(2, "float32"))
    assert raised.value.__notes__[0] == "In node 'y' (Odd) of a graph of TensorFlow."


def test_an_op_that_falls_over_something_is_not_said_to_be_the_users_fault(
    tmp_path: Path,
) -> None:
    odd = {"ksize": AttrValue(list=AttrList(s=[b"three"])), "padding": AttrValue(s=b"SAME")}
    node = NodeDef(name="y", op="MaxPool", input=["x"], attr=odd)
    program = open_saved_model(_written(_graph(node), tmp_path))
    with pytest.raises(UnsupportedError, match="fault of nacre's: please report") as raised:
        program(np.zeros(2, "float32"))
    assert isinstance(raised.value.__cause__, ValueError)


def test_load_model_opens_graphs_that_are_none_of_keras(tmp_path: Path) -> None:
    program = nacre.models.load_model(extracted("module", tmp_path))
    assert program(np.ones((2, 3), "float32")).shape == (2, 2)
    frozen = nacre.models.load_model(extracted("frozen", tmp_path))
    assert list(frozen.signatures) == ["serving_default"]


def test_inputs_that_do_not_fit_are_told_by_name(tmp_path: Path) -> None:
    program = open_saved_model(extracted("module", tmp_path))
    serve = program.signatures["serving_default"]
    x = np.ones((2, 3), "float32")
    with pytest.raises(ShapeError, match=r"'x' of signature 'serving_default'.*\(None, 3\)"):
        serve(x=np.ones((2, 4), "float32"))
    with pytest.raises(ArgumentError, match="without x and with y"):
        serve(y=x)
    with pytest.raises(DTypeError, match="must be of int64"):
        program.signatures["step"](by=np.float32(1.5))
    with pytest.raises(ArgumentError, match="like those it was traced with"):
        program.forward({"a": x})
    with pytest.raises(NotThereError, match="Did you mean 'forward'"):
        _ = program.forwards
    assert serve(x=x.astype("float64"))["output_0"].dtype == "float32"


def test_whole_numbers_that_do_not_fit_are_told_whatever_array_they_come_in() -> None:
    top = jnp.asarray([0, 2**32 - 1], "uint32")
    for given in (top, np.asarray(top), np.asarray([-(2**40)])):
        with pytest.raises(DTypeError, match="'ids' must fit int32. Got numbers from"):
            fitted(given, 3, (None,), "'ids'")
    assert fitted(jnp.asarray([7], "uint32"), 3, (None,), "'ids'").dtype == "int32"


def test_a_variable_without_a_value_is_named(tmp_path: Path) -> None:
    folder = extracted("module", tmp_path)
    for file in (folder / "variables").iterdir():
        file.unlink()
    with pytest.raises(ShapeError, match="variable '.*' is read before it has a value"):
        open_saved_model(folder)(np.ones((2, 3), "float32"))


def test_an_assertion_stops_a_call_and_no_program_around_it(tmp_path: Path) -> None:
    kind = AttrValue(type=1)
    graph = _graph(
        NodeDef(name="twice", op="AddV2", input=["x", "x"], attr={"T": kind}),
        NodeDef(name="is_finite", op="IsFinite", input=["twice"], attr={"T": kind}),
        NodeDef(
            name="none",
            op="Const",
            attr={"dtype": AttrValue(type=3), "value": AttrValue(tensor=to_message(np.int32([0])))},
        ),
        NodeDef(name="all", op="All", input=["is_finite", "none"]),
        NodeDef(
            name="check",
            op="Assert",
            input=["all", "twice"],
            attr={"T": AttrValue(list=AttrList(type=[1]))},
        ),
        NodeDef(name="y", op="Identity", input=["twice", "^check"], attr={"T": kind}),
    )
    program = open_saved_model(_written(graph, tmp_path))
    x = np.array([1, np.inf], "float32")
    assert program(x[:1]).tolist() == [2]
    with pytest.raises(ShapeError, match=r"'check' \(Assert\)"):
        program(x)
    assert jax.jit(program)(x).tolist() == [2, np.inf]


def _constant(name: str, value: Any, dtype: str) -> NodeDef:
    tensor = AttrValue(tensor=to_message(np.asarray(value, dtype)))
    return NodeDef(name=name, op="Const", attr={"value": tensor})


@pytest.mark.parametrize("op", ["GatherV2", "GatherNd", "ScatterNd", "TensorScatterAdd"])
def test_places_outside_stop_a_call_and_give_nothing(tmp_path: Path, op: str) -> None:
    """As in TensorFlow on a CPU; it is a program whose places only the run tells."""
    inputs = {
        "GatherV2": ["x", "at", "axis"],
        "GatherNd": ["x", "pairs"],
        "ScatterNd": ["pairs", "some", "sizes"],
        "TensorScatterAdd": ["x", "pairs", "some"],
    }[op]
    graph = _graph(
        NodeDef(name="at", op="Placeholder", attr={"dtype": AttrValue(type=3)}),
        _constant("axis", 0, "int32"),
        _constant("wide", [-1, 1], "int32"),
        _constant("sizes", [2], "int32"),
        _constant("some", [1, 2], "float32"),
        NodeDef(name="pairs", op="Reshape", input=["at", "wide"]),
        NodeDef(name="y", op=op, input=inputs),
    )
    serve = open_saved_model(_written(graph, tmp_path)).signatures["serving_default"]
    x = np.array([1, 2], "float32")
    right = serve(x=x, at=np.array([1, 0], "int32"))["y"].tolist()
    assert right == {"Gather": [2, 1], "Scatte": [2, 1], "Tensor": [3, 3]}[op[:6]]
    for outside in (2, -1):
        with pytest.raises(ShapeError, match=rf"outside of its array .*'y' \({op}\)"):
            serve(x=x, at=np.array([0, outside], "int32"))
    assert serve(x=x, at=np.array([1, 0], "int32"))["y"].tolist() == right
    if op == "GatherV2":
        around = jax.jit(lambda at: serve(x=x, at=at)["y"])
        np.testing.assert_array_equal(around(np.array([1, 2], "int32")), [2, np.nan])


@pytest.mark.parametrize("op", ["StatelessRandomUniform", "StatelessRandomGetKeyCounter"])
def test_all_bits_of_a_seed_count(tmp_path: Path, op: str) -> None:
    nodes = [
        NodeDef(name="seed", op="Placeholder", attr={"dtype": AttrValue(type=9)}),
        _constant("sizes", [3], "int32"),
    ]
    if op == "StatelessRandomUniform":
        kind = {"dtype": AttrValue(type=1)}
        nodes.append(NodeDef(name="y", op=op, input=["sizes", "seed"], attr=kind))
    else:
        nodes.append(NodeDef(name="k", op=op, input=["seed"]))
        nodes.append(NodeDef(name="y", op="Identity", input=["k:1"]))
    serve = open_saved_model(_written(_graph(*nodes), tmp_path)).signatures["serving_default"]
    x = np.zeros(2, "float32")
    seeds = ([1, 2], [1 + 2**32, 2], [1, 2 + 2**32], [-1, 2], [2**32 - 1, 2], [2, 1])
    drawn = [tuple(np.asarray(serve(x=x, seed=np.array(s, "int64"))["y"])) for s in seeds]
    assert len(set(drawn)) == len(seeds)


@pytest.mark.parametrize("place", ["../../../etc/passwd", "/etc/passwd", "a/../../saved_model.pb"])
def test_an_asset_does_not_lead_out_of_its_folder(tmp_path: Path, place: str) -> None:
    folder = extracted("text", tmp_path)
    data = SavedModel.read((folder / "saved_model.pb").read_bytes())
    data.meta_graphs[0].asset_file_def[0].filename = place
    (folder / "saved_model.pb").write_bytes(data.write())
    with pytest.raises(FileFormatError, match="folder of assets"):
        open_saved_model(folder)


def test_a_graph_reads_no_file_outside_its_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    name = AttrValue(tensor=to_message(str(secret)))
    graph = _graph(
        NodeDef(name="name", op="Const", attr={"value": name, "dtype": AttrValue(type=7)}),
        NodeDef(name="y", op="ReadFile", input=["name"]),
    )
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(ShapeError, match="outside the folder of the model"):
        open_saved_model(_written(graph, folder)).signatures["serving_default"](
            x=np.zeros(1, "float32")
        )


@pytest.mark.parametrize(
    "nodes",
    [
        [NodeDef(name="y", op="Relu", input=["y"])],
        [NodeDef(name="y", op="Relu", input=["nowhere"])],
        [NodeDef(name="y", op="Relu", input=["x:7"])],
        [NodeDef(name="y", op="Relu")],
        [NodeDef(name="y", op="PartitionedCall", input=["x"])],
        [
            NodeDef(
                name="y",
                op="Const",
                attr={
                    "value": AttrValue(
                        tensor=TensorProto(dtype=1, tensor_shape=shape_message((1 << 60, 8)))
                    )
                },
            )
        ],
    ],
    ids=["loop", "unknown", "output", "inputs", "call", "huge"],
)
def test_graphs_that_cannot_be_are_refused(tmp_path: Path, nodes: list[NodeDef]) -> None:
    end = NodeDef(name="end", op="Neg", input=["y"])
    program = open_saved_model(_written(_graph(*nodes, end), tmp_path))
    with pytest.raises(NacreError):
        program(np.zeros(2, "float32"))


@pytest.mark.parametrize("name", ["module", "text"])
def test_damaged_files_give_an_error_of_ours(tmp_path: Path, name: str) -> None:
    folder = extracted(name, tmp_path)
    whole = (folder / "saved_model.pb").read_bytes()
    draw = random.Random(5)
    for _ in range(40):
        data = bytearray(whole[: draw.choice([len(whole), draw.randrange(len(whole))])])
        for _ in range(draw.randrange(3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        (folder / "saved_model.pb").write_bytes(data)
        try:
            open_saved_model(folder)
        except NacreError:
            pass
