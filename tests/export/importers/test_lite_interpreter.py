"""`tf.lite.Interpreter` on nacre's own reader: LiteRT's interface, and its numbers."""

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, NacreError, ShapeError
from nacre.export.importers.litert.interpreter import Interpreter
from nacre.layers import Dense
from nacre.tf import lite

_FILES = Path(__file__).parents[2] / "reference" / "files" / "tflite"
needs_litert = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="LiteRT is not installed"
)


def _content(name: str, version: str = "2.21") -> bytes:
    with zipfile.ZipFile(_FILES / f"{version}.zip") as archive:
        return archive.read(f"{name}.tflite")


def _theirs(content: bytes, **options: Any) -> Any:
    from ai_edge_litert import interpreter

    return interpreter.Interpreter(model_content=content, **options)


def _drawn(details: dict[str, Any], shape: Any) -> np.ndarray:
    random = np.random.default_rng(1)
    if np.issubdtype(details["dtype"], np.floating):
        return random.normal(size=shape).astype(details["dtype"])
    return random.integers(0, 6, shape).astype(details["dtype"])


@needs_litert
@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "cnn", "lstm", "cnn_int8", "cnn_uint8", "transformer"])
def test_it_tells_and_computes_what_litert_does(name: str):
    own, theirs = Interpreter(model_content=_content(name)), _theirs(_content(name))
    is_open = name not in ("lstm",)
    for run in (own, theirs):
        if is_open:
            for details in run.get_input_details():
                run.resize_tensor_input(details["index"], [3, *details["shape"][1:]])
        run.allocate_tensors()
        for details in run.get_input_details():
            run.set_tensor(details["index"], _drawn(details, details["shape"]))
        run.invoke()
    for kind in ("input", "output"):
        for a, b in zip(*(getattr(r, f"get_{kind}_details")() for r in (own, theirs)), strict=True):
            assert (a["name"], a["index"], a["dtype"]) == (b["name"], b["index"], b["dtype"])
            assert a["quantization"] == pytest.approx(b["quantization"])
            for key in ("shape", "shape_signature"):
                np.testing.assert_array_equal(a[key], b[key])
            for key, value in b["quantization_parameters"].items():
                np.testing.assert_array_equal(a["quantization_parameters"][key], value)
            np.testing.assert_allclose(
                own.get_tensor(a["index"]), theirs.get_tensor(b["index"]), atol=2e-6
            )


@needs_litert
def test_states_are_kept_from_call_to_call_as_in_litert_until_they_are_reset():
    content = _content("lstm", "2.15")  # of one operator, which keeps its state
    own, theirs = Interpreter(model_content=content), _theirs(content)
    found: list[list[np.ndarray]] = []
    for run in (own, theirs):
        run.allocate_tensors()
        details, output = run.get_input_details()[0], run.get_output_details()[0]["index"]
        run.set_tensor(details["index"], _drawn(details, details["shape"]))
        numbers = []
        for _ in range(2):
            run.invoke()
            numbers.append(run.get_tensor(output))
        run.reset_all_variables()
        run.invoke()
        found.append([*numbers, run.get_tensor(output)])
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    assert np.abs(found[0][0] - found[0][1]).max() > 1e-3
    np.testing.assert_array_equal(found[0][0], found[0][2])


def test_signatures_are_run_by_name():
    run = Interpreter(model_content=_content("signatures"))
    assert run.get_signature_list()["encode"] == {"inputs": ["x"], "outputs": ["code", "norm"]}
    encode = run.get_signature_runner("encode")
    for rows in (2, 5):
        found = encode(x=np.ones((rows, 3), "float32"))
        assert found["code"].shape == (rows, 2)
        np.testing.assert_array_equal(found["norm"], np.full(rows, 3))
    decode = run.get_signature_runner("decode")
    assert decode(code=np.ones((4, 2), "float32"))["x"].shape == (4, 3)
    assert list(encode.get_output_details()) == ["code", "norm"]
    for key in ("endcode", None):
        with pytest.raises(ArgumentError, match="encode"):
            run.get_signature_runner(key)
    with pytest.raises(ArgumentError, match="takes x"):
        encode(y=1)


def _small(tmp_path: Path) -> tuple[Any, Path]:
    model = nacre.Sequential([nacre.Input((4,)), Dense(3, "tanh"), Dense(2)])
    path = tmp_path / "m.tflite"
    model.export(path, verbose=False, verify=False)
    return model, path


def test_inputs_are_copied_and_outputs_are_ones_own(tmp_path):
    model, path = _small(tmp_path)
    run = Interpreter(str(path))
    (given,), (got,) = run.get_input_details(), run.get_output_details()
    run.resize_tensor_input(given["index"], [2, 4])
    assert run.get_output_details()[0]["shape"].tolist() == [2, 2]
    run.allocate_tensors()
    x = np.ones((2, 4), "float32")
    run.set_tensor(given["index"], x)
    x[:] = 7
    run.invoke()
    first = run.get_tensor(got["index"])
    np.testing.assert_allclose(first, model(np.ones((2, 4))), atol=1e-6)
    run.tensor(given["index"])()[:] = 0
    run.invoke()
    np.testing.assert_allclose(run.get_tensor(got["index"]), model(np.zeros((2, 4))), atol=1e-6)
    assert not np.array_equal(first, run.get_tensor(got["index"]))


def test_tensors_on_the_way_are_there_where_it_is_asked_for(tmp_path):
    _, path = _small(tmp_path)
    run = Interpreter(str(path), experimental_preserve_all_tensors=True)
    run.allocate_tensors()
    run.invoke()
    for details in run.get_tensor_details():
        assert run.get_tensor(details["index"]).shape == tuple(details["shape"])


def test_mistakes_are_told(tmp_path):
    _, path = _small(tmp_path)
    run = Interpreter(path)
    place = run.get_input_details()[0]["index"]
    output = run.get_output_details()[0]["index"]
    with pytest.raises(ArgumentError, match="allocate_tensors"):
        run.invoke()
    run.allocate_tensors()
    with pytest.raises(ArgumentError, match="float32"):
        run.set_tensor(place, np.ones((1, 4)))
    with pytest.raises(ShapeError, match="resize_tensor_input"):
        run.set_tensor(place, np.ones((2, 4), "float32"))
    with pytest.raises(ShapeError, match="may be changed"):
        run.resize_tensor_input(place, [1, 5], strict=True)
    with pytest.raises(ArgumentError, match="invoke"):
        run.get_tensor(output)
    for wrong in (999, -1):
        with pytest.raises(ArgumentError, match="below"):
            run.get_tensor(wrong)
    with pytest.raises(ArgumentError, match="neither"):
        Interpreter()
    (tmp_path / "bad.tflite").write_bytes(path.read_bytes()[:300])
    with pytest.raises(NacreError, match=r"bad\.tflite"):
        Interpreter(tmp_path / "bad.tflite")


def test_tf_lite_takes_it_where_litert_is_not_installed(tmp_path, monkeypatch):
    _, path = _small(tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "ai_edge_litert" else find(n, *a)
    )
    assert isinstance(lite.Interpreter(str(path)), Interpreter)
