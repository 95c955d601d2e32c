"""Metrics against the results, variables and configs of real Keras."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nacre
from tests.cases import Spec, build, load_facts, load_reference, numbered
from tests.cases.metrics import METRIC_CASES

# Keras's loss leaves ignored samples out of the divisor, its metric of the same name does not.
# Ours leaves them out in both, as tf.keras 2 did, so the two agree.
BETTER_THAN_KERAS = {"sparse_categorical_crossentropy_ignore_class"}
# Arguments Keras forgets to write.
FORGOTTEN = {"CosineSimilarity": "axis"}


def made(case):
    return build(Spec(case.metric, case.kwargs, namespace="metrics"), nacre)


def batches(case):
    arrays = load_reference("metrics")[case.id]
    for batch in range(case.num_batches):
        weight = arrays.get(f"batch_{batch}_sample_weight")
        keywords = {} if weight is None else {"sample_weight": weight}
        expected = arrays[f"result_{batch}"]
        yield numbered(arrays, f"batch_{batch}_argument"), keywords, expected


@pytest.mark.parametrize("case", METRIC_CASES, ids=lambda case: case.id)
def test_results_are_keras_results(case):
    if case.id.removesuffix("_weighted") in BETTER_THAN_KERAS:
        pytest.skip("differs on purpose")
    metric = made(case)
    for arguments, keywords, expected in batches(case):
        metric.update_state(*arguments, **keywords)
        result = np.asarray(metric.result())
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=case.tolerance, atol=case.tolerance)


@pytest.mark.parametrize("case", METRIC_CASES, ids=lambda case: case.id)
def test_variables_and_config_are_keras_ones(case):
    metric = made(case)
    for arguments, keywords, _ in batches(case):
        metric.update_state(*arguments, **keywords)
        break
    facts = load_facts("metrics")[case.id]
    assert [[v.name, list(v.shape), v.dtype] for v in metric.variables] == facts["variables"]
    config = nacre.metrics.serialize(metric)
    extra = FORGOTTEN.get(case.metric)
    if extra in case.kwargs:
        assert config["config"].pop(extra) == case.kwargs[extra]
    assert plain(config) == plain(facts["config"])


def plain(config):
    """Without the count in automatic names, and with arrays as rounded lists."""
    inner = dict(config["config"])
    inner["name"] = re.sub(r"_\d+$", "", inner["name"])
    weights = inner.get("label_weights")
    if isinstance(weights, dict):
        weights = weights["config"]["value"]
    if weights is not None:
        inner["label_weights"] = np.round(weights, 6).tolist()
    return {**config, "config": inner}
