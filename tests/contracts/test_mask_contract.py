"""What layers do with masks: the table is true and complete, and padded = unpadded.

A padded batch, with rubbish in the padded steps, and the same sequences alone must agree: outputs
at valid steps, losses, gradients with respect to weights and inputs. Gradients with respect to
padded steps are zero.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core import scope
from tests.cases.masks import NO_STEPS, TABLE, UNLIKE_KERAS, VARIANTS, MaskCase
from tests.cases.reading import load_facts
from tests.effort import LITTLE

LENGTHS = (5, 2)
STEPS = 5
MASK = np.arange(STEPS) < np.asarray(LENGTHS)[:, None]
SHAPES = {"ids": (), "grid1": (4, 2), "grid2": (3, 3, 2), "grid3": (2, 2, 2, 2)}
TOLERANCE = {"rtol": 2e-5, "atol": 2e-6}

EXACT = {
    name: case
    for name, case in TABLE.items()
    if case.is_exact and case.does in ("passes", "uses", "uses, passes", "combines", "makes")
}


def draw(case: MaskCase, seed: int = 0) -> list[np.ndarray]:
    """Sequences padded with rubbish; what makes its mask from the values is padded with those."""
    random = np.random.default_rng(seed)
    shape = (len(LENGTHS), STEPS, *SHAPES.get(case.inputs, (4,)))
    if case.inputs == "ids":
        return [np.where(MASK, random.integers(1, 9, shape), 0)]
    count = 2 if case.inputs in ("list", "two", "same") else 1
    arrays = [random.uniform(-1, 1, shape).astype("float32") for _ in range(count)]
    if case.does == "makes":
        arrays = [np.where(MASK[..., None], x, np.float32(-7.0)) for x in arrays]
    return arrays


def arguments(case: MaskCase, tensors: list[Any]) -> list[Any]:
    return [tensors] if case.inputs in ("list", "same") else tensors


def with_masks(case: MaskCase, tensors: list[Any]) -> list[Any]:
    if case.does != "makes":
        for tensor in tensors:
            scope.set_mask(tensor, jnp.asarray(MASK))
    return tensors


def masked_output(case: MaskCase) -> Any:
    """The layer's output for arrays with masks."""
    layer = case.build(layers)
    tensors = with_masks(case, [jnp.asarray(x) for x in draw(case)])
    return layer(*arguments(case, tensors))


def test_the_table_names_every_layer() -> None:
    classes = {
        name
        for name in layers.__all__
        if inspect.isclass(getattr(layers, name))
        and issubclass(getattr(layers, name), layers.Layer)
    }
    assert classes == set(TABLE) | set(NO_STEPS)
    assert not set(TABLE) & set(NO_STEPS)


