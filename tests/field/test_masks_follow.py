"""A mask stays with the steps it is about, and what it leaves out reaches nothing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core import scope
from tests.cases.masks import TABLE, MaskCase
from tests.contracts.test_mask_contract import SHAPES, arguments

STEPS, FEATURES = 4, 3
LENGTHS = (4, 2, 0)  # the last sample is padding alone
MASK = np.arange(STEPS) < np.asarray(LENGTHS)[:, None]


def sequences(seed: int = 0, padding: float | None = None, shape: Any = (FEATURES,)) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(-1, 1, (*MASK.shape, *shape)).astype("float32")
    wide = MASK.reshape((*MASK.shape, *(1,) * len(shape)))
    return values if padding is None else np.where(wide, values, np.float32(padding))


def masked(x: Any, mask: Any = MASK) -> Any:
    """An array that a mask travels with."""
    x = jnp.asarray(x) * 1
    scope.set_mask(x, jnp.asarray(mask))
    return x


# --------------------------------------------------------------------- reversed

BACKWARDS = {
    "GRU": lambda **k: layers.GRU(2, **k),
    "LSTM": lambda **k: layers.LSTM(2, **k),
    "SimpleRNN": lambda **k: layers.SimpleRNN(2, **k),
    "RNN": lambda **k: layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(2)], **k),
    "ConvLSTM1D": lambda **k: layers.ConvLSTM1D(2, 1, **k),
}


@pytest.mark.parametrize("name", BACKWARDS)
def test_a_layer_that_runs_backwards_turns_its_mask_round(name: str) -> None:
    layer = BACKWARDS[name](return_sequences=True, return_state=True, go_backwards=True)
    shape = (2, FEATURES) if name == "ConvLSTM1D" else (FEATURES,)
    outputs, *states = layer(masked(sequences(shape=shape)))
    mask = scope.get_mask(outputs)
    np.testing.assert_array_equal(mask, MASK[:, ::-1])
    assert all(scope.get_mask(state) is None for state in jax.tree.leaves(states))
    x = sequences(shape=shape)[1:2, :2]
    alone, *alone_states = layer(x)
    np.testing.assert_allclose(outputs[1:2, 2:], alone, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(*map(jax.tree.leaves, (states, alone_states)), strict=True):
        np.testing.assert_allclose(ours[1:2], theirs, rtol=1e-5, atol=1e-6)


def test_what_follows_a_backward_layer_sees_the_steps_that_count() -> None:
    inputs = nacre.Input((None, FEATURES))
    x = layers.Masking(-7.0)(inputs)
    x = layers.GRU(2, return_sequences=True, go_backwards=True)(x)
    model = nacre.Model(inputs, [layers.LSTM(2)(x), layers.GlobalAveragePooling1D()(x)])
    padded = model.predict(sequences(padding=-7.0), verbose=0)
    for i, length in enumerate(LENGTHS[:2]):
        alone = model.predict(sequences()[i : i + 1, :length], verbose=0)
        for ours, theirs in zip(padded, alone, strict=True):
            np.testing.assert_allclose(ours[i : i + 1], theirs, rtol=1e-5, atol=1e-6)
    assert all(np.isfinite(part).all() for part in padded)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
def test_both_directions_keep_the_order_of_the_forward_layer(
    merge_mode: str | None, backwards: bool
) -> None:
    inner = layers.SimpleRNN(2, return_sequences=True, go_backwards=backwards)
    layer = layers.Bidirectional(inner, merge_mode=merge_mode)
    outputs = layer(masked(sequences()))
    expected = MASK[:, ::-1] if backwards else MASK
    steps = slice(2, None) if backwards else slice(2)
    alone = layer(sequences()[1:2, :2])
    for ours, theirs in zip(ops_list(outputs), ops_list(alone), strict=True):
        np.testing.assert_array_equal(scope.get_mask(ours), expected)
        np.testing.assert_allclose(ours[1:2, steps], theirs, rtol=1e-5, atol=1e-6)


def ops_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


# --------------------------------------------------------------------- several time axes

NESTED = np.array([[[1, 1, 0], [1, 0, 0]], [[0, 0, 0], [1, 1, 1]]], bool)  # (batch, time, steps)


@pytest.mark.parametrize(
    ("inner", "kept"),
    [
        (lambda: layers.LSTM(3, return_sequences=True), NESTED),
        (lambda: layers.LSTM(3), NESTED.any(axis=2)),
        (lambda: layers.GRU(3, return_sequences=True, go_backwards=True), NESTED[..., ::-1]),
        (lambda: layers.GlobalAveragePooling1D(), NESTED.any(axis=2)),
        (lambda: layers.Dense(3), NESTED),
        (lambda: layers.Conv1D(3, 1), NESTED.any(axis=2)),
    ],
    ids=["steps", "last", "backwards", "pooled", "dense", "conv"],
)
def test_a_wrapped_layer_says_which_of_its_steps_are_left(inner: Any, kept: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 2, 3, 3)).astype("float32")
    layer = layers.TimeDistributed(inner())
    outputs = layer(masked(x, NESTED))
    np.testing.assert_array_equal(scope.get_mask(outputs), kept)
    symbolic = nacre.Input((2, 3, 3))
    symbolic._keras_mask = nacre.KerasTensor((None, 2, 3), "bool")
    assert layer(symbolic)._keras_mask.shape == (None, *kept.shape[1:])


def test_a_mask_made_within_steps_goes_on_to_what_reads_steps() -> None:
    ids = np.array([[[1, 2, 0], [3, 0, 0]], [[0, 0, 0], [1, 1, 1]]])
    inputs = nacre.Input((2, 3))
    x = layers.TimeDistributed(layers.Embedding(5, 2, mask_zero=True))(inputs)
    x = layers.TimeDistributed(layers.LSTM(2))(x)
    model = nacre.Model(inputs, [x, layers.GlobalAveragePooling1D()(x)])
    encoded, pooled = model.predict(ids, verbose=0)
    short = nacre.Input((2, 1))
    alone = short
    for layer in model.layers[1:3]:
        alone = layer(alone)
    expected = nacre.Model(short, alone).predict(ids[:1, :, :1], verbose=0)
    np.testing.assert_allclose(encoded[0, 1], expected[0, 1], rtol=1e-5)
    np.testing.assert_allclose(pooled[1], encoded[1, 1], rtol=1e-5)  # a sentence of padding


def test_statistics_of_steps_with_axes_of_their_own_leave_absent_samples_out() -> None:
    x = sequences(padding=np.nan, shape=(2, FEATURES))
    layer = layers.TimeDistributed(layers.BatchNormalization(momentum=0.5))
    outputs = layer(masked(x), training=True)
    assert np.isfinite(outputs).all()
    mean = np.zeros(FEATURES)
    for t in range(STEPS):
        rows = x[MASK[:, t], t]
        mean = 0.5 * mean + 0.5 * (rows.mean(axis=(0, 1)) if len(rows) else 0)
    np.testing.assert_allclose(layer.layer.moving_mean.numpy(), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "build",
    [
        lambda: layers.Dense(STEPS),
        lambda: layers.LayerNormalization(axis=-1),
        lambda: layers.RMSNormalization(),
        lambda: layers.UnitNormalization(),
    ],
    ids=["dense", "layer_norm", "rms_norm", "unit_norm"],
)
def test_a_mask_of_what_is_mixed_stops_with_a_warning(build: Any) -> None:
    scores = masked(sequences()[..., 0])  # (batch, time), each step a number
    with pytest.warns(UserWarning, match="the mask of its input stops here"):
        outputs = build()(scores)
    assert scope.get_mask(outputs) is None


def test_normalizing_over_steps_ends_their_mask_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="the mask of its input stops here"):
        assert scope.get_mask(layers.LayerNormalization(axis=(1, 2))(masked(sequences()))) is None


def test_scores_beside_the_outputs_of_attention_do_not_lose_the_mask() -> None:
    x = masked(sequences())
    for layer in (layers.MultiHeadAttention(1, 2), layers.GroupQueryAttention(2, 2, 1)):
        outputs, scores = layer(x, x, return_attention_scores=True)
        np.testing.assert_array_equal(scope.get_mask(outputs), MASK)
        assert scope.get_mask(scores) is None
    outputs, _ = layers.Attention()([x, x], return_attention_scores=True)
    np.testing.assert_array_equal(scope.get_mask(outputs), MASK)


# --------------------------------------------------------------------- NaN, nothing but padding

SAFE = {
    name: case
    for name, case in TABLE.items()
    if case.does in ("passes", "uses", "uses, passes", "combines") and case.inputs != "ids"
}
# Kin stand for them.
LEFT_OUT = set(
    "ConvLSTM2D ConvLSTM3D LSTM RNN TransformerDecoder AdditiveAttention Minimum Subtract Average "
    "ELU LeakyReLU ThresholdedReLU Identity GaussianDropout AlphaDropout SpatialDropout1D Sampling "
    "ActivityRegularization SinePositionEncoding".split()
)


def total(layer: Any, case: MaskCase, training: bool) -> Any:
    """The sum of the squares of what counts in the outputs, and the variables after the call."""

    def compute(weights: list[Any], tensors: list[Any]) -> Any:
        context = scope.CallContext(layer, training)
        pairs = zip(layer.weights, weights, strict=True)
        with nacre.StatelessScope(pairs, collect_losses=True) as inner:
            with scope.entered_call(context):
                outputs = jax.tree.leaves(layer(*arguments(case, [masked(x) for x in tensors])))
            after = [inner.get_current_value(v) for v in layer.weights]
        result = 0.0
        for output in outputs:
            if case.does != "uses":
                wide = MASK.reshape((*MASK.shape, *(1,) * (output.ndim - 2)))
                output = jnp.where(wide, output, 0)
            result = result + jnp.sum(jnp.square(output))
        return result, after

    return jax.jit(jax.value_and_grad(compute, argnums=(0, 1), has_aux=True))


@pytest.mark.parametrize("name", [name for name in SAFE if name not in LEFT_OUT])
def test_nan_in_absent_steps_reaches_no_result_no_gradient_and_no_variable(name: str) -> None:
    case = SAFE[name]
    shape = SHAPES.get(case.inputs, (4,))
    count = 2 if case.inputs in ("list", "two", "same") else 1
    layer = case.build(layers)
    layer(*arguments(case, [jnp.asarray(sequences(i, shape=shape)) for i in range(count)]))
    random = np.random.default_rng(3)
    weights = [jnp.asarray(random.uniform(0.3, 0.9, w.shape), w.dtype) for w in layer.weights]
    # Draws are not alike in two calls, the sums of what is drawn are not compared.
    training = case.training or name in ("BatchNormalization", "TimeDistributed")
    compute = total(layer, case, training)
    found = [
        compute(weights, [jnp.asarray(sequences(i, padding, shape)) for i in range(count)])
        for padding in (None, np.nan)
    ]
    for leaf in jax.tree.leaves(found):
        assert np.isfinite(leaf).all()
    if case.is_exact:
        for ours, theirs in zip(*map(jax.tree.leaves, found), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_mask_given_to_a_model_keeps_nan_out_of_all_its_layers() -> None:
    model = nacre.Sequential(
        [nacre.Input((None, FEATURES)), layers.Dense(2), layers.LSTM(2), layers.Dense(1)]
    )
    clean, spoilt = model(sequences(), mask=MASK), model(sequences(padding=np.nan), mask=MASK)
    assert np.isfinite(spoilt).all()
    np.testing.assert_array_equal(clean[:2], spoilt[:2])


class MarksNan(layers.Layer):
    """A layer of the user's that finds padding by itself."""

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return ops.logical_not(ops.any(ops.isnan(inputs), axis=-1))


