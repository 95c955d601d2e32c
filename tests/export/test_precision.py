"""What fewer bits cost: a report tells size, error and accuracy of a file beside those in full."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.export import targets
from nacre.export.accuracy import hits
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.opset import OPSET
from nacre.export.targets.support import Support
from nacre.export.targets.target import Option, Request, Runtime, Target, Tolerance
from tests.contracts.test_target_contract import writable

X = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
FAULT = {"in full": 1.0, "half": 1.0}


def write(request: Request) -> dict[str, bytes]:
    """The graph as a pickle; with bits='few' its weights are rounded to tenths."""
    scale = FAULT["half" if request.options["bits"] == "few" else "in full"]
    graph = request.graph
    for weight in graph.weights:
        few = request.options["bits"] == "few"
        object.__setattr__(
            weight, "data", (np.round(weight.data, 1) if few else weight.data) * np.float32(scale)
        )
    return {"": pickle.dumps(graph) + b" " * (0 if request.options["bits"] == "few" else 9000)}


def read(path: Path) -> Any:
    graph = pickle.loads(path.read_bytes())
    return lambda arrays: list(evaluate(graph, arrays).outputs.values())


TARGET = Target(
    name="pickled",
    title="the pickled graph",
    suffix=".graph",
    support=Support("the pickled graph", dict.fromkeys(OPSET, "as it is")),
    write=write,
    runtimes=(Runtime("the evaluator", "numpy", "numpy", read),),
    tolerance_of=lambda r: Tolerance(0.0, 0.5) if r.options["bits"] == "few" else None,
    options={"bits": Option("all", ("all", "few"), "How many.", costs_digits=True)},
)


@pytest.fixture(autouse=True)
def _listed(monkeypatch: Any) -> None:
    monkeypatch.setitem(targets.TARGETS, "pickled", targets.Place(__name__, ".graph"))
    FAULT.update({"in full": 1.0, "half": 1.0})


@pytest.fixture(scope="module")
def model() -> Any:
    nacre.utils.set_random_seed(0)
    return nacre.Sequential(
        [
            nacre.Input((6,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def classes(model: Any) -> np.ndarray:
    """The model's own answers, all but the last ten, which are others."""
    found = np.asarray(model(X)).argmax(-1)
    found[-10:] = (found[-10:] + 1) % 3
    return found


