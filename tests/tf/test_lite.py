"""`tf.lite` as scripts of TensorFlow use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
import nacre.tf as tf
from nacre.core.errors import (
    ArgumentError,
    UnsupportedError,
    UnsupportedOpError,
)
from nacre.export.importers.litert.interpreter import Interpreter as OwnInterpreter

X = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")


@pytest.fixture(scope="module")
def model() -> Any:
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            tf.keras.Input((6,), name="features"),
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(3, activation="softmax", name="answer"),
        ]
    )


def run(content: bytes, x: np.ndarray) -> Any:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    interpreter = tf.lite.Interpreter(model_content=content)
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(wanted["index"])


def test_a_model_is_converted_and_run(model: Any, tmp_path: Path) -> None:
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    np.testing.assert_allclose(run(content, X), model.predict(X, verbose=0), rtol=1e-4, atol=1e-6)
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    interpreter = tf.lite.Interpreter(model_path=str(path))
    runner = interpreter.get_signature_runner("serving_default")
    found = runner(features=X[:1])
    np.testing.assert_allclose(found["answer"], model.predict(X[:1], verbose=0), rtol=1e-4)


def test_what_training_changes_is_in_the_next_file(model: Any) -> None:
    clone = tf.keras.models.clone_model(model)
    clone.compile("adam", "mse")
    converter = tf.lite.TFLiteConverter.from_keras_model(clone)
    before = converter.convert()
    clone.fit(X, np.ones((20, 3)), epochs=2, verbose=0)
    np.testing.assert_allclose(run(converter.convert(), X), clone.predict(X, verbose=0), rtol=1e-4)
    assert np.abs(run(before, X) - clone.predict(X, verbose=0)).max() > 1e-4


@pytest.mark.parametrize(("types", "error"), [([], 0.05), (["float16"], 1e-3)])
def test_optimizations_make_files_smaller(model: Any, types: list[Any], error: float) -> None:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    whole = converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [getattr(tf, name) for name in types]
    small = converter.convert()
    assert len(small) < 0.7 * len(whole)
    np.testing.assert_allclose(run(small, X), model.predict(X, verbose=0), atol=error)


def test_all_in_8_bits_by_samples(model: Any) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in X)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    content = converter.convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = given["quantization"]
    found = run(content, np.clip(np.round(X / scale) + zero_point, 0, 255).astype("uint8"))
    assert found.dtype == given["dtype"] == np.uint8
    scale, zero_point = wanted["quantization"]
    found = (found.astype("float32") - zero_point) * scale
    np.testing.assert_allclose(found, model.predict(X, verbose=0), atol=0.05)


def test_what_is_not_all_in_8_bits_is_told_with_its_layers() -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    model = tf.keras.Sequential(
        [tf.keras.Input((6,)), tf.keras.layers.LayerNormalization(name="n")]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = tf.lite.RepresentativeDataset(lambda: ([x[None]] for x in X))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with pytest.raises(UnsupportedOpError, match="SQRT in '.*n'"):
        converter.convert()
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    assert converter.convert()


def test_settings_that_contradict_one_another_are_told(model: Any) -> None:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.representative_dataset = lambda: ([x[None]] for x in X)
    with pytest.raises(ArgumentError, match="optimizations"):
        converter.convert()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with pytest.raises(ArgumentError, match="representative_dataset"):
        converter.convert()
    converter.target_spec = tf.lite.TargetSpec(supported_types=[tf.int16])
    with pytest.raises(UnsupportedError, match="int16"):
        converter.convert()


def test_only_optimizations_that_narrow_weights_do(model: Any) -> None:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    plain = len(converter.convert())
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    assert len(converter.convert()) == plain
    converter.optimizations = ["DEFAULT"]
    with pytest.raises(ArgumentError, match=r"members of tf\.lite\.Optimize"):
        converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = 5
    with pytest.raises(ArgumentError, match="it must be samples"):
        converter.convert()


def test_a_function_is_converted_for_any_batch() -> None:
    weights = tf.Variable(np.ones((6, 2), "float32"))

    @tf.function
    def scores(x: Any) -> Any:
        return tf.nn.softmax(tf.matmul(x, weights) * tf.constant([1.0, 2.0]))

    concrete = scores.get_concrete_function(tf.TensorSpec([None, 6], tf.float32))
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], scores).convert()
    np.testing.assert_allclose(run(content, X), np.asarray(scores(X)), rtol=1e-4, atol=1e-6)

    @tf.function
    def scaled(x: Any, factor: float = 1.0) -> Any:
        return factor * x

    concrete = scaled.get_concrete_function(x=tf.TensorSpec([None, 6], tf.float32), factor=3.0)
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    np.testing.assert_allclose(run(content, X), 3 * X, rtol=1e-6)
    with pytest.raises(ArgumentError, match="there must be a function"):
        tf.lite.TFLiteConverter.from_concrete_functions([])


def test_saved_models_are_converted(model: Any, tmp_path: Path) -> None:
    model.export(tmp_path / "exported", verbose=False)
    with pytest.raises(ArgumentError, match="'other' of 'serve"):
        tf.lite.TFLiteConverter.from_saved_model(tmp_path / "exported", signature_keys=["other"])
    with pytest.warns(UserWarning, match="batches of one"):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "exported"))
    found = run(converter.convert(), X[:1])
    np.testing.assert_allclose(found, model.predict(X[:1], verbose=0), rtol=1e-4)


def test_without_litert_nacre_s_own_reader_runs_files(monkeypatch: Any, model: Any) -> None:
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    run = tf.lite.Interpreter(model_content=content)
    assert type(run).__module__.startswith("nacre.")
    run.allocate_tensors()
    run.set_tensor(run.get_input_details()[0]["index"], X[:1])
    run.invoke()
    found = run.get_tensor(run.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, model(X[:1]), atol=1e-6)


def test_names_are_those_of_nacre() -> None:
    assert nacre.tf.lite is tf.lite
    assert "TFLiteConverter" in dir(tf.lite)


def coder() -> Any:
    class Coder(tf.Module):
        """Two functions of the same variables, one of them with a loop."""

        def __init__(self) -> None:
            super().__init__()
            numbers = np.random.default_rng(0).normal(size=(6, 40))
            self.weights = tf.Variable(numbers.astype("float32"))
            self.cell = tf.keras.layers.LSTM(5)
            self.cell.build((None, 3, 40))

        @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32)])
        def encode(self, x: Any) -> Any:
            return {"code": tf.matmul(x, self.weights)}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 3, 40], tf.float32),
                tf.TensorSpec([5], tf.float32),
            ]
        )
        def read(self, codes: Any, scale: Any) -> Any:
            return self.cell(codes) * scale

    return Coder()


def coder_file(**settings: Any) -> tuple[Any, bytes]:
    made = coder()
    functions = [f.get_concrete_function() for f in (made.encode, made.read)]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, made)
    for name, value in settings.items():
        setattr(converter, name, value)
    return made, converter.convert()


@pytest.mark.parametrize("is_own", [False, True])
def test_several_functions_are_signatures_of_one_file(is_own: bool) -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")
    made, content = coder_file()
    make: Any = OwnInterpreter if is_own else tf.lite.Interpreter
    run = make(model_content=content)
    assert run.get_signature_list() == {
        "encode": {"inputs": ["x"], "outputs": ["code"]},
        "read": {"inputs": ["codes", "scale"], "outputs": ["output_0"]},
    }
    encode, read = run.get_signature_runner("encode"), run.get_signature_runner("read")
    scale = np.arange(5, dtype="float32")
    for count in (1, 4, 1):
        code = encode(x=X[:count])["code"]
        np.testing.assert_allclose(code, X[:count] @ made.weights.numpy(), rtol=1e-4, atol=1e-5)
        codes = np.stack([code, code + 1, -code], axis=1)
        found = read(codes=codes, scale=scale)["output_0"]
        right = np.asarray(made.read(codes, scale))
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5)


def counter() -> Any:
    class Counter(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = tf.Variable(1.0, name="count")

        @tf.function(input_signature=[tf.TensorSpec([])])
        def add(self, x: Any) -> Any:
            self.count.assign_add(x)
            return self.count

        @tf.function(input_signature=[tf.TensorSpec([])])
        def peek(self, x: Any) -> Any:
            return self.count + x

    return Counter()


@pytest.mark.parametrize("names", [["add"], ["peek", "add"]])
def test_variables_that_calls_change_are_told_of(names: list[str]) -> None:
    module = counter()
    functions = [getattr(module, name).get_concrete_function() for name in names]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
    with pytest.warns(UserWarning, match=r"change no variables\. Got .*count"):
        content = converter.convert()
    run = OwnInterpreter(model_content=content).get_signature_runner("add" if names[1:] else None)
    assert [float(run(x=np.float32(2))["output_0"]) for _ in range(2)] == [3.0, 3.0]


def test_samples_say_which_of_several_functions_they_are_of() -> None:
    pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")

    def samples() -> Any:
        for x in X:
            yield "encode", {"x": x[None]}
            yield "read", {"codes": np.ones((1, 3, 40)), "scale": np.ones(5)}

    settings = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    made, content = coder_file(**settings, representative_dataset=samples)
    run = tf.lite.Interpreter(model_content=content)
    code = run.get_signature_runner("encode")(x=X)["code"]
    right = X @ made.weights.numpy()
    assert 1e-4 < np.abs(code - right).max() / np.abs(right).max() < 0.05
    with pytest.raises(ArgumentError, match=r"which it is of. Got a list. Yield \('encode'"):
        coder_file(**settings, representative_dataset=lambda: ([x[None]] for x in X))


def test_endpoints_of_an_archive_are_signatures_of_a_file(model: Any, tmp_path: Path) -> None:
    archive = tf.keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model)
    spec = tf.keras.InputSpec(shape=(None, 6), dtype="float32")
    archive.add_endpoint("twice", lambda x: {"y": 2 * model(x, training=False)}, [spec])
    archive.write_out(tmp_path / "m.tflite", verbose=False)
    run = tf.lite.Interpreter(model_path=str(tmp_path / "m.tflite"))
    found = run.get_signature_runner("twice")(x=X)["y"]
    np.testing.assert_allclose(found, 2 * model.predict(X, verbose=0), rtol=1e-4)
    model.export(tmp_path / "one.tflite", verbose=False)
    sizes = [(tmp_path / name).stat().st_size for name in ("m.tflite", "one.tflite")]
    assert sizes[0] < 1.2 * sizes[1], "weights are there once"
    with pytest.raises(UnsupportedError, match="ONNX holds one function. Got 2: serve, twice"):
        archive.write_out(tmp_path / "m.onnx", verbose=False)
    assert not (tmp_path / "m.onnx").exists()
    archive.write_out(tmp_path / "saved", verbose=False)
    with pytest.warns(UserWarning, match="batches of one"):
        both = tf.lite.TFLiteConverter.from_saved_model(
            tmp_path / "saved", signature_keys=["serve", "twice"]
        )
    run = tf.lite.Interpreter(model_content=both.convert())
    assert sorted(run.get_signature_list()) == ["serve", "twice"]


def test_signatures_of_a_saved_model_keep_their_names(tmp_path: Path) -> None:
    class Module(tf.Module):
        def __init__(self) -> None:
            self.w = tf.Variable([2.0])

        @tf.function(input_signature=[tf.TensorSpec([3])])
        def one(self, x: Any) -> Any:
            return {"a": x * self.w}

        @tf.function(input_signature=[tf.TensorSpec([3])])
        def two(self, x: Any) -> Any:
            return {"b": x + self.w}

    module, folder = Module(), str(tmp_path / "saved")
    tf.saved_model.save(module, folder, signatures={"one": module.one, "two": module.two})
    with pytest.warns(UserWarning, match="give signature_keys for .'one', 'two'. too"):
        tf.lite.TFLiteConverter.from_saved_model(folder)
    for wanted in (["one", "two"], ["two"]):
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=wanted)
        content = converter.convert()
        interpreter = OwnInterpreter(model_content=content)
        assert sorted(interpreter.get_signature_list()) == wanted
        found = interpreter.get_signature_runner("two")(x=np.ones(3, "float32"))
        assert found["b"].tolist() == [3.0, 3.0, 3.0]
