"""Ten steps of training equal real Keras's, for every family of layers, losses and settings.

Tolerances: both libraries compute in float32 and order their sums differently, so one step differs
by some 1e-7; ten steps of tiny models spread that to less than 1e-5 in the losses. Weights are
compared to 1e-4, as Adam divides each gradient by its size and so enlarges the rounding of small
ones. A cross-entropy of softmax or sigmoid outputs is computed from the logits here, and from
clipped probabilities in the reference (JAX): equal where no probability is near 0 or 1.
Cases say where numbers are those of Keras on TensorFlow, or differ on purpose, and why.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
import pytest

import nacre
from tests.cases import load_facts, load_reference, numbered
from tests.cases.training import TRAINING_CASES
from tests.cases.training_case import BATCH, arranged, compiled_model, run_training

# Near zero a relative tolerance means nothing: losses and metrics here are of the order of 1.
SMALLEST = 1e-6


@pytest.fixture(autouse=True, scope="module")
def quick_compilation() -> Iterator[None]:
    """Spare XLA its expensive passes: a third of the time, and the formulas are the same."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.filterwarnings("ignore:loss 'categorical_crossentropy' of output 'sigmoid_of")
@pytest.mark.parametrize("case", TRAINING_CASES, ids=lambda case: case.id)
def test_ten_steps_equal_keras(case):
    expected, facts = load_reference("training")[case.id], load_facts("training")[case.id]
    initial, is_inferring = numbered(expected, "initial"), case.is_inferring
    found, found_facts = run_training(case, nacre, expected, initial, is_inferring)
    assert [shape for _, shape in found_facts["weights"]] == [s for _, s in facts["weights"]]

    logs, expected_logs = (
        {name[4:]: value for name, value in arrays.items() if name.startswith("log_")}
        for arrays in (found, expected)
    )
    pairs = [("each step", logs, expected_logs)]
    pairs += [
        (kind, found_facts[kind], facts[kind])
        for kind in ("history", "evaluate")[: 1 + is_inferring]
    ]
    for kind, ours, theirs in pairs:
        assert set(ours) == set(theirs), kind  # Keras on JAX sorts the names, so no order
        for name in sorted(set(theirs) - set(case.unlike_keras)):
            close(ours[name], theirs[name], case.tolerance, SMALLEST, f"{name}, {kind}")

    tolerance = case.weight_tolerance
    is_compared = is_inferring and case.id != "stateful_lstm"  # its predictions have their own test
    for kind in ("final", "prediction") if is_compared else ("final",):
        values = numbered(expected, kind)
        assert len(numbered(found, kind)) == len(values) > 0
        for i, value in enumerate(values):
            what = facts["weights"][i][0] if kind == "final" else f"prediction {i}"
            close(found[f"{kind}_{i}"], value, tolerance, tolerance / 10, what)


def test_predict_carries_the_states_of_a_stateful_layer():
    case = next(c for c in TRAINING_CASES if c.id == "stateful_lstm")
    expected = load_reference("training")[case.id]
    found, _ = run_training(case, nacre, expected, numbered(expected, "initial"))
    close(found["prediction_0"], expected["prediction_0"], 1e-4, 1e-5, "prediction")


def close(found, expected, relative, absolute, what):
    np.testing.assert_allclose(found, expected, rtol=relative, atol=absolute, err_msg=what)


def test_metrics_leave_masked_steps_out():
    case = next(c for c in TRAINING_CASES if c.id == "sample_weight_and_mask")
    arrays = load_reference("training")[case.id]
    x, y, weight = arranged(case, arrays)
    model = compiled_model(case, nacre)
    model.set_weights(numbered(arrays, "final"))
    found = model.evaluate(x, y, BATCH, sample_weight=weight, verbose=0, return_dict=True)

    counts = np.any(x != 0, axis=-1)
    right = np.argmax(arrays["prediction_0"], axis=-1) == y  # Keras's own predictions
    close(found["accuracy"], right[counts].mean(), 1e-5, 0, "accuracy")
    weighted = np.average(right[counts], weights=weight[counts])
    close(found["weighted_accuracy"], weighted, 1e-5, 0, "weighted_accuracy")
