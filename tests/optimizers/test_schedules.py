"""Schedules beyond Keras, warm-up before any, and steps before and after all of them."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.errors import ArgumentError
from nacre.core.registry import deserialize_keras_object, serialize_keras_object
from nacre.optimizers import schedules
from nacre.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    WarmUp,
)

ALL = {
    "CosineDecay": CosineDecay(0.1, 20, alpha=0.1),
    "CosineDecayRestarts": CosineDecayRestarts(0.1, 5, m_mul=0.9),
    "ExponentialDecay": ExponentialDecay(0.1, 5, 0.5, staircase=True),
    "InverseTimeDecay": InverseTimeDecay(0.1, 5, 0.5),
    "OneCycle": OneCycle(0.1, 20),
    "PiecewiseConstantDecay": PiecewiseConstantDecay([3, 9], [0.1, 0.05, 0.01]),
    "PolynomialDecay": PolynomialDecay(0.1, 20, power=2.0, cycle=True),
    "WarmUp": WarmUp(0.1, 3),
}
EACH = pytest.mark.parametrize("name", ALL)


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_every_schedule_is_here():
    public = [getattr(schedules, name) for name in schedules.__all__]
    found = {s.__name__ for s in public if isinstance(s, type) and s is not LearningRateSchedule}
    assert found == set(ALL)


# Learning rates of torch.optim.lr_scheduler.OneCycleLR of PyTorch 2.13 for the same arguments.
TORCH = [
    (
        OneCycle(1.0, 10),
        [0.04, 0.52, 1.0, 0.95048463, 0.81174565, 0.61126202, 0.38874198, 0.18825835, 0.04951937]
        + [4e-06],
    ),
    (
        OneCycle(1.0, 10, 0.25, "linear", div_factor=10, final_div_factor=100),
        [0.1, 0.7, 0.9334, 0.8002, 0.667, 0.5338, 0.4006, 0.2674, 0.1342, 0.001],
    ),
    (
        OneCycle(1.0, 10, 0.4, three_phase=True),
        [0.04, 0.28, 0.76, 1.0, 0.76, 0.28, 0.04, 0.030001, 0.010003, 4e-06],
    ),
    (OneCycle(0.5, 7), [0.02, 0.49027831, 0.45952219, 0.33634192, 0.17886939, 0.0496484, 2e-06]),
    (
        OneCycle(1.0, 12, anneal_strategy="linear", three_phase=True),
        [0.04, 0.40923077, 0.77846154, 0.85230769, 0.48307692, 0.11384615, 0.03448331, 0.02758745]
        + [0.02069159, 0.01379572, 0.00689986, 4e-06],
    ),
]


@pytest.mark.parametrize(("schedule", "expected"), TORCH)
def test_one_cycle_is_that_of_torch(schedule, expected):
    np.testing.assert_allclose(rates(schedule, range(len(expected))), expected, atol=2e-7)
    np.testing.assert_allclose(rates(schedule, [len(expected), 10**6]), expected[-1], rtol=1e-5)


@pytest.mark.parametrize("pct_start", [0.0, 0.05, 1.0])
def test_one_cycle_without_a_way_up_or_down(pct_start):
    found = rates(OneCycle(1.0, 10, pct_start), range(10))
    assert np.isfinite(found).all() and max(found) <= 1.0
    assert found[-1] == pytest.approx(1.0 if pct_start == 1.0 else 4e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"max_learning_rate": 0.0, "total_steps": 5},
            "max_learning_rate must be positive. Got 0.0",
        ),
        ({"max_learning_rate": 1.0, "total_steps": 1}, "total_steps must be at least 2"),
        ({"max_learning_rate": 1.0, "total_steps": 5, "pct_start": 2}, "share from 0 to 1. Got 2"),
        (
            {"max_learning_rate": 1.0, "total_steps": 5, "pct_start": 0.6, "three_phase": True},
            "at most 0.5 with three_phase",
        ),
        (
            {"max_learning_rate": 1.0, "total_steps": 5, "anneal_strategy": "cosine"},
            "'cos' or 'linear'. Got 'cosine'",
        ),
    ],
)
def test_one_cycle_refuses_what_is_no_cycle(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        OneCycle(**arguments)


@EACH
def test_warm_up_goes_before_any_schedule(name):
    schedule = ALL[name]
    warm = WarmUp(schedule, 4, initial_learning_rate=0.01)
    first = float(schedule(0))
    expected = [0.01 + (first - 0.01) * step / 4 for step in range(4)]
    np.testing.assert_allclose(rates(warm, range(4)), expected, rtol=1e-6)
    later = range(4, 30)
    np.testing.assert_allclose(
        rates(warm, later), rates(schedule, (step - 4 for step in later)), rtol=1e-6
    )
    np.testing.assert_array_equal(rates(WarmUp(schedule, 0), later), rates(schedule, later))


@EACH
def test_a_config_makes_the_same_schedule(name):
    for schedule in (ALL[name], WarmUp(ALL[name], 4)):
        again = deserialize_keras_object(serialize_keras_object(schedule))
        assert type(again) is type(schedule) and repr(again) == repr(schedule)
        other = schedules.deserialize(schedules.serialize(schedule))
        assert rates(other, range(0, 30, 7)) == rates(schedule, range(0, 30, 7))
        assert rates(schedule.from_config(schedule.get_config()), [5]) == rates(schedule, [5])


@EACH
def test_steps_of_any_kind_and_far_away_give_a_rate(name):
    schedule = ALL[name]
    compiled = jax.jit(schedule)
    for step in (0, 7, 10**6):
        found = float(schedule(step))
        assert np.isfinite(found) and found >= 0
        for kind in (np.int32(step), np.int64(step), float(step), nacre.ops.array(step)):
            assert float(schedule(kind)) == pytest.approx(found, rel=1e-6)
        assert float(compiled(step)) == pytest.approx(found, rel=1e-5)


def test_restarts_that_get_shorter_come_to_an_end():
    schedule = CosineDecayRestarts(0.1, 10, t_mul=0.5, alpha=0.2)
    found = rates(schedule, [0, 5, 10, 15, 19, 20, 25, 1000])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[-3:], 0.02, rtol=1e-6)
    np.testing.assert_allclose(found[:3], [0.1, 0.06, 0.1], rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fast", 3), "a schedule or a number"),
        ((0.1, -1), "warmup_steps must be"),
        ((0.1, 3, -0.1), "initial_learning_rate must not be negative"),
    ],
)
def test_warm_up_refuses_what_is_none(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        WarmUp(*arguments)


def test_a_warm_up_goes_on_in_a_model_from_a_file(tmp_path):
    """A loss linear in the weight: each step moves it by the learning rate."""
    schedule = WarmUp(OneCycle(1.0, 6), 3)
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((1, 1), "float32")])
    model.compile(optimizers.SGD(schedule), "mean_absolute_error")
    x, y = np.ones((4, 1), "float32"), np.full((4, 1), 100.0, "float32")
    model.fit(x, y, batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    opened = nacre.models.load_model(tmp_path / "model.keras")
    opened.fit(x, y, batch_size=1, verbose=0)
    assert opened.get_weights()[0].item() == pytest.approx(sum(rates(schedule, range(8))), rel=1e-5)


def test_a_plateau_cannot_lower_a_rate_that_a_schedule_decides():
    model = nacre.Sequential([nacre.Input((1,)), layers.Dense(1)])
    model.compile(optimizers.SGD(WarmUp(0.1, 3)), "mse")
    with pytest.raises(ArgumentError, match="where a schedule decides it"):
        model.fit(
            np.ones((2, 1)),
            np.ones((2, 1)),
            verbose=0,
            callbacks=[nacre.callbacks.ReduceLROnPlateau("loss")],
        )
