"""int64 and float64 have 64 bits within functions and tapes, as outside of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf


def long(*values: int) -> Any:
    return tf.constant(values if len(values) > 1 else values[0], tf.int64)


def wide(*values: float) -> Any:
    return tf.constant(values if len(values) > 1 else values[0], tf.float64)


def factorial(n: Any) -> Any:
    product = tf.constant(1, tf.int64)
    for i in tf.range(1, n + 1):
        product *= tf.cast(i, tf.int64)
    return product


def power(base: Any, exponent: Any, modulus: Any) -> Any:
    found = tf.constant(1, tf.int64)
    while exponent > 0:
        if exponent % 2 == 1:
            found = found * base % modulus
        base, exponent = base * base % modulus, exponent // 2
    return found


def shuffled(x: Any) -> Any:
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.left_shift(x, tf.constant(13, tf.uint64)))
    x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(7, tf.uint64)))
    return tf.bitwise.bitwise_xor(x, tf.bitwise.left_shift(x, tf.constant(17, tf.uint64)))


def _shuffled(x: int) -> int:
    x ^= x << 13 & 2**64 - 1
    x ^= x >> 7
    return x ^ x << 17 & 2**64 - 1


BIG = 88172645463325252


@pytest.mark.parametrize(
    ("compute", "arguments", "wanted"),
    [
        (factorial, lambda: [tf.constant(20)], math.factorial(20)),
        (power, lambda: [long(3), long(10**6 + 5), long(10**9 + 7)], pow(3, 10**6 + 5, 10**9 + 7)),
        (shuffled, lambda: [tf.constant(BIG, tf.uint64)], _shuffled(BIG)),
        (lambda x: x * x, lambda: [np.int64(2**31)], 2**62),
        (lambda x: tf.reduce_sum(x * 10**6), lambda: [long(1700000000, 5)], 1700000005 * 10**6),
        (lambda x: tf.cast(x, tf.int64) * 2**40, lambda: [tf.constant(3)], 3 * 2**40),
        (lambda x: tf.where(x > 2**33, x, x * 2), lambda: [long(2**34)], 2**34),
        (lambda x: tf.cond(x > 2**33, lambda: x * 2, lambda: x), lambda: [long(2**34)], 2**35),
        (lambda x: tf.map_fn(lambda a: a * 2**20, x)[0], lambda: [long(2**20, 1)], 2**40),
        (lambda x: tf.scan(lambda a, b: a * b, x)[-1], lambda: [long(2**20, 2**30)], 2**50),
        (lambda x: tf.gather(x, [1])[0] // 7, lambda: [long(1, 2**40)], 2**40 // 7),
    ],
)
def test_whole_numbers_in_a_function_are_what_they_are(
    compute: Callable[..., Any], arguments: Callable[[], list[Any]], wanted: int
) -> None:
    found = tf.function(compute)(*arguments())
    assert int(found) == wanted and found.dtype.size == 8


def test_a_variable_that_is_multiplied_in_a_function_goes_on_outside() -> None:
    state = tf.Variable(1, dtype=tf.int64)

    @tf.function
    def advance() -> Any:
        state.assign(state * 48271 * 48271)
        return state.read_value()

    assert [int(advance()), int(advance())] == [48271**2, 48271**4]
    state.assign(state // 48271**3)
    assert int(advance()) == 48271**3 and int(state[...]) == 48271**3


def test_constants_around_a_function_keep_their_bits() -> None:
    step, third = long(2**40), wide(1 / 3)
    assert int(tf.function(lambda x: x + step)(long(1))) == 2**40 + 1
    assert float(tf.function(lambda x: x * third)(wide(0.1))) == 0.1 * (1 / 3)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_descent_on_float64_is_numpys(compiled: bool) -> None:
    weights, target = tf.Variable([0.1, 0.2], dtype=tf.float64), np.array([1 / 3, 2 / 7])

    def step(rate: float) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((weights**2 - tf.constant(target)) ** 2)
        weights.assign_sub(rate * tape.gradient(loss, weights))
        return loss

    run, mine = tf.function(step) if compiled else step, np.array([0.1, 0.2])
    for _ in range(4):
        assert float(run(0.1)) == pytest.approx(np.sum((mine**2 - target) ** 2), rel=1e-14)
        mine = mine - 0.1 * 4 * mine * (mine**2 - target)
    np.testing.assert_allclose(weights.numpy(), mine, rtol=1e-14)


def test_tapes_watch_tensors_of_float64() -> None:
    x = tf.constant(np.linspace(0, 1, 3))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.sin(x) * x
        slope = inner.gradient(y, x)
    curve = outer.gradient(slope, x)
    at = np.linspace(0, 1, 3)
    np.testing.assert_allclose(slope.numpy(), np.sin(at) + at * np.cos(at), rtol=1e-14)
    np.testing.assert_allclose(curve.numpy(), 2 * np.cos(at) - at * np.sin(at), rtol=1e-14)


@pytest.mark.parametrize("compiled", [False, True])
def test_matrices_of_float64_are_solved_as_such(compiled: bool) -> None:
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(4, 4)), draw.normal(size=(4, 1))

    def compute() -> list[Any]:
        return [tf.linalg.solve(a, b), tf.linalg.inv(a), tf.matmul(a, b), tf.linalg.det(a)]

    found = (tf.function(compute) if compiled else compute)()
    wanted = [np.linalg.solve(a, b), np.linalg.inv(a), a @ b, np.linalg.det(a)]
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == tf.float64
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-12)


def test_what_has_32_bits_keeps_them() -> None:
    @tf.function
    def compute(x: Any, i: Any) -> list[Any]:
        sums = [tf.reduce_sum(i), tf.cumsum(i), tf.reduce_prod(i), tf.shape(x), tf.range(3), i * 2]
        return [*sums, x / 3, x * 0.1, x**2, tf.reduce_mean(x), tf.math.reduce_std(x), x @ x]

    found = compute(tf.ones([2, 2]), tf.constant([1, 100_000]))
    assert [str(x.dtype.name) for x in found] == ["int32"] * 6 + ["float32"] * 6


def test_a_model_takes_float64_and_computes_in_its_own_dtype() -> None:
    model = tf.keras.Sequential([tf.keras.layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(4, 3))
    for given in (x, tf.constant(x)):
        assert model(given).dtype == tf.float32
        assert tf.function(model)(given).dtype == tf.float32
    model.compile("sgd", "mse")
    model.fit(x, x[:, :2], verbose=0)
    assert model.predict(x, verbose=0).dtype == np.float32
    assert all(w.dtype == tf.float32 for w in model.weights)


def test_importing_nacre_alone_leaves_jax_as_it_is() -> None:
    from nacre.core.typed_jax import setting
    from nacre.tf.methods import lend_methods, take_methods_back

    assert setting("jax_enable_x64")
    take_methods_back()
    assert not setting("jax_enable_x64")
    lend_methods()


@pytest.mark.parametrize(
    "meet",
    [
        lambda a, b: tf.add(a, b),
        lambda a, b: tf.matmul(a, b),
        lambda a, b: tf.concat([a, b], 0),
        lambda a, b: tf.where([[True]], a, b),
        lambda a, b: tf.convert_to_tensor(a, b.dtype),
    ],
)
def test_functions_refuse_floats_of_two_widths(meet: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"dtype"):
        meet(tf.ones([1, 1]), tf.ones([1, 1], tf.float64))


def test_a_hint_is_followed_by_arrays_of_numpys() -> None:
    assert tf.convert_to_tensor(np.ones(2), dtype_hint=tf.float32).dtype == tf.float32
    assert tf.signal.rfft(np.ones(4)).dtype == tf.complex64
    assert tf.signal.rfft(tf.ones([4], tf.float64)).dtype == tf.complex128
