"""What scripts use beside ops: loggers, strategies, test cases, averages, samplers, states."""

from __future__ import annotations

import logging
import unittest
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre.tf as tf


def test_a_script_that_tries_for_a_tpu_goes_on_without() -> None:
    with pytest.raises(ValueError, match=r"there must be a TPU.*get_strategy"):
        tf.distribute.cluster_resolver.TPUClusterResolver()
    with pytest.raises(ValueError, match="there must be a TPU"):
        tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    tf.config.experimental_connect_to_cluster(None)
    assert tf.distribute.get_replica_context().all_reduce("sum", 3) == 3


def test_verbosity_is_that_of_pythons_logger() -> None:
    before = tf.get_logger().level
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    assert logging.getLogger("tensorflow").level == logging.ERROR
    tf.get_logger().setLevel(before)


def test_devices_tell_of_themselves() -> None:
    device = tf.config.list_physical_devices("CPU")[0]
    assert "device_name" in tf.config.experimental.get_device_details(device)


def test_a_test_case_compares_tensors() -> None:
    class Tensors(tf.test.TestCase):  # type: ignore[misc, name-defined]
        def test_all(self) -> None:
            self.assertAllClose(tf.constant([1.0, 2.0]), [1.0, 2.0 + 1e-7])
            self.assertAllEqual(tf.constant([1, 2]), [1, 2])
            self.assertAllInRange(tf.constant([0.5]), 0.0, 1.0)
            assert self.evaluate(tf.constant(3)) == 3
            with pytest.raises(AssertionError):
                self.assertAllClose(tf.constant([1.0]), [1.1])
            with pytest.raises(AssertionError):
                self.assertAllEqual(tf.constant([1, 2]), [[1, 2]])
            with pytest.raises(AssertionError):
                self.assertNotAllEqual(tf.constant([1]), [1])

        def test_wrong(self) -> None:
            self.assertAllEqual(tf.constant([1, 2]), [1, 3])

    found = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Tensors).run(found)
    assert found.testsRun == 2 and not found.errors
    assert [test._testMethodName for test, _ in found.failures] == ["test_wrong"]


def test_computed_gradients_agree_with_differences() -> None:
    theory, numbers = tf.test.compute_gradient(tf.square, [tf.constant([1.0, -2.0])])
    np.testing.assert_allclose(theory[0], [[2, 0], [0, -4]])
    np.testing.assert_allclose(numbers[0], theory[0], atol=1e-2)


def test_a_running_mean_is_that_of_its_formula() -> None:
    weight, mean = tf.Variable([1.0]), tf.train.ExponentialMovingAverage(0.9)
    assert mean.average(weight) is None
    mean.apply([weight])
    weight.assign([2.0])
    mean.apply([weight])
    np.testing.assert_allclose(mean.average(weight).numpy(), [1.1], rtol=1e-6)
    early = tf.train.ExponentialMovingAverage(0.9, num_updates=0)  # decays by (1 + 0) / (10 + 0)
    early.apply([weight])
    weight.assign([12.0])
    early.apply([weight])
    np.testing.assert_allclose(early.average(weight).numpy(), [11.0], rtol=1e-6)


def test_the_state_of_a_folder_names_its_checkpoints(tmp_path: Path) -> None:
    assert tf.train.get_checkpoint_state(tmp_path) is None
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(v=tf.Variable(1.0)), tmp_path, 2)
    paths = [manager.save(), manager.save()]
    state = tf.train.get_checkpoint_state(tmp_path)
    assert state.model_checkpoint_path == paths[-1]
    assert list(state.all_model_checkpoint_paths) == paths


def test_candidates_are_different_classes_within_the_range() -> None:
    found = tf.random.log_uniform_candidate_sampler([[3]], 1, 20, True, 50, seed=4)
    assert len(set(found.sampled_candidates.numpy().tolist())) == 20
    assert (
        0 <= found.sampled_candidates.numpy().min() <= found.sampled_candidates.numpy().max() < 50
    )
    assert found.true_expected_count.shape == (1, 1)
    many = tf.random.log_uniform_candidate_sampler([[0]], 1, 3000, False, 9, seed=4)
    shares = np.bincount(many.sampled_candidates.numpy(), minlength=9) / 3000
    expected = np.log1p(1 / (np.arange(9) + 1)) / np.log(10)
    np.testing.assert_allclose(shares, expected, atol=0.03)
    with pytest.raises(ValueError, match="so many different classes"):
        tf.random.uniform_candidate_sampler([[0]], 1, 9, True, 5)


