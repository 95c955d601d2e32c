"""Models of nacre's own layers are traced where kernels compiled here are used, through every door:
else nothing fails, and everything takes several times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.ops.kernels.native import library
from nacre.ops.kernels.placement import current_placement, inside_loop, own_program
from tests import native

GENERATOR = np.random.default_rng(0)


class Probe(layers.Layer):
    """Counts as one of nacre's own, and notes where it is traced."""

    calls_are_pure = True
    seen: ClassVar[list[str]] = []

    def call(self, inputs: Any) -> Any:
        Probe.seen.append(current_placement())
        return inputs


class OwnStep(nacre.Model):
    """A `train_step` of the user's around a model of nacre's layers."""

    def __init__(self, inner: nacre.Model) -> None:
        super().__init__()
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, others, of_optimizer, of_metrics = state

        def loss_of(values: Any) -> Any:
            outputs, new = self.stateless_call(values, others, data[0], training=True)
            return nacre.ops.mean(outputs**2), new

        (loss, others), slopes = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        trainable, of_optimizer = self.optimizer.stateless_apply(of_optimizer, slopes, trainable)
        return {"loss": loss}, (trainable, others, of_optimizer, of_metrics)


QUIET = {"batch_size": 2, "verbose": 0}
X = GENERATOR.normal(size=(6, 3)).astype("float32")
DOORS: dict[str, tuple[Callable[..., Any], str]] = {
    "model(x)": (lambda m: m(X), "own"),
    "predict": (lambda m: m.predict(X, **QUIET), "own"),
    "predict_on_batch": (lambda m: m.predict_on_batch(X), "own"),
    "evaluate": (lambda m: m.evaluate(X, X, **QUIET), "loop"),
    "test_on_batch": (lambda m: m.test_on_batch(X, X), "loop"),
    "fit": (lambda m: m.fit(X, X, **QUIET), "loop"),
    "fit of one batch": (lambda m: m.fit(X, X, verbose=0), "own"),
    "train_on_batch": (lambda m: m.train_on_batch(X, X), "own"),
}


def probed() -> nacre.Model:
    return nacre.Sequential([nacre.Input((3,)), Probe(), layers.Dense(3)])


def nested() -> nacre.Model:
    inputs = nacre.Input((3,))
    return nacre.Model(inputs, layers.Dense(3)(probed()(inputs)))


MODELS: dict[str, Callable[[], nacre.Model]] = {
    "a model": probed,
    "a nested model": nested,
    "its own train_step": lambda: OwnStep(probed()),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("make", MODELS)
def test_every_door_traces_layers_of_ours_where_kernels_are_used(make: str, door: str) -> None:
    model = MODELS[make]()
    model.compile("sgd", "mse")
    model.build((None, 3))
    Probe.seen.clear()
    run, place = DOORS[door]
    run(model)
    assert Probe.seen and Probe.seen[-1] == place


def test_generation_traces_layers_of_ours_where_kernels_are_used() -> None:
    model = nacre.Sequential([nacre.Input((None,), dtype="int32"), layers.Embedding(5, 4), Probe(),
                              layers.Dense(5)])  # fmt: skip
    Probe.seen.clear()
    nacre.models.generate(model, np.array([[1, 2]], "int32"), 4)
    assert Probe.seen[-2:] == ["own", "loop"]  # the prompt, and each further token


def attention() -> nacre.Model:
    inputs = nacre.Input((64, 64))
    return nacre.Model(inputs, layers.MultiHeadAttention(4, 16)(inputs, inputs))


KINDS: dict[str, tuple[Callable[[], Any], tuple[int, ...], library.Library]] = {
    "Conv2D": (lambda: layers.Conv2D(8, 3), (16, 16, 8), library.CONVOLUTION),
    "MaxPooling2D": (lambda: layers.MaxPooling2D(3, 2), (16, 16, 16), library.POOLING),
    "LSTM": (lambda: layers.LSTM(16), (8, 16), library.RECURRENT),
    "GRU": (lambda: layers.GRU(16), (8, 16), library.RECURRENT),
    "attention": (attention, (64, 64), library.ATTENTION),
}


@pytest.mark.parametrize("place", ["own", "loop"])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_use_their_compiled_kernels_there(kind: str, place: str) -> None:
    make, shape, kernels = KINDS[kind]
    native.need(kernels)
    model = nacre.Sequential([nacre.Input(shape), make()])
    x = GENERATOR.normal(size=(8, *shape)).astype("float32")

    def loss(x: Any) -> Any:
        with own_program() if place == "own" else inside_loop():
            return nacre.ops.sum(model._call_now(x, training=True) ** 2)

    assert "ffi_call[" in str(jax.make_jaxpr(jax.grad(loss))(x))
