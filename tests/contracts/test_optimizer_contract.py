"""What every optimizer promises, run over all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre import optimizers
from nacre.core.registry import deserialize_keras_object, serialize_keras_object
from nacre.core.variable import Variable
from nacre.optimizers import schedules

# A rate at which each one visibly falls on the quadratic below within 60 steps.
MAKERS: dict[str, Callable[..., optimizers.Optimizer]] = {
    "Adadelta": lambda **k: optimizers.Adadelta(k.pop("learning_rate", 10.0), **k),
    "Adafactor": lambda **k: optimizers.Adafactor(k.pop("learning_rate", 0.1), **k),
    "Adagrad": lambda **k: optimizers.Adagrad(k.pop("learning_rate", 0.3), **k),
    "Adam": lambda **k: optimizers.Adam(k.pop("learning_rate", 0.1), **k),
    "AdamW": lambda **k: optimizers.AdamW(k.pop("learning_rate", 0.1), **k),
    "Adamax": lambda **k: optimizers.Adamax(k.pop("learning_rate", 0.1), **k),
    "Ftrl": lambda **k: optimizers.Ftrl(k.pop("learning_rate", 0.5), **k),
    "Lamb": lambda **k: optimizers.Lamb(k.pop("learning_rate", 0.1), **k),
    "Lion": lambda **k: optimizers.Lion(k.pop("learning_rate", 0.05), **k),
    "Muon": lambda **k: optimizers.Muon(k.pop("learning_rate", 0.1), **k),
    "Nadam": lambda **k: optimizers.Nadam(k.pop("learning_rate", 0.1), **k),
    "RMSprop": lambda **k: optimizers.RMSprop(k.pop("learning_rate", 0.05), momentum=0.5, **k),
    "SGD": lambda **k: optimizers.SGD(k.pop("learning_rate", 0.1), momentum=0.5, **k),
    "ScheduleFreeAdamW": lambda **k: optimizers.ScheduleFreeAdamW(k.pop("learning_rate", 0.2), **k),
}
ALL = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
TARGETS = (np.linspace(-1, 1, 6).reshape(2, 3), np.array([0.5, -0.5]))


def variables(dtype="float32"):
    return [
        Variable(np.full((2, 3), 2.0), dtype=dtype, name="kernel"),
        Variable(np.full((2,), -2.0), dtype=dtype, name="bias"),
    ]


def distance(values) -> float:
    return sum(float(np.sum((np.asarray(v, float) - t) ** 2)) for v, t in zip(values, TARGETS))


def gradients(values):
    return [2 * (jnp.asarray(v) - t.astype("float32")) for v, t in zip(values, TARGETS)]


def train(optimizer, own, steps, noise=0.0):
    for step in range(steps):
        given = [g + noise * np.sin(step + 1) for g in gradients([v.value for v in own])]
        optimizer.apply(given, own)
    return own


def test_every_public_optimizer_is_here():
    wrappers = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptaxOptimizer"}
    public = {
        name
        for name in optimizers.__all__
        if isinstance(getattr(optimizers, name), type)
        and issubclass(getattr(optimizers, name), optimizers.Optimizer)
    }
    assert public - wrappers == set(MAKERS)


@ALL
def test_lowers_a_quadratic(make):
    own = variables()
    before = distance(v.numpy() for v in own)
    train(make(), own, 60)
    assert distance(v.numpy() for v in own) < 0.5 * before


@ALL
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_keeps_dtype_and_shape(make, dtype):
    own, optimizer = variables(dtype), make(weight_decay=0.01)
    optimizer.build(own)
    facts = [(v.shape, v.dtype) for v in optimizer.variables]
    arrays = [v.value for v in optimizer.variables]
    given = [g.astype(dtype) for g in gradients([v.value for v in own])]
    new, state = optimizer.stateless_apply(arrays, given, [v.value for v in own])
    assert [(x.shape, str(x.dtype)) for x in new] == [(v.shape, v.dtype) for v in own]
    assert [(x.shape, str(x.dtype)) for x in state] == facts
    assert all(np.isfinite(np.asarray(x, float)).all() for x in new)


@ALL
def test_accumulation_is_one_big_batch(make):
    one, many = variables(), variables()
    parts = [[g * k for g in gradients([v.value for v in one])] for k in (0.5, 1.0, 1.5)]
    whole, steady = make(), make(gradient_accumulation_steps=3)
    for _ in range(2):
        whole.apply([sum(p[i] for p in parts) / 3 for i in range(2)], one)
        for part in parts:
            steady.apply(part, many)
    for a, b in zip(one, many):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
    assert int(steady.iterations) == int(whole.iterations) == 2


@ALL
def test_resumed_from_state_is_as_never_stopped(make):
    straight = train(make(use_ema=True), variables(), 6, noise=0.3)
    own, first, store = variables(), make(use_ema=True), {}
    train_from = lambda optimizer, steps: [
        optimizer.apply([g + 0.3 * np.sin(s + 1) for g in gradients([v.value for v in own])], own)
        for s in steps
    ]
    train_from(first, range(3))
    first.save_own_variables(store)
    second = make(use_ema=True)
    second.build(own)
    second.load_own_variables(store)
    train_from(second, range(3, 6))
    for a, b in zip(straight, own):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@ALL
def test_schedule_is_accepted_and_followed(make):
    flat = schedules.PiecewiseConstantDecay([100], [0.05, 0.01])
    fixed, scheduled = variables(), variables()
    train(make(learning_rate=0.05), fixed, 3)
    train(make(learning_rate=flat), scheduled, 3)
    for a, b in zip(fixed, scheduled):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


@ALL
def test_config_makes_the_same_optimizer(make):
    optimizer = make(clipnorm=1.0, learning_rate=schedules.ExponentialDecay(0.1, 5, 0.9))
    again = deserialize_keras_object(serialize_keras_object(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert optimizers.deserialize(optimizers.serialize(optimizer)).name == optimizer.name


@ALL
@pytest.mark.parametrize(
    "options", [{}, {"use_ema": True, "gradient_accumulation_steps": 2, "global_clipnorm": 1.0}]
)
def test_stateless_compiled_and_stateful_agree(make, options):
    stateful, own = make(**options), variables()
    pure = make(**options)
    pure.build(variables())
    step = jax.jit(lambda s, p: pure.stateless_apply(s, gradients(p), p))
    state, values = [v.value for v in pure.variables], [v.value for v in variables()]
    for _ in range(4):
        train(stateful, own, 1)
        values, state = step(state, values)
    for a, b in zip(own, values):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-6, atol=1e-6)
    for a, b in zip(stateful.variables, state):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-5, atol=1e-6)


@ALL
def test_copy_goes_its_own_way(make):
    optimizer, own = make(), variables()
    train(optimizer, own, 2)
    other = copy.deepcopy(optimizer)
    train(optimizer, own, 1)
    assert int(other.iterations) == 2 and int(optimizer.iterations) == 3


@ALL
def test_missing_gradient_leaves_variable_and_state(make):
    optimizer, own = make(weight_decay=0.1), variables()
    optimizer.build(own)
    with pytest.warns(UserWarning, match="no gradient.*bias"):
        optimizer.apply([jnp.ones((2, 3)), None], own)
    np.testing.assert_array_equal(own[1].numpy(), np.full((2,), -2.0))
    assert not np.allclose(own[0].numpy(), 2.0)


@ALL
def test_constraints_hold_after_each_step(make):
    own = variables()
    own[0].constraint = lambda w: jnp.clip(w, 1.9, 2.1)
    train(make(), own, 5)
    assert (own[0].numpy() >= 1.9 - 1e-6).all()