def test_sizes_errors_and_accuracies_are_told_of_both_files(
    model: Any, classes: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "m.graph"
    report = model.export(path, bits="few", samples=X, labels=classes, verbose=False)
    cost = report.precision
    assert cost.after.size_bytes == report.size_bytes == path.stat().st_size
    assert cost.before.size_bytes == report.size_bytes + 9000
    assert cost.before.error < 1e-6 and cost.before.largest < 1e-5
    assert 1e-3 < cost.after.error < 0.5
    assert (cost.labelled, cost.model_right, cost.before.right) == (40, 30, 30)
    rounded = nacre.models.clone_model(model)
    rounded.set_weights([np.round(w, 1) for w in model.get_weights()])
    found, right = np.asarray(rounded(X)), np.asarray(model(X))
    assert cost.after.right == (found.argmax(-1) == classes).sum() != 30
    assert report.compared[-1].of == "sample 0"
    error = np.linalg.norm(found - right) / np.linalg.norm(right)
    last = report.compared[-1]
    np.testing.assert_allclose((last.squares / last.model_squares) ** 0.5, error, rtol=1e-4)
    said = json.loads(path.with_name("m.graph.report.json").read_text())["precision"]
    assert said["before"]["accuracy"] == said["model_accuracy"] == 0.75
    assert said["after"]["accuracy"] == cost.after.right / 40
    assert "bits=few" in str(report) and "75.0 %" in str(report)


def test_a_fault_within_what_fewer_bits_may_cost_is_found_in_the_file_in_full(
    model: Any, tmp_path: Path
) -> None:
    FAULT.update({"in full": 1.01, "half": 1.01})
    with pytest.raises(FileFormatError, match="first layer that differs"):
        model.export(tmp_path / "m.graph", bits="few", verbose=False)
    assert not list(tmp_path.iterdir())


def test_a_file_in_full_has_no_such_report_but_its_accuracy(
    model: Any, classes: np.ndarray, tmp_path: Path
) -> None:
    report = model.export(tmp_path / "m.graph", samples=X, labels=classes, verbose=False)
    assert report.precision is None
    assert "Right on 75.0 % of 40 samples; the model on 75.0 %." in str(report)


@pytest.mark.parametrize(
    ("format", "options", "share", "error"),
    [
        ("npz", {"weights": "float16"}, 0.99, 1e-3),
        ("litert", {"weights": "float16"}, 0.8, 1e-3),
        ("litert", {"weights": "int8"}, 0.8, 0.05),
        ("litert", {"representative_dataset": [[x[None]] for x in X]}, 0.99, 0.1),
        ("onnx", {"weights": "float16"}, 0.8, 1e-3),
        ("coreml", {"precision": "float16"}, 0.99, 0.01),
    ],
)
def test_formats_tell_what_their_options_cost(
    tmp_path: Path, format: str, options: dict[str, Any], share: float, error: float
) -> None:
    writable(format)
    nacre.utils.set_random_seed(0)
    model = nacre.Sequential(
        [nacre.Input((6,)), layers.Dense(200, activation="relu"), layers.Dense(8)]
    )
    report = model.export(tmp_path / "m", format=format, samples=X, verbose=False, **options)
    assert report is not None and report.precision is not None
    cost = report.precision
    assert cost.options.keys() == options.keys()
    assert cost.after.size_bytes < share * cost.before.size_bytes
    assert cost.before.error < 1e-6 < cost.after.error < error


PROBABILITIES = np.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]])


@pytest.mark.parametrize(
    ("output", "labels", "count"),
    [
        (PROBABILITIES, [0, 1, 1], 2),
        (PROBABILITIES, [[0], [1], [0]], 3),
        (PROBABILITIES, [[1, 0], [1, 0], [1, 0]], 2),
        (np.array([[0.9], [0.2], [0.5]]), [1, 1, 0], 2),
        (np.array([0.9, 0.2]), [[1], [0]], 2),
        (np.array([3, 1]), [3, 2], 1),
        (PROBABILITIES[None].repeat(2, 0), [[0, 1, 0], [1, 1, 1]], 4),
    ],
)
def test_labels_are_indices_or_one_hot(output: np.ndarray, labels: Any, count: int) -> None:
    assert hits(output, np.asarray(labels), "labels") == count


@pytest.mark.parametrize(
    ("output", "labels", "said"),
    [
        (PROBABILITIES, [0, 1], r"shape \(3,\). Got \(2,\)"),
        (PROBABILITIES, [[[0, 1]]], r"shape \(3,\)"),
        (np.array([[2.5], [-1.0]]), [1, 0], "probabilities, from 0 to 1"),
        (np.array([[np.nan], [0.5]]), [1, 0], "probabilities, from 0 to 1"),
    ],
)
def test_labels_that_do_not_fit_are_told(output: np.ndarray, labels: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        hits(output, np.asarray(labels), "labels")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"labels": np.zeros(40)}, "as many. Got 1 of 0"),
        ({"samples": [X, X], "labels": [np.zeros(40)]}, "Got 1 of 2"),
        ({"samples": X, "labels": np.zeros(39)}, r"Got \(39,\)"),
    ],
)
def test_labels_of_other_samples_are_refused(
    model: Any, tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArgumentError, match=said):
        model.export(tmp_path / "m.graph", verbose=False, **arguments)
    assert not list(tmp_path.iterdir())


def test_labels_need_one_output(tmp_path: Path) -> None:
    x = nacre.Input((6,))
    model = nacre.Model(x, [x * 2.0, x * 3.0])
    with pytest.raises(ArgumentError, match="one output. Got 2 outputs"):
        model.export(tmp_path / "m.graph", samples=X, labels=np.zeros(40), verbose=False)
