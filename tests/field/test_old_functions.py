"""TensorFlow functions in graphs of tf.keras 2: read as ops, from a closed table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import saving
from nacre.core.errors import SerializationError
from nacre.ops._calls import OpCall
from tests.field.old_files import packing

ARRAYS, GRAPHS = packing.read(Path(__file__).parent / "old_files" / "functions.npz")
# TensorFlow's bicubic weights come from a table of 1024 steps.
TOLERANCE = {"bicubic": 1e-3}


def opened(name: str) -> Any:
    return nacre.models.model_from_json(json.dumps(GRAPHS[name]["graph"]))


def inputs_of(name: str) -> Any:
    found = [ARRAYS[f"input/{letter}"] for letter in GRAPHS[name]["inputs"]]
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize("part", range(4))
def test_graphs_of_every_function_compute_what_tensorflow_does(part):
    names = list(GRAPHS)[part::4]
    models = {name: opened(name) for name in names}
    compute = jax.jit(lambda data: {n: nacre.tree.flatten(models[n](data[n])) for n in names})
    wrong = []
    for name, outputs in compute({name: inputs_of(name) for name in names}).items():
        for index, got in enumerate(outputs):
            wanted = ARRAYS[f"{name}/{index}"]
            tolerance = TOLERANCE.get(name, 2e-5)
            alike = str(got.dtype) == str(wanted.dtype).replace("64", "32")
            if not alike or got.shape != wanted.shape:
                wrong.append((name, got.dtype, got.shape, wanted.dtype, wanted.shape))
            elif not np.allclose(np.float64(got), np.float64(wanted), tolerance, tolerance):
                wrong.append((name, float(np.abs(np.float64(got) - np.float64(wanted)).max())))
    assert not wrong


@pytest.mark.parametrize("name", ["reshape by product", "x[:, :size - 1]", "nn.gelu", "split"])
def test_such_a_graph_is_saved_and_opened_again_and_takes_any_batch(tmp_path, name):
    model = opened(name)
    model.save(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras")
    for count in (1, 2):
        data = nacre.tree.map_structure(lambda x, n=count: x[:n], inputs_of(name))
        for one, two in zip(
            nacre.tree.flatten(again(data)), nacre.tree.flatten(model(data)), strict=True
        ):
            np.testing.assert_array_equal(one, two)
            np.testing.assert_allclose(one, ARRAYS[f"{name}/0"][:count], rtol=1e-5, atol=1e-6)


def test_a_function_becomes_ops_named_after_its_place_in_the_file():
    graph = opened("l2_normalize axis")._graph
    calls = [op for op in graph.operations if isinstance(op, OpCall)]
    assert calls[-1].name == "tf.math.l2_normalize"
    assert len({op.name for op in graph.operations}) == len(graph.operations)


def entry(function: str, node: Any, kind: str = "TFOpLambda") -> dict[str, Any]:
    config = {"name": "tf.x", "trainable": True, "dtype": "float32", "function": function}
    return {"class_name": kind, "name": "tf.x", "config": config, "inbound_nodes": [node]}


def model_of(*layers: dict[str, Any]) -> Any:
    first = {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
             "config": {"batch_input_shape": [None, 3], "dtype": "float32", "name": "x"}}  # fmt: skip
    config = {"name": "m", "layers": [first, *layers], "input_layers": [["x", 0, 0]],
              "output_layers": [["tf.x", 0, 0]]}  # fmt: skip
    return nacre.models.model_from_json(
        json.dumps({"class_name": "Functional", "config": config, "keras_version": "2.11.0"})
    )


def test_add_loss_and_add_metric_of_a_graph_become_losses_of_the_model():
    added = {"class_name": "AddLoss", "name": "add_loss", "config": {"name": "add_loss"},
             "inbound_nodes": [[["tf.x", 0, 0, {}]]]}  # fmt: skip
    metric = {**added, "class_name": "AddMetric", "name": "add_metric"}
    model = model_of(entry("math.reduce_sum", ["x", 0, 0, {}]), added, metric)
    model.compile("sgd")
    with pytest.warns(UserWarning, match="nothing to train"):
        logs = model.train_on_batch(np.ones((2, 3), "float32"), return_dict=True)
    assert logs["loss"] == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("function", "kind", "found"),
    [
        ("io.write_file", "TFOpLambda", "'io.write_file'"),
        ("math.sqare", "TFOpLambda", "nearest: 'math.square'"),
        ("einsum", "TFOpLambda", "does not write the operands"),
        ("", "InstanceProperty", "InstanceProperty"),
    ],
)
def test_what_is_not_in_the_table_is_refused_by_name(function, kind, found):
    with pytest.raises(SerializationError, match=f"layer 'tf.x'.*{found}"):
        model_of(entry(function, ["x", 0, 0, {}], kind))


def test_an_unknown_argument_of_a_function_is_refused_with_its_name():
    with pytest.raises(SerializationError, match=r"tf\.math\.abs.*colour"):
        model_of(entry("math.abs", ["x", 0, 0, {"colour": 3}]))


@pytest.mark.parametrize(
    ("function", "node"),
    [
        ("ones", ["_CONSTANT_VALUE", -1, [20000, 20000], {}]),
        ("range", ["_CONSTANT_VALUE", -1, 10**9, {}]),
    ],
)
def test_memory_is_not_taken_for_what_a_file_asks(function, node):
    with pytest.raises(SerializationError, match="at most 16777216 elements"):
        model_of(entry(function, node))
