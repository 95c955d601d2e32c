"""`lr_find`: rates, losses, suggestions and their picture."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.errors import ArgumentError
from nacre.training.rate_search import RateSearch

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 4)).astype("float32")
Y = X @ RNG.normal(size=(4, 1)).astype("float32")


def dense(optimizer="sgd", loss="mse"):
    model = nacre.Sequential([nacre.Input((4,)), layers.Dense(1)])
    model.compile(optimizer, loss)
    return model


def test_each_loss_is_that_of_its_batch_at_its_rate():
    model = dense(optimizers.SGD(0.3))
    weights = model.get_weights()
    found = model.lr_find(X, Y, batch_size=64, min_lr=1e-3, max_lr=1e-1, steps=5)
    np.testing.assert_allclose(found.rates, np.geomspace(1e-3, 1e-1, 5))
    other = dense()
    other.set_weights(weights)
    expected = []
    for rate in found.rates:
        other.optimizer.learning_rate = rate
        expected.append(other.train_on_batch(X, Y))
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)
    assert not found.has_diverged
    average, past = 0.0, 0.98
    for step, loss in enumerate(found.losses):
        average = past * average + (1 - past) * loss
        np.testing.assert_allclose(found.smoothed[step], average / (1 - past ** (step + 1)))


def test_it_stops_when_the_loss_explodes_and_suggests_a_rate_before_that():
    found = dense().lr_find(X, Y, batch_size=16, max_lr=1000.0)
    assert found.has_diverged and found.rates[-1] < 1000
    assert 1e-3 < found.suggestion < 0.5 and found.suggestion == found.steepest
    assert 1e-3 < found.valley < 0.5
    assert np.isfinite(found.losses).all()


def test_a_loss_that_is_no_number_ends_it():
    found = dense(loss=lambda t, p: nacre.ops.exp(nacre.ops.square(p - t))).lr_find(X, Y)
    assert found.has_diverged and np.isfinite(found.losses).all()


def test_nothing_is_suggested_where_nothing_is_learnt():
    noise = RNG.normal(size=(64, 1)).astype("float32")
    found = dense().lr_find(X, noise, batch_size=8, min_lr=1e-9, max_lr=1e-7)
    assert found.suggestion is None and found.valley is None
    assert "nothing to suggest" in repr(found)


def test_a_schedule_is_left_aside_and_comes_back():
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model = dense(optimizers.SGD(schedule))
    found = model.lr_find(X, Y, batch_size=64, min_lr=1e-3, max_lr=1e-1, steps=5)
    assert model.optimizer._learning_rate is schedule
    plain = dense()
    plain.set_weights(model.get_weights())
    expected = plain.lr_find(X, Y, batch_size=64, min_lr=1e-3, max_lr=1e-1, steps=5)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)


def test_several_optimizers_keep_the_ratio_of_their_rates():
    first, second = optimizers.SGD(0.2), optimizers.SGD(0.1)
    both = optimizers.MultiOptimizer(lambda v: first if "kernel" in v.path else second)
    model = dense(both)
    model.lr_find(X, Y, steps=4)
    seen = []
    assign = nacre.Variable.assign

    def noted(variable, value):
        if variable is first.learning_rate or variable is second.learning_rate:
            seen.append(float(value))
        return assign(variable, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nacre.Variable, "assign", noted)
        model.lr_find(X, Y, steps=4, min_lr=1e-3, max_lr=1e-2)
    np.testing.assert_allclose(seen[0] / seen[1], 2)
    np.testing.assert_allclose(seen[0], 1e-3)
    np.testing.assert_allclose(
        [first.learning_rate.numpy(), second.learning_rate.numpy()], [0.2, 0.1]
    )


def test_with_accumulation_a_rate_is_used_for_one_update():
    model = dense(optimizers.SGD(0.1, gradient_accumulation_steps=2))
    found = model.lr_find(X, Y, batch_size=32, steps=6)
    assert len(found.rates) == len(found.losses) == 6


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"min_lr": 0}, "min_lr"),
        ({"min_lr": 1.0, "max_lr": 0.1}, "max_lr"),
        ({"steps": 1}, "steps"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"stop_factor": 1.0}, "stop_factor"),
    ],
)
def test_wrong_arguments_are_refused(wrong, named):
    with pytest.raises(ArgumentError, match=named):
        dense().lr_find(X, Y, **wrong)


def test_the_picture_has_labelled_axes_and_is_written(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    rates = np.geomspace(1e-4, 1, 60)
    losses = np.r_[np.ones(20), np.linspace(1, 0.1, 30), np.geomspace(0.2, 50, 10)]
    figure = RateSearch(rates, losses, losses, True).plot(save=tmp_path / "new" / "a.png")
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss")
    assert axes.get_xscale() == "log" and axes.get_ylim()[1] < 5
    assert (tmp_path / "new" / "a.png").stat().st_size > 1000
    pyplot.close(figure)
