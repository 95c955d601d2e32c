"""Weights of samples, steps, classes and losses, with masks and accumulation: fifty steps of Keras."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from tests.cases.reading import load_reference
from tests.cases.weight_curves import CURVES, run


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.id)
def test_fifty_weighed_steps_are_those_of_keras(curve):
    stored, found = load_reference("weight_curves")[curve.id], run(nacre, curve)
    assert found.keys() == stored.keys()
    for name, value in stored.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=2e-5, err_msg=name)
