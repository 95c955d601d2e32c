"""Arguments of compile, fit, evaluate and predict are checked at the door, with the fix."""

from __future__ import annotations

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import ArgumentError

X = np.linspace(0, 1, 40, dtype=np.float32)[:, None]


def dense(**compiled):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(compiled.pop("optimizer", "sgd"), "mse", **compiled)
    return model


@pytest.fixture(scope="module")
def model():
    return dense()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"validation_freq": 0}, "validation_freq must be a positive int or a list"),
        ({"validation_freq": "2"}, "validation_freq"),
        ({"validation_freq": [0, 1]}, "each epoch of validation_freq"),
        ({"verbose": "x"}, "verbose must be 0, 1, 2 or 'auto'.*'x'.*verbose=2"),
        ({"verbose": -1}, "verbose must be"),
        ({"batch_size": 16.5}, r"batch_size must be a positive int.*16\.5.*batch_size=16"),
        ({"batch_size": "32"}, "Pass batch_size=32, without quotes"),
        ({"batch_size": -1}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"batch_size": float("nan")}, "batch_size"),
        ({"batch_size": np.array([8])}, "batch_size"),
        ({"epochs": 1.5}, "epochs"),
        ({"epochs": -1}, "epochs must be an int from 0"),
        ({"epochs": "two"}, "epochs"),
        ({"initial_epoch": -1}, "initial_epoch"),
        ({"steps_per_epoch": 0}, "steps_per_epoch"),
        ({"steps_per_epoch": float("inf")}, "steps_per_epoch"),
        ({"validation_steps": 0}, "validation_steps"),
        ({"validation_batch_size": "8"}, "validation_batch_size"),
        ({"validation_split": "0.2"}, "validation_split must be a number"),
        ({"validation_split": -0.1}, "validation_split"),
    ],
)
def test_fit_refuses_what_means_nothing_before_the_first_step(model, arguments, words):
    with pytest.raises(ValueError, match=words):
        model.fit(X, X, **{"verbose": 0, **arguments})
    assert model.optimizer.iterations.numpy() == 0


@pytest.mark.parametrize("method", ["evaluate", "predict"])
@pytest.mark.parametrize(
    "arguments",
    [{"steps": 0}, {"steps": "x"}, {"batch_size": 0}, {"batch_size": "8"}, {"verbose": "x"}],
)
def test_evaluate_and_predict_refuse_it_too(model, method, arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        getattr(model, method)(X, **{"verbose": 0, **arguments})


@pytest.mark.parametrize("method", ["evaluate", "train_on_batch", "test_on_batch"])
def test_a_word_for_return_dict_is_refused(model, method):
    with pytest.raises(ArgumentError, match="return_dict"):
        getattr(model, method)(X, X, return_dict="no")


@pytest.mark.parametrize(
    "arguments",
    [
        {"steps_per_execution": 0},
        {"steps_per_execution": 2.5},
        {"run_eagerly": "False"},
        {"auto_scale_loss": "no"},
        {"loss_weights": [1.0, "x"]},
        {"loss_weights": [float("nan")]},
    ],
)
def test_compile_refuses_what_means_nothing(arguments):
    with pytest.raises((ArgumentError, ValueError), match=next(iter(arguments))):
        dense(**arguments)


@pytest.mark.parametrize("arguments", [{"metrics": [5]}, {"metrics": 5}, {"weighted_metrics": 5}])
def test_numbers_are_no_metrics_and_no_losses(arguments):
    with pytest.raises(ArgumentError, match="a metric must be"):
        dense(**arguments)
    with pytest.raises(ArgumentError, match="a loss must be"):
        keras.Sequential([layers.Dense(1)]).compile("sgd", 5)


def test_a_model_without_optimizer_is_evaluated_but_not_trained():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile(optimizer=None, loss="mse")
    assert model.evaluate(X, X, verbose=0) >= 0
    for method in (model.fit, model.train_on_batch):
        with pytest.raises(RuntimeError, match="needs an optimizer.*optimizer='adam'"):
            method(X, X)


def test_whole_floats_are_whole_numbers():
    model = dense(steps_per_execution=2.0)
    history = model.fit(
        X,
        X,
        batch_size=16.0,
        epochs=np.float32(2.0),
        steps_per_epoch=np.ceil(40 / 16),
        initial_epoch=np.int64(0),
        validation_data=(X, X),
        validation_freq=2.0,
        validation_steps=np.ceil(1.5),
        verbose=np.int64(0),
    )
    assert model.optimizer.iterations.numpy() == 6
    assert len(history.history["loss"]) == 2 and len(history.history["val_loss"]) == 1
    assert model.predict(X, batch_size=16.0, verbose=0).shape == (40, 1)
    assert model.predict(X, batch_size=8, steps=2.0, verbose=False).shape == (16, 1)
    assert model.evaluate(X, X, batch_size=np.int32(20), steps=np.ceil(1.5), verbose=None) >= 0


@pytest.mark.parametrize("freq", [(2,), range(2, 3), {2}, np.array([2]), [2.0]])
def test_epochs_with_validation_may_be_listed_in_any_way(freq):
    model = dense()
    logs = model.fit(
        X, X, epochs=3, verbose=0, validation_data=(X, X), validation_freq=freq
    ).history
    assert len(logs["val_loss"]) == 1


@pytest.mark.parametrize("epochs", [{"epochs": 0}, {"epochs": 3, "initial_epoch": 3}])
def test_a_training_without_epochs_is_said(epochs):
    model = dense(optimizer=keras.optimizers.SGD(0.1, use_ema=True))
    before = model.get_weights()
    with pytest.warns(UserWarning, match="nothing is trained.*initial_epoch="):
        history = model.fit(X, X, verbose=0, **epochs)
    assert history.epoch == []
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_steps_per_execution_auto_is_chosen_by_measuring():
    assert dense(steps_per_execution="auto")._trainer.steps_per_execution is None


def test_one_optimizer_for_two_models_is_refused_with_what_helps():
    optimizer = keras.optimizers.SGD()
    first, second = dense(optimizer=optimizer), dense(optimizer=optimizer)
    first.fit(X, X, verbose=0)
    with pytest.raises(RuntimeError, match="Make a new optimizer"):
        second.fit(X, X, verbose=0)
