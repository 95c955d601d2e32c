"""What every layer promises, checked over the table of cases."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre.core.errors import NacreError, ShapeError
from nacre.core.symbolic import KerasTensor
from nacre.layers import preprocessing
from tests.cases.reading import call_arguments
from tests.cases.spec import LayerCase, build_layer
from tests.layers.reference import (
    ARRAYS,
    CASES,
    FACTS,
    FIRST_CASES,
    arguments_of,
    built_layer,
    reference_weights,
    run_pure,
)

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
each_class = pytest.mark.parametrize("case", FIRST_CASES, ids=lambda case: case.id)

# Results that do not belong to one sample each.
NOT_BY_SAMPLE = {"flatten_rank1"}


def float_arrays(case: LayerCase) -> bool:
    return all(spec.dtype == "float32" for spec in case.inputs)


def without_shapes(value: Any) -> Any:
    """A config without the shapes seen at build, which a model sees with its own batch size."""
    if isinstance(value, dict):
        return {k: without_shapes(v) for k, v in value.items() if "build_" not in k}
    return [without_shapes(v) for v in value] if isinstance(value, list) else value


@each_case
def test_config_and_weights_round_trip(case: LayerCase) -> None:
    layer = built_layer(case)
    layer.set_weights(reference_weights(case))
    data = nacre.layers.serialize(layer)
    twin = nacre.layers.deserialize(data)
    assert without_shapes(nacre.layers.serialize(twin)) == without_shapes(data)
    positional, keywords = arguments_of(case, ARRAYS[case.id])
    jax.eval_shape(lambda: twin(*positional, **keywords))
    twin.set_weights(layer.get_weights())
    for ours, theirs in zip(layer.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@each_class
def test_compiled_equals_eager(case: LayerCase) -> None:
    layer = built_layer(case)
    layer.set_weights(reference_weights(case))
    positional, keywords = arguments_of(case, ARRAYS[case.id])
    outputs = jax.tree.leaves(layer(*positional, **keywords))
    for i, output in enumerate(outputs):
        expected = ARRAYS[case.id][f"output_{i}"]
        np.testing.assert_allclose(output, expected, rtol=case.tolerance, atol=case.tolerance)
        assert str(output.dtype) == FACTS[case.id]["output_dtypes"][i]


def symbolic(case: LayerCase) -> tuple[list[Any], dict[str, Any]]:
    """The call's arguments with symbolic tensors of unknown batch size."""
    arrays = {
        name: KerasTensor((None, *value.shape[1:]), value.dtype)
        for name, value in ARRAYS[case.id].items()
        if name.startswith(("input_", "call_"))
    }
    return call_arguments(case, arrays)


@each_case
def test_symbolic_shape_is_the_real_shape(case: LayerCase) -> None:
    layer = build_layer(case, nacre)
    positional, keywords = symbolic(case)
    outputs = jax.tree.leaves(
        layer(*positional, **keywords), is_leaf=lambda x: isinstance(x, KerasTensor)
    )
    real = FACTS[case.id]["output_shapes"]
    assert len(outputs) == len(real)
    for output, shape in zip(outputs, real, strict=True):
        assert len(output.shape) == len(shape)
        for known, size in zip(output.shape, shape, strict=True):
            assert known in (None, size)
        assert None not in output.shape[1:], "only the batch size is unknown"


@each_class
def test_one_sample_alone_is_the_same_sample_in_the_batch(case: LayerCase) -> None:
    if case.id in NOT_BY_SAMPLE or any(spec.shape[:1] == (1,) for spec in case.inputs):
        pytest.skip("the case has no batch to take a sample from")
    layer = built_layer(case)
    weights = [jnp.asarray(w) for w in reference_weights(case)]
    arrays = {
        name: value[:1] if name.startswith(("input_", "call_")) else value
        for name, value in ARRAYS[case.id].items()
    }
    outputs, _, _ = jax.jit(lambda w: run_pure(case, layer, arrays, w, False))(weights)
    for i, output in enumerate(outputs):
        expected = ARRAYS[case.id][f"output_{i}"][:1]
        np.testing.assert_allclose(output, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.namespace and float_arrays(c) and "gradient" in str(FACTS[c.id])],
    ids=lambda case: case.id,
)
def test_mixed_precision_computes_in_16_bits_and_keeps_weights_in_32(case: LayerCase) -> None:
    layer = built_layer(case, dtype="mixed_bfloat16")
    positional, keywords = arguments_of(case, ARRAYS[case.id])
    outputs = jax.tree.leaves(jax.eval_shape(lambda: layer(*positional, **keywords)))
    expected = ["bfloat16" if d == "float32" else d for d in FACTS[case.id]["output_dtypes"]]
    assert [str(output.dtype) for output in outputs] == expected
    assert {w.dtype for w in layer.weights} <= {"float32", "int32"}


