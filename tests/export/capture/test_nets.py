"""Whole nets as graphs: what NumPy computes is what the model gives, for batches, lengths and
picture sizes that it was not traced with; in training too, with all that it changes."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre.core import tree
from nacre.core.symbolic import KerasTensor
from nacre.export.capture import Captured, capture
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.text import graph_text
from tests.cases.nets import NETS, NetCase, built, drawn

BY_ID = {case.id: case for case in NETS}
TOLERANCE = {"mixed_precision": 5e-2}  # sums of bfloat16, in another order


@functools.cache
def net(name: str) -> Any:
    return built(BY_ID[name], nacre)


@functools.cache
def captured(name: str, training: bool = False) -> Captured:
    model = net(name)
    if isinstance(model, nacre.Model) and model.inputs is not None:
        return capture(model, training=training)
    sizes = zip(*(tree.flatten(drawn(BY_ID[name], call)) for call in (0, 1)))
    specs = [
        KerasTensor([n if n == m else None for n, m in zip(a.shape, b.shape)], str(a.dtype))
        for a, b in sizes
    ]
    return capture(model, *specs, training=training if isinstance(model, nacre.Model) else None)


def inputs_of(name: str, call: int) -> tuple[Any, list[np.ndarray]]:
    """What the model is called with, and the graph."""
    given = drawn(BY_ID[name], call)
    return given, [np.asarray(x) for x in tree.flatten(given)]


@pytest.mark.parametrize("case", NETS, ids=lambda case: case.id)
def test_the_graph_gives_what_the_model_gives(case: NetCase) -> None:
    graph = captured(case.id).graph
    for call in (0, 1):
        given, arrays = inputs_of(case.id, call)
        expected = [np.asarray(x, "float32") for x in tree.flatten(net(case.id)(given))]
        found = list(evaluate(graph, arrays).outputs.values())
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            close = TOLERANCE.get(case.id, 1e-5)
            np.testing.assert_allclose(ours.astype("float32"), theirs, rtol=close, atol=close)


@pytest.mark.parametrize("name", ["cnn_channels_first", "nested", "subclassed", "residual"])
def test_what_training_changes_is_what_the_graph_says(name: str) -> None:
    model, found = net(name), captured(name, training=True)
    given, arrays = inputs_of(name, 0)
    trainable, others = model.trainable_variables, model.non_trainable_variables
    outputs, new = model.stateless_call(
        [v.value for v in trainable], [v.value for v in others], given, training=True
    )
    run = evaluate(found.graph, arrays)
    for ours, theirs in zip(run.outputs.values(), tree.flatten(outputs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    expected = {v.path: np.asarray(x) for v, x in zip(others, new) if not v.is_seed}
    assert run.updates.keys() == expected.keys() != set()
    for path, value in expected.items():
        np.testing.assert_allclose(run.updates[path], value, rtol=1e-5, atol=1e-6)


def test_inference_changes_nothing() -> None:
    for name in ("residual", "nested", "mlp"):
        assert not captured(name).graph.updates


def test_dropout_draws_anew_at_each_run_and_keeps_the_mean() -> None:
    model = nacre.Sequential([nacre.Input((1000,)), nacre.layers.Dropout(0.25)])
    graph = capture(model, training=True).graph
    first, second = (
        evaluate(graph, [np.ones((3, 1000))], seed=seed).outputs["dropout"] for seed in (1, 2)
    )
    assert (first != second).any()
    np.testing.assert_allclose(np.unique(first), [0, 4 / 3], rtol=1e-6)
    assert abs(first.mean() - 1) < 0.05


def test_weights_keep_their_paths_and_numbers() -> None:
    model, found = net("transformer"), captured("transformer")
    variables = [v for v in model.variables if not v.is_seed]
    assert [w.path for w in found.graph.weights] == [v.path for v in variables]
    for weight, variable in zip(found.graph.weights, variables):
        np.testing.assert_array_equal(weight.data, variable.numpy())
        assert weight.trainable == variable.trainable


def test_recurrent_attention_and_normalisation_stay_whole() -> None:
    ops = [node.op for name in ("lstm", "transformer") for node in captured(name).graph.nodes]
    assert {"lstm", "attention", "layer_normalization", "rms_normalization", "gelu"} <= set(ops)


def test_transposes_of_channels_first_cancel() -> None:
    ops = [node.op for node in captured("cnn_channels_first").graph.nodes]
    assert ops.count("transpose") == 1


GOLDEN = (
    "mlp", "cnn", "residual", "unet", "images_of_any_size", "lstm", "gru", "masked_bidirectional",
    "convolutional_lstm", "transformer", "grouped_attention", "siamese", "nested", "graph_net",
    "recommender", "loops",
)  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_text_of_a_graph_is_the_golden_one(name: str, request: Any) -> None:
    """`NACRE_WRITE_GOLDEN=1` writes them anew."""
    import os

    path = Path(__file__).parents[2] / "reference" / "graphs" / f"{name}.txt"
    text = graph_text(captured(name).graph)
    if os.environ.get("NACRE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_a_function_is_captured_with_the_variables_it_reads_and_assigns() -> None:
    factor, count = nacre.Variable(2.0, name="factor"), nacre.Variable(0.0, name="count")
    layer = nacre.layers.Dense(3, name="inside")
    layer.build((None, 2))

    @nacre.function(input_signature=[nacre.KerasTensor((None, 2), name="x")])
    def scaled(x: Any) -> Any:
        count.assign_add(1.0)
        return {"scaled": layer(x) * factor}

    found = capture(scaled)
    assert [spec.name for spec in found.inputs] == ["x"]
    assert {w.path for w in found.graph.weights} == {
        "factor",
        "count",
        "inside/kernel",
        "inside/bias",
    }
    x = np.ones((4, 2), "float32")
    run = evaluate(found.graph, [x])
    np.testing.assert_allclose(run.outputs["scaled"], 2 * np.asarray(layer(x)), rtol=1e-6)
    assert run.updates == {"count": 1.0} and float(count.value) == 0.0


def test_a_variable_that_is_returned_is_captured_as_the_call_leaves_it() -> None:
    count = nacre.Variable(1.0, name="count")

    @nacre.function(input_signature=[nacre.KerasTensor((), name="x")])
    def raised(x: Any) -> Any:
        count.assign_add(x)
        return {"count": count}

    run = evaluate(capture(raised).graph, [np.float32(2)])
    assert run.outputs["count"] == run.updates["count"] == 3.0


def test_capture_leaves_the_model_as_it_was() -> None:
    model = net("residual")
    before = [v.numpy().copy() for v in model.variables]
    capture(model, training=True)
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert not isinstance(model.variables[0].value, jax.core.Tracer)


def test_inputs_and_outputs_are_called_as_in_the_call() -> None:
    class Net(nacre.Model):
        def call(self, inputs: Any, scale: Any = None) -> Any:
            return {"sum": inputs["a"] + inputs["b"], "scaled": inputs["a"] * scale}

    model, x = Net(), nacre.KerasTensor((None, 2))
    model({"a": np.ones((1, 2)), "b": np.ones((1, 2))}, scale=np.ones((1, 2)))
    found = capture(model, {"b": x, "a": x}, scale=x)
    assert [spec.name for spec in found.inputs] == ["a", "b", "scale"]
    assert found.structure == ([{"a": "a", "b": "b"}], {"scale": "scale"})
    assert found.outputs == {"sum": "sum", "scaled": "scaled"}
    given = {"a": np.ones((3, 2)), "b": np.full((3, 2), 2.0), "scale": np.full((3, 2), 5.0)}
    run = evaluate(found.graph, given).outputs
    assert run["sum"].tolist() == [[3, 3]] * 3 and run["scaled"].tolist() == [[5, 5]] * 3


def test_sizes_that_must_be_equal_share_a_name_and_others_have_their_own() -> None:
    left, right = nacre.Input((None, 3), name="left"), nacre.Input((None, 3), name="right")
    added = capture(nacre.Model([left, right], nacre.layers.Add()([left, right]))).graph
    joined = capture(nacre.Model([left, right], nacre.layers.Concatenate(1)([left, right]))).graph
    assert [str(v.shape[1]) for v in added.inputs] == ["size_1", "size_1"]
    assert [str(v.shape[1]) for v in joined.inputs] == ["left_1", "right_1"]
    assert str(joined.outputs[0].value.shape[1]) == "left_1 + right_1"


def test_a_net_that_halves_and_doubles_pictures_takes_multiples() -> None:
    layers = nacre.layers
    x = nacre.Input((None, None, 1))
    low = layers.MaxPooling2D()(layers.Conv2D(2, 3, padding="same")(x))
    model = nacre.Model(x, layers.Concatenate()([layers.UpSampling2D()(low), x]))
    graph = capture(model).graph
    assert [str(size) for size in graph.inputs[0].shape] == ["batch", "2*size_1", "2*size_2", "1"]
    for shape in ((1, 8, 6, 1), (2, 4, 10, 1)):
        picture = np.random.default_rng(0).normal(size=shape).astype("float32")
        (found,) = evaluate(graph, [picture]).outputs.values()
        np.testing.assert_allclose(found, np.asarray(model(picture)), rtol=1e-5, atol=1e-5)
    with pytest.raises(nacre.core.errors.ArgumentError, match="2\\*size_1"):
        evaluate(graph, [np.zeros((1, 7, 6, 1), "float32")])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_pictures_of_any_size_are_enlarged_smoothly(interpolation: str) -> None:
    x = nacre.Input((None, None, 2))
    layer = nacre.layers.UpSampling2D((2, 3), interpolation=interpolation)
    graph = capture(nacre.Model(x, layer(x))).graph
    picture = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype("float32")
    (found,) = evaluate(graph, [picture]).outputs.values()
    np.testing.assert_allclose(found, np.asarray(layer(picture)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("columns", [None, 8])
@pytest.mark.parametrize("kind", ["crop", "pad", "CenterCrop", "RandomCrop"])
def test_a_net_that_decides_by_the_size_of_pictures_is_built_and_refused_in_one_line(
    kind: str, columns: int | None
) -> None:
    layers, x = nacre.layers, nacre.Input((None, columns, 2))
    if kind in ("crop", "pad"):
        layer = layers.Resizing(4, 9, **{f"{kind}_to_aspect_ratio": True})
    else:
        layer = getattr(layers, kind)(4, 9)
    model = nacre.Model(x, layer(x))
    assert model.output_shape == (None, 4, 9, 2)
    with pytest.raises(nacre.core.errors.UnsupportedError, match="by sizes that vary") as caught:
        capture(model)
    assert "\n" not in str(caught.value)


def test_states_of_a_recurrent_layer_are_updated_each_by_itself() -> None:
    x = nacre.Input(batch_shape=(2, 5, 3))
    model = nacre.Model(x, nacre.layers.LSTM(3, stateful=True, name="memory")(x))
    given = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    graph = capture(model).graph
    first = evaluate(graph, [given])
    second = evaluate(graph, [given], weights=first.updates)
    expected = [np.asarray(model(given)) for _ in range(2)]
    for run, wanted in zip((first, second), expected):
        (found,) = run.outputs.values()
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_python_that_decides_by_a_varying_size_is_told_which() -> None:
    model = nacre.Sequential([nacre.Input((None, None, 3)), nacre.layers.CenterCrop(4, 4)])
    with pytest.raises(nacre.core.errors.UnsupportedError, match="Give these sizes in the shape"):
        capture(model)
    fixed = nacre.Sequential([nacre.Input((8, 6, 3)), nacre.layers.CenterCrop(4, 4)])
    picture = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")
    (found,) = evaluate(capture(fixed).graph, [picture]).outputs.values()
    np.testing.assert_allclose(found, np.asarray(fixed(picture)), rtol=1e-6)


def test_a_layer_called_twice_changes_its_statistics_twice() -> None:
    left, right = nacre.Input((3,)), nacre.Input((3,))
    norm = nacre.layers.BatchNormalization()
    model = nacre.Model([left, right], nacre.layers.Add()([norm(left), norm(right)]))
    random = np.random.default_rng(0)
    given = [random.normal(size=(4, 3)).astype("float32") for _ in range(2)]
    _, new = model.stateless_call(
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
        given,
        training=True,
    )
    updates = evaluate(capture(model, training=True).graph, given).updates
    for variable, value in zip(model.non_trainable_variables, new):
        np.testing.assert_allclose(updates[variable.path], value, rtol=1e-6)


def test_what_was_captured_stays_when_training_goes_on() -> None:
    model = nacre.Sequential([nacre.Input((3,)), nacre.layers.Dense(2)])
    graph = capture(model).graph
    before = graph.weights[0].data.copy()
    model.layers[0].kernel.assign(np.zeros((3, 2)))
    np.testing.assert_array_equal(graph.weights[0].data, before)
