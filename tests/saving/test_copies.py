"""Copies of models by `copy.deepcopy`, `pickle` and joblib: same bits, same classes and functions."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import nacre
from nacre import layers

_ROOT = Path(nacre.__file__).parent.parent
X = np.linspace(-1, 1, 32, dtype="float32").reshape(8, 4)
Y = X[:, :1] * 2


def _pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


WAYS = pytest.mark.parametrize("copied", [_pickled, copy.deepcopy])


def _scaled(factor: float) -> Callable[[Any], Any]:
    def activation(x: Any) -> Any:
        return x * factor

    return activation


def _layer(factor: float) -> Any:
    class Scaled(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * factor

    return Scaled()


def _loss(factor: float) -> Callable[[Any, Any], Any]:
    def loss(true: Any, predicted: Any) -> Any:
        return nacre.ops.mean((true - predicted) ** 2) * factor

    return loss


def _model(*inner: Any) -> Any:
    return nacre.Sequential([nacre.Input((4,)), *inner])


@WAYS
def test_functions_and_classes_of_one_name_stay_apart(copied: Any) -> None:
    for make in (
        _layer,
        lambda k: layers.Activation(_scaled(k)),
        lambda k: layers.Lambda(_scaled(k)),
    ):
        model = _model(make(2.0), make(5.0))
        assert np.array_equal(copied(model)(X), X * 10)


@WAYS
def test_losses_and_metrics_of_one_name_stay_apart(copied: Any) -> None:
    model = _model(layers.Dense(1))
    model.compile("sgd", _loss(1.0), metrics=[_loss(3.0), _loss(5.0)])
    first, second = (m.evaluate(X, Y, verbose=0) for m in (model, copied(model)))
    assert first == second


def test_a_pickle_keeps_its_function_when_another_of_the_name_is_pickled() -> None:
    model, other = _model(_layer(2.0)), _model(_layer(5.0))
    data, _ = pickle.dumps(model), pickle.dumps(other)
    assert np.array_equal(pickle.loads(data)(X), X * 2)


@WAYS
@pytest.mark.filterwarnings("ignore:.*holds a lambda")
def test_a_loss_that_is_a_lambda_stays_with_the_optimizers_state(copied: Any) -> None:
    model = _model(layers.Dense(1))
    model.compile("adam", lambda true, predicted: nacre.ops.mean((true - predicted) ** 2))
    model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    again = copied(model)
    assert int(again.optimizer.iterations) == 2
    for one in (model, again):
        one.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    assert np.array_equal(again(X), model(X))


def test_a_deep_copy_of_a_model_with_lambdas_warns_of_nothing() -> None:
    tensor = nacre.ops.ones((4,))
    model = _model(layers.Lambda(lambda x: x + tensor))  # a file could not hold what it uses
    assert np.array_equal(copy.deepcopy(model)(X), X + 1)


@WAYS
def test_layers_with_functions_of_their_own_are_copied(copied: Any) -> None:
    layer = layers.Dense(3, activation=_top_level)
    first = layer(X)
    assert np.array_equal(copied(layer)(X), first)


def test_a_deep_copy_of_a_layer_keeps_functions_of_one_name_apart() -> None:
    layer = nacre.Sequential([layers.Activation(_scaled(2.0)), layers.Activation(_scaled(5.0))])
    wrapped = layers.TimeDistributed(layers.Dense(2, activation=_scaled(3.0)))
    x = X[:, None]
    assert np.array_equal(copy.deepcopy(layer)(X), X * 10)
    first = wrapped(x)
    assert np.array_equal(copy.deepcopy(wrapped)(x), first)


def _top_level(x: Any) -> Any:
    return x * 7


# ------------------------------------------------------------------------------ other processes

_SCRIPT = """
import pickle, sys, warnings, numpy as np, nacre
warnings.simplefilter("ignore")
x = np.ones((2, 4), "float32")
class Own(nacre.layers.Layer):
    def call(self, x): return x * 3