@pytest.mark.parametrize("loss", ["nce_loss", "sampled_softmax_loss"])
def test_sampled_losses_are_those_of_their_formulas(loss: str) -> None:
    rng = np.random.default_rng(0)
    weights, inputs = (rng.normal(size=s).astype("float32") for s in ((6, 3), (2, 3)))
    sampled = (
        np.array([4, 1]), np.array([[0.5], [0.25]], "float32"), np.array([0.5, 2.0], "float32"),
    )  # fmt: skip
    labels = [[1], [2]]
    got = getattr(tf.nn, loss)(
        weights, np.zeros(6, "float32"), labels, inputs, 2, 6, sampled_values=sampled,
        remove_accidental_hits=False,
    ).numpy()  # fmt: skip
    logits = np.stack([
        np.concatenate([[inputs[i] @ weights[c[0]] - np.log(e[0])],
                        inputs[i] @ weights[[4, 1]].T - np.log([0.5, 2.0])])
        for i, (c, e) in enumerate(zip(labels, sampled[1]))
    ])  # fmt: skip
    truth = np.array([[1, 0, 0]] * 2)
    if loss == "nce_loss":
        wanted = (np.log1p(np.exp(logits)) - logits * truth).sum(1)
    else:
        wanted = np.log(np.exp(logits).sum(1)) - logits[:, 0]
    np.testing.assert_allclose(got, wanted, rtol=1e-5)


STATELESS: list[tuple[Any, float]] = [
    (lambda s: tf.random.stateless_poisson([4000], s, 3.0), 3.0),
    (lambda s: tf.random.stateless_gamma([4000], s, 2.0, 4.0), 0.5),
    (lambda s: tf.random.stateless_binomial([4000], s, 10.0, 0.3), 3.0),
    (lambda s: tf.random.stateless_categorical(tf.math.log([[0.5, 0.5]]), 4000, s), 0.5),
]


@pytest.mark.parametrize(("draw", "mean"), STATELESS)
def test_draws_without_a_state_repeat_and_have_their_mean(draw: Any, mean: float) -> None:
    first = draw([1, 2]).numpy()
    assert np.array_equal(first, draw([1, 2]).numpy())
    assert not np.array_equal(first, draw([1, 3]).numpy())
    assert abs(first.mean() - mean) < 0.15


def test_draws_with_a_state_go_on() -> None:
    tf.random.set_seed(3)
    first, second = tf.random.poisson([50], [2.0, 9.0]), tf.random.poisson([50], [2.0, 9.0])
    assert first.shape == (50, 2) and not np.array_equal(first, second)
    tf.random.set_seed(3)
    assert np.array_equal(first, tf.random.poisson([50], [2.0, 9.0]))
    generator = tf.random.Generator.from_seed(1)
    assert generator.make_seeds(2).shape == (2, 2) and len(generator.split(3)) == 3
    kept = generator.normal([2]).numpy()
    generator.reset_from_seed(1)
    assert not np.array_equal(kept, generator.normal([2]))  # seeds were drawn before it
    assert tf.random.get_global_generator() is tf.random.get_global_generator()
    assert sorted(tf.random.experimental.stateless_shuffle([1, 2, 3], [1, 2]).numpy()) == [1, 2, 3]
    assert tf.random.split([1, 2], 3).shape == (3, 2)


def test_numerics_are_checked_while_that_is_asked_for() -> None:
    for _ in range(3):
        tf.math.log(tf.constant(-1.0))  # JAX has a program for it now, and a short way to it
    with jax.debug_nans(True):  # after which that way asks this thread's own setting alone
        pass
    tf.debugging.enable_check_numerics()
    try:
        with pytest.raises((tf.errors.InvalidArgumentError, FloatingPointError)):
            tf.math.log(tf.constant(-1.0))
    finally:
        tf.debugging.disable_check_numerics()
    assert np.isnan(tf.math.log(tf.constant(-1.0)))
