"""Composite ops in a trace: their names tell all, they decompose into primitives, and they cost nothing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxpr_as_fun

import nacre
import nacre.ops as ops
from bench.named_ops import MODELS, instructions, training_step
from nacre.core import config
from nacre.ops import segment
from nacre.ops._calls import REGISTRY
from nacre.ops._define import composite
from nacre.ops._op import decomposed
from nacre.ops.named import NamedCall, decompose_calls, named_calls, parse_name, trace
from tests.cases.layers import LAYER_CASES_BY_ID
from tests.cases.named_ops import LAYERS
from tests.layers.reference import ARRAYS, FIRST_CASES, built_layer, reference_weights, run_pure

X, IMAGE, IDS = jnp.ones((2, 4)), jnp.ones((1, 4, 4, 4)), jnp.array([0, 0, 1, 2])
ALONG = {"axis": -1}

# An op called on arrays -> the op, the operands and the attributes in its name.
OPS: list[tuple[Any, str, str, dict[str, Any]]] = [
    (lambda: ops.relu6(X), "relu6", "x", {}),
    (lambda: ops.leaky_relu(X, np.float32(0.5)), "leaky_relu", "x", {"negative_slope": 0.5}),
    (lambda: ops.elu(X), "elu", "x", {"alpha": 1.0}),
    (lambda: ops.selu(X), "selu", "x", {}),
    (lambda: ops.celu(X, 2), "celu", "x", {"alpha": 2}),
    (lambda: ops.gelu(X), "gelu", "x", {"approximate": True}),
    (lambda: ops.swish(X), "silu", "x", {}),
    (lambda: ops.log_sigmoid(X), "log_sigmoid", "x", {}),
    (lambda: ops.softplus(X), "softplus", "x", {}),
    (lambda: ops.softsign(X), "softsign", "x", {}),
    (lambda: ops.hard_sigmoid(X), "hard_sigmoid", "x", {}),
    (lambda: ops.hard_swish(X), "hard_silu", "x", {}),
    (lambda: ops.hard_tanh(X), "hard_tanh", "x", {}),
    (lambda: nacre.activations.mish(X), "mish", "x", {}),
    (lambda: ops.tanh_shrink(X), "tanh_shrink", "x", {}),
    (lambda: ops.soft_shrink(X), "soft_shrink", "x", {"threshold": 0.5}),
    (lambda: ops.hard_shrink(X), "hard_shrink", "x", {"threshold": 0.5}),
    (lambda: ops.threshold(X, 1, 0), "threshold", "x", {"threshold": 1, "default_value": 0}),
    (lambda: ops.squareplus(X), "squareplus", "x", {"b": 4}),
    (lambda: ops.sparse_plus(X), "sparse_plus", "x", {}),
    (lambda: ops.sparse_sigmoid(X), "sparse_sigmoid", "x", {}),
    (lambda: ops.glu(X), "glu", "x", ALONG),
    (lambda: ops.softmax(X, axis=[0, 1]), "softmax", "x", {"axis": [0, 1]}),
    (lambda: ops.softmax(X, np.int64(1)), "softmax", "x", {"axis": 1}),
    (lambda: ops.log_softmax(X), "log_softmax", "x", ALONG),
    (lambda: ops.sparsemax(X), "sparsemax", "x", ALONG),
    (lambda: ops.normalize(X), "normalize", "x", ALONG | {"order": 2, "epsilon": 1e-7}),
    (lambda: ops.logsumexp(X, 1), "logsumexp", "x", {"axis": 1, "keepdims": False}),
    (lambda: ops.cumsum(X, 1, jnp.float32), "cumsum", "x", {"axis": 1, "dtype": "float32"}),
    (lambda: ops.cumprod(X, 1), "cumprod", "x", {"axis": 1, "dtype": None}),
    (lambda: ops.sort(X), "sort", "x", ALONG),
    (lambda: ops.argsort(X), "argsort", "x", ALONG),
    (lambda: ops.top_k(X, 2), "top_k", "x", {"k": 2}),
    (lambda: ops.one_hot(IDS, 3), "one_hot", "x", ALONG | {"num_classes": 3, "dtype": "float32"}),
    (
        lambda: ops.multi_hot(IDS, 3), "multi_hot", "inputs",
        ALONG | {"num_classes": 3, "dtype": "float32"},
    ),
    (lambda: ops.take(X, IDS, axis=1), "take", "x indices", {"axis": 1}),
    (lambda: ops.take(X, [0, 1]), "take", "x indices", {"axis": None}),
    (lambda: ops.take_along_axis(X, X.astype("int32"), 1), "take_along_axis", "x indices", {"axis": 1}),
    (lambda: ops.digitize(X, [0.0, 1.0]), "digitize", "x bins", {}),
    (
        lambda: ops.pad(X, np.array([[0, 1], [2, 0]]), constant_values=3.0), "pad",
        "x constant_values", {"mode": "constant", "pad_width": [[0, 1], [2, 0]]},
    ),
    (lambda: ops.einsum("ab,cb->ac", X, X), "einsum", "x y", {"subscripts": "ab,cb->ac"}),
    (
        lambda: ops.space_to_depth(IMAGE, 2), "space_to_depth", "x",
        {"block_size": 2, "data_format": "channels_last"},
    ),
    (
        lambda: ops.depth_to_space(IMAGE, 2), "depth_to_space", "x",
        {"block_size": 2, "data_format": "channels_last"},
    ),
    (
        lambda: ops.unfold(IMAGE, 2), "unfold", "x",
        {"kernel_size": 2, "dilation": 1, "padding": 0, "stride": 1},
    ),
    (
        lambda: ops.layer_normalization(X, gamma=jnp.ones(4)), "layer_normalization", "x gamma",
        ALONG | {"epsilon": 1e-7},
    ),
    (lambda: ops.rms_normalization(X), "rms_normalization", "x", ALONG | {"epsilon": 1e-7}),
    *(
        (
            lambda name=name: getattr(segment, name)(jnp.ones((4, 2)), IDS, num_segments=3),
            name, "data segment_ids", {"num_segments": 3, "sorted": False},
        )
        for name in ("segment_sum", "segment_prod", "segment_max", "segment_min")
    ),
]  # fmt: skip


def described(call: NamedCall) -> tuple[str, str, dict[str, Any]]:
    return call.op, " ".join(call.inputs), call.attributes


def layer_trace(case_id: str) -> Any:
    """The trace of a case's layer in inference, with its inputs and weights as arguments."""
    case = LAYER_CASES_BY_ID[case_id]
    layer = built_layer(case)
    stored = ARRAYS[case_id]
    arrays = {k: v for k, v in stored.items() if k.startswith(("input_", "call_"))}
    run = lambda given, weights: run_pure(case, layer, given, weights, False)[0]
    return trace(run, arrays, reference_weights(case)), jax.tree.leaves(
        (arrays, reference_weights(case))
    )


