"""Constraints: real Keras's numbers, configs, and errors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import constraints
from nacre.core.errors import ArgumentError, ShapeError, UnknownNameError
from tests.cases import build, load_facts, load_reference, numbered
from tests.cases.functions import CONSTRAINTS


@pytest.mark.parametrize("case", CONSTRAINTS, ids=lambda case: case.id)
def test_result_and_config_are_keras_ones(case):
    arrays = load_reference("functions")[case.id]
    constraint = build(case.target, nacre)
    result = constraint(*numbered(arrays, "input"))
    np.testing.assert_allclose(result, arrays["output"], rtol=1e-5, atol=1e-6)
    config = constraints.serialize(constraint)
    assert config == load_facts("functions")[case.id]["config"]
    assert constraints.deserialize(config).get_config() == constraint.get_config()


def test_result_keeps_bfloat16():
    w = jnp.ones((3, 2), "bfloat16")
    for name in ("max_norm", "non_neg", "unit_norm", "min_max_norm"):
        assert constraints.get(name)(w).dtype == jnp.bfloat16


def test_names_and_old_spellings():
    for old, name in (("maxnorm", "MaxNorm"), ("nonneg", "NonNeg"), ("unitnorm", "UnitNorm")):
        assert type(constraints.get(old)).__name__ == name
    assert constraints.get(None) is None
    assert isinstance(constraints.get(constraints.NonNeg), constraints.NonNeg)


def test_radial_constraint_makes_rings():
    w = np.random.default_rng(0).normal(size=(5, 5, 2, 3)).astype("float32")
    result = np.asarray(constraints.RadialConstraint()(w))
    np.testing.assert_array_equal(result[0], np.broadcast_to(w[0, 2], result[0].shape))
    np.testing.assert_array_equal(result[2, 2], w[2, 2])
    np.testing.assert_array_equal(result, np.rot90(result))


def test_errors_name_rule_and_fix():
    with pytest.raises(UnknownNameError, match="Did you mean 'max_norm'"):
        constraints.get("max_nrm")
    with pytest.raises(ArgumentError, match="rate must be from 0 to 1"):
        constraints.MinMaxNorm(rate=2.0)
    with pytest.raises(ShapeError, match="first two axes"):
        constraints.RadialConstraint()(jnp.ones((2, 3)))


@pytest.mark.parametrize("axis", [2, -3, (0, 2)])
def test_an_axis_that_is_not_there_is_named(axis):
    for name in ("MaxNorm", "UnitNorm", "MinMaxNorm"):
        with pytest.raises(ShapeError, match="axis must be from -2 to 1 for a weight"):
            getattr(constraints, name)(axis=axis)(jnp.ones((2, 2)))