def test_training_on_steps_marked_by_nan_is_training_without_them() -> None:
    losses = []
    for mark, extra in ((MarksNan(), 0), (layers.Masking(np.nan), 1)):
        nacre.utils.set_random_seed(1)
        model = nacre.Sequential(
            [
                nacre.Input((None, FEATURES)),
                mark,
                layers.Dense(2),
                layers.LayerNormalization(),
                layers.SimpleRNN(2, return_sequences=True),
                layers.BatchNormalization(),
                layers.GlobalAveragePooling1D(),
            ]
        )
        model.compile(nacre.optimizers.SGD(0.1), "mse")
        x = sequences(padding=np.nan)[:2]
        x = np.concatenate([x, np.full((2, extra, FEATURES), np.nan)], axis=1)
        history = model.fit(x, np.ones((2, 2)), epochs=2, shuffle=False, verbose=0).history
        assert all(np.isfinite(w).all() for w in model.get_weights())
        losses.append(history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_pooling_nothing_gives_zeros_whichever_axis_the_steps_are_on() -> None:
    x = sequences(padding=np.nan)
    expected = np.stack([np.nanmean(x[0], 0), np.nanmean(x[1], 0), np.zeros(FEATURES)])
    last = layers.GlobalAveragePooling1D()(x, mask=MASK)
    first = layers.GlobalAveragePooling1D(data_format="channels_first")(
        np.swapaxes(x, 1, 2), mask=MASK
    )
    np.testing.assert_allclose(last, expected, rtol=1e-5)
    np.testing.assert_allclose(first, expected, rtol=1e-5)
