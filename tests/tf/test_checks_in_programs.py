"""Checks of values in compiled functions: what does not hold is raised, at each run anew."""

from __future__ import annotations

import threading
from pathlib import Path

import jax
import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.run_checks import RunChecks


def test_a_check_in_a_compiled_function_raises_when_it_fails_and_only_then() -> None:
    @tf.function
    def double(x):  # type: ignore[no-untyped-def]
        tf.debugging.assert_less(x, 3.0, message="small")
        return x * 2

    good, bad = tf.constant([1.0, 2.0]), tf.constant([1.0, 5.0])
    for _ in range(2):
        assert double(good).numpy().tolist() == [2.0, 4.0]
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"small.*Got 5.0 and 3.0 at \[1\]"
        ):
            double(bad)


@pytest.mark.parametrize("is_one", [False, True], ids=["two functions", "one function"])
def test_a_check_that_fails_in_one_thread_raises_there(is_one: bool) -> None:
    def double(x):  # type: ignore[no-untyped-def]
        tf.debugging.assert_less(x, 3.0)
        return x * 2

    first = tf.function(double)
    functions = first, first if is_one else tf.function(lambda x: double(x))
    inputs = tf.fill([10], 5.0), tf.fill([10], 1.0)
    first(inputs[1])
    failures = [0, 0]

    def run(thread: int) -> None:
        for _ in range(100):
            try:
                functions[thread](inputs[thread])
            except tf.errors.InvalidArgumentError:
                failures[thread] += 1

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [100, 0]


def test_a_check_of_a_run_that_ended_otherwise_is_not_raised_by_the_next() -> None:
    tf.function(lambda x: (tf.debugging.assert_less(x, 3.0), x * 2)[1])(tf.constant(1.0))
    checks = RunChecks()
    checks.exist = True

    def run(note: str, error: type[BaseException] | None = None) -> None:
        with checks.made():
            if note:
                checks.note(ValueError(note))
            if error is not None:
                raise error
            checks.raise_failed()

    with pytest.raises(KeyboardInterrupt):
        run("of the run before", KeyboardInterrupt)
    run("")
    with pytest.raises(ValueError, match="of this run"):
        run("of this run")


def test_a_function_of_jax_that_two_functions_share_keeps_its_checks() -> None:
    shared = jax.jit(lambda x: tf.debugging.check_numerics(x, "x") * 2)
    functions = tf.function(lambda x: shared(x)), tf.function(lambda x: shared(x) + 1)
    for double in functions:
        double(tf.constant([1.0]))
    for double in functions:
        with pytest.raises(tf.errors.InvalidArgumentError, match="numbers must be finite"):
            double(tf.constant([np.nan]))
        double(tf.constant([1.0]))


def test_what_a_failed_run_would_change_stays_as_it_was() -> None:
    count = tf.Variable(0.0)

    @tf.function
    def step(x):  # type: ignore[no-untyped-def]
        count.assign_add(1.0)
        assert tf.reduce_sum(x) > 0, "the sum is not positive"
        return x

    step(tf.constant([1.0]))
    with pytest.raises(AssertionError, match="the sum is not positive"):
        step(tf.constant([-1.0]))
    with pytest.raises(tf.errors.InvalidArgumentError):
        step(tf.constant([np.nan]))
    assert count.numpy() == 1.0
    step(tf.constant([1.0]))
    assert count.numpy() == 2.0


def test_checks_are_made_in_branches_loops_and_under_a_tape() -> None:
    @tf.function
    def slope(x):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch(x)
            if tf.reduce_sum(x) > 0:
                tf.debugging.Assert(tf.reduce_all(x < 10.0), ["too big", x])
            y = x
            for _ in tf.range(2):
                y = tf.debugging.check_numerics(y * x, "y")
        return tape.gradient(y, x)

    assert slope(tf.constant([1.0, 2.0])).numpy().tolist() == [3.0, 12.0]
    slope(tf.constant([-100.0, 2.0]))  # the branch with the check is not taken
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"too big \[100"):
        slope(tf.constant([100.0, 2.0]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="numbers must be finite"):
        slope(tf.constant([-np.inf, 2.0]))


def test_a_loss_that_checks_its_targets_stops_fit_and_evaluate() -> None:
    def loss(targets, predictions):  # type: ignore[no-untyped-def]
        tf.debugging.assert_positive(targets, message="targets")
        return tf.reduce_mean((targets - predictions) ** 2)

    model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    model.compile("sgd", loss)
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    for run in (model.fit, model.evaluate):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"targets.*-1\.0"):
            run(x, -y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    model.fit(x, y, verbose=0)


@pytest.mark.parametrize(
    "check",
    [
        lambda x: tf.debugging.assert_equal(x, [1.0, 2.0]),
        lambda x: tf.debugging.assert_none_equal(x, 7.0),
        lambda x: tf.debugging.assert_near(x, [1.0, 2.0]),
        lambda x: tf.debugging.assert_less_equal(x, 2.0),
        lambda x: tf.debugging.assert_greater(x, 0.5),
        lambda x: tf.debugging.assert_non_negative(x),
        lambda x: tf.debugging.assert_rank(x, 1),
        lambda x: tf.debugging.assert_shapes([(x, (2,))]),
    ],
)
def test_all_of_them_pass_what_is_right(check: object) -> None:
    run = tf.function(lambda x: (check(x), x * 1)[1])  # type: ignore[operator]
    assert run(tf.constant([1.0, 2.0])).numpy().tolist() == [1.0, 2.0]


def test_a_function_with_a_check_is_saved_without_it(tmp_path: Path) -> None:
    class Doubling(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, x):  # type: ignore[no-untyped-def]
            tf.debugging.assert_less(x, 3.0)
            return x * 2

    tf.saved_model.save(Doubling(), str(tmp_path / "module"))
    assert tf.saved_model.load(str(tmp_path / "module"))(tf.constant([7.0])).numpy() == [14.0]


def test_in_a_program_that_is_not_ours_jax_raises() -> None:
    @jax.jit
    def checked(x):  # type: ignore[no-untyped-def]
        return tf.debugging.check_numerics(x, "x")

    assert checked(np.ones(1, "float32")) == 1

    def run() -> None:
        jax.block_until_ready(checked(np.array([np.nan], "float32")))
        jax.effects_barrier()

    with pytest.raises(jax.errors.JaxRuntimeError):
        run()
