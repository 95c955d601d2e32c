"""What every loss promises, over one case of each class."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import losses
from tests.cases import Spec, build, load_reference
from tests.cases.losses import LOSS_CASES

CASES = list({case.loss: case for case in reversed(LOSS_CASES)}.values())
# One value for the whole batch, or samples that are compared with one another.
JOINT = {"Dice", "Tversky", "Circle"}


def made(case, **changes):
    return build(Spec(case.loss, {**case.kwargs, **changes}, namespace="losses"), nacre)


def arrays_of(case):
    arrays = load_reference("losses")[case.id]
    return jnp.asarray(arrays["y_true"]), jnp.asarray(arrays["y_pred"])


def check_reductions(make, y_true, y_pred):
    """`make(reduction)` gives the loss; sums and means must be those of the single values."""
    values = np.asarray(make("none")(y_true, y_pred))
    np.testing.assert_allclose(make("sum")(y_true, y_pred), values.sum(), rtol=1e-5)
    for reduction in ("mean", "sum_over_batch_size", "mean_with_sample_weight"):
        np.testing.assert_allclose(make(reduction)(y_true, y_pred), values.mean(), rtol=1e-5)


def check_rows(loss, y_true, y_pred):
    """One sample alone has the value it has in the batch."""
    whole = np.asarray(loss(y_true, y_pred))
    for row in range(len(whole)):
        alone = loss(y_true[row : row + 1], y_pred[row : row + 1])
        np.testing.assert_allclose(alone[0], whole[row], rtol=1e-5, atol=1e-6)


def test_every_public_loss_has_a_case():
    classes = {
        name
        for name in losses.__all__
        if isinstance(value := getattr(losses, name), type)
        and issubclass(value, losses.Loss)
        and value not in (losses.Loss, losses.LossFunctionWrapper)
        and value._config_module != "nacre"  # beyond Keras: tested on their own
    }
    assert classes == {case.loss for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.loss)
def test_config_round_trip_keeps_the_value(case):
    loss = made(case, name="mine", reduction="sum")
    again = losses.deserialize(losses.serialize(loss))
    assert type(again) is type(loss)
    assert (again.name, again.reduction) == ("mine", "sum")
    assert float(again(*arrays_of(case))) == float(loss(*arrays_of(case)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.loss)
def test_jit_equals_eager(case):
    loss = made(case)
    np.testing.assert_allclose(
        jax.jit(loss.__call__)(*arrays_of(case)), loss(*arrays_of(case)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.loss)
def test_reductions_agree(case):
    if case.loss == "Circle":
        pytest.skip("samples without a pair are not counted")
    check_reductions(lambda reduction: made(case, reduction=reduction), *arrays_of(case))


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.loss not in JOINT], ids=lambda case: case.loss
)
def test_samples_are_independent(case):
    check_rows(made(case, reduction="none"), *arrays_of(case))


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.loss not in JOINT], ids=lambda case: case.loss
)
def test_weight_zero_is_left_out(case):
    y_true, y_pred = arrays_of(case)
    weights = np.ones(len(y_pred))
    weights[1] = 0.0
    loss = made(case, reduction="mean_with_sample_weight")
    kept = np.flatnonzero(weights)
    np.testing.assert_allclose(
        loss(y_true, y_pred, weights), loss(y_true[kept], y_pred[kept]), rtol=1e-5
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.loss)
def test_dtype_is_the_losses_own(case):
    y_true, y_pred = arrays_of(case)
    assert made(case)(y_true, y_pred.astype("bfloat16")).dtype == jnp.float32
    low = made(case, dtype="bfloat16")
    assert low(y_true, y_pred).dtype == jnp.bfloat16
    assert losses.deserialize(losses.serialize(low)).dtype == "bfloat16"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.loss)
def test_numpy_and_lists_are_accepted(case):
    y_true, y_pred = arrays_of(case)
    loss = made(case)
    expected = loss(y_true, y_pred)
    np.testing.assert_allclose(loss(np.asarray(y_true), np.asarray(y_pred)), expected, rtol=1e-6)
    np.testing.assert_allclose(loss(y_true.tolist(), y_pred.tolist()), expected, rtol=1e-5)


def test_checks_can_fail():
    class WrongSum(losses.MeanSquaredError):
        def __call__(self, y_true, y_pred, sample_weight=None):
            value = super().__call__(y_true, y_pred, sample_weight)
            return value * 2 if self.reduction == "sum" else value

    y_true, y_pred = jnp.zeros((3, 2)), jnp.ones((3, 2))
    with pytest.raises(AssertionError):
        check_reductions(lambda reduction: WrongSum(reduction), y_true, y_pred)

    def crossing(y_true, y_pred):
        return jnp.mean(y_true - y_pred) + jnp.mean(y_pred, axis=-1)

    mixed = losses.LossFunctionWrapper(crossing, reduction="none")
    with pytest.raises(AssertionError):
        check_rows(mixed, y_true, jnp.arange(6.0).reshape(3, 2))
