"""Stochastic weight averaging, against plain means."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.callbacks import StochasticWeightAveraging
from nacre.core.errors import ArgumentError

RANDOM = np.random.default_rng(6)
X = RANDOM.normal(size=(20, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


class Noted(nacre.callbacks.Callback):
    """The weights, and the learning rate, at the end of each epoch."""

    def __init__(self):
        self.weights, self.rates = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())
        self.rates.append(float(self.model.optimizer.learning_rate))


class Batches:
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def plain():
    return nacre.Sequential([nacre.Input((3,)), layers.Dense(4), layers.Dense(1)])


def normalized():
    return nacre.Sequential(
        [
            nacre.Input((3,)),
            layers.Dense(4, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )


def fit(model, *callbacks, epochs=5, optimizer=None):
    model.compile(optimizer or optimizers.SGD(0.05), "mse")
    model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def test_the_model_ends_with_the_mean_of_its_last_epochs():
    model, noted = plain(), Noted()
    fit(model, noted, StochasticWeightAveraging(2))
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(
            weight, np.mean([w[i] for w in noted.weights[2:]], axis=0), rtol=1e-5, atol=1e-7
        )


def test_a_cycle_averages_at_its_ends_and_moves_the_rate():
    model, noted = plain(), Noted()
    swa = StochasticWeightAveraging(1, 0.1, cycle_epochs=3, final_learning_rate=0.02)
    fit(model, swa, noted, epochs=8)
    np.testing.assert_allclose(noted.rates, [0.05, *[0.1, 0.06, 0.02] * 2, 0.1], rtol=1e-6)
    for i, weight in enumerate(model.get_weights()):
        mean = (noted.weights[3][i] + noted.weights[6][i]) / 2
        np.testing.assert_allclose(weight, mean, rtol=1e-5, atol=1e-7)


def test_a_constant_rate_begins_with_the_averages():
    noted = Noted()
    fit(plain(), StochasticWeightAveraging(3, 0.01), noted)
    np.testing.assert_allclose(noted.rates, [0.05] * 3 + [0.01] * 2, rtol=1e-6)


@pytest.mark.parametrize("data", ["arrays", "batches", "pairs"])
def test_batch_statistics_are_those_of_the_averaged_weights(data):
    model = normalized()
    batches = [X[:8], X[8:16], X[16:]]
    pairs = [(x, None) for x in batches]
    given = {"arrays": X, "batches": Batches(batches), "pairs": pairs}[data]
    fit(model, StochasticWeightAveraging(2, data=given, batch_size=8))
    first, norm = model.get_layer("first"), model.get_layer("norm")
    hidden = [x @ first.kernel.numpy() + first.bias.numpy() for x in batches]
    mean = np.mean([h.mean(axis=0) for h in hidden], axis=0)
    variance = np.mean([h.var(axis=0) for h in hidden], axis=0)
    np.testing.assert_allclose(norm.moving_mean.numpy(), mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance.numpy(), variance, rtol=1e-4, atol=1e-5)
    assert norm.momentum == 0.99


def test_taking_statistics_draws_no_random_numbers():
    nacre.utils.set_random_seed(1)
    one, other = normalized(), normalized()
    other.set_weights(one.get_weights())
    seeds = []
    for model, callbacks in ((one, []), (other, [StochasticWeightAveraging(0, data=X)])):
        nacre.utils.set_random_seed(1)
        fit(model, *callbacks, epochs=2)
        seeds.append(model.layers[2].seed_generator.state.numpy()[1])  # how many it has drawn
    assert seeds[0] == seeds[1]


def test_frozen_statistics_stay():
    model = normalized()
    model.get_layer("norm").trainable = False
    fit(model, StochasticWeightAveraging(0), epochs=1)
    np.testing.assert_array_equal(model.get_layer("norm").moving_mean.numpy(), np.zeros(4))


def test_what_cannot_work_is_refused_before_the_first_step():
    with pytest.raises(ArgumentError, match=r"over data.*such layers, as 'norm'.*data=x_train"):
        fit(normalized(), StochasticWeightAveraging(2))
    model = plain()
    scheduled = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 5, 0.9))
    with pytest.raises(ArgumentError, match="where a schedule decides it"):
        fit(model, StochasticWeightAveraging(1, 0.1), optimizer=scheduled)
    fit(model, StochasticWeightAveraging(1), optimizer=scheduled, epochs=2)
    with pytest.raises(ArgumentError, match="start_epoch must be"):
        StochasticWeightAveraging(-1)
    with pytest.raises(ArgumentError, match="learning_rate must be positive"):
        StochasticWeightAveraging(1, 0.0)
    with pytest.raises(ArgumentError, match="needs cycle_epochs above 1"):
        StochasticWeightAveraging(1, 0.1, final_learning_rate=0.01)


def test_a_training_that_ends_before_is_told_and_keeps_its_weights(capsys):
    model, noted = plain(), Noted()
    fit(model, noted, StochasticWeightAveraging(7), epochs=2)
    assert "training ended before its epoch 8 did" in capsys.readouterr().out
    np.testing.assert_array_equal(model.get_weights()[0], noted.weights[-1][0])


def test_a_training_that_goes_on_averages_over_both_parts():
    first, noted = StochasticWeightAveraging(0), Noted()
    model = plain()
    states = []

    class Keep(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                states.append((first.state(), self.model.get_weights()))

    fit(model, noted, first, Keep(), epochs=2)
    second = StochasticWeightAveraging(0)
    second.restore(states[0][0])
    model.set_weights(states[0][1])
    model.fit(X, Y, initial_epoch=2, epochs=4, verbose=0, callbacks=[noted, second])
    mean = np.mean([w[0] for w in noted.weights], axis=0)
    assert len(noted.weights) == 4
    np.testing.assert_allclose(model.get_weights()[0], mean, rtol=1e-5, atol=1e-7)


def test_layers_that_are_freed_meanwhile_are_averaged_over_all_epochs():
    model, noted = normalized(), Noted()
    schedule = nacre.callbacks.TrainableSchedule({0: {"first": False}, 2: {"first": True}})
    fit(model, schedule, noted, StochasticWeightAveraging(1, data=X), epochs=4)
    mean = np.mean([w[0] for w in noted.weights[1:]], axis=0)
    np.testing.assert_allclose(model.get_weights()[0], mean, rtol=1e-5, atol=1e-7)


def test_inputs_in_a_dict_and_a_stop_by_ctrl_c():
    a, b = nacre.Input((3,), name="a"), nacre.Input((3,), name="b")
    hidden = layers.BatchNormalization()(layers.Concatenate()([a, b]))
    model, noted = nacre.Model({"a": a, "b": b}, layers.Dense(1)(hidden)), Noted()
    model.compile("sgd", "mse")

    class Stop(nacre.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    data = {"a": X, "b": 2 * X}
    swa = StochasticWeightAveraging(1, data=data)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, Y, epochs=9, verbose=0, callbacks=[noted, swa, Stop()])
    kernel = next(i for i, w in enumerate(model.get_weights()) if w.shape == (6, 1))
    mean = np.mean([w[kernel] for w in noted.weights[1:]], axis=0)
    np.testing.assert_allclose(model.get_weights()[kernel], mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        model.layers[-2].moving_mean.numpy()[:3], X.mean(axis=0), rtol=1e-4, atol=1e-6
    )
