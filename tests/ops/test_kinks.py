"""Gradients at corners are TensorFlow's: a tie goes to the first, a limit is inside, |x| is level at 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import losses, ops, regularizers

AT = jnp.array([1.0, 0.0, -1.0, 2.0])
OTHER = jnp.array([1.0, 0.0, -1.0, 3.0])

CORNERS = {
    "absolute": (lambda x, y: ops.absolute(x), [1, 0, -1, 1], [0, 0, 0, 0]),
    "abs": (lambda x, y: ops.abs(x), [1, 0, -1, 1], [0, 0, 0, 0]),
    "fabs": (lambda x, y: ops.fabs(x), [1, 0, -1, 1], [0, 0, 0, 0]),
    "maximum": (ops.maximum, [1, 1, 1, 0], [0, 0, 0, 1]),
    "minimum": (ops.minimum, [1, 1, 1, 1], [0, 0, 0, 0]),
    "maximum with a number": (lambda x, y: ops.maximum(0.0, x), [1, 0, 0, 1], [0, 0, 0, 0]),
    "clip": (lambda x, y: ops.clip(x, -1.0, 1.0), [1, 1, 1, 0], [0, 0, 0, 0]),
    "clip on one side": (lambda x, y: ops.clip(x, 0, None), [1, 1, 0, 1], [0, 0, 0, 0]),
    "mae": (lambda x, y: 4 * losses.mean_absolute_error(y, x), [0, 0, 0, -1], [0, 0, 0, 1]),
    "hinge": (lambda x, y: 4 * losses.hinge(jnp.ones(4), x), [-1, -1, -1, 0], [0, 0, 0, 0]),
    "L1": (lambda x, y: regularizers.L1(1.0)(x), [1, 0, -1, 1], [0, 0, 0, 0]),
    "L1L2": (lambda x, y: regularizers.L1L2(1.0)(x), [1, 0, -1, 1], [0, 0, 0, 0]),
}


@pytest.mark.parametrize("name", CORNERS)
def test_gradients_at_a_corner_are_those_of_tensorflow(name):
    formula, first, second = CORNERS[name]
    found = jax.grad(lambda x, y: jnp.sum(formula(x, y)), (0, 1))(AT, OTHER)
    np.testing.assert_array_equal(np.asarray(found), [first, second])


def test_weights_of_zero_stay_at_zero_under_l1():
    model = nacre.Sequential(
        [
            nacre.Input((2,)),
            nacre.layers.Dense(1, kernel_initializer="zeros", kernel_regularizer="l1"),
        ]
    )
    model.compile("sgd", "mse")
    model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], 0)


def test_values_and_dtypes_at_corners_are_those_of_jax():
    for x, y in ((AT, OTHER), (AT.astype("bfloat16"), 0.5), (jnp.array([1, -2]), 3), (AT, 2)):
        for mine, theirs in ((ops.maximum, jnp.maximum), (ops.minimum, jnp.minimum)):
            found, wanted = mine(x, y), theirs(x, y)
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)
    complex_ = jnp.array([3 + 4j])
    assert float(ops.absolute(complex_)[0]) == 5.0


def test_second_derivatives_and_batches_pass_a_corner():
    assert float(jax.grad(jax.grad(lambda x: ops.maximum(x, 0.0) ** 3))(2.0)) == 12.0
    rows = jax.vmap(jax.grad(lambda x: ops.clip(x, 0.0, 1.0)))(jnp.array([0.0, 0.5, 2.0]))
    np.testing.assert_array_equal(rows, [1, 1, 0])
