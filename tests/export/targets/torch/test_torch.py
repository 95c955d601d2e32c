"""Models as TorchScript and as programs of torch.export: names, sizes, loops, what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import UnsupportedError
from nacre.export.graph.sizes import symbol
from nacre.export.targets.torch.module import quiet
from nacre.export.targets.torch.program import Program, identifier
from nacre.export.targets.torch.rules import SCRIPT_FORMS, TRACED_FORMS
from tests.cases.nets import NETS
from tests.export.capture.test_nets import drawn, net

torch = pytest.importorskip(
    "torch", reason="PyTorch, which writes and runs these, is not installed"
)
layers = nacre.layers
BY_ID = {case.id: case for case in NETS}
SUFFIX = {"torchscript": ".pt", "torch": ".pt2"}


def opened(path: Any) -> Any:
    """The program in a file, as PyTorch alone reads it."""
    with quiet():
        if str(path).endswith(".pt"):
            return torch.jit.load(str(path))
        return torch.export.load(str(path)).module()


def two_ends() -> Any:
    a, b = nacre.Input((None, 3), name="left"), nacre.Input((None, 3), name="right-hand")
    x = layers.Add()([a, b])
    first = layers.Dense(2, name="lambda")(x)
    second = layers.GlobalAveragePooling1D(name="count")(x)
    return nacre.Model([a, b], {"mean": second, "each": first}, name="two ends")


@pytest.mark.parametrize("format", SUFFIX)
def test_inputs_outputs_and_weights_keep_their_names(format: str, tmp_path: Any) -> None:
    model, path = two_ends(), tmp_path / f"m{SUFFIX[format]}"
    assert model.export(path, format=format, verbose=False).is_verified
    extra = {"nacre.json": ""}
    with quiet():
        if format == "torchscript":
            loaded = torch.jit.load(str(path), _extra_files=extra)
        else:
            loaded = torch.export.load(str(path), extra_files=extra)
    keys = loaded.state_dict if format == "torch" else loaded.state_dict()
    assert set(keys) == {"lambda_.kernel", "lambda_.bias"}
    said = json.loads(extra["nacre.json"])
    assert said["name"] == "two ends"
    assert [x["name"] for x in said["inputs"]] == ["left", "right_hand"]
    assert [x["argument"] for x in said["inputs"]] == ["left", "right_hand"]
    assert {x["name"] for x in said["outputs"]} == {"mean", "each"}
    assert said["weights"]["lambda/kernel"] == "lambda_.kernel"
    if format == "torchscript":
        found = loaded(right_hand=torch.ones(2, 7, 3), left=torch.zeros(2, 7, 3))
        assert found.mean.tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("format", SUFFIX)
def test_an_input_of_another_shape_is_refused_where_it_would_broadcast(
    format: str, tmp_path: Any
) -> None:
    path = tmp_path / f"m{SUFFIX[format]}"
    two_ends().export(path, format=format, verbose=False)
    loaded = opened(path)
    for left, right in (((1, 4, 3), (2, 4, 3)), ((2, 1, 3), (2, 4, 3)), ((2, 4, 1), (2, 4, 3))):
        with pytest.raises(Exception, match="right-hand|left|right_hand|Guard|assert"):
            loaded(torch.ones(left), torch.ones(right))


@pytest.mark.parametrize("format", SUFFIX)
@pytest.mark.parametrize("name", ["masked_bidirectional", "transformer", "images_of_any_size"])
def test_whole_nets_run_for_other_batches_and_lengths(
    name: str, format: str, tmp_path: Any
) -> None:
    model = net(name)
    sample = drawn(BY_ID[name], 1)
    path = tmp_path / f"m{SUFFIX[format]}"
    report = model.export(path, format=format, samples=[sample], verbose=False)
    compared = {c.of.split(",")[0] for c in report.compared}
    assert {"batch 2", "batch 1", "sample 0"} <= compared


def test_loops_stay_loops_and_recurrences_are_pytorchs_own(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((None, 3)), layers.LSTM(4), layers.Dense(1)])
    model.export(tmp_path / "m.pt", verbose=False)
    assert "torch.lstm(" in opened(tmp_path / "m.pt").code
    masked = nacre.Sequential([nacre.Input((None, 3)), layers.Masking(), layers.GRU(4)])
    masked.export(tmp_path / "n.pt", verbose=False)
    assert "for " in opened(tmp_path / "n.pt").code


def test_trainable_weights_learn_in_pytorch(tmp_path: Any) -> None:
    model = nacre.Sequential(
        [nacre.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)]
    )
    model.export(tmp_path / "m.pt", verbose=False)
    loaded = opened(tmp_path / "m.pt")
    assert [p.requires_grad for p in loaded.parameters()]
    loaded(torch.ones(2, 3)).sum().backward()
    assert all(p.grad is not None for p in loaded.parameters())


def test_called_often_and_with_other_numbers_it_gives_the_models_answers(tmp_path: Any) -> None:
    """TorchScript compiles anew what it was called with; nothing of a call may stay."""
    model = net("cnn")
    model.export(tmp_path / "m.pt", verbose=False)
    loaded = opened(tmp_path / "m.pt")
    random = np.random.default_rng(0)
    shape = model.inputs[0].shape[1:]
    for batch in (1, 3, 1, 2, 5):
        x = random.normal(size=(batch, *shape)).astype("float32")
        with torch.no_grad():
            found = loaded(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(found, np.asarray(model(x)), rtol=1e-4, atol=1e-5)


def test_floats_that_no_integer_holds_become_its_ends(tmp_path: Any) -> None:
    class Whole(layers.Layer):
        def call(self, x: Any) -> Any:
            return nacre.ops.cast(x, "int32"), nacre.ops.cast(x, "uint8")

    model = nacre.Sequential([nacre.Input((5,)), Whole()])
    x = np.array([[np.nan, np.inf, -np.inf, 3e9, -1.7]], "float32")
    model.export(tmp_path / "m.pt", samples=[x], verbose=False)
    whole, byte = opened(tmp_path / "m.pt")(torch.from_numpy(x))
    assert whole.tolist() == [[0, 2147483647, -2147483648, 2147483647, -1]]
    assert byte.tolist() == [[0, 255, 0, 255, 0]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_may_have_16_bits(dtype: str, tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((64,)), layers.Dense(256), layers.Dense(1)])
    whole = model.export(tmp_path / "m.pt", verbose=False)
    half = model.export(tmp_path / "h.pt", weights=dtype, verbose=False)
    assert half.size_bytes < 0.6 * whole.size_bytes
    kernels = [p for p in opened(tmp_path / "h.pt").parameters() if p.ndim == 2]
    assert {str(p.dtype) for p in kernels} == {f"torch.{dtype}"}


def test_texts_are_refused_with_what_to_do(tmp_path: Any) -> None:
    model = nacre.Sequential(
        [nacre.Input((), dtype="string"), layers.StringLookup(vocabulary=["a", "b"])]
    )
    with pytest.raises(nacre.core.errors.UnsupportedOpError, match="look words up before"):
        model.export(tmp_path / "m.pt", verbose=False)
    assert not list(tmp_path.iterdir())


def test_names_become_what_python_takes() -> None:
    assert [identifier(x) for x in ("2d", "a/b c", "größe", "")] == ["_2d", "a_b_c", "gr__e", "_"]
    program = Program(SCRIPT_FORMS, is_script=True)
    assert [program.name(x) for x in ("x", "x", "for", "range")] == ["x", "x_1", "for_1", "range_1"]


def test_sizes_are_written_as_each_reader_takes_them() -> None:
    time = symbol("time")
    for forms, is_script, word in ((SCRIPT_FORMS, True, "max"), (TRACED_FORMS, False, "sym_max")):
        program = Program(forms, is_script)
        program._sizes["time"] = "time"
        text = program.size(2 * (time // 3) - 1)
        assert eval(text, {"time": 10}) == 5
        assert word in program.extreme("max", "1", "2")


@pytest.mark.parametrize("format", SUFFIX)
def test_without_pytorch_it_is_said_what_to_install(
    format: str, tmp_path: Any, monkeypatch: Any
) -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(2)])
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(nacre.core.errors.MissingPackageError, match=r"nacre\[torch\]"):
        model.export(tmp_path / f"m{SUFFIX[format]}", format=format, verify=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_trace_takes_sizes_that_are_equal_to_other_axes(name: str, tmp_path: Any) -> None:
    """Of a view that is spread over an axis a trace had asked for its sizes, and kept the answer:
    four steps were refused where there are four units."""
    samples = [np.zeros((batch, steps, 3), "float32") for batch, steps in ((2, 4), (4, 4), (1, 1))]
    report = net(name).export(tmp_path / "net.pt2", verbose=False, samples=samples)
    assert report is not None and report.is_verified


def test_a_trace_of_stacked_cells_leaves_batch_and_time_open(tmp_path: Any) -> None:
    """In a loop PyTorch gives sizes of weights symbols: a row of a bias kept its axis of 1."""
    cells = [layers.LSTMCell(4), layers.GRUCell(5)]
    model = nacre.Sequential([nacre.Input((None, 3)), layers.RNN(cells, return_sequences=True)])
    assert model.export(tmp_path / "m.pt2", format="torch", verbose=False).is_verified
    program = opened(tmp_path / "m.pt2")
    for shape in [(1, 1, 3), (3, 4, 3), (4, 5, 3)]:
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        with torch.no_grad():
            found = program(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["slice", "split"])
def test_a_trace_of_a_part_takes_a_batch_of_one(name: str, tmp_path: Any) -> None:
    x = nacre.Input((6, 4))
    part = x[:, 1:5] if name == "slice" else nacre.ops.split(x, 2, axis=1)[1]
    model = nacre.Model(x, layers.Dense(3)(part))
    report = model.export(tmp_path / "m.pt2", verbose=False)
    assert report is not None and [c.of for c in report.compared][:2] == ["batch 2", "batch 1"]


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_pytorch_keeps_of_other_nets_refuses_none(is_kept, tmp_path, monkeypatch):
    """A guard kept from another net is gone once the caches are emptied; what stays is told."""
    right, state = torch.export.export, {"kept": True}

    def export(*args: Any, **kwargs: Any) -> Any:
        if state["kept"] or is_kept:
            raise torch._dynamo.exc.TorchRuntimeError("Ne(4, s79)")
        return right(*args, **kwargs)

    monkeypatch.setattr(torch.export, "export", export)
    monkeypatch.setattr(torch._dynamo, "reset", lambda: state.update(kept=False))
    net = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    if is_kept:
        with pytest.raises(UnsupportedError, match="each size that varies.*Ne"):
            net.export(tmp_path / "m.pt2", format="torch", verbose=False)
    else:
        assert net.export(tmp_path / "m.pt2", format="torch", verbose=False).is_verified


def test_what_was_exported_before_says_nothing_of_other_sizes(tmp_path: Path) -> None:
    # PyTorch keeps what it compiled of loops: a file of the second net said "not 4 steps".
    command = [sys.executable, "-m", "tests.reference.check_formats", "run", str(tmp_path / "log")]
    options = ["--formats", "torch", "--subjects", "lstmcell,net_lstm"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    rows = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    found = {row["subject"]: row["state"] for row in rows}
    assert found == {"lstmcell": "ok", "net_lstm": "ok"}
