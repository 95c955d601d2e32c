"""Fifty steps of patterns published for tf.keras, line by line the same, with its numbers."""

from __future__ import annotations

import importlib.util
import pathlib
import types

import numpy as np
import pytest

import nacre
from nacre import ops

FOLDER = pathlib.Path(__file__).parents[1] / "reference"
_spec = importlib.util.spec_from_file_location(
    "published_patterns", FOLDER / "published_patterns.py"
)
patterns = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(patterns)
REFERENCE = np.load(FOLDER / "published_patterns.npz")
MATHS = types.SimpleNamespace(
    softmax=ops.softmax,
    sqrt=ops.sqrt,
    sin=ops.sin,
    cos=ops.cos,
    mean=ops.mean,
    arange=ops.arange,
    transpose=ops.transpose,
    sum_of_squares=lambda x: ops.sum(ops.square(x), axis=1, keepdims=True),
    outer=lambda a, b: ops.matmul(a, ops.transpose(b)),
)


def kept(beginning):
    return {
        key.removeprefix(beginning): REFERENCE[key]
        for key in REFERENCE.files
        if key.startswith(beginning)
    }


@pytest.mark.parametrize("name", patterns.PATTERNS)
def test_fifty_steps_are_those_of_tf_keras(name):
    model, parts = patterns.PATTERNS[name](nacre, nacre.GradientTape, MATHS)
    for number, part in enumerate(parts):
        weights = kept(f"{name}/start/{number}/w")
        part.set_weights([weights[str(i)] for i in range(len(weights))])
    logs, expected = patterns.trained(model, kept(f"{name}/data/")), kept(f"{name}/logs/")
    assert set(expected) <= set(logs)  # Keras 3's `metrics` begin with the loss
    for key, values in expected.items():
        np.testing.assert_allclose(logs[key], values, rtol=2e-3, atol=1e-4, err_msg=key)
    for number, part in enumerate(parts):
        weights = kept(f"{name}/end/{number}/w")
        for i, now in enumerate(part.get_weights()):
            np.testing.assert_allclose(now, weights[str(i)], rtol=5e-3, atol=5e-4, err_msg=str(i))
