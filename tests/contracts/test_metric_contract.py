"""What every metric promises, over one case of each class."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import metrics
from tests.cases import Spec, build, load_reference, numbered
from tests.cases.metrics import METRIC_CASES

# They gather boxes on the host and not in variables; their tests are in tests/metrics.
ON_THE_HOST = {"MeanAveragePrecision"}
CASES = list({case.metric: case for case in reversed(METRIC_CASES)}.values())


def made(case, **changes):
    return build(Spec(case.metric, {**case.kwargs, **changes}, namespace="metrics"), nacre)


def batches_of(case):
    arrays = load_reference("metrics")[case.id]
    return [
        [jnp.asarray(a) for a in numbered(arrays, f"batch_{b}_argument")]
        for b in range(case.num_batches)
    ]


def eager(metric, batches):
    metric.reset_state()
    for batch in batches:
        metric.update_state(*batch)
    return np.asarray(metric.result())


def check_one_batch_or_two(metric, batches):
    """Updates with parts give what one update with the whole gives."""
    whole = [jnp.concatenate(parts) for parts in zip(*batches, strict=True)]
    np.testing.assert_allclose(eager(metric, batches), eager(metric, [whole]), rtol=1e-5, atol=1e-6)


def check_reset(metric, batches):
    """After a reset nothing is left of what was taken in."""
    fresh = eager(metric, batches[:1])
    eager(metric, batches)
    metric.reset_state()
    metric.update_state(*batches[0])
    np.testing.assert_array_equal(metric.result(), fresh)


def test_every_public_metric_has_a_case():
    classes = {
        name
        for name in metrics.__all__
        if isinstance(value := getattr(metrics, name), type) and value is not metrics.Metric
    }
    assert classes == {case.metric for case in CASES} | ON_THE_HOST


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.metric)
def test_config_round_trip_keeps_the_result(case):
    metric = made(case, name="mine")
    again = metrics.deserialize(metrics.serialize(metric))
    assert type(again) is type(metric)
    assert (again.name, again.dtype) == ("mine", metric.dtype)
    batches = batches_of(case)
    np.testing.assert_array_equal(eager(again, batches), eager(metric, batches))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.metric)
def test_compiled_loop_equals_eager(case):
    metric, batches = made(case), batches_of(case)
    expected = eager(metric, batches)
    stacked = [jnp.stack(parts) for parts in zip(*batches, strict=True)]

    def run(state, batches):
        def step(state, batch):
            return metric.stateless_update_state(state, *batch), None

        return metric.stateless_result(jax.lax.scan(step, state, batches)[0])

    result = jax.jit(run)(metric.stateless_reset_state(), stacked)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.metric)
def test_state_keeps_shapes_and_dtypes(case):
    metric, batches = made(case), batches_of(case)
    eager(metric, batches)
    before = [(v.shape, v.dtype) for v in metric.variables]
    state = metric.stateless_update_state([v.value for v in metric.variables], *batches[0])
    assert [(tuple(s.shape), str(s.dtype)) for s in state] == before
    assert jnp.issubdtype(metric.result().dtype, jnp.floating)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.metric)
def test_reset_forgets(case):
    check_reset(made(case), batches_of(case))


@pytest.mark.parametrize(
    # A single number has no batch axis to join along.
    "case",
    [c for c in CASES if c.arguments[0].shape != ()],
    ids=lambda case: case.metric,
)
def test_two_batches_equal_one(case):
    check_one_batch_or_two(made(case), batches_of(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.metric)
def test_bfloat16_predictions_are_gathered_in_float32(case):
    metric = made(case)
    for batch in batches_of(case):
        low = [a.astype("bfloat16") if jnp.issubdtype(a.dtype, jnp.floating) else a for a in batch]
        metric.update_state(*low)
    assert all(v.dtype in ("float32", "int32") for v in metric.variables)


def test_checks_can_fail():
    class LastBatch(metrics.Mean):
        def update_state(self, values, sample_weight=None):
            self.reset_state()
            super().update_state(values, sample_weight)

    class Remembers(metrics.Mean):
        def reset_state(self):
            pass

    batches = [[jnp.arange(3.0)], [jnp.arange(5.0)]]
    with pytest.raises(AssertionError):
        check_one_batch_or_two(LastBatch(), batches)
    with pytest.raises(AssertionError):
        check_reset(Remembers(), batches)
