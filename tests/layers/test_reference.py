"""Every layer case computes what Keras computes: forward, training, gradients, state, config."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from tests.cases.reading import numbered
from tests.cases.spec import LayerCase
from tests.layers.reference import ARRAYS, CASES, FACTS, built_layer, reference_weights, run_pure
from tests.tiers import first_of_each_is_quick

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def everything(case: LayerCase, layer: Any, floats: dict[str, Any], weights: list[Any]) -> Any:
    """All results of a case in one traceable function, so that one compile serves them."""
    arrays = {**ARRAYS[case.id], **floats}
    facts = FACTS[case.id]
    results = {"output": run_pure(case, layer, arrays, weights, False)[0]}
    if not case.has_randomness:
        outputs, updated, losses = run_pure(case, layer, arrays, weights, True)
        results |= {"train_output": outputs, "updated_weight": updated, "losses": losses}
    cotangents = numbered(arrays, "cotangent")
    if not cotangents:
        return results
    trainable = {i: w for i, w in enumerate(weights) if facts["weights"][i]["is_trainable"]}

    def total(inputs: dict[str, Any], some: dict[int, Any]) -> Any:
        now = [some.get(i, w) for i, w in enumerate(weights)]
        merged = {**arrays, **inputs}
        outputs, _, _ = run_pure(case, layer, merged, now, facts["gradient_training"])
        return sum(jnp.sum(o * c) for o, c in zip(outputs, cotangents, strict=True))

    by_input, by_weight = jax.grad(total, argnums=(0, 1))(floats, trainable)
    return results | {"grad_input": by_input, "grad_weight": by_weight}


def close(actual: Any, expected: np.ndarray, tolerance: float, what: str) -> None:
    np.testing.assert_allclose(
        np.asarray(actual, np.float64), expected, rtol=tolerance, atol=tolerance, err_msg=what
    )


@pytest.mark.parametrize(
    "case", first_of_each_is_quick(CASES, lambda case: case.layer), ids=lambda case: case.id
)
def test_numbers_are_those_of_keras(case: LayerCase) -> None:
    stored = ARRAYS[case.id]
    layer = built_layer(case)
    known = [(w["name"], tuple(w["shape"])) for w in FACTS[case.id]["weights"]]
    assert [(w.name, w.shape) for w in layer.weights] == known
    weights = [jnp.asarray(w) for w in reference_weights(case)]
    floats = {
        name: jnp.asarray(value)
        for name, value in stored.items()
        if name.startswith("input_") and value.dtype.kind == "f"
    }
    found = jax.jit(lambda f, w: everything(case, layer, f, w))(floats, weights)

    for kind in ("output", "train_output"):
        for i, expected in enumerate(numbered(stored, kind)):
            close(found[kind][i], expected, case.tolerance, f"{kind} {i}")
    for name, expected in stored.items():
        if name.startswith("updated_weight_"):
            new = found["updated_weight"][int(name.rsplit("_", 1)[1])]
            close(new, expected, case.tolerance, name)
        if name.startswith("grad_input_"):
            close(found["grad_input"][name[5:]], expected, case.gradient_tolerance, name)
        if name.startswith("grad_weight_"):
            gradient = found["grad_weight"][int(name.rsplit("_", 1)[1])]
            close(gradient, expected, case.gradient_tolerance, name)
    if "losses" in stored:
        close(sorted(map(float, found["losses"])), np.sort(stored["losses"]), 1e-5, "losses")
    if "output_mask" in stored:
        positional = [jnp.asarray(stored["input_0"])]
        mask = layer.compute_mask(positional[0], None)
        np.testing.assert_array_equal(np.asarray(mask), stored["output_mask"])


def comparable(value: Any) -> Any:
    """A config without what differs from run to run: automatic names, shapes seen at build.

    Keras rounds some factors to float32 before it writes them, so floats are compared to 6 digits.
    """
    if isinstance(value, dict):
        skipped = ("build_config", "name", "compile_config", "build_input_shape")
        return {k: comparable(v) for k, v in value.items() if k not in skipped}
    if isinstance(value, list | tuple):
        return [comparable(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


@pytest.mark.parametrize("case", [c for c in CASES if c.namespace], ids=lambda case: case.id)
def test_config_is_the_one_keras_writes(case: LayerCase) -> None:
    ours = comparable(nacre.layers.serialize(built_layer(case)))
    assert ours == comparable(FACTS[case.id]["config"])


@each_case
def test_config_of_keras_opens(case: LayerCase) -> None:
    opened = nacre.layers.deserialize(FACTS[case.id]["config"])
    if case.namespace:  # a model's config holds the batch size Keras saw
        assert comparable(opened.get_config()) == comparable(built_layer(case).get_config())
        shapes = [tuple(w["shape"]) for w in FACTS[case.id]["weights"]]
        assert [w.shape for w in opened.weights] == shapes
