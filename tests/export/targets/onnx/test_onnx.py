"""ONNX files: what a reader finds in them besides numbers that are right."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core import tree
from nacre.core.errors import ArgumentError, FileFormatError
from nacre.export.api import prepared
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Builder, Graph
from nacre.export.graph.sizes import symbol
from nacre.export.targets import find_target
from nacre.export.targets.onnx.readback import open_in_onnxruntime
from nacre.export.targets.target import Request
from nacre.export.verification import write_plainly
from tests.export.capture.test_nets import captured, inputs_of, net

onnx = pytest.importorskip("onnx", reason="the checker of ONNX is not installed")
pytest.importorskip("onnxruntime", reason="what runs ONNX files is not installed")

TARGET = find_target("onnx", "test")
DEFAULTS = {name: option.default for name, option in TARGET.options.items()}
B = symbol("batch")


def written(graph: Graph, folder: Path, **options: Any) -> Any:
    """The checked model of a graph, which is in `folder`."""
    path = folder / "model.onnx"
    request = Request(prepared(graph, TARGET), "model", {**DEFAULTS, **options}, {}, path.name)
    write_plainly(path, TARGET.write(request))
    onnx.checker.check_model(str(path), full_check=True)
    return onnx.load(path)


def run(folder: Path, *arrays: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in TARGET.runtimes[0].open(folder / "model.onnx")(arrays)]


def ops(model: Any) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize(
    "name",
    ["cnn_channels_first", "images_of_any_size", "masked_bidirectional", "named_inputs", "loops",
     "pieces", "unet", "time_distributed", "transformer"],
)  # fmt: skip
def test_a_net_gives_what_it_gives_at_sizes_that_were_not_known(name: str, tmp_path: Path) -> None:
    written(captured(name).graph, tmp_path)
    for call in (0, 1):
        given, arrays = inputs_of(name, call)
        right = [np.asarray(x, "float32") for x in tree.flatten(net(name)(given))]
        for one, other in zip(run(tmp_path, *arrays), right, strict=True):
            np.testing.assert_allclose(one.astype("float32"), other, rtol=1e-4, atol=1e-5)


def test_what_follows_a_convolution_stays_channels_first(tmp_path: Path) -> None:
    found = ops(written(captured("cnn_channels_first").graph, tmp_path))
    assert found["Transpose"] == 0
    assert found["Reshape"] == found["Add"] == 0  # biases are the convolutions' own
    assert ops(written(captured("images_of_any_size").graph, tmp_path))["Transpose"] == 1


def test_recurrences_stay_whole_and_turned_steps_are_not_turned_twice(tmp_path: Path) -> None:
    model = nacre.Sequential(
        [
            nacre.Input((None, 3)),
            nacre.layers.Bidirectional(nacre.layers.LSTM(4, return_sequences=True)),
            nacre.layers.GRU(2),
        ],
        name="both_ways",
    )
    model.export(tmp_path / "model.onnx", verbose=False)
    found = ops(onnx.load(tmp_path / "model.onnx"))
    assert (found["LSTM"], found["GRU"], found["Scan"]) == (2, 1, 0)
    assert found["Slice"] == 0
    assert found["Expand"] == 0  # first states of zero are left out


def test_names_of_inputs_outputs_and_weights_are_kept(tmp_path: Path) -> None:
    inputs = [nacre.Input((4,), name=name) for name in ("age", "income")]
    hidden = nacre.layers.Dense(3, name="joined")(nacre.layers.concatenate(inputs))
    outputs = {"risk": nacre.layers.Dense(1, name="r")(hidden), "price": hidden}
    model = nacre.Model(inputs, outputs, name="insurance")
    model.export(tmp_path / "m.onnx", verbose=False, metadata={"class_names": '["low", "high"]'})
    found = onnx.load(tmp_path / "m.onnx")
    assert [i.name for i in found.graph.input] == ["age", "income"]
    assert {o.name for o in found.graph.output} == {"risk", "price"}
    weights = {i.name for i in found.graph.initializer}
    assert {w.path for w in model.weights} <= weights
    said = {entry.key: entry.value for entry in found.metadata_props}
    assert said["class_names"] == '["low", "high"]'
    assert said["name"] == found.graph.name == "insurance"
    assert found.producer_name == "nacre"
    assert found.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_outputs_may_be_inputs_weights_or_one_value_twice(tmp_path: Path) -> None:
    make = Builder("odd")
    x = make.input("x", "float32", (B, 2))
    w = make.weight("w", np.ones((2,), "float32"))
    y = make.add("add", [x, w])
    graph = make.finish([("x", x), ("w", w), ("first", y), ("second", y)])
    model = written(graph, tmp_path)
    assert [o.name for o in model.graph.output] == ["x_output", "w", "first", "second"]
    data = np.arange(4, dtype="float32").reshape(2, 2)
    for one, right in zip(run(tmp_path, data), (data, np.ones(2), data + 1, data + 1)):
        np.testing.assert_array_equal(one, right)


def test_an_output_that_a_branch_sees_is_a_copy(tmp_path: Path) -> None:
    make = Builder("seen")
    x, which = make.input("x", "float32", (B, 3)), make.input("which", "int32", ())
    y = make.add("tanh", [x])
    graphs = {}
    for name, op in (("branch_0", "neg"), ("branch_1", "exp")):
        inner = Builder(name)
        graphs[name] = inner.finish([("r", inner.add(op, [inner.input("v", "float32", (B, 3))]))])
    chosen = make.add("switch", [which, y], graphs=graphs)
    model = written(make.finish([("y", y), ("chosen", chosen)]), tmp_path)
    within = {n for a in model.graph.node[-1].attribute for k in a.g.node for n in k.input}
    assert ops(model)["Identity"] == 1
    assert not within & {"y", "chosen"}
    data = np.ones((2, 3), "float32")
    for index, right in ((0, -np.tanh(1)), (1, np.exp(np.tanh(1)))):
        np.testing.assert_allclose(run(tmp_path, data, np.int32(index))[1], right, rtol=1e-5)


def test_a_large_weight_that_is_read_in_two_ways_is_stored_once(tmp_path: Path) -> None:
    make = Builder("tied")
    x = make.input("x", "int32", (B,))
    table = make.weight("table", np.random.default_rng(0).normal(size=(90, 40)).astype("float32"))
    row = make.add("gather", [table, x], {"axis": 0, "outside": "clip"})
    turned = make.add("transpose", [table], {"permutation": (1, 0)})
    graph = make.finish([("scores", make.add("matmul", [row, turned]))])
    written(graph, tmp_path)
    assert (tmp_path / "model.onnx").stat().st_size < 90 * 40 * 4 + 1500
    data = graph.weights[0].data
    np.testing.assert_allclose(run(tmp_path, np.array([3, 7], "int32"))[0], data[[3, 7]] @ data.T,
                               rtol=1e-4, atol=1e-4)  # fmt: skip


@pytest.mark.parametrize(("version", "op"), [(13, "Erf"), (20, "Gelu"), (26, "Gelu")])
def test_a_version_has_the_ops_that_it_has(version: int, op: str, tmp_path: Path) -> None:
    make = Builder("gelu")
    x = make.input("x", "float32", (B, 4))
    y = make.add("layer_normalization", [x, None, None], {"axes": (1,), "epsilon": 1e-3})
    graph = make.finish([("y", make.add("gelu", [y], {"approximate": False}))])
    model = written(graph, tmp_path, opset_version=version)
    assert model.opset_import[0].version == version
    assert ops(model)[op] == 1
    assert ops(model)["LayerNormalization"] == (version >= 17)


def small() -> Any:
    nacre.utils.set_random_seed(0)
    layers = [nacre.Input((32,)), nacre.layers.Dense(64, activation="tanh"), nacre.layers.Dense(2)]
    return nacre.Sequential(layers, name="small")


def test_weights_of_16_bits_take_half_and_are_verified(tmp_path: Path) -> None:
    whole = small().export(tmp_path / "a.onnx", verbose=False)
    half = small().export(tmp_path / "b.onnx", verbose=False, weights="float16")
    assert half.is_verified
    assert half.size_bytes < 0.65 * whole.size_bytes


def test_weights_may_lie_in_a_second_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    report = small().export(path, verbose=False, external_data=True)
    assert report.is_verified
    (data,) = tmp_path.glob("m.onnx.*.data")
    assert {p.name for p in tmp_path.iterdir()} == {"m.onnx", data.name, "m.onnx.report.json"}
    assert data.stat().st_size == 32 * 64 * 4
    onnx.checker.check_model(str(path), full_check=True)


def test_weights_that_one_file_cannot_hold_lie_in_a_second(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("nacre.export.targets.onnx.write._WHOLE_BYTES", 4000)
    assert small().export(tmp_path / "m.onnx", verbose=False).is_verified
    assert len(list(tmp_path.glob("m.onnx.*.data"))) == 1
    with pytest.raises(ArgumentError, match="of more than 2 GB need a second file"):
        small().export(tmp_path / "n.onnx", verbose=False, external_data=False)
    assert not (tmp_path / "n.onnx").exists()


def test_weights_of_an_older_file_are_taken_away_and_no_other_files(tmp_path: Path) -> None:
    path, model = tmp_path / "m.onnx", small()
    others = [tmp_path / name for name in ("m.onnx.train.data", "other.onnx.0123abcd.data")]
    for other in others:
        other.write_bytes(b"a person's own")
    model.export(path, verbose=False, external_data=True)
    (first,) = (p for p in tmp_path.glob("m.onnx.*.data") if p not in others)
    model.weights[0].assign(model.weights[0].numpy() + 1)
    model.export(path, verbose=False, external_data=True)
    (second,) = (p for p in tmp_path.glob("m.onnx.*.data") if p not in others)
    assert second != first
    assert all(other.exists() for other in others)


def test_an_export_that_is_ended_between_its_files_leaves_the_older_model_whole(
    tmp_path: Path, monkeypatch: Any
) -> None:
    path, model = tmp_path / "m.onnx", small()
    model.export(path, verbose=False, external_data=True)
    x = [np.ones((2, *model.input_shape[1:]), "float32")]
    before = open_in_onnxruntime(path)(x)
    model.weights[0].assign(model.weights[0].numpy() + 1)
    replace = os.replace

    def ended(source: Any, target: Any) -> None:
        if Path(target) == path:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", ended)
    with pytest.raises(KeyboardInterrupt):
        model.export(path, verbose=False, external_data=True)
    for one, other in zip(open_in_onnxruntime(path)(x), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_both_files_stay_where_an_export_fails(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "m.onnx"
    small().export(path, verbose=False, external_data=True)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    forms: Any = TARGET.support.forms
    monkeypatch.setitem(forms, "tanh", forms["sigmoid"])
    with pytest.raises(FileFormatError, match="small/dense"):
        small().export(path, verbose=False, external_data=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"opset_version": 12}, "opset_version must be None or from 13 to 26. Got 12"),
        ({"opset_version": True}, "opset_version must be None or from 13 to 26. Got True"),
        (
            {"weights": "int3"},
            "weights must be one of 'float32', 'float16', 'int8', 'int4'. Got 'int3'",
        ),
        ({"opset": 18}, "opset_version"),
    ],
)
def test_an_option_that_is_none_is_told(options: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises((ArgumentError, TypeError), match=said):
        small().export(tmp_path / "m.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_a_version_without_an_op_is_told(tmp_path: Path) -> None:
    make = Builder("bits")
    x = make.input("x", "int32", (B,))
    graph = make.finish([("y", make.add("xor", [x, x]))])
    with pytest.raises(ArgumentError, match="must have all ops of the model: xor. Got 13"):
        written(graph, tmp_path, opset_version=13)


def test_vocabularies_are_tables(tmp_path: Path) -> None:
    make = Builder("words")
    x = make.input("x", "string", (B,))
    keys = {"keys": ("cat", "dög"), "values": (2, 3), "missing": 1}
    index = make.add("text_lookup", [x], keys)
    back = make.add("text_of_index", [index], {"texts": ("a", "b", "cat"), "missing": "?"})
    same = make.add("equal", [x, back])
    written(make.finish([("index", index), ("back", back), ("same", same)]), tmp_path)
    found = run(tmp_path, np.array(["cat", "dög", "other"], object))
    np.testing.assert_array_equal(found[0], [2, 3, 1])
    assert found[1].tolist() == ["cat", "?", "b"]
    np.testing.assert_array_equal(found[2], [True, False, False])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_models_of_16_bits_are_verified(policy: str, tmp_path: Path) -> None:
    model = nacre.Sequential(
        [
            nacre.Input((6,)),
            nacre.layers.Dense(8, "relu", dtype=policy),
            nacre.layers.LayerNormalization(dtype=policy),
            nacre.layers.Dense(3, dtype=policy),
        ]
    )
    report = model.export(tmp_path / "m.onnx", verbose=False)
    assert report is not None
    assert report.is_verified


@pytest.mark.parametrize(
    ("x", "by", "op", "right"),
    [
        ([-9, 5, -(2**31)], [31, 40, 1], "shift_right_signed", [-1, 0, -(2**30)]),
        ([7, -7, 5], [2, 2, 0], "div", [3, -3, -1]),
        ([7, -7, 5], [2, 2, 0], "rem", [1, -1, 5]),
        ([1, -1, 3], [31, 33, 1], "shift_left", [-(2**31), 0, 6]),
        ([1, -1, 3], [31, 28, 1], "shift_right", [0, 15, 1]),
    ],
)  # fmt: skip
def test_whole_numbers_at_their_limits(
    x: Any, by: Any, op: str, right: Any, tmp_path: Path
) -> None:
    make = Builder("whole")
    values = [make.input(name, "int32", (B,)) for name in ("x", "by")]
    written(make.finish([("y", make.add(op, values))]), tmp_path)
    found = run(tmp_path, np.array(x, "int32"), np.array(by, "int32"))[0]
    assert found.tolist() == right


def test_pixels_between_two_are_exactly_between(tmp_path: Path) -> None:
    make = Builder("resized")
    x = make.input("x", "float32", (B, 8, symbol("width"), 1))
    y = make.add("resize", [x], {"size": (6, 5), "method": "bilinear"})
    graph = make.finish([("y", make.add("round", [y]))])
    written(graph, tmp_path)
    given = np.random.default_rng(0).integers(0, 5, (2, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(run(tmp_path, given)[0], evaluate(graph, [given]).outputs["y"])
    path = tmp_path / "m.onnx"
    larger = nacre.Sequential(
        [nacre.Input((4, 4, 1)), nacre.layers.UpSampling2D(2, interpolation="bilinear")]
    )
    larger.export(path, verbose=False)
    assert ops(onnx.load(path))["Resize"] == 1


def test_a_batch_normalization_is_part_of_the_convolution_before_it(tmp_path: Path) -> None:
    layers = [nacre.Input((None, None, 3)), nacre.layers.Conv2D(4, 3), nacre.layers.BatchNormalization(),
              nacre.layers.ReLU()]  # fmt: skip
    model = nacre.Sequential(layers)
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).uniform(0.5, 1.5, weight.shape))
    report = model.export(tmp_path / "m.onnx", verbose=False)
    assert report is not None
    assert report.is_verified
    found = ops(onnx.load(tmp_path / "m.onnx"))
    assert found == Counter(Conv=1, Relu=1, Transpose=2)


@pytest.mark.parametrize("source", ["float16", "float32", "float64"])
def test_numbers_outside_of_a_narrow_integer_become_its_end(source: str, tmp_path: Path) -> None:
    make = Builder("narrow")
    x = make.input("x", source, (B,))
    narrow = ("int8", "uint8", "int16", "uint16")
    written(make.finish([(to, make.add("cast", [x], {"dtype": to})) for to in narrow]), tmp_path)
    found = run(tmp_path, np.array([-40000.0, -1.5, 255.9, 300.0, np.inf], source))
    np.testing.assert_array_equal(found[0], [-128, -1, 127, 127, 127])
    np.testing.assert_array_equal(found[1], [0, 0, 255, 255, 255])
    np.testing.assert_array_equal(found[2], [-32768, -1, 255, 300, 32767])
    np.testing.assert_array_equal(found[3], [0, 0, 255, 300, 65535])


@pytest.mark.parametrize("source", ["float16", "float32", "float64"])
def test_numbers_outside_of_32_bits_become_an_end_and_not_a_number_0(
    source: str, tmp_path: Path
) -> None:
    make = Builder("ends")
    x = make.input("x", source, (B,))
    whole = ("int32", "uint32")
    written(make.finish([(to, make.add("cast", [x], {"dtype": to})) for to in whole]), tmp_path)
    large = [] if source == "float16" else [2.0**31, -(2.0**31), 3e9, -3e9, 5e9, 1e20, -1e20]
    given = np.array([-1.5, 0.9, 300, np.nan, np.inf, -np.inf, *large], source)
    for to, found in zip(whole, run(tmp_path, given), strict=True):
        ends = np.iinfo(to)
        wanted = np.trunc(np.nan_to_num(given.astype("float64"), posinf=1e30, neginf=-1e30))
        wanted = [min(max(int(n), ends.min), ends.max) for n in wanted]
        np.testing.assert_array_equal(found, np.array(wanted, to))


def test_not_a_number_stays_one_and_comes_last(tmp_path: Path) -> None:
    make = Builder("nan")
    x = make.input("x", "float32", (B,))
    (ordered,) = make.add_all("sort", [x], {"axis": 0, "num_keys": 1})
    results = [
        ("sorted", ordered),
        *((op, make.add(op, [x])) for op in ("relu", "is_finite", "sign")),
    ]
    written(make.finish(results), tmp_path)
    data = np.array([np.nan, 2, np.inf, -np.inf, 1], "float32")
    found = run(tmp_path, data)
    np.testing.assert_array_equal(found[0], [-np.inf, 1, 2, np.inf, np.nan])
    assert np.isnan(found[1][0])
    np.testing.assert_array_equal(found[2], [False, True, False, False, True])
    np.testing.assert_array_equal(found[3], np.sign(data))


@pytest.mark.parametrize(("old", "new"), [(8, 16), (8, 12), (8, 4), (6, 9)])
def test_pictures_are_resized_by_quotients_that_floats_hold(
    old: int, new: int, tmp_path: Any
) -> None:
    """Of sizes alone ONNX Runtime keeps no layout, and takes half as long again."""
    x = nacre.Input((old, old, 2))
    model = nacre.Model(x, nacre.ops.image.resize(x, (new, new), interpolation="bilinear"))
    report = model.export(tmp_path / "m.onnx", verbose=False)
    assert report is not None and report.is_verified
    nodes = onnx.load(tmp_path / "m.onnx").graph.node
    assert [len(node.input) for node in nodes if node.op_type == "Resize"] == [3]