@pytest.mark.parametrize("case_id", LAYERS)
def test_layer_shows_its_whole_ops(case_id: str) -> None:
    closed, _ = layer_trace(case_id)
    found = [described(call) for call in named_calls(closed)]
    if "dot_product_attention" in str(LAYERS[case_id]):  # the projections around it are einsums
        found = [call for call in found if call[0] != "einsum"]
    assert found == LAYERS[case_id]


@pytest.mark.parametrize("row", OPS, ids=lambda row: row[1])
def test_op_tells_its_operands_and_attributes(row: Any) -> None:
    function, *expected = row
    assert [described(call) for call in named_calls(trace(function))] == [tuple(expected)]


def test_every_whole_op_stands_in_a_table() -> None:
    listed = {row[1] for row in OPS} | {call[0] for calls in LAYERS.values() for call in calls}
    whole_ops = {
        name
        for name, info in REGISTRY.items()
        if info.composite and info.function.__module__.startswith("nacre.")
    }
    # `embed` is `take` without its rule for negative numbers; `fold` is the transpose of `unfold`.
    assert whole_ops - listed <= {"embed", "fold"}


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "exponential"])
def test_activation_of_one_primitive_is_that_primitive(name: str) -> None:
    closed = trace(getattr(nacre.activations, name), X)
    assert len(closed.jaxpr.eqns) == 1


@pytest.mark.parametrize("name", ["Dropout", "SpatialDropout1D", "GaussianNoise", "AlphaDropout"])
def test_randomness_of_training_leaves_no_trace_in_inference(name: str) -> None:
    layer = getattr(nacre.layers, name)(0.5)
    assert not trace(lambda x: layer(x, training=False), jnp.ones((2, 3, 4))).jaxpr.eqns


@pytest.mark.parametrize("case", FIRST_CASES, ids=lambda case: case.id)
def test_composite_and_decomposed_give_the_same_numbers(case: Any) -> None:
    closed, arguments = layer_trace(case.id)
    if not named_calls(closed):
        return
    primitive_form = decompose_calls(closed)
    assert not named_calls(primitive_form)
    assert "nacre." not in str(primitive_form)
    both = [jax.jit(jaxpr_as_fun(form))(*arguments) for form in (closed, primitive_form)]
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


def test_only_the_ops_asked_for_are_decomposed() -> None:
    closed = trace(lambda x: ops.softmax(ops.gelu(ops.gelu(x))), X)
    names = [call.op for call in named_calls(decompose_calls(closed, ["gelu"]))]
    assert names == ["softmax"]
    np.testing.assert_array_equal(
        jaxpr_as_fun(decompose_calls(closed))(X)[0], ops.softmax(ops.gelu(ops.gelu(X)))
    )


