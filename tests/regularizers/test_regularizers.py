"""Regularizers: real Keras's numbers, configs, and errors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import regularizers
from nacre.core.errors import ArgumentError, ShapeError, UnknownNameError
from tests.cases import build, load_facts, load_reference, numbered
from tests.cases.functions import REGULARIZERS


@pytest.mark.parametrize("case", REGULARIZERS, ids=lambda case: case.id)
def test_penalty_and_gradient_are_keras_ones(case):
    arrays = load_reference("functions")[case.id]
    regularizer = build(case.target, nacre)
    inputs = [jnp.asarray(x) for x in numbered(arrays, "input")]
    np.testing.assert_allclose(regularizer(*inputs), arrays["output"], rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda x: regularizer(x) * arrays["cotangent"]))(inputs[0])
    np.testing.assert_allclose(gradient, arrays["grad_input_0"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", REGULARIZERS, ids=lambda case: case.id)
def test_config_round_trip(case):
    regularizer = build(case.target, nacre)
    config = regularizers.serialize(regularizer)
    expected = load_facts("functions")[case.id]["config"]
    assert config["class_name"] == expected["class_name"]
    assert config["module"] == expected["module"]
    for key, value in expected["config"].items():  # Keras rounds some factors to float32
        assert config["config"][key] == (value if isinstance(value, str) else pytest.approx(value))
    assert regularizers.deserialize(config).get_config() == regularizer.get_config()


def test_names_and_old_spellings():
    assert regularizers.get("l2").l2 == 0.01
    assert type(regularizers.get("l1l2")).__name__ == "L1L2"
    assert regularizers.L2(l=0.5).l2 == 0.5
    assert regularizers.get(None) is None
    penalty = lambda x: 0.0
    assert regularizers.get(penalty) is penalty


def test_penalty_keeps_bfloat16():
    x = jnp.ones((3, 2), "bfloat16")
    for regularizer in (regularizers.L1L2(0.1, 0.1), regularizers.OrthogonalRegularizer()):
        assert regularizer(x).dtype == jnp.bfloat16


def test_errors_name_rule_and_fix():
    with pytest.raises(UnknownNameError, match="Did you mean"):
        regularizers.get("L11")
    with pytest.raises(ArgumentError, match="l2 must be a finite number"):
        regularizers.L2(float("nan"))
    with pytest.raises(ArgumentError, match="'rows' or 'columns'"):
        regularizers.OrthogonalRegularizer(mode="diagonals")
    with pytest.raises(ShapeError, match="two axes"):
        regularizers.OrthogonalRegularizer()(jnp.ones((2, 2, 2)))


def test_factors_from_0_and_the_old_spelling():
    assert regularizers.L2(l=0.0).l2 == regularizers.L1(l=0.0).l1 == 0.0
    assert regularizers.L1(l=0.3).l1 == 0.3 and regularizers.L2().l2 == 0.01
    for make in (lambda: regularizers.L1(-1), lambda: regularizers.L1L2(l2=-0.1)):
        with pytest.raises(ArgumentError, match="finite number from 0"):
            make()
