"""Layers that are random by themselves, all of them: what they draw comes from a state that every
program takes and gives back, and nothing is drawn in inference.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, ops, random
from nacre.utils import set_random_seed

L = layers
STEPS = TURNS = 2
VECTORS, SEQUENCES, IMAGES, PHOTOS = (1, 32), (1, 3, 16), (1, 4, 4, 16), (2, 6, 6, 3)
GRAPH = np.array([[0, 1, 2, 3], [1, 2, 3, 0]])
Make = Callable[[], layers.Layer]

LAYERS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "AlphaDropout": (lambda: L.AlphaDropout(0.5), VECTORS),
    "Dropout": (lambda: L.Dropout(0.5), VECTORS),
    "GaussianDropout": (lambda: L.GaussianDropout(0.5), VECTORS),
    "GaussianNoise": (lambda: L.GaussianNoise(1.0), VECTORS),
    "SpatialDropout1D": (lambda: L.SpatialDropout1D(0.5), SEQUENCES),
    "SpatialDropout2D": (lambda: L.SpatialDropout2D(0.5), IMAGES),
    "SpatialDropout3D": (lambda: L.SpatialDropout3D(0.5), (1, 2, 2, 2, 16)),
    "GRU": (lambda: L.GRU(16, dropout=0.5), SEQUENCES),
    "LSTM": (lambda: L.LSTM(16, recurrent_dropout=0.5), SEQUENCES),
    "SimpleRNN": (lambda: L.SimpleRNN(16, dropout=0.5), SEQUENCES),
    "GRUCell": (lambda: L.RNN(L.GRUCell(16, dropout=0.5)), SEQUENCES),
    "LSTMCell": (lambda: L.RNN(L.LSTMCell(16, recurrent_dropout=0.5)), SEQUENCES),
    "SimpleRNNCell": (lambda: L.RNN(L.SimpleRNNCell(16, dropout=0.5)), SEQUENCES),
    "Bidirectional": (lambda: L.Bidirectional(L.GRU(16, dropout=0.5)), SEQUENCES),
    "TimeDistributed": (lambda: L.TimeDistributed(L.Dropout(0.5)), SEQUENCES),
    "ConvLSTM1D": (lambda: L.ConvLSTM1D(4, 1, dropout=0.5), (1, 2, 3, 16)),
    "ConvLSTM2D": (lambda: L.ConvLSTM2D(4, 1, recurrent_dropout=0.5), (1, 2, 2, 2, 16)),
    "ConvLSTM3D": (lambda: L.ConvLSTM3D(4, 1, dropout=0.5), (1, 2, 1, 2, 2, 16)),
    "Attention": (lambda: Itself(L.Attention(dropout=0.5)), (1, 8, 16)),
    "MultiHeadAttention": (lambda: Itself(L.MultiHeadAttention(4, 4, dropout=0.5)), (1, 8, 16)),
    "GroupQueryAttention": (
        lambda: Itself(L.GroupQueryAttention(4, 4, 2, dropout=0.5)), (1, 8, 16),
    ),
    "TransformerEncoder": (lambda: L.TransformerEncoder(4, 2, dropout=0.5), SEQUENCES),
    "Sampling": (lambda: Itself(L.Sampling()), VECTORS),
    "RandomBrightness": (lambda: L.RandomBrightness(0.5), PHOTOS),
    "RandomColorDegeneration": (lambda: L.RandomColorDegeneration(1.0), PHOTOS),
    "RandomColorJitter": (lambda: L.RandomColorJitter(brightness_factor=0.5), PHOTOS),
    "RandomContrast": (lambda: L.RandomContrast(0.9), PHOTOS),
    "RandomCrop": (lambda: L.RandomCrop(2, 2), PHOTOS),
    "RandomElasticTransform": (lambda: L.RandomElasticTransform(1.0), PHOTOS),
    "RandomErasing": (lambda: L.RandomErasing(1.0), PHOTOS),
    "RandomFlip": (lambda: L.RandomFlip(), (32, 2, 2, 1)),
    "RandomGaussianBlur": (lambda: L.RandomGaussianBlur(1.0, sigma=(0.1, 3.0)), PHOTOS),
    "RandomGrayscale": (lambda: L.RandomGrayscale(0.5), (32, 2, 2, 3)),
    "RandomHue": (lambda: L.RandomHue(1.0), PHOTOS),
    "RandomInvert": (lambda: L.RandomInvert(0.5), (32, 2, 2, 3)),
    "RandomPerspective": (lambda: L.RandomPerspective(1.0), PHOTOS),
    "RandomPosterization": (lambda: L.RandomPosterization(8), (32, 2, 2, 3)),
    "RandomRotation": (lambda: L.RandomRotation(0.5), PHOTOS),
    "RandomSaturation": (lambda: L.RandomSaturation(1.0), PHOTOS),
    "RandomSharpness": (lambda: L.RandomSharpness(1.0), PHOTOS),
    "RandomShear": (lambda: L.RandomShear(0.9, 0.9), PHOTOS),
    "RandomTranslation": (lambda: L.RandomTranslation(0.9, 0.9), PHOTOS),
    "RandomZoom": (lambda: L.RandomZoom((-0.9, 0.9)), PHOTOS),
    "AugMix": (lambda: L.AugMix(), PHOTOS),
    "CutMix": (lambda: L.CutMix(), (8, 6, 6, 3)),
    "MixUp": (lambda: L.MixUp(), (8, 6, 6, 3)),
    "RandAugment": (lambda: L.RandAugment(), PHOTOS),
}  # fmt: skip
# With an argument `seed`, and why they are not here.
ELSEWHERE = {
    "GATConv": "takes a graph; its dropout is that of Dropout",
    "JaxLayer": "draws what its function asks for, see test_foreign.py",
    "Solarization": "draws nothing: `seed` is in Keras's signature",
}


class Itself(layers.Layer):
    """Calls a layer on its input and itself."""

    def __init__(self, inner: layers.Layer) -> None:
        super().__init__()
        self.inner = inner

    def call(self, inputs: Any, training: Any = None) -> Any:
        if isinstance(self.inner, L.MultiHeadAttention | L.GroupQueryAttention):
            return self.inner(inputs, inputs, training=training)
        return self.inner([inputs, inputs * 0.1], training=training)


def given(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 200, shape).astype("float32")


def digest(outputs: Any) -> Any:
    """One number of an output; what changed places counts as another one."""
    y = ops.ravel(outputs)
    return ops.sum(y * ops.sin(ops.arange(y.shape[0], dtype="float32") + 1))


def states_of(layer: layers.Layer) -> list[nacre.Variable]:
    return [v for one in layer._flatten_layers() for v in one._seed_states()]


def traced(layer: layers.Layer, x: np.ndarray, training: bool) -> Any:
    """The program (generators' states) -> (their states afterwards, outputs)."""
    known, states = layer.non_trainable_variables, states_of(layer)
    values = {id(v): v.value for v in known}

    def run(given_states: list[Any]) -> Any:
        now = values | {id(v): s for v, s in zip(states, given_states, strict=True)}
        outputs, new = layer.stateless_call(
            layer.trainable_variables, [now[id(v)] for v in known], x, training=training
        )
        after = dict(zip(map(id, known), new, strict=True))
        return [after[id(v)] for v in states], outputs

    return jax.make_jaxpr(run)([v.value for v in states]).jaxpr


def reached(program: Any) -> set[int]:
    """The variables of a program that depend on what it is given, by id."""
    found = set(map(id, program.invars))
    for equation in program.eqns:
        if any(id(v) in found for v in equation.invars):
            found.update(map(id, equation.outvars))
    return found


@pytest.mark.parametrize("name", LAYERS)
def test_what_a_layer_draws_comes_from_a_state_and_nothing_is_drawn_in_inference(name: str) -> None:
    make, shape = LAYERS[name]
    layer, x = make(), given(shape)
    layer.build(shape)
    program = traced(layer, x, training=True)
    count = len(program.invars)
    assert count  # it has a generator
    before, after, outputs = program.invars, program.outvars[:count], program.outvars[count:]
    assert any(new is not old for new, old in zip(after, before, strict=True))  # it goes on
    assert all(id(output) in reached(program) for output in outputs)
    if name == "Sampling":
        return  # draws in inference too, unless told otherwise
    program = traced(layer, x, training=False)
    assert program.outvars[:count] == program.invars
    assert not any(id(output) in reached(program) for output in program.outvars[count:])


def test_every_layer_that_takes_a_seed_is_here() -> None:
    found = {
        name
        for name in layers.__all__
        if inspect.isclass(cls := getattr(layers, name))
        and issubclass(cls, layers.Layer)
        and "seed" in inspect.signature(cls.__init__).parameters
    }
    assert found - LAYERS.keys() == ELSEWHERE.keys()


class InLoop(layers.Layer):
    """Runs layers in each turn of a loop, and keeps what they gave in the last `STEPS` calls."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.each = [nacre.Sequential([LAYERS[name][0]()]) for name in names]
        self.x = [given(LAYERS[name][1]) for name in names]

    def build(self, input_shape: Any) -> None:
        shape = (STEPS, TURNS, len(self.each))
        self.seen = self.add_weight(shape, initializer="zeros", trainable=False)
        for layer, x in zip(self.each, self.x, strict=True):
            layer(x)  # what it makes is not made in the loop

    def call(self, inputs: Any) -> Any:
        def turn(carry: Any, _: Any) -> tuple[Any, Any]:
            pairs = zip(self.each, self.x, strict=True)
            return carry, ops.stack([digest(layer(x, training=True)) for layer, x in pairs])

        now = ops.scan(turn, ops.zeros(()), ops.arange(TURNS))[1]
        self.seen.assign(ops.concatenate([self.seen[1:], now[None]]))
        return inputs


def test_layers_of_a_nested_model_in_a_loop_are_fresh_in_every_turn_of_every_step() -> None:
    names = [
        "Dropout",
        "GaussianNoise",
        "LSTM",
        "SpatialDropout2D",
        "RandomBrightness",
        "Attention",
    ]
    x = np.zeros((STEPS, 1), "float32")
    runs = []
    for _ in range(2):
        set_random_seed(4)
        subject = InLoop(names)
        model = nacre.Sequential([nacre.Input((1,)), subject, layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, x, batch_size=1, verbose=0)
        runs.append(subject.seen.numpy().reshape(-1, len(names)).T)
    values = dict(zip(names, runs[0].tolist(), strict=True))
    assert {n: v for n, v in values.items() if len(set(v)) < STEPS * TURNS} == {}
    np.testing.assert_array_equal(*runs)


def test_the_global_generator_stands_still_in_inference() -> None:
    model = nacre.Sequential([nacre.Input((32,)), layers.Dropout(0.5), layers.GaussianNoise(1.0)])
    model.compile("sgd", "mse")
    x = given((4, 32))

    def next_number() -> float:
        return float(random.uniform(()))

    set_random_seed(1)
    expected = next_number()
    set_random_seed(1)
    model(x), model.predict(x, verbose=0), model.evaluate(x, x, verbose=0)
    assert next_number() == expected