def own_loss(t, p): return nacre.ops.mean(abs(t - p))
def make():
    class Own(nacre.layers.Layer):
        def call(self, x): return x * 5
    return Own()
def write(layer, loss):
    model = nacre.Sequential([nacre.Input((4,)), layer])
    model.compile("adam", loss)
    return pickle.dumps((model, np.asarray(model(x))))
def read(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model, expected = pickle.loads(data)
        except Exception as error:
            return str(error)
    assert np.array_equal(model(x), expected)
    return f"compiled {model.compiled} {[str(warning.message) for warning in caught]}"
if sys.argv[1] == "write":
    mean = lambda t, p: nacre.ops.mean(abs(t - p))
    made = [write(Own(), own_loss), write(Own(), mean), write(make(), "mse")]
    pickle.dump(made, open(sys.argv[2], "wb"))
else:
    print(*map(read, pickle.load(open(sys.argv[2], "rb"))), sep="\\n")
"""


def test_another_process_finds_the_scripts_classes_or_says_what_is_missing(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    for act in ("write", "read"):
        done = subprocess.run(
            [sys.executable, str(script), act, str(tmp_path / "models.pickle")],
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    named, by_lambda, local = done.stdout.splitlines()
    assert named == "compiled True []"
    assert by_lambda.startswith("compiled False") and "Got a lambda" in by_lambda
    assert "'make.<locals>.Own' of module '__main__'" in local


# ------------------------------------------------------------------------------ joblib


def _regression(**_: Any) -> Any:
    model = _model(layers.Dense(3, activation="relu"), layers.Dense(1))
    model.compile("adam", "mse")
    return model


def test_a_pipeline_in_a_file_of_joblib_predicts_the_same(tmp_path: Path) -> None:
    regressor = nacre.wrappers.SKLearnRegressor(_regression, fit_kwargs={"epochs": 2, "verbose": 0})
    pipeline = make_pipeline(StandardScaler(), regressor)
    pipeline.fit(X, Y[:, 0])
    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    for mode in (None, "r"):
        again = joblib.load(tmp_path / "pipeline.joblib", mmap_mode=mode)
        assert np.array_equal(again.predict(X), pipeline.predict(X))


class _Doubled:
    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, x: Any) -> Any:
        return x * 2


@pytest.mark.parametrize("function", [_Doubled(), functools.partial(nacre.ops.multiply, 2.0)])
def test_objects_that_are_called_are_copied(function: Any) -> None:
    model = _model(layers.Lambda(function, output_shape=(4,)))
    assert np.array_equal(copy.deepcopy(model)(X), X * 2)


def test_a_clone_has_the_models_own_functions() -> None:
    model = _model(layers.Activation(_scaled(2.0)), layers.Activation(_scaled(5.0)))
    graph = nacre.Model(model.inputs, nacre.ops.negative(model.outputs[0]))
    assert np.array_equal(nacre.models.clone_model(model)(X), X * 10)
    assert np.array_equal(nacre.models.clone_model(graph)(X), X * -10)


@pytest.mark.parametrize("mode", [None, "r", "c"])
def test_a_model_read_from_a_mapped_file_trains_on(tmp_path: Path, mode: Any) -> None:
    model = _model(layers.Dense(3), layers.Dense(1))
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0, shuffle=False)
    joblib.dump({"model": model, "data": X}, tmp_path / "m.joblib")
    again = joblib.load(tmp_path / "m.joblib", mmap_mode=mode)["model"]
    for one in (model, again):
        one.fit(X, Y, verbose=0, shuffle=False)
    assert np.array_equal(again(X), model(X))


@WAYS
def test_vocabularies_are_copied(copied: Any) -> None:
    text = layers.TextVectorization(max_tokens=9, output_sequence_length=3)
    text.adapt(["one two", "two three"])
    model = nacre.Sequential([nacre.Input((), dtype="string"), text, layers.Embedding(9, 2)])
    words = np.array(["two one", "three four"])
    assert np.array_equal(copied(model).predict(words, verbose=0), model.predict(words, verbose=0))