@pytest.mark.parametrize("name", TABLE)
def test_the_mask_goes_where_the_table_says(name: str) -> None:
    case = TABLE[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        output = masked_output(case)
    said = any("the mask of its input stops here" in str(w.message) for w in caught)
    assert said == (case.does == "stops")
    for leaf in jax.tree.leaves(output):
        found = scope.get_mask(leaf)
        if case.does in ("uses", "stops", "ends"):
            assert found is None
        elif case.does == "changes":
            assert found.shape == leaf.shape[:2]
        else:
            np.testing.assert_array_equal(found, MASK)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_mask_of_a_variant_is_that_of_its_outputs(name: str) -> None:
    case = VARIANTS[name]
    (x,) = (jnp.asarray(x) for x in draw(case))
    nested = np.arange(4) < np.asarray([[2], [3]])[:, None]  # of the steps within each step
    mask = MASK[..., None] & nested if case.does == "reduces" else MASK
    scope.set_mask(x, jnp.asarray(mask))
    expected = MASK[:, ::-1] if case.does == "turns" else MASK
    for output in jax.tree.leaves(case.build(layers)(x)):
        np.testing.assert_array_equal(scope.get_mask(output), expected)


def test_cropped_and_repeated_steps_keep_their_flags() -> None:
    cropped = scope.get_mask(masked_output(TABLE["Cropping1D"]))
    np.testing.assert_array_equal(cropped, MASK[:, 1:])
    repeated = scope.get_mask(masked_output(TABLE["UpSampling1D"]))
    np.testing.assert_array_equal(repeated, np.repeat(MASK, 2, axis=1))


@pytest.mark.parametrize("name", [n for n in TABLE if n in load_facts("masks")])
def test_keras_answers_the_same_or_there_is_a_reason(name: str) -> None:
    theirs = load_facts("masks")[name]["keeps"]
    case = TABLE[name]
    ours = case.does not in ("uses", "stops", "ends")
    if theirs is None or case.does == "makes":
        return  # Keras cannot be asked with these inputs
    assert (ours != theirs) == (name in UNLIKE_KERAS)


ASKED = {name for name, facts in load_facts("masks").items() if facts["keeps"] is not True}


@pytest.mark.parametrize("name", [name for name in NO_STEPS if name in ASKED])
def test_layers_without_steps_claim_no_more_than_in_keras(name: str) -> None:
    overrides = getattr(layers, name).compute_mask is not layers.Layer.compute_mask
    assert not overrides or load_facts("masks")[name]["supports"]


# --------------------------------------------------------------------- padded = unpadded


def run(layer: Any, case: MaskCase, weights: list[Any], tensors: list[Any], is_padded: bool) -> Any:
    """The outputs as a pure function, and what the call added to the loss."""
    pairs = zip(layer.weights, weights, strict=True)
    context = scope.CallContext(layer, case.training)
    with nacre.StatelessScope(pairs, collect_losses=True), scope.entered_call(context):
        tensors = [t * 1 for t in tensors]  # other tensors, whose masks are their own
        given = arguments(case, with_masks(case, tensors) if is_padded else tensors)
        return jax.tree.leaves(layer(*given))


def padded_and_alone(name: str) -> tuple[Any, Any]:
    """Values at valid steps and gradients, of the padded batch and of the sequences alone."""
    case = TABLE[name]
    arrays = [jnp.asarray(x) for x in draw(case)]
    layer = case.build(layers)
    layer(*arguments(case, arrays))
    random = np.random.default_rng(3)
    weights = [jnp.asarray(random.uniform(0.3, 0.9, w.shape), w.dtype) for w in layer.weights]
    floats = [] if case.inputs == "ids" else arrays
    factor = random.uniform(0.5, 1.5, (len(LENGTHS), STEPS, *[8] * 5)).astype("float32")

    def weighted(output: Any, rows: slice, steps: slice) -> Any:
        """The part of an output that counts, times fixed factors, summed; and that part."""
        if case.does == "uses":
            part, wide = output, factor[rows, 0]
        else:
            part, wide = output[:, steps], factor[rows, steps]
        while wide.ndim > part.ndim:
            wide = wide[..., 0]
        wide = wide[tuple(slice(n) for n in part.shape)]
        return jnp.sum(part * wide), part

    def total(is_padded: bool) -> Any:
        def loss(weights: list[Any], floats: list[Any]) -> Any:
            tensors = floats or arrays
            result, parts = 0.0, []
            for i, length in enumerate(LENGTHS):
                rows, steps = slice(i, i + 1), slice(length)
                if is_padded:
                    outputs = [o[rows] for o in run(layer, case, weights, tensors, True)]
                else:
                    one = [t[rows, steps] for t in tensors]
                    outputs = run(layer, case, weights, one, False)
                for output in outputs:
                    value, part = weighted(output, rows, steps)
                    result, parts = result + value, [*parts, part]
            return result, parts

        both = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        (_, parts), gradients = jax.jit(both, compiler_options=LITTLE)(weights, floats)
        return parts, gradients

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return total(True), total(False)


@pytest.mark.parametrize("name", EXACT)
def test_a_padded_batch_equals_its_sequences_alone(name: str) -> None:
    (padded, gradients), (alone, gradients_alone) = padded_and_alone(name)
    for ours, theirs in zip(padded, alone, strict=True):
        np.testing.assert_allclose(ours, theirs, **TOLERANCE)
    for ours, theirs in zip(gradients[0], gradients_alone[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)
    for ours, theirs in zip(gradients[1], gradients_alone[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)
        wide = MASK.reshape((*MASK.shape, *(1,) * (ours.ndim - 2)))
        assert not np.any(np.where(wide, 0, ours)), "padded steps have a gradient"


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"])
def test_the_last_valid_step_is_what_a_recurrent_layer_returns(name: str) -> None:
    def build(module: Any) -> Any:
        layer = TABLE[name].build(module)
        config = layer.get_config()
        if name != "Bidirectional":
            return type(layer).from_config({**config, "return_sequences": False})
        return module.Bidirectional(module.LSTM(3))

    case = MaskCase("uses", build)
    TABLE["last"] = case
    try:
        (padded, gradients), (alone, gradients_alone) = padded_and_alone("last")
    finally:
        del TABLE["last"]
    for ours, theirs in zip([*padded, *gradients[0]], [*alone, *gradients_alone[0]], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-5)


def test_batch_statistics_are_those_of_valid_steps() -> None:
    x = jnp.asarray(draw(TABLE["BatchNormalization"])[0])
    layer, flat = layers.BatchNormalization(), layers.BatchNormalization()
    expected = flat(x[jnp.asarray(MASK)], training=True)  # (valid steps, features)
    scope.set_mask(x, jnp.asarray(MASK))
    np.testing.assert_allclose(layer(x, training=True)[MASK], expected, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(layer.weights, flat.weights, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


def masked(seed: int = 0) -> Any:
    x = jnp.asarray(draw(TABLE["Dense"], seed)[0])
    scope.set_mask(x, jnp.asarray(MASK))
    return x


def test_each_step_has_statistics_of_its_valid_samples() -> None:
    x, layer = masked(), layers.TimeDistributed(layers.BatchNormalization(momentum=0.5))
    layer(x, training=True)
    mean = np.zeros(4, "float32")
    for t in range(STEPS):
        rows = np.asarray(x)[MASK[:, t], t]
        mean = 0.5 * mean + 0.5 * (rows.mean(axis=0) if len(rows) else 0)
    np.testing.assert_allclose(layer.layer.moving_mean.numpy(), mean, rtol=1e-5, atol=1e-6)


def test_softmax_over_features_is_zero_at_padded_steps() -> None:
    x = masked()
    outputs = np.asarray(layers.Softmax()(x))
    np.testing.assert_allclose(outputs[MASK], jax.nn.softmax(x)[MASK], rtol=1e-6)
    assert not outputs[~MASK].any()


def test_scores_over_the_vocabulary_keep_the_mask_of_their_vectors() -> None:
    for name in ("ReversibleEmbedding", "TokenAndPositionEmbedding"):
        case = TABLE[name]
        layer = case.build(layers)
        scores = layer(layer(draw(case)[0]), reverse=True)
        np.testing.assert_array_equal(scope.get_mask(scores), MASK)


def test_padded_steps_add_nothing_to_a_divergence() -> None:
    layer = layers.KLDivergenceRegularization()
    layer([masked(0), masked(1)])
    (padded,) = layer.losses
    mean, log_variance = (np.asarray(masked(seed))[MASK] for seed in (0, 1))
    each = mean**2 + np.exp(log_variance) - 1 - log_variance
    np.testing.assert_allclose(padded, each.sum() / (2 * len(LENGTHS)), rtol=1e-5)


@pytest.mark.parametrize(
    "build",
    [
        lambda: layers.Reshape((4, STEPS)),
        lambda: layers.Permute((2, 1)),
        lambda: layers.EinsumDense("btd,td->bd", (4,)),
    ],
    ids=["reshape", "permute", "einsum_dense"],
)
def test_a_mask_stops_with_a_warning_where_steps_move(build: Any) -> None:
    with pytest.warns(UserWarning, match="the mask of its input stops here"):
        output = build()(masked())
    assert scope.get_mask(output) is None


def test_outputs_of_compiled_calls_have_their_masks() -> None:
    model = tagger(layers.Dense(2))
    x, _ = data(model, 5)
    for _ in range(2):
        np.testing.assert_array_equal(scope.get_mask(model(x)), x != 0)


# --------------------------------------------------------------------- whole models

VOCABULARY = 9


def embedded(features: int = 4) -> tuple[Any, Any]:
    ids = nacre.Input((None,), dtype="int32")
    return ids, layers.Embedding(VOCABULARY, features, mask_zero=True)(ids)


def tagger(*stack: Any) -> Any:
    ids, x = embedded()
    for layer in stack:
        x = layer(x)
    return nacre.Model(ids, x)


def with_operators() -> Any:
    ids, x = embedded()
    y = ops.tanh(x * 2 + x)[:, ::-1]
    return nacre.Model(ids, layers.Dense(1)(layers.LSTM(3)(ops.concatenate([y, -y], axis=-1))))


def transformer() -> Any:
    ids, x = embedded()
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 2)(x, x))
    x = layers.TransformerEncoder(6, 2)(x)
    return nacre.Model(ids, layers.Dense(1)(layers.GlobalAveragePooling1D()(x)))


def attention(kind: Any) -> Any:
    ids, x = embedded()
    y = layers.Add()([x, kind()([x, x])])
    return nacre.Model(ids, layers.Dense(2)(layers.Concatenate()([x, y])))


class Subclassed(nacre.Model):
    """Arithmetic through `nacre.ops` keeps masks within a model's own `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = layers.Embedding(VOCABULARY, 4, mask_zero=True)
        self.recurrent = layers.GRU(3, return_sequences=True)
        self.head = layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        x = ops.multiply(self.embedding(inputs), 2.0)
        return self.head(ops.concatenate([x, self.recurrent(x)], axis=-1))


MODELS: dict[str, Any] = {
    "lstm": lambda: tagger(layers.LSTM(3), layers.Dense(1)),
    "gru_steps": lambda: tagger(
        layers.GRU(3, return_sequences=True), layers.TimeDistributed(layers.Dense(2))
    ),
    "bidirectional_batch_norm": lambda: tagger(
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.BatchNormalization(momentum=0.5),
        layers.Dropout(0.0),
        layers.Dense(2),
    ),
    "stacked_cells": lambda: tagger(
        layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(2)], return_sequences=True),
        layers.GroupNormalization(1),
        layers.EinsumDense("btd,de->bte", (None, 2)),
    ),
    "pooled": lambda: tagger(layers.GlobalAveragePooling1D(), layers.Dense(1)),
    "reshaped": lambda: tagger(layers.Reshape((-1, 2, 2)), layers.Reshape((-1, 4)), layers.GRU(1)),
    "operators": with_operators,
    "transformer": transformer,
    "attention": lambda: attention(layers.Attention),
    "additive_attention": lambda: attention(layers.AdditiveAttention),
    "subclassed": Subclassed,
}


def data(model: Any, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The same sequences and targets, padded to `steps`."""
    random = np.random.default_rng(5)
    lengths = (5, 2, 4, 1)
    ids, y = np.zeros((4, steps), "int32"), np.zeros((4, steps, 2), "float32")
    for i, length in enumerate(lengths):
        ids[i, :length] = random.integers(1, VOCABULARY, length)
        y[i, :length] = random.uniform(size=(length, 2))
    y[ids == 0] = 100.0  # targets of padded steps are rubbish
    shape = model.compute_output_shape((None, steps))
    return ids, y if len(shape) == 3 else y[:, 0, :1]


def trained(name: str, steps: int) -> tuple[Any, dict[str, list[float]], list[float]]:
    nacre.utils.set_random_seed(7)
    model = MODELS[name]()
    x, y = data(model, steps)
    model.compile(nacre.optimizers.SGD(0.1), loss="mse", weighted_metrics=["mae"])
    history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0).history
    return model, history, model.evaluate(x, y, batch_size=4, verbose=0)


@pytest.mark.parametrize("name", MODELS)
def test_training_does_not_see_how_far_a_batch_is_padded(name: str) -> None:
    short, history, scores = trained(name, steps=5)
    long, history_long, scores_long = trained(name, steps=8)
    assert history.keys() == history_long.keys()
    for key, values in history.items():
        np.testing.assert_allclose(values, history_long[key], rtol=1e-4, err_msg=key)
    np.testing.assert_allclose(scores, scores_long, rtol=1e-4)
    for ours, theirs in zip(long.get_weights(), short.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in MODELS if n != "bidirectional_batch_norm"])
def test_a_padded_loss_is_that_of_the_sequences_alone(name: str) -> None:
    nacre.utils.set_random_seed(7)
    model = MODELS[name]()
    x, y = data(model, 5)
    model.compile("sgd", loss="mse")
    together = model.evaluate(x, y, batch_size=4, verbose=0)
    lengths = (x != 0).sum(axis=1)
    alone = [
        model.evaluate(
            x[i : i + 1, :n], y[i : i + 1, :n] if y.ndim == 3 else y[i : i + 1], verbose=0
        )
        for i, n in enumerate(lengths)
    ]
    weights = lengths if y.ndim == 3 else np.ones(4)
    np.testing.assert_allclose(together, np.average(alone, weights=weights), rtol=1e-5)
