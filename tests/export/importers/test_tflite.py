"""TFLite files as models: what TensorFlow's converters and nacre's own exporter write, in LiteRT's
numbers; trained, saved, exported; and what is refused."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import FileFormatError, NacreError, UnsupportedError
from nacre.core.wire.tflite import IDENTIFIER, NUMBER_OF_DTYPE, NUMBER_OF_OPERATOR, SCHEMA
from nacre.export.importers.litert import program
from nacre.layers import Dense
from nacre.models import load_model

_FILES = Path(__file__).parents[2] / "reference" / "files" / "tflite"
# How far what the converter's interpreter gave may be: in steps for whole numbers. Its versions do
# not round alike: the softmax of 2.15's is a step from that of the newest kernels.
_STEPS = {"big_cnn_int8": 2, "cnn_uint8": 1, "lstm_int8": 1, "mlp_int8": 1}
_FAR = {"cnn_dynamic": 5e-3, "lstm_dynamic": 5e-3, "cnn_int16": 1e-4}


def _archive(version: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(_FILES / f"{version}.zip")


def _names(version: str) -> list[str]:
    with _archive(version) as archive:
        return [name[:-7] for name in archive.namelist() if name.endswith(".tflite")]


def _content(version: str, name: str) -> tuple[bytes, dict[str, np.ndarray]]:
    with _archive(version) as archive:
        arrays = np.load(io.BytesIO(archive.read(f"{name}.npz")))
        return archive.read(f"{name}.tflite"), dict(arrays)


def _rows() -> list[Any]:
    quick = ("mlp", "cnn_int8", "control", "signatures")
    return [
        pytest.param(
            version, name, marks=() if version == "2.21" and name in quick else pytest.mark.slow
        )
        for version in ("2.21", "2.15")
        for name in _names(version)
    ]


@pytest.mark.parametrize(("version", "name"), _rows())
def test_files_of_the_converter_give_what_its_interpreter_gave(version: str, name: str):
    content, arrays = _content(version, name)
    model = load_model(content)
    assert model.signatures
    for key, signature in model.signatures.items():
        given = {n: arrays[f"in/{key}/{n}"] for n in signature.inputs}
        for output, found in signature(**given).items():
            wanted, found = arrays[f"out/{key}/{output}"], np.asarray(found)
            assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=_FAR.get(name, 2e-6))
            else:
                far = np.abs(found.astype("int64") - wanted.astype("int64"))
                assert far.max(initial=0) <= _STEPS.get(name, 0), output


def _own(tmp_path: Path, *layers: Any, **options: Any) -> tuple[Any, Path]:
    model = nacre.Sequential(list(layers))
    path = tmp_path / "m.tflite"
    model.export(path, verbose=False, verify=False, **options)
    return model, path


X = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")


def test_what_nacre_exports_comes_back_for_any_batch(tmp_path):
    model, path = _own(tmp_path, nacre.Input((6,)), Dense(4, "gelu"), Dense(2, "softmax"))
    again = load_model(path)
    assert (again.input_shape, again.output_shape) == ((None, 6), (None, 2))
    for x in (X, X[:1], X[:0]):
        np.testing.assert_allclose(again(x), model(x), atol=1e-6)
    np.testing.assert_allclose(again.predict(X, verbose=0), model(X), atol=1e-6)
    np.testing.assert_allclose(again({again.input_names[0]: X}), model(X), atol=1e-6)


def test_a_recurrent_model_of_any_length_comes_back_and_trains(tmp_path):
    layers = [nacre.Input((None, 3)), nacre.layers.LSTM(4), Dense(1)]
    model, path = _own(tmp_path, *layers)
    again = load_model(path)
    assert again.output_shape == (None, 1)
    for steps in (1, 5):
        x = np.random.default_rng(steps).normal(size=(2, steps, 3)).astype("float32")
        np.testing.assert_allclose(again(x), model(x), atol=1e-6)
    again.compile("sgd", "mse")
    before = [w.copy() for w in again.get_weights()]
    again.fit(x, np.ones((2, 1)), verbose=0)
    assert sum(not np.array_equal(a, b) for a, b in zip(before, again.get_weights())) >= 4


def test_weights_train_and_biases_that_begin_alike_are_not_one(tmp_path):
    _, path = _own(tmp_path, nacre.Input((6,)), Dense(3, "tanh"), Dense(3, "tanh"), Dense(1))
    model = load_model(path)
    assert [tuple(w.shape) for w in model.trainable_variables] == [
        (3, 6), (3,), (3, 3), (3,), (1, 3), (1,)
    ]  # fmt: skip
    model.compile(nacre.optimizers.Adam(0.05), "mse")
    y = X[:, :1] * 2
    losses = model.fit(X, y, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    biases = [w for w in model.get_weights() if w.shape == (3,)]
    assert not np.allclose(*biases)


def test_a_trained_one_is_saved_and_exported_with_what_it_learned(tmp_path):
    _, path = _own(tmp_path, nacre.Input((6,)), Dense(3, "relu"), Dense(3))
    model = load_model(path)
    model.compile("sgd", "mse")
    model.fit(X, np.ones((5, 3)), verbose=0)
    model.save(tmp_path / "m.keras")
    saved = load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(saved(X), model(X))
    assert list(saved.signatures) == ["serving_default"]
    model.export(tmp_path / "again.tflite", verbose=False, verify=False)
    np.testing.assert_allclose(load_model(tmp_path / "again.tflite")(X), model(X), atol=1e-6)


def test_its_weights_are_no_part_of_the_config(tmp_path):
    model, path = _own(tmp_path, nacre.Input((6,)), Dense(64), Dense(64))
    kernel = model.get_weights()[2]
    assert len(load_model(path).imported.get_config()["content"]) < kernel.nbytes / 4


def test_weights_in_fewer_bits_are_floats_that_train(tmp_path):
    for weights, far in (("float16", 2e-3), ("int8", 5e-2)):
        model, path = _own(tmp_path, nacre.Input((40,)), Dense(40), Dense(1), weights=weights)
        again = load_model(path)
        x = np.random.default_rng(1).normal(size=(3, 40)).astype("float32")
        np.testing.assert_allclose(again(x), model(x), atol=far)
        assert {v.dtype for v in again.trainable_variables} == {"float32"}


def test_whole_numbers_hold_no_weights_and_are_saved_whole(tmp_path):
    content, arrays = _content("2.21", "cnn_int8")
    model = load_model(content)
    assert model.trainable_variables == []
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    x = next(v for k, v in arrays.items() if k.startswith("in/"))
    np.testing.assert_array_equal(again(x), model(x))


def test_floats_are_not_cut_to_the_whole_numbers_of_an_input():
    model = load_model(_content("2.21", "cnn_int8")[0])
    x = np.random.default_rng(0).uniform(size=(2, 10, 10, 2))
    signature = model.signatures["serving_default"]
    for call in (model, lambda v: model.predict(v, verbose=0), signature):
        for given in (x, x.astype("float32")):
            with pytest.raises(NacreError, match=r"zero_point"):
                call(given)
        with pytest.raises(NacreError, match="300"):
            call((x * 0 + 300).astype("int64"))
        call(np.round(x).astype("int64"))


@pytest.mark.parametrize("way", ["sequential", "nested", "functional", "own inputs"])
def test_floats_are_not_cut_where_the_model_is_a_part_of_another(way):
    part = load_model(_content("2.21", "cnn_int8")[0])
    x = nacre.Input((10, 10, 2), dtype="int8")
    model = {
        "sequential": lambda: nacre.Sequential([part]),
        "nested": lambda: nacre.Sequential([nacre.Sequential([x, part])]),
        "functional": lambda: nacre.Model([x], part(x)),
        "own inputs": lambda: nacre.Model(part.inputs, part.outputs),
    }[way]()
    given = np.random.default_rng(0).uniform(-100, 100, size=(2, 10, 10, 2)).astype("float32")
    model.compile("sgd", "mse")
    for call in (model, model.predict, lambda v: model.fit(v, np.zeros((2, 3)), verbose=0)):
        with pytest.raises(NacreError, match=r"zero_point"):
            call(given)
    np.testing.assert_array_equal(model(given.astype("int8")), part(given.astype("int8")))


def test_signatures_are_called_by_name_and_compute_with_the_weights_as_they_stand():
    model = load_model(_content("2.21", "signatures")[0])
    assert sorted(model.signatures) == ["decode", "encode"]
    x = np.eye(3, dtype="float32")
    for variable in model.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    assert not np.asarray(model.signatures["encode"](x=x)["code"]).any()
    assert not np.asarray(model.signatures["decode"](code=x[:, :2])["x"]).any()


def test_a_weight_that_two_signatures_read_is_one():
    graph = {
        "tensors": [
            {"name": "x", "shape": [1, 2], "type": 0},
            {"name": "w", "shape": [2, 2], "type": 0, "buffer": 1},
            {"name": "y", "shape": [1, 2], "type": 0},
        ],
        "inputs": [0],
        "outputs": [2],
        "operators": [{"opcode_index": 0, "inputs": [0, 1, -1], "outputs": [2]}],
    }
    ends = {
        "inputs": [{"name": "x", "tensor_index": 0}],
        "outputs": [{"name": "y", "tensor_index": 2}],
    }
    content = file_of(
        operator_codes=[{"builtin_code": NUMBER_OF_OPERATOR["FULLY_CONNECTED"]}],
        subgraphs=[graph, graph],
        signature_defs=[
            {**ends, "signature_key": key, "subgraph_index": i} for i, key in enumerate("ab")
        ],
        buffers=[{}, {"data": np.arange(4, dtype="float32").view("u1")}],
    )
    model = load_model(content)
    (weight,) = model.trainable_variables
    weight.assign(np.eye(2))
    x = np.array([[3.0, 5.0]], "float32")
    for signature in model.signatures.values():
        np.testing.assert_array_equal(signature(x)["y"], x)


def test_a_bias_that_two_signatures_read_is_one_unless_one_of_them_has_two_of_it(tmp_path):
    def graph(biases: int) -> dict[str, Any]:
        tensors = [{"name": "x", "shape": [1, 2], "type": 0}]
        operators = []
        for n in range(biases):
            tensors.append({"name": f"b{n}", "shape": [2], "type": 0, "buffer": 1})
            tensors.append({"name": f"y{n}", "shape": [1, 2], "type": 0})
            places = {"inputs": [2 * n, 2 * n + 1], "outputs": [2 * n + 2]}
            operators.append({"opcode_index": 0, **places, "builtin_options": ("AddOptions", {})})
        return {
            "tensors": tensors, "inputs": [0], "outputs": [2 * biases], "operators": operators
        }  # fmt: skip

    def opened(values: list[float], *biases: int) -> Any:
        signatures = [
            {
                "inputs": [{"name": "x", "tensor_index": 0}],
                "outputs": [{"name": "y", "tensor_index": 2 * count}],
                "signature_key": key,
                "subgraph_index": i,
            }
            for i, (key, count) in enumerate(zip("ab", biases, strict=True))
        ]
        return load_model(
            file_of(
                subgraphs=[graph(count) for count in biases],
                signature_defs=signatures,
                buffers=[{}, {"data": np.array(values, "<f4").view("u1")}],
            )
        )

    model = opened([1, 2], 1, 1)
    model.compile(nacre.optimizers.SGD(0.1), "mse")
    x = np.zeros((1, 2), "float32")
    model.fit(x, x + 9, verbose=0)
    learned = np.asarray(model(x))
    assert not np.array_equal(learned, [[1, 2]])
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    for one in (model, again):
        assert len(one.trainable_variables) == 1
        np.testing.assert_array_equal(one.signatures["b"](x)["y"], learned)
    assert len(opened([1, 2], 1, 2).trainable_variables) == 3
    assert len(opened([1, 1], 1, 1).trainable_variables) == 2  # made alike, may be


def test_a_loop_whose_length_a_run_tells_is_computed_in_a_program():
    model = load_model(_content("2.21", "control")[0])
    x, go = np.ones(4, "float32"), model.signatures["go"]
    for n in (0, 3):
        wanted = x.copy()
        for i in range(n):
            wanted = wanted * 1.5 + i
        wanted = wanted - 10 if wanted.sum() > 10 else np.sin(wanted)
        np.testing.assert_allclose(go(x=x, n=np.int32(n))["y"], wanted, rtol=1e-6)


def test_at_least_110_operators_are_read():
    assert len(program.OPS) >= 110
    assert set(program.OPS) <= set(NUMBER_OF_OPERATOR)


# --- what is refused ------------------------------------------------------------------------------


def file_of(**changes: Any) -> bytes:
    """A file that adds 1, with parts of it changed."""
    tensor = {"shape": [2], "type": NUMBER_OF_DTYPE["float32"], "buffer": 0}
    model: dict[str, Any] = {
        "version": 3,
        "operator_codes": [{"builtin_code": NUMBER_OF_OPERATOR["ADD"], "version": 1}],
        "subgraphs": [
            {
                "tensors": [
                    {**tensor, "name": "x"},
                    {**tensor, "name": "one", "buffer": 1},
                    {**tensor, "name": "y"},
                ],
                "inputs": [0],
                "outputs": [2],
                "operators": [
                    {
                        "opcode_index": 0,
                        "inputs": [0, 1],
                        "outputs": [2],
                        "builtin_options": ("AddOptions", {}),
                    }
                ],
            }
        ],
        "buffers": [{}, {"data": np.ones(2, "float32").view("u1")}],
    }
    for path, value in changes.items():
        place: Any = model
        *way, last = [int(p) if p.isdigit() else p for p in path.split("__")]
        for part in way:
            place = place[part]
        place[last] = value
    return SCHEMA.pack("Model", model, IDENTIFIER)


def test_a_file_without_signature_is_called_by_the_names_of_its_tensors():
    model = load_model(file_of())
    np.testing.assert_array_equal(model(np.zeros(2, "float32")), [1, 1])
    assert list(model.signatures["serving_default"](x=np.zeros(2))) == ["y"]


def test_operators_that_nothing_computes_are_told_all_at_once():
    codes = [
        {"builtin_code": NUMBER_OF_OPERATOR["ADD"]},
        {"builtin_code": 32, "custom_code": "FlexErf"},
        {"builtin_code": NUMBER_OF_OPERATOR["LSH_PROJECTION"]},
    ]
    operator = {"inputs": [0], "outputs": [2]}
    operators = [{**operator, "opcode_index": i} for i in (1, 2)]
    told = r"LSH_PROJECTION, custom FlexErf, and texts: .*'?one'?.*SELECT_TF_OPS"
    changes = {"subgraphs__0__tensors__1__type": NUMBER_OF_DTYPE["string"]}
    with pytest.raises(UnsupportedError, match=told):
        load_model(file_of(operator_codes=codes, subgraphs__0__operators=operators, **changes))


def test_sparse_weights_are_refused_by_name():
    sparse = {"traversal_order": [0, 1]}
    with pytest.raises(UnsupportedError, match="'one', sparse"):
        load_model(file_of(subgraphs__0__tensors__1__sparsity=sparse))


_DAMAGE: dict[str, dict[str, Any]] = {
    "a tensor that is not there": {"subgraphs__0__operators__0__inputs": np.array([0, 9])},
    "a code that is not there": {"subgraphs__0__operators__0__opcode_index": 5},
    "a buffer that is not there": {"subgraphs__0__tensors__1__buffer": 7},
    "too few bytes": {"buffers__1__data": np.zeros(3, "u1")},
    "a huge shape": {"subgraphs__0__tensors__1__shape": np.array([2**31 - 1, 2**31 - 1])},
    "a negative shape": {"subgraphs__0__tensors__1__shape": np.array([-2])},
    "a type that is none": {"subgraphs__0__tensors__0__type": 77},
    "an output never computed": {"subgraphs__0__operators": []},
    "read before": {"subgraphs__0__operators__0__inputs": np.array([0, 2])},
    "no subgraph": {"subgraphs": []},
    "another rank": {"subgraphs__0__tensors__1__shape": np.array([2, 1, 1])[:0]},
}


@pytest.mark.parametrize("name", _DAMAGE)
def test_a_damaged_file_is_one_clear_error(name: str, tmp_path: Path):
    path = tmp_path / "m.tflite"
    path.write_bytes(file_of(**_DAMAGE[name]))
    with pytest.raises(NacreError, match="m.tflite"):
        load_model(path)


def test_a_truncated_file_is_one_clear_error(tmp_path):
    whole = file_of()
    for size in range(8, len(whole), 7):
        path = tmp_path / "m.tflite"
        path.write_bytes(whole[:size])
        with pytest.raises(FileFormatError, match="m.tflite"):
            load_model(path)
