"""Optimizers made of other optimizers: dynamic loss scale, and one for each part of a model."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core.errors import ArgumentError
from nacre.core.registry import deserialize_keras_object, serialize_keras_object
from nacre.core.variable import Variable
from nacre.optimizers import SGD, Adam, LossScaleOptimizer, MultiOptimizer, OptimizerMap


def variables():
    return [Variable(np.ones(3), name="kernel"), Variable(np.ones(2), name="bias")]


def gradients(factor=1.0):
    return [jnp.full(3, factor), jnp.full(2, factor)]


def test_loss_scale_grows_halves_and_leaves_steps_out():
    own = variables()
    optimizer = LossScaleOptimizer(SGD(0.1), initial_scale=8.0, dynamic_growth_steps=2)
    optimizer.scale_loss(1.0)  # as who gives it scaled gradients does
    seen = []
    for factor in (1, 1, 1, np.inf, 1, 1, 1):
        optimizer.apply(gradients(factor), own)
        seen.append((float(optimizer.dynamic_scale), int(optimizer.step_counter)))
    # Numbers of Keras 3.15 for the same calls.
    assert seen == [(8, 1), (16, 0), (16, 1), (8, 0), (8, 1), (16, 0), (16, 1)]
    assert int(optimizer.iterations) == 6
    steps = 0.1 * (1 / 8 + 1 / 8 + 1 / 16 + 1 / 8 + 1 / 8 + 1 / 16)
    np.testing.assert_allclose(own[1].numpy(), 1 - steps, rtol=1e-6)


def test_loss_scale_variables_and_pure_scale():
    optimizer = LossScaleOptimizer(Adam(name="adam"), initial_scale=4.0, name="scaled")
    assert float(optimizer.scale_loss(1.0)) == 4.0
    optimizer.build(variables())
    assert [v.path for v in optimizer.variables[:5]] == [
        "scaled/iteration",
        "scaled/learning_rate",
        "scaled/step_counter",
        "scaled/dynamic_scale",
        "adam/iteration",
    ]
    values = [v.value for v in optimizer.variables]
    assert float(jax.jit(optimizer.stateless_scale_loss)(values, jnp.float32(2.0))) == 8.0


def test_loss_scale_sets_and_saves_the_inner_rate():
    optimizer = LossScaleOptimizer(SGD(0.1))
    optimizer.learning_rate = 0.5
    again = deserialize_keras_object(serialize_keras_object(optimizer))
    assert float(again.inner_optimizer.learning_rate) == 0.5
    with pytest.raises(ArgumentError, match="clipnorm must be set on the inner optimizer"):
        LossScaleOptimizer(SGD(), clipnorm=1.0)


def test_multi_optimizer_gives_each_its_own():
    own = variables()
    both = MultiOptimizer(OptimizerMap(SGD(0.1), {"ker.*": Adam(0.2)}), loss_scale_factor=2.0)
    assert float(both.scale_loss(1.0)) == 2.0
    both.apply(gradients(2.0), own)
    np.testing.assert_allclose(own[0].numpy(), 0.8, rtol=1e-5)
    np.testing.assert_allclose(own[1].numpy(), 0.9, rtol=1e-6)
    assert [type(o).__name__ for o in both.optimizers] == ["Adam", "SGD"]
    assert [int(o.iterations) for o in both.optimizers] == [1, 1]
    with pytest.raises(AttributeError):
        _ = both.learning_rate


def test_a_loss_scale_around_several_optimizers_leaves_the_step_as_it_is():
    own = variables()
    scaled = LossScaleOptimizer(MultiOptimizer(OptimizerMap(SGD(0.1))), initial_scale=8.0)
    scaled.apply(gradients(float(scaled.scale_loss(1.0))), own)
    scaled.apply(gradients(np.inf), own)
    np.testing.assert_allclose(own[0].numpy(), 0.9, rtol=1e-6)
    assert float(scaled.dynamic_scale) == 4.0 and int(scaled.iterations) == 1


def test_one_of_several_optimizers_has_no_loss_scale_of_its_own():
    # Its gradients would be divided by a scale that nothing multiplied the loss by.
    with pytest.raises(ArgumentError, match=r"around all .*LossScaleOptimizer\(MultiOptimizer"):
        OptimizerMap(LossScaleOptimizer(SGD(0.1)))


def test_multi_optimizer_config_and_conflicts():
    both = MultiOptimizer(OptimizerMap(SGD(0.1), {"ker.*": Adam(0.2)}))
    again = deserialize_keras_object(serialize_keras_object(both))
    assert again.get_config() == both.get_config()
    table = OptimizerMap(SGD(), {"k.*": Adam(), ".*l": Adam()})
    with pytest.raises(ArgumentError, match="only one key may hold for 'kernel'"):
        _ = table["kernel"]
    with pytest.raises(ArgumentError, match="OptimizerMap or a function"):
        MultiOptimizer(3)


@pytest.mark.parametrize("name", ["learning_rate", "iterations"])
def test_multi_optimizer_says_where_to_set_what_each_of_its_optimizers_has(name):
    both = MultiOptimizer(OptimizerMap(SGD(0.1), {"ker.*": Adam(0.2)}))
    with pytest.raises(AttributeError, match=rf"optimizers\[0\]\.{name}"):
        setattr(both, name, 0.3)


def test_loss_scale_sets_the_inner_iterations():
    optimizer = LossScaleOptimizer(SGD(0.1))
    optimizer.iterations = counter = Variable(np.int32(7), trainable=False)
    assert optimizer.inner_optimizer.iterations is counter
    assert int(optimizer.iterations) == 7
