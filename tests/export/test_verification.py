"""The way to all formats, tried with one that stands in a test: a pickle run by the evaluator."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, FileFormatError, UnsupportedError, UnsupportedOpError
from nacre.export import targets
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.opset import OPSET
from nacre.export.targets.support import Support
from nacre.export.targets.target import Option, Request, Runtime, Target

FORMS = dict.fromkeys(OPSET, "as it is")
WRONG: dict[str, float] = {}


def write(request: Request) -> dict[str, bytes]:
    return {"": pickle.dumps(request.graph)}


def read(path: Path) -> Any:
    graph = pickle.loads(path.read_bytes())

    def run(arrays: Any) -> list[np.ndarray]:
        with pytest.MonkeyPatch.context() as patch:
            for op, factor in WRONG.items():
                right = OPSET[op].formula
                spec = OPSET[op].__class__(
                    **{
                        **vars(OPSET[op]),
                        "formula": lambda *a, right=right, factor=factor, **k: (
                            factor * right(*a, **k)
                        ),
                    }
                )
                patch.setitem(OPSET, op, spec)
            return list(evaluate(graph, arrays).outputs.values())

    return run


TARGET = Target(
    name="pickled",
    title="the pickled graph",
    suffix=".graph",
    support=Support("the pickled graph", FORMS),
    write=write,
    runtimes=(Runtime("the evaluator", "numpy", "numpy", read),),
    options={"level": Option(1, (1, 2), "How much.")},
)


@pytest.fixture(autouse=True)
def _listed(monkeypatch: Any) -> None:
    monkeypatch.setitem(targets.TARGETS, "pickled", targets.Place(__name__, ".graph"))
    WRONG.clear()


def model() -> Any:
    nacre.utils.set_random_seed(0)
    return nacre.Sequential(
        [
            nacre.Input((4,)),
            nacre.layers.Dense(8, activation="relu", name="first"),
            nacre.layers.LayerNormalization(name="second"),
            nacre.layers.Dense(3, name="third"),
        ],
        name="small",
    )


def test_an_export_is_compared_for_batches_of_two_and_one(tmp_path):
    report = model().export(tmp_path / "m", format="pickled", verbose=False)
    assert Path(report.path).name == "m.graph"
    calls = ["batch 2", "batch 1", "numbers up to 8, batch 2"]
    assert [c.of for c in report.compared] == calls
    assert "verified in the evaluator" in str(report)
    said = json.loads((tmp_path / "m.graph.report.json").read_text())
    assert list(said["inputs"].values()) == ["float32[batch, 4]"]
    assert said["options"] == {"level": 1}


def test_the_ending_of_a_path_says_the_format(tmp_path, capsys):
    report = model().export(tmp_path / "m.graph")
    assert report.format == "pickled"
    assert "verified" in capsys.readouterr().out


def test_the_first_layer_that_differs_is_named_and_the_old_file_kept(tmp_path):
    net = model()
    net.export(tmp_path / "m.graph", verbose=False)
    before = (tmp_path / "m.graph").read_bytes()
    WRONG["layer_normalization"] = 1.01
    with pytest.raises(FileFormatError, match="first layer that differs is 'small/second'"):
        net.export(tmp_path / "m.graph", verbose=False)
    assert (tmp_path / "m.graph").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.graph", "m.graph.report.json"]


def test_samples_are_compared_too(tmp_path):
    x = np.ones((5, 4), "float32")
    report = model().export(tmp_path / "m.graph", samples=x, verbose=False)
    calls = ["batch 2", "batch 1", "numbers up to 8, batch 2", "sample 0"]
    assert [c.of for c in report.compared] == calls


def test_what_training_changed_is_in_the_next_export(tmp_path):
    net = model()
    net.export(tmp_path / "m.graph", verbose=False)
    net.compile("sgd", "mse")
    net.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
    report = net.export(tmp_path / "m.graph", verbose=False)
    assert report.is_verified


def test_all_gaps_are_told_with_their_layers_before_anything_is_written(tmp_path, monkeypatch):
    for op in ("relu", "max", "dense", "matmul"):
        monkeypatch.delitem(FORMS, op)
    with pytest.raises(UnsupportedOpError) as raised:
        model().export(tmp_path / "m.graph", verbose=False)
    for part in ("max in 'small/first'", "matmul in 'small/first'", "matmul in 'small/third'"):
        assert part in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_an_op_that_is_lacking_is_opened(tmp_path, monkeypatch):
    monkeypatch.delitem(FORMS, "layer_normalization")
    monkeypatch.delitem(FORMS, "relu")
    report = model().export(tmp_path / "m.graph", verbose=False)
    graph = pickle.loads(Path(report.path).read_bytes())
    assert "layer_normalization" not in {node.op for node in graph.nodes}


def test_unknown_formats_options_and_values_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="format must be one of.*pickled"):
        model().export(tmp_path / "m", format="pickles")
    with pytest.raises((ArgumentError, TypeError), match="levle"):
        model().export(tmp_path / "m.graph", levle=2)
    with pytest.raises(ArgumentError, match="level must be one of 1, 2"):
        model().export(tmp_path / "m.graph", level=3)


def test_a_model_that_draws_is_written_and_says_that_nothing_was_compared(tmp_path):
    class Noise(nacre.layers.Layer):
        def call(self, x):
            return x + nacre.random.normal((3,))

    net = nacre.Sequential([nacre.Input((3,)), Noise()])
    report = net.export(tmp_path / "m.graph", verbose=False)
    assert not report.is_verified
    assert "random" in str(report)


def test_a_model_that_takes_none_of_the_inputs_tried_wants_samples(tmp_path):
    class Picky(nacre.layers.Layer):
        def call(self, x):
            if nacre.utils.is_keras_tensor(x) or isinstance(x.shape[0], int) is False:
                return x * 2
            raise ValueError("it wants to be asked otherwise")

    net = nacre.Sequential([nacre.Input((3,)), Picky()])
    with pytest.raises(UnsupportedError, match="samples="):
        net.export(tmp_path / "m.graph", verbose=False)
    assert not list(tmp_path.iterdir())


def test_without_a_runtime_it_is_said_what_to_install(tmp_path, monkeypatch):
    absent = Runtime("something", "no_such_module_here", "something>=2", read)
    monkeypatch.setattr(
        f"{__name__}.TARGET", TARGET.__class__(**{**vars(TARGET), "runtimes": (absent,)})
    )
    report = model().export(tmp_path / "m.graph", verbose=False)
    assert "not verified: pip install 'something>=2'" in str(report)
    with pytest.raises(ArgumentError, match="verify=True"):
        model().export(tmp_path / "m.graph", verify=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"verify": "yes"}, "verify must be 'auto', True or False. Got 'yes'"),
        ({"verify": 0, "format": "tf_saved_model"}, "verify must be 'auto', True or False. Got 0"),
        ({"metadata": {"n": 3}}, "metadata must be text by name. Got 'n': 3"),
        ({"metadata": "me"}, "metadata must be text by name. Got 'me'"),
        ({"levels": 17}, r"Got levels=17. Did you mean 'level'"),
        ({"samples": [[np.ones((2, 4)), np.ones((2, 4))]]}, "1 arrays. Got one of 2"),
    ],
)
def test_wrong_arguments_are_told_with_what_came(tmp_path, arguments, said):
    with pytest.raises(ArgumentError, match=said):
        model().export(tmp_path / "m.graph", verbose=False, **arguments)
    assert not list(tmp_path.iterdir())


def test_an_empty_path_is_refused():  # it wrote beside the folder that the program runs in
    with pytest.raises(ArgumentError, match="filepath must be a path. Got ''"):
        model().export("", format="pickled")


def test_a_file_is_not_taken_for_a_folder(tmp_path):
    (tmp_path / "m").write_text("mine")
    with pytest.raises(FileFormatError, match="Got a file of this name"):
        model().export(tmp_path / "m", format="npz")
    assert (tmp_path / "m").read_text() == "mine"


def test_samples_come_in_any_dtype_that_the_model_takes(tmp_path):
    report = model().export(tmp_path / "m.graph", samples=np.ones((5, 4)), verbose=False)
    assert report.compared[-1].of == "sample 0"


def test_an_input_whose_name_can_stay_keeps_it_and_the_others_are_told(tmp_path):
    names = ["a b", "a_b", "a/b"]
    inputs = [nacre.Input((1,), name=name) for name in names]
    net = nacre.Model(inputs, nacre.ops.concatenate(inputs))
    report = net.export(tmp_path / "m.graph", verbose=False)
    assert list(report.inputs) == ["a_b_1", "a_b", "a_b_2"]
    assert "Input 'a b' of the model is called 'a_b_1' there" in str(report)
    assert len(report.notes) == 2


def test_what_the_model_would_refuse_or_spoils_the_comparison_is_noted(tmp_path):
    ids = nacre.Input((1,), dtype="int64", name="ids")
    report = nacre.Model(ids, ids * 2).export(tmp_path / "m.graph", verbose=False)
    assert "'ids' is int64, computed with in 32 bits" in str(report)
    net = model()
    net.get_layer("third").kernel.assign(np.full((8, 3), np.nan))
    report = net.export(tmp_path / "m.graph", verbose=False)
    assert "Not all numbers are finite in small/third/kernel" in str(report)


def test_a_folder_is_not_taken_for_the_name_of_a_file(tmp_path):
    (tmp_path / "out").mkdir()
    for path in (f"{tmp_path}/out/", f"{tmp_path}/out/."):
        with pytest.raises(ArgumentError, match="the path must be free or a file's"):
            model().export(path, format="pickled")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("format", ["onnx", "coreml"])
def test_the_report_calls_outputs_as_the_file_does(tmp_path, format):
    pytest.importorskip("onnx" if format == "onnx" else "coremltools")
    a, b = nacre.Input((2,), name="a"), nacre.Input((2,), name="b_c")
    net = nacre.Model([a, b], {"a": a + b, "b c": a - b, "b_c": b * 2})
    report = net.export(tmp_path / "m", format=format, verbose=False)
    if format == "onnx":
        onnx = pytest.importorskip("onnx")
        there = [output.name for output in onnx.load(report.path).graph.output]
    else:
        coremltools = pytest.importorskip("coremltools")
        spec = coremltools.utils.load_spec(report.path)
        there = [output.name for output in spec.description.output]
    assert list(report.outputs) == there
    assert f"Output 'a' of the model is called '{there[0]}' there" in str(report)


def test_states_that_every_call_begins_with_are_told(tmp_path):
    inputs = nacre.Input(batch_shape=(1, 2, 3))
    net = nacre.Model(inputs, nacre.layers.SimpleRNN(2, stateful=True, name="rnn")(inputs))
    report = net.export(tmp_path / "m.graph", verbose=False)
    assert "Each call begins with what is in rnn/" in str(report)


def test_a_path_that_ends_as_numpy_s_files_do_is_a_folder_for_numpy(tmp_path):
    report = model().export(tmp_path / "m.npz", verbose=False)
    assert report.format == "npz"
    assert (tmp_path / "m.npz" / "weights.npz").is_file()


@pytest.mark.parametrize(
    ("name", "format", "said"),
    [
        ("m.onnx", "pickled", "Write 'm.graph', or format='onnx'"),
        ("m.graph", "npz", "Write 'm', or format='pickled'"),
        ("m.keras", "tf_saved_model", "Save it: model.save"),
        ("m.onnx", "onxx", "Did you mean 'onnx'"),
    ],
)
def test_a_path_does_not_end_as_files_of_another_format_do(tmp_path, name, format, said):
    with pytest.raises(ArgumentError, match=said):
        model().export(tmp_path / name, format=format, verbose=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [6, 10])
def test_pixels_that_are_rounded_may_fall_to_either_side(tmp_path, size):
    net = nacre.Sequential([nacre.Input((8, 8, 3), dtype="uint8"), layers.Resizing(size, size)])
    assert net.export(tmp_path / "m.graph", verbose=False).is_verified


def test_whole_numbers_that_are_wrong_are_told(tmp_path):
    net = nacre.Sequential([nacre.Input((8, 8, 3), dtype="uint8"), layers.Resizing(6, 6)])
    WRONG["round"] = 1.5
    with pytest.raises(FileFormatError, match="where the model gives"):
        net.export(tmp_path / "m.graph", verbose=False)
    counted = nacre.Sequential(
        [nacre.Input((4,)), layers.Lambda(lambda x: nacre.ops.argmax(x, -1))]
    )
    WRONG.update(round=1.0, argmax=2)
    with pytest.raises(FileFormatError, match="where the model gives"):
        counted.export(tmp_path / "n.graph", verbose=False)


def test_the_model_is_called_once_for_each_call_that_is_compared(tmp_path):
    net, calls = model(), []
    net.call = lambda *a, call=net.call, **k: (calls.append(1), call(*a, **k))[1]
    report = net.export(tmp_path / "m.graph", verbose=False)
    traces = 1
    assert len(calls) <= len(report.compared) + traces


@pytest.mark.parametrize("kind", [str, str.upper, os.fsencode])
def test_a_path_of_any_kind_tells_the_format_by_its_ending(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    report = model().export(kind("m.graph"), verbose=False)
    assert report is not None and report.format == "pickled"


def test_an_address_is_refused_where_a_report_lies_beside(tmp_path):
    with pytest.raises(ArgumentError, match=r"to a disk.*'m\.graph'") as found:
        model().export("memory://user:secret@host/m.graph", verbose=False)
    assert "secret" not in str(found.value)


def test_what_is_left_of_two_numbers_that_nearly_are_the_same_is_rounding(tmp_path):
    x = nacre.Input((4,))
    little = nacre.ops.relu(x * 1.000001 - x)
    net = nacre.Model(x, nacre.ops.where(x > 0.5, little, 0.0))
    WRONG["mul"] = 1 + 2.0**-22  # a last digit, and more than the whole result
    assert net.export(tmp_path / "m.graph", verbose=False).is_verified
    WRONG["mul"] = 1 + 2.0**-19
    with pytest.raises(FileFormatError, match="where the model gives"):
        net.export(tmp_path / "m.graph", verbose=False)
