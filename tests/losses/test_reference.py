"""Losses against the numbers, gradients and configs of real Keras."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from tests.cases import Spec, build, load_facts, load_reference
from tests.cases.losses import LOSS_CASES

# With weights of fewer axes than the values Keras divides by the sum of the weights before they
# are broadcast, so its mean of 0.5s can be 1.5. Ours is a mean.
BETTER_THAN_KERAS = {("mean_squared_error_rank3_weighted_batch", "mean_with_sample_weight")}
# Arguments Keras forgets to write.
FORGOTTEN = {"Huber": "delta", "CosineSimilarity": "axis"}


def made(case, **changes):
    return build(Spec(case.loss, {**case.kwargs, **changes}, namespace="losses"), nacre)


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.id)
def test_values_are_keras_values(case):
    arrays = load_reference("losses")[case.id]
    given = arrays["y_true"], arrays["y_pred"], arrays.get("sample_weight")
    compared = [r for r in case.reductions if (case.id, r) not in BETTER_THAN_KERAS]
    losses = [made(case, reduction=reduction) for reduction in compared]
    # One program; that a loss by itself is the compiled one is the losses' contract.
    values = jax.jit(lambda *given: [loss(*given) for loss in losses])(*given)
    for reduction, value in zip(compared, values, strict=True):
        expected = arrays[f"value_{reduction}"]
        assert value.shape == expected.shape
        np.testing.assert_allclose(
            value, expected, rtol=case.tolerance, atol=case.tolerance, err_msg=str(reduction)
        )


@pytest.mark.parametrize(
    "case", [c for c in LOSS_CASES if c.has_gradient], ids=lambda case: case.id
)
def test_gradient_is_keras_gradient(case):
    arrays = load_reference("losses")[case.id]
    loss = made(case)

    def value(y_pred):
        return loss(arrays["y_true"], y_pred, arrays.get("sample_weight"))

    gradient = jax.jit(jax.grad(value))(arrays["y_pred"])
    np.testing.assert_allclose(gradient, arrays["grad_y_pred"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.id)
def test_config_is_keras_config(case):
    config = nacre.losses.serialize(made(case))
    expected = load_facts("losses")[case.id]["config"]
    extra = FORGOTTEN.get(case.loss)
    if extra in case.kwargs:
        assert config["config"].pop(extra) == case.kwargs[extra]
    assert config == expected