def test_calls_in_loops_branches_and_inner_functions_are_found_and_decomposed() -> None:
    table = jnp.arange(4.0)

    @composite("x", name="shifted")
    def shifted(x: Any) -> Any:
        return x + table  # an array the function closes over

    def function(x: Any) -> Any:
        x = jax.lax.fori_loop(0, 3, lambda _, x: ops.softmax(x), x)
        x = jax.lax.cond(x[0, 0] > 0, ops.gelu, ops.relu, x)
        return jax.checkpoint(jax.jit(shifted))(x)

    closed = trace(function, X)
    assert sorted(c.op for c in named_calls(closed)) == ["gelu", "relu", "shifted", "softmax"]
    assert not named_calls(decompose_calls(closed))
    np.testing.assert_allclose(jaxpr_as_fun(decompose_calls(closed))(X)[0], function(X), rtol=1e-6)


def test_a_batched_or_differentiated_call_is_not_taken_for_the_op() -> None:
    batched = trace(jax.vmap(lambda x: ops.softmax(x, axis=0)), X)
    assert "nacre.softmax" in str(batched)
    assert not named_calls(batched)
    gradient = trace(lambda x: jax.jvp(ops.gelu, (x,), (x,))[1], X)
    assert not [call for call in named_calls(gradient) if len(call.inputs) == 1]


def test_sizes_may_be_symbolic() -> None:
    (rows,) = jax.export.symbolic_shape("rows")
    closed = trace(ops.softmax, jax.ShapeDtypeStruct((rows, 4), "float32"))
    (call,) = named_calls(closed)
    assert call.inputs["x"].shape == call.outputs[0].shape == (rows, 4)


def test_other_names_are_no_ops() -> None:
    assert parse_name("my_function") is None
    assert parse_name("nacre.helper") is None
    assert named_calls(jax.make_jaxpr(jax.jit(lambda x: x + 1))(X)) == []


def test_a_function_that_is_not_ours_decomposes_the_op_around_it() -> None:
    """It may hold variables: a program kept by its name would go on with their old values."""
    slope = nacre.Variable(np.float32(2.0))
    layer = nacre.layers.LSTM(2, activation=lambda x: x * slope.value)
    x = np.ones((1, 3, 2), "float32")
    first = np.asarray(layer(x))
    assert "nacre.lstm" not in str(jax.make_jaxpr(lambda x: layer(x))(x))
    slope.assign(0.0)
    assert not np.allclose(layer(x), first)
    named = nacre.layers.LSTM(2, activation="relu")
    named(x)
    assert "nacre.lstm" in str(jax.make_jaxpr(lambda x: named(x))(x))


def test_settings_read_inside_are_part_of_the_program() -> None:
    before = config.floatx()
    numbers = np.array([1, 2], "int32")
    try:
        assert ops.softmax(numbers).dtype == before
        config.set_floatx("bfloat16")
        assert ops.softmax(numbers).dtype == "bfloat16"
    finally:
        config.set_floatx(before)


def test_names_fit_into_the_file_names_of_the_compile_cache() -> None:
    layer = nacre.layers.LSTM(3)
    layer(np.ones((2, 4, 3), "float32"))
    closed = trace(lambda x: layer(x), jnp.ones((2, 4, 3)))
    names = [e.params["name"] for e in closed.jaxpr.eqns if "name" in e.params]
    assert any(name.startswith("nacre.lstm|#") for name in names)
    assert all(len(f"jit_{name}-{'0' * 64}-cache") <= 255 for name in names)
    (call,) = named_calls(closed)
    assert call.attributes["recurrent_activation"] == "sigmoid"


def test_equal_numbers_of_other_types_are_other_attributes() -> None:
    for alpha, text in ((1.0, '"alpha":1.0'), (1, '"alpha":1,')):
        assert text in str(trace(lambda alpha=alpha: ops.elu(X, alpha))).replace("\\", "")


def test_trace_for_exporters_has_no_kernels_of_one_platform() -> None:
    layer = nacre.layers.LSTM(3)
    x = np.ones((2, 4, 3), "float32")
    layer(x)
    text = str(decompose_calls(trace(lambda x: layer(x), x)))
    assert "ffi_call" not in text


@pytest.mark.parametrize("name", MODELS)
def test_training_step_is_no_longer_for_composite_ops(name: str) -> None:
    make, values, batch = training_step(name)
    named = make().trace(values, batch)
    assert "nacre." in str(named.jaxpr)
    with decomposed():
        primitives = make().trace(values, batch)
    assert "nacre." not in str(primitives.jaxpr)
    sizes = [instructions(form.lower().compile()) for form in (named, primitives)]
    assert sizes[0] <= sizes[1]
    assert sizes[0] > 100
