"""Parts of a model with an optimizer, or a learning rate, of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, optimizers
from nacre.core.errors import ArgumentError
from nacre.core.variable import Variable
from nacre.optimizers import SGD, Adam, LossScaleOptimizer, MultiOptimizer, OptimizerMap
from tests.contracts.test_optimizer_contract import MAKERS, train, variables

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(8, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def sequential():
    parts = [layers.Dense(4, name="body"), layers.Dense(1, name="head")]
    return nacre.Sequential([nacre.Input((3,)), *parts], name="whole")


def nested():
    inner = nacre.Sequential([layers.Dense(4, name="body")], name="inner")
    inputs = nacre.Input((3,))
    return nacre.Model(inputs, layers.Dense(1, name="head")(inner(inputs)), name="whole")


class Subclassed(nacre.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.body = layers.Dense(4, name="body")
        self.head = layers.Dense(1, name="head")

    def call(self, x):
        return self.head(self.body(x))


MODELS = {
    "sequential": sequential,
    "nested": nested,
    "subclassed": lambda: Subclassed(name="whole"),
}
BODY = {"sequential": "body/.*", "nested": "inner/.*", "subclassed": "body/.*"}


def fit(model, optimizer=None, **arguments):
    if optimizer is not None:
        model.compile(optimizer, "mse")
    model.fit(X, Y, batch_size=4, shuffle=False, verbose=0, **arguments)
    return model


def moves(model, optimizer):
    """How far the first step moves body and head, in multiples of their gradients' step at 0.1."""
    before = [v.numpy() for v in model.trainable_variables]
    fit(model, optimizer)
    return [np.abs(v.numpy() - w).max() for v, w in zip(model.trainable_variables, before)]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("prefix", ["", "whole/"])
def test_paths_are_those_of_the_model_with_its_name_and_without(kind, prefix):
    model = MODELS[kind]()
    model(X)
    chosen = MultiOptimizer(OptimizerMap(SGD(0.0), {prefix + BODY[kind]: SGD(0.1)}))
    body, bias, head, last = moves(model, chosen)
    assert body > 0 and bias > 0 and head == last == 0


@pytest.mark.parametrize("kind", ["sequential", "nested"])
@pytest.mark.parametrize("by", ["path", "layer", "multiplier"])
def test_a_saved_model_goes_on_as_if_it_had_never_stopped(kind, by, tmp_path):
    model = MODELS[kind]()
    part = model.layers[0] if kind == "sequential" else model.get_layer("inner")
    key = BODY[kind] if by == "path" else part
    if by == "multiplier":
        optimizer = Adam(0.01, learning_rate_multipliers={key: 0.1})
    else:
        optimizer = MultiOptimizer(OptimizerMap(SGD(0.1, momentum=0.9), {key: Adam(0.01)}))
    fit(model, optimizer)
    model.save(tmp_path / "model.keras")
    opened = nacre.models.load_model(tmp_path / "model.keras")
    assert [v.shape for v in opened.optimizer.variables] == [v.shape for v in optimizer.variables]
    fit(model), fit(opened)
    for a, b in zip(model.get_weights(), opened.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_expression_that_matches_nothing_is_told_once_with_the_nearest_path():
    optimizer = MultiOptimizer(OptimizerMap(SGD(0.1), {"bodi/kernel": Adam()}))
    model = sequential()
    with pytest.warns(UserWarning, match=r"'bodi/kernel'.*match none.*mean 'body/kernel'") as told:
        fit(fit(model, optimizer), optimizer)
    assert len(told) == 1


def test_two_keys_for_one_variable_are_refused():
    model = sequential()
    table = {"body/.*": Adam(), model.layers[0]: Adam()}
    with pytest.raises(ArgumentError, match="only one key may hold for 'whole/body/kernel'"):
        fit(model, MultiOptimizer(OptimizerMap(SGD(0.1), table)))


@pytest.mark.parametrize("table", [{"(": 1.0}, {3: 1.0}, {"a": -1.0}, {"a": "b"}, [1.0]])
def test_what_is_neither_part_nor_rate_is_refused(table):
    with pytest.raises(ArgumentError, match="key must be|must be a finite|must be a mapping"):
        SGD(learning_rate_multipliers=table)
    if isinstance(table, dict) and set(table.values()) == {1.0}:
        with pytest.raises(ArgumentError, match="key must be"):
            OptimizerMap(SGD(), dict.fromkeys(table, SGD()))


@pytest.mark.parametrize("name", MAKERS)
def test_a_multiplied_rate_is_that_rate(name):
    """Decay included: both variables in one optimizer, against one optimizer each."""
    options = {"learning_rate": 0.05, "weight_decay": 0.1}
    together = train(
        MAKERS[name](**options, learning_rate_multipliers={"kernel": 0.25, "nothing": 3.0}),
        variables(),
        4,
    )
    slow = train(MAKERS[name](**{**options, "learning_rate": 0.0125}), variables(), 4)
    fast = train(MAKERS[name](**options), variables(), 4)
    np.testing.assert_allclose(together[0].numpy(), slow[0].numpy(), rtol=1e-6)
    np.testing.assert_allclose(together[1].numpy(), fast[1].numpy(), rtol=1e-6)
    assert not np.allclose(together[0].numpy(), fast[0].numpy(), rtol=1e-5)


def test_a_multiplied_rate_reaches_an_update_step_of_a_users_own():
    class Plain(optimizers.Optimizer):
        def update_step(self, gradient, variable, learning_rate):
            variable.assign(variable.value - learning_rate * gradient)

    own = Variable(np.ones(2, "float32"), name="own")
    Plain(1.0, learning_rate_multipliers={"own": 0.5}).apply([np.ones(2)], [own])
    np.testing.assert_array_equal(own.numpy(), [0.5, 0.5])


def test_a_multiplier_of_a_schedule_and_of_a_loss_scale():
    rate = optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.5])
    inner = SGD(rate, learning_rate_multipliers={"own": 0.25})
    own, optimizer = Variable(np.zeros(1, "float32"), name="own"), LossScaleOptimizer(inner)
    for _ in range(2):
        optimizer.minimize(lambda: nacre.ops.sum(own * 1.0), [own])
    assert own.numpy().item() == -0.25 * (1.0 + 0.5)
    with pytest.raises(ArgumentError, match="learning_rate_multipliers must be set on the inner"):
        LossScaleOptimizer(SGD(), learning_rate_multipliers={"own": 0.25})


