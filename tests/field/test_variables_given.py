"""A variable given where a number is usual: it is read each time, or refused; never copied unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import constraints, layers, losses, metrics, optimizers, regularizers
from nacre.core.errors import ArgumentError

X = np.random.default_rng(0).uniform(0.1, 0.9, (6, 2)).astype("float32")
Y = np.array([[0, 1], [1, 0], [1, 1], [0, 0], [1, 0], [1, 1]], "float32")


def moves(optimizer: Any) -> Callable[[], np.ndarray]:
    """What a step makes of a weight."""
    weight = nacre.Variable([1.0, -2.0])

    def step() -> np.ndarray:
        weight.assign([1.0, -2.0])
        for _ in range(2):
            optimizer.apply_gradients([(np.array([3.0, 4.0], "float32"), weight)])
        return weight.numpy()

    return step


def evaluated(**compiled: Any) -> Callable[[], np.ndarray]:
    model = nacre.Sequential([nacre.Input((2,)), layers.Identity()])
    model.compile("sgd", **compiled)
    return lambda: np.asarray(model.evaluate(X, Y, verbose=0))


def with_rate_set_later(rate: Any) -> Any:
    optimizer = optimizers.SGD(0.3)
    optimizer.learning_rate = rate
    return optimizer


def constrained(constraint: Any) -> Callable[[], np.ndarray]:
    return lambda: np.asarray(constraint(np.full((3, 2), 5.0, "float32")))


READ: dict[str, Callable[[Any], Callable[[], np.ndarray]]] = {
    "learning rate": lambda v: moves(optimizers.SGD(v)),
    "learning rate of Adam": lambda v: moves(optimizers.Adam(v)),
    "learning rate set later": lambda v: moves(with_rate_set_later(v)),
    "schedule": lambda v: moves(
        optimizers.SGD(optimizers.schedules.PolynomialDecay(v, 10**7, 0.0))
    ),
    "weight_decay": lambda v: moves(optimizers.SGD(0.1, weight_decay=v)),
    "clipnorm": lambda v: moves(optimizers.SGD(0.1, clipnorm=v)),
    "clipvalue": lambda v: moves(optimizers.SGD(0.1, clipvalue=v)),
    "global_clipnorm": lambda v: moves(optimizers.SGD(0.1, global_clipnorm=v)),
    "ema_momentum": lambda v: moves(
        optimizers.SGD(0.1, use_ema=True, ema_momentum=v, ema_overwrite_frequency=1)
    ),
    "l1 of Ftrl": lambda v: moves(optimizers.Ftrl(0.1, l1_regularization_strength=v)),
    "delta of Huber": lambda v: evaluated(loss=losses.Huber(delta=v)),
    "label_smoothing": lambda v: evaluated(loss=losses.BinaryCrossentropy(label_smoothing=v)),
    "label_smoothing of classes": lambda v: evaluated(
        loss=losses.CategoricalCrossentropy(label_smoothing=v)
    ),
    "gamma": lambda v: evaluated(loss=losses.BinaryFocalCrossentropy(gamma=v)),
    "loss_weights": lambda v: evaluated(loss=["mse"], loss_weights=[v]),
    "threshold": lambda v: evaluated(loss="mse", metrics=[metrics.BinaryAccuracy(threshold=v)]),
    "threshold of IoU": lambda v: evaluated(loss="mse", metrics=[metrics.BinaryIoU(threshold=v)]),
    "MaxNorm": lambda v: constrained(constraints.MaxNorm(v)),
    "MinMaxNorm": lambda v: constrained(constraints.MinMaxNorm(0.1, v, 0.5)),
}


@pytest.mark.parametrize("name", READ)
def test_a_variable_given_for_a_number_is_read_each_time(name: str) -> None:
    variable = nacre.Variable(0.25)
    result = READ[name](variable)
    first = result()
    variable.assign(0.75)
    if name in ("learning rate of Adam", "l1 of Ftrl"):  # whose state goes on
        assert np.abs(result() - first).max() > 0.01
        return
    np.testing.assert_allclose(first, READ[name](0.25)(), rtol=1e-5)
    expected = READ[name](0.75)()
    if name == "ema_momentum":
        assert np.abs(result() - first).max() > 0.01
    else:
        np.testing.assert_allclose(result(), expected, rtol=1e-5)
    assert np.abs(expected - first).max() > 1e-3
    assert float(variable) == 0.75


REFUSED: dict[str, Callable[[Any], Any]] = {
    "l1": lambda v: regularizers.L1(v),
    "l2": lambda v: regularizers.L1L2(l2=v),
    "factor": lambda v: regularizers.OrthogonalRegularizer(v),
    "thresholds": lambda v: metrics.AUC(thresholds=[0.1, v]),
    "rate": lambda v: layers.Dropout(v),
    "dropout": lambda v: layers.LSTM(2, dropout=v),
    "recurrent_dropout": lambda v: layers.GRUCell(2, recurrent_dropout=v),
    "dropout ": lambda v: layers.MultiHeadAttention(1, 2, dropout=v),
    "dropout  ": lambda v: layers.Attention(dropout=v),
    "momentum": lambda v: layers.BatchNormalization(momentum=v),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_variable_is_refused_where_its_value_would_be_copied(name: str) -> None:
    with pytest.raises(ArgumentError, match=rf"{name.strip()}.* must be .*number.*Variable"):
        REFUSED[name](nacre.Variable(0.0))


def test_a_metric_leaves_a_variable_among_its_arguments_alone() -> None:
    variable = nacre.Variable(0.6)
    metric = metrics.MeanMetricWrapper(lambda y, p, at: (p > at) == (y > at), name="m", at=variable)
    metric.update_state([[1.0]], [[0.7]])
    metric.reset_state()
    assert float(variable) == np.float32(0.6)
    assert all(own is not variable for own in metric.variables)


def test_the_learning_rate_of_another_optimizer_is_copied() -> None:
    first, second = optimizers.SGD(0.1), optimizers.SGD(0.2)
    second.learning_rate = first.learning_rate
    assert float(second.learning_rate) == np.float32(0.1)
    second.learning_rate = 0.7
    assert float(first.learning_rate) == np.float32(0.1)


def test_a_variable_that_becomes_the_learning_rate_within_fit_holds() -> None:
    variable = nacre.Variable(0.1)
    model = nacre.Sequential([nacre.Input((2,)), layers.Dense(2, use_bias=False)])
    model.compile(optimizers.SGD(0.0), "mse")

    def begin(epoch: int, logs: Any) -> None:
        if epoch == 1:
            model.optimizer.learning_rate = variable
        variable.assign(0.1 if epoch == 1 else 0.0)

    callback = nacre.callbacks.LambdaCallback(on_epoch_begin=begin)
    found = model.fit(X, Y, epochs=4, batch_size=6, verbose=0, callbacks=[callback])
    first, second, third, fourth = found.history["loss"]
    assert first == pytest.approx(second, rel=1e-6)  # the rows come in another order
    assert third == pytest.approx(fourth, rel=1e-6)
    assert third < 0.999 * second


def test_an_optimizer_with_variables_is_saved_with_their_values(tmp_path: Any) -> None:
    model = nacre.Sequential([nacre.Input((2,)), layers.Dense(2)])
    given = nacre.Variable(0.5)
    settings: dict[str, Any] = {"weight_decay": nacre.Variable(0.25)}
    model.compile(optimizers.SGD(given, **settings), "mse")
    given.assign(0.75)
    model.save(tmp_path / "model.keras")
    loaded = nacre.models.load_model(tmp_path / "model.keras").optimizer
    assert (float(loaded.learning_rate), loaded.weight_decay) == (0.75, 0.25)
