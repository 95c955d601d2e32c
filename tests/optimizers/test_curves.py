"""Fifty steps of every optimizer, by default and with many options, beside those of Keras."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nacre import optimizers
from nacre.core.variable import Variable
from tests.cases.optimizer_curves import CURVES, NUM_STEPS, STORED_STEPS, gradients, problem
from tests.cases.reading import load_reference
from tests.cases.spec import Spec, build
from tests.tiers import first_of_each_is_quick

LIBRARY = SimpleNamespace(optimizers=optimizers)


@pytest.mark.parametrize(
    "case", first_of_each_is_quick(CURVES, lambda case: case.optimizer), ids=lambda case: case.id
)
def test_fifty_steps_are_those_of_keras(case):
    stored, (first, x, y) = load_reference("optimizer_curves")[case.id], problem()
    optimizer = build(Spec(case.optimizer, case.kwargs, namespace="optimizers"), LIBRARY)
    weights = [Variable(w, name=f"weight_{i}") for i, w in enumerate(first)]
    losses, seen = [], []
    for step in range(1, NUM_STEPS + 1):
        loss, found = gradients([w.numpy() for w in weights], x, y, step)
        losses.append(loss)
        optimizer.apply(found, weights)
        if step in STORED_STEPS:
            seen.append(np.concatenate([w.numpy().ravel() for w in weights]))
    np.testing.assert_allclose(losses, stored["losses"], rtol=1e-4)
    np.testing.assert_allclose(np.stack(seen), stored["weights"], rtol=1e-4, atol=1e-5)
    assert losses[-1] < losses[1]  # of the same rows
