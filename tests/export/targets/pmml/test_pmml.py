"""PMML: dense nets as neurons, read by JPMML where it is installed, and by a reader of our own."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, UnsupportedError, UnsupportedOpError
from nacre.export.targets.pmml.readback import Document, open_jpmml, open_own

layers = nacre.layers
HAS_JPMML = importlib.util.find_spec("jpmml_evaluator") is not None and shutil.which("java")


def mlp(activation: str = "relu") -> Any:
    return [layers.Dense(6, activation=activation), layers.Dense(5, activation="tanh")]


def plain(*stack: Any) -> Any:
    return nacre.Sequential([nacre.Input((4,), name="features"), *stack], name="net")


def two() -> Any:
    a, b = nacre.Input((3,), name="a"), nacre.Input((1,), dtype="int32", name="b")
    both = layers.Concatenate()([a, nacre.ops.cast(b, "float32")])
    hidden = layers.Dense(4, activation="elu")(both)
    skip = layers.Add()([hidden, layers.Dense(4)(both)])
    return nacre.Model([a, b], {"z": layers.Dense(1)(skip), "y": layers.Reshape((2, 2))(skip)})


def pictures() -> Any:
    x = nacre.Input((6, 6, 2), name="pixels")
    y = layers.Conv2D(3, 3, strides=2, padding="same", activation="relu")(x)
    y = layers.BatchNormalization()(layers.AveragePooling2D(2)(y))
    return nacre.Model(x, layers.Dense(3, activation="softmax")(layers.Flatten()(y)))


MODELS: dict[str, Any] = {
    "classifier": lambda: plain(*mlp(), layers.Dense(3, activation="softmax")),
    "regression": lambda: plain(*mlp("sigmoid"), layers.Dense(1)),
    "logistic": lambda: plain(layers.Dense(1, activation="sigmoid")),
    "linear": lambda: plain(layers.Dense(2)),
    "normalised": lambda: plain(layers.BatchNormalization(), *mlp("selu"), layers.Rescaling(2, 1)),
    "several": two,
    "pictures": pictures,
    **{
        name: (lambda name=name: plain(*mlp(name), layers.Dense(2)))
        for name in ("leaky_relu", "relu6", "hard_sigmoid", "softsign", "exponential", "elu")
    },
}


def built(name: str) -> Any:
    nacre.utils.set_random_seed(1)
    model = MODELS[name]()
    random = np.random.default_rng(2)
    for weight in model.weights:
        weight.assign(np.abs(weight.numpy()) + random.normal(0, 0.1, weight.shape) + 0.2)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_neurons_give_what_the_model_gives(name: str, tmp_path: Path) -> None:
    model, random = built(name), np.random.default_rng(0)
    report = model.export(tmp_path / "m.pmml", verbose=False)
    assert report.is_verified and report.format == "pmml"
    given = [random.normal(size=(5, *x.shape[1:])).astype("float32") for x in model.inputs]
    if name == "several":
        given[1] = random.integers(0, 5, (5, 1)).astype("int32")
    right = model(given if len(given) > 1 else given[0])
    right = [right[k] for k in ("y", "z")] if isinstance(right, dict) else [right]
    readers = [open_own, *([open_jpmml] if HAS_JPMML else [])]
    for reader in readers:
        for found, wanted in zip(reader(tmp_path / "m.pmml")(given), right, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not HAS_JPMML, reason="jpmml-evaluator and Java are not installed")
def test_jpmml_reads_it(tmp_path: Path) -> None:
    report = built("classifier").export(tmp_path / "m.pmml", verbose=False)
    assert "JPMML" in report.runtime


def test_classes_and_fields_have_names(tmp_path: Path) -> None:
    model = built("classifier")
    names = ["setosa", "versicolor", "virginica"]
    model.export(tmp_path / "m.pmml", class_names=names, metadata={"by": "us"}, verbose=False)
    document = Document(tmp_path / "m.pmml")
    assert document.inputs == [f"features_{i}" for i in range(4)]
    assert document.outputs == [f"probability({name})" for name in names]
    assert "by: us" in (tmp_path / "m.pmml").read_text()
    for wrong, match in (
        (names[:2], "must be 3 different names"),
        ([*names, "virginica"], "must be 3 different names"),  # the fourth was passed over
        ("abc", "must be a list of names"),
    ):
        with pytest.raises(ArgumentError, match=match):
            model.export(tmp_path / "m.pmml", class_names=wrong)
    with pytest.raises(ArgumentError, match="ends in softmax"):
        built("linear").export(tmp_path / "m.pmml", class_names=["a", "b"])


def test_what_neurons_cannot_do_is_told_all_at_once(tmp_path: Path) -> None:
    x = nacre.Input((8, 4), name="x")
    y = layers.LSTM(3, name="memory")(x)
    y = layers.Multiply(name="gate")([y, layers.Dense(3, activation="gelu", name="inner")(y)])
    with pytest.raises(UnsupportedOpError) as raised:
        nacre.Model(x, y).export(tmp_path / "m.pmml")
    for part in ("lstm in ", "gelu in ", "Use relu", "Products of two results"):
        assert part in str(raised.value)
    steps = nacre.Input((None, 4))
    model = nacre.Model(steps, layers.Dense(2)(steps))
    with pytest.raises(UnsupportedOpError, match="samples of known size only"):
        model.export(tmp_path / "m.pmml")
    assert not list(tmp_path.iterdir())


def test_samples_that_are_joined_are_refused(tmp_path: Path) -> None:
    x = nacre.Input((4,), name="x")
    for joined in (nacre.ops.flip(x, 0), nacre.ops.cumsum(x, 0)):
        with pytest.raises(UnsupportedOpError, match="each sample must be computed for itself"):
            nacre.Model(x, layers.Dense(2)(joined)).export(tmp_path / "m.pmml", verify=False)


def test_files_too_large_to_be_of_use_are_refused(tmp_path: Path, monkeypatch: Any) -> None:
    module = importlib.import_module("nacre.export.targets.pmml.write")
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 68)
    with pytest.raises(UnsupportedError, match="Got 69 connections"):
        built("classifier").export(tmp_path / "m.pmml")
    assert not list(tmp_path.iterdir())