def test_multipliers_and_exclusions_are_in_the_config():
    optimizer = SGD(0.1, weight_decay=0.1, learning_rate_multipliers={"a/.*": 0.5})
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert again.learning_rate_multipliers == {"a/.*": 0.5}
    assert "learning_rate_multipliers" not in SGD().get_config()


@pytest.mark.parametrize("kind", ["names", "variables"])
def test_what_is_excluded_from_decay_stays_excluded_after_opening(kind, tmp_path):
    model, optimizer = nested(), SGD(0.1, weight_decay=0.5)
    biases = [v for v in model.trainable_variables if v.name == "bias"]
    excluded = {"var_names": ["bias"]} if kind == "names" else {"var_list": biases}
    optimizer.exclude_from_weight_decay(**excluded)
    fit(model, optimizer).save(tmp_path / "model.keras")
    opened = nacre.models.load_model(tmp_path / "model.keras")
    fit(model), fit(opened)
    for a, b in zip(model.get_weights(), opened.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_exclusions_said_before_the_optimizers_are_chosen_hold():
    own = [Variable(np.ones(2, "float32"), name=name) for name in ("kernel", "bias")]
    both = MultiOptimizer(lambda v: made[v.name])
    made = {name: SGD(0.1, weight_decay=1.0) for name in ("kernel", "bias")}
    both.exclude_from_weight_decay(var_names=["bias"])
    both.apply([np.zeros(2)] * 2, own)
    np.testing.assert_allclose(own[0].numpy(), 0.9)
    np.testing.assert_array_equal(own[1].numpy(), 1.0)


def test_averages_of_some_parts_are_shown_while_the_model_is_evaluated():
    model = sequential()
    body = SGD(0.1, use_ema=True, ema_momentum=0.5)
    swap = nacre.callbacks.SwapEMAWeights()
    both = MultiOptimizer(OptimizerMap(SGD(0.1), {"body/.*": body}))
    fit(model, both, callbacks=[swap], validation_data=(X, Y))
    assert [v.path for v in both.averaged_variables] == ["whole/body/kernel", "whole/body/bias"]
    assert len(both.moving_averages) == 2
    # A training ends with the averages in place.
    for variable, average in zip(both.averaged_variables, both.moving_averages, strict=True):
        np.testing.assert_array_equal(variable.numpy(), average.numpy())


def test_each_part_keeps_its_state_while_others_are_frozen_and_freed():
    model = sequential()
    body, head = model.layers
    adams = Adam(0.01), Adam(0.02)
    both = MultiOptimizer(OptimizerMap(adams[0], {head: adams[1]}))
    body.trainable = False
    fit(model, both)
    assert [int(o.iterations) for o in both.optimizers] == [2] and both.optimizers[0] is adams[1]
    body.trainable = True
    fit(model, both)
    assert both.optimizers == [adams[0], adams[1]]
    assert [int(o.iterations) for o in both.optimizers] == [2, 4]


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.Adam(),
        lambda: optimizers.LossScaleOptimizer(optimizers.SGD(momentum=0.9)),
        lambda: MultiOptimizer(lambda v: SGD(momentum=0.9) if v.path == "a" else Adam()),
    ],
)
def test_variables_are_a_list_that_can_be_called(make: Callable[[], Any]) -> None:
    optimizer = make()
    optimizer.build([Variable([1.0], name="a"), Variable([2.0], name="b")])
    variables = optimizer.variables
    assert variables() is variables and isinstance(variables, list)
    assert [id(v) for v in optimizer.variables()] == [id(v) for v in optimizer.variables]
    assert jax.tree.leaves(variables, is_leaf=lambda v: isinstance(v, Variable)) == list(variables)
