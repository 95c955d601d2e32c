"""Ten steps of training equal real Keras's, for every family of layers, losses and settings.

Tolerances: both libraries compute in float32 and order their sums differently, so one step differs
by some 1e-7; ten steps of tiny models spread that to less than 1e-5 in the losses. Weights are
compared to 1e-4, as Adam divides each gradient by its size and so enlarges the rounding of small
ones. A cross-entropy of softmax or sigmoid outputs is computed from the logits here, and from
clipped probabilities in the reference (JAX): equal where no probability is near 0 or 1.
"""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from tests.cases import load_facts, load_reference, numbered
from tests.cases.training import TRAINING_CASES
from tests.cases.training_case import run_training

# Near zero a relative tolerance means nothing: losses and metrics here are of the order of 1.
SMALLEST = 1e-6


@pytest.mark.parametrize("case", TRAINING_CASES, ids=lambda case: case.id)
def test_ten_steps_equal_keras(case):
    expected, facts = load_reference("training")[case.id], load_facts("training")[case.id]
    found, found_facts = run_training(case, nacre, expected, numbered(expected, "initial"))
    assert [shape for _, shape in found_facts["weights"]] == [s for _, s in facts["weights"]]

    logs, expected_logs = (
        {name[4:]: value for name, value in arrays.items() if name.startswith("log_")}
        for arrays in (found, expected)
    )
    pairs = [("each step", logs, expected_logs)]
    pairs += [(kind, found_facts[kind], facts[kind]) for kind in ("history", "evaluate")]
    for kind, ours, theirs in pairs:
        assert set(ours) == set(theirs), kind  # Keras on JAX sorts the names, so no order
        for name in sorted(set(theirs) - set(case.unlike_keras)):
            close(ours[name], theirs[name], case.tolerance, SMALLEST, f"{name}, {kind}")

    tolerance = case.weight_tolerance
    for kind in ("final", "prediction"):
        values = numbered(expected, kind)
        assert len(numbered(found, kind)) == len(values) > 0
        for i, value in enumerate(values):
            what = facts["weights"][i][0] if kind == "final" else f"prediction {i}"
            close(found[f"{kind}_{i}"], value, tolerance, tolerance / 10, what)


def close(found, expected, relative, absolute, what):
    np.testing.assert_allclose(found, expected, rtol=relative, atol=absolute, err_msg=what)
