"""What scripts of tf.keras 2 do with an optimizer's variables."""

from __future__ import annotations

from typing import Any

import jax
import pytest

import nacre
import nacre.tf as tf


@pytest.mark.filterwarnings("ignore:.*the loss should be scaled")
@pytest.mark.parametrize("is_scaled", [False, True])
def test_variables_are_called_for_and_set_to_0_without_the_rate(is_scaled: bool) -> None:
    optimizer: Any = tf.keras.optimizers.Adam(0.1)
    if is_scaled:
        optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    weight = tf.Variable([[1.0, 2.0]])
    optimizer.apply_gradients([(tf.ones((1, 2)), weight)])
    assert [tuple(v.shape) for v in optimizer.variables()][-2:] == [(1, 2), (1, 2)]
    rates = [v for v in optimizer.variables if v.name == "learning_rate"]
    assert len(rates) == 1 + is_scaled
    assert len(optimizer.variables()) == len(optimizer.variables) - len(rates)
    for variable in optimizer.variables():
        variable.assign(tf.zeros_like(variable))
    before = weight.numpy()
    optimizer.apply_gradients([(tf.ones((1, 2)), weight)])
    assert (abs(weight.numpy() - before) > 0.05).all()


def test_libraries_are_given_a_list_as_it_is() -> None:
    optimizer = nacre.optimizers.Adam(0.1)
    optimizer.build([nacre.Variable([1.0])])
    read = eval(compile("o.variables", "site-packages/a.py", "eval"), {"o": optimizer})
    assert type(read) is list and len(jax.tree.leaves(read)) == len(optimizer.variables)