@each_class
def test_wrong_rank_is_refused_with_the_rule(case: LayerCase) -> None:
    layer = built_layer(case)
    spec = layer.input_spec
    if spec is None or isinstance(spec, list) or (spec.ndim is None and spec.min_ndim in (None, 1)):
        pytest.skip("the layer takes any rank")
    ndim = spec.ndim + 1 if spec.ndim is not None else spec.min_ndim - 1
    wrong = KerasTensor((2,) * ndim, "float32")
    given = [wrong] if case.call_style == "spread" else [[wrong] * len(case.inputs)]
    with pytest.raises(ShapeError, match=r"must have .*axes.*Got input of shape \(2"):
        layer(*given)


@pytest.mark.parametrize("case", [c for c in CASES if c.has_randomness], ids=lambda case: case.id)
def test_a_seed_repeats_and_calls_differ(case: LayerCase) -> None:
    weights = [jnp.asarray(w) for w in reference_weights(case)]

    def draws() -> list[Any]:
        nacre.core.random.set_random_seed(5)
        layer = built_layer(case)
        for variable in layer.variables:
            if variable.name == "seed_generator_state":
                variable.assign(np.array([5, 0], "uint32"))

        def run(states: list[Any]) -> Any:
            seeds = [v for v in layer.variables if v.name == "seed_generator_state"]
            mapping = list(zip(seeds, states, strict=True))
            positional, keywords = arguments_of(case, ARRAYS[case.id])
            mapping += list(zip(layer.weights, weights, strict=True))
            with nacre.StatelessScope(mapping) as scope:
                first = layer(*positional, **keywords, training=True)
                second = layer(*positional, **keywords, training=True)
                after = [scope.get_current_value(v) for v in seeds]
            return jax.tree.leaves(first), jax.tree.leaves(second), after

        states = [v.value for v in layer.variables if v.name == "seed_generator_state"]
        assert states, "the state of the seed is a variable"
        first, second, after = jax.jit(run)(states)
        assert all((new != old).any() for new, old in zip(after, states, strict=True))
        return [first, second]

    first, second = draws()
    again, _ = draws()
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((np.asarray(a) != np.asarray(b)).any() for a, b in zip(first, second, strict=True))


def test_every_layer_with_numbers_has_a_case() -> None:
    covered = {case.layer for case in CASES} | {
        spec.name for case in CASES for spec in _specs(case.kwargs) + _specs(case.args)
    }
    missing = [
        name
        for name in nacre.layers.__all__
        if isinstance(getattr(nacre.layers, name), type)
        and issubclass(getattr(nacre.layers, name), nacre.layers.Layer)
        and name not in covered
        # Layers beyond Keras have no reference there; their tests hold formulas of their own.
        and getattr(nacre.layers, name)._config_module != "nacre"
    ]
    assert set(missing) <= WITHOUT_CASE, f"no case for {sorted(set(missing) - WITHOUT_CASE)}"


# Bases, layers whose facts stand in tests of their own, and 3-D forms whose 2-D form has a case.
WITHOUT_CASE = {
    *("InputLayer", "Lambda", "Layer", "ThresholdedReLU", "Wrapper", "Pipeline"),
    *preprocessing.__all__,  # tests/layers/test_preprocessing*.py have tables of their own
    *("AdaptiveAveragePooling3D", "AdaptiveMaxPooling3D", "ConvLSTM3D"),
}


def _specs(value: Any) -> list[Any]:
    if hasattr(value, "is_call"):
        return [value, *_specs(value.kwargs), *_specs(value.args)]
    if isinstance(value, dict):
        return [s for item in value.values() for s in _specs(item)]
    if isinstance(value, list | tuple):
        return [s for item in value for s in _specs(item)]
    return []


def test_bad_arguments_are_nacre_errors() -> None:
    for name, kwargs in {
        "Dense": {"units": 0},
        "Dropout": {"rate": 2.0},
        "Embedding": {"input_dim": -1, "output_dim": 2},
        "Permute": {"dims": (1, 3)},
        "ZeroPadding2D": {"padding": -1},
    }.items():
        with pytest.raises(NacreError, match=name):
            getattr(nacre.layers, name)(**kwargs)
