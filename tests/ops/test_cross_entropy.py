"""Cross-entropies: one arithmetic behind the ops and the losses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre import losses, ops

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(4, 3)).astype("float32") * 3
P = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
ONE_HOT = np.eye(3, dtype="float32")[[0, 2, 1, 1]]
LABELS = np.array([0, 2, 1, 1])
CASES = {"binary": ONE_HOT, "categorical": ONE_HOT, "sparse_categorical": LABELS}


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("kind", CASES)
def test_an_op_and_its_loss_give_the_same_numbers(kind, from_logits):
    outputs = LOGITS if from_logits else P
    by_op = getattr(ops, f"{kind}_crossentropy")(CASES[kind], outputs, from_logits=from_logits)
    by_loss = getattr(losses, f"{kind}_crossentropy")(CASES[kind], outputs, from_logits=from_logits)
    by_op = by_op.mean(-1) if kind == "binary" else by_op
    np.testing.assert_allclose(by_op, by_loss, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_certain_answers_in_16_bits_have_a_finite_loss(dtype):
    certain = jnp.asarray([[0.0, 1.0, 0.0]], dtype)
    wrong = np.array([[1.0, 0.0, 0.0]], "float32")
    assert np.isfinite(ops.binary_crossentropy(wrong, certain)).all()
    assert np.isfinite(ops.categorical_crossentropy(wrong, certain)).all()
    assert np.isfinite(ops.sparse_categorical_crossentropy([0], certain)).all()


def test_the_curvature_at_a_logit_of_zero_is_a_quarter():
    for function in (
        lambda x: ops.binary_crossentropy(jnp.ones(1), x[None], from_logits=True)[0],
        lambda x: losses.binary_crossentropy(jnp.ones(1), x[None], from_logits=True),
    ):
        assert float(jax.grad(function)(0.0)) == -0.5
        assert float(jax.grad(jax.grad(function))(0.0)) == pytest.approx(0.25)


def test_ctc_of_16_bit_logits_is_summed_in_32_bits():
    logits = RANDOM.normal(size=(2, 200, 5)).astype("float32")
    labels = np.array([[1, 2, 3, 4] * 4, [4, 3, 3, 1] * 4])
    short = jnp.asarray(logits, "bfloat16")
    expected = losses.ctc(labels, np.asarray(short, "float32"))
    np.testing.assert_allclose(losses.ctc(labels, short).astype("float32"), expected, rtol=4e-3)
    by_op = ops.ctc_loss(labels, short, np.array([16, 16]), np.array([200, 200]))
    np.testing.assert_allclose(by_op, expected, rtol=1e-5)
