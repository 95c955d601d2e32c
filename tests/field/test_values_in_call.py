"""Code that asks tensors for values, with compile(run_eagerly=True), and models without a `call`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import TracedValueError

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


class Halving(layers.Layer):
    """Asks its inputs for their values."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def call(self, inputs: Any) -> Any:
        self.seen.append(float(ops.mean(inputs)))
        return inputs / 2 if ops.max(inputs) > 0 else inputs


class Own(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.halving, self.out = Halving(), layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.out(self.halving(inputs))


MODELS = {"a class": Own, "Sequential": lambda: nacre.Sequential([Halving(), layers.Dense(1)])}


def batches() -> Any:
    yield from ((X[i : i + 2], Y[i : i + 2]) for i in range(0, 6, 2))


@pytest.mark.parametrize("is_called_before", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_an_eager_fit_lets_call_ask_for_values(kind: str, is_called_before: bool) -> None:
    model = MODELS[kind]()
    if is_called_before:
        model(X)
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)
    first = model.fit(X, Y, epochs=2, batch_size=4, verbose=0).history["loss"]
    assert first[1] < first[0]
    assert np.isfinite(model.evaluate(X, Y, verbose=0)[0])
    model.fit(batches(), verbose=0)
    np.testing.assert_allclose(model.predict(X, verbose=0), model(X), rtol=1e-6)
    seen = model.layers[0].seen
    assert all(type(value) is float for value in seen)


@pytest.mark.parametrize("method", ["evaluate", "train_on_batch", "test_on_batch"])
def test_the_first_thing_done_eagerly_may_be(method: str) -> None:
    model = Own()
    model.compile("sgd", "mse", run_eagerly=True)
    loss = getattr(model, method)(X, Y)
    assert np.isfinite(loss)


class Parts(nacre.Model):
    """A generator and a critic with a step of their own, as in a GAN: nothing calls the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nacre.Sequential([nacre.Input((3,)), layers.Dense(1)])
        self.mean = nacre.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[nacre.Metric]:
        return [self.mean]

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, other, optimizer, mean = state

        def loss_of(values: Any) -> Any:
            outputs, _ = self.part.stateless_call(values, other, data[0], training=True)
            return ops.mean((outputs - data[1]) ** 2)

        loss, gradients = jax.value_and_grad(loss_of)(trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        mean = self.mean.stateless_update_state(mean, loss)
        logs = {"loss": self.mean.stateless_result(mean)}
        return logs, (trainable, other, optimizer, mean)


def test_a_model_of_parts_trains_by_its_own_step_without_a_call(tmp_path: Any) -> None:
    model = Parts()
    model.compile(nacre.optimizers.SGD(0.1))
    losses = model.fit(X, Y, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert model.train_on_batch(X, Y) < losses[0]
    path = tmp_path / "parts.weights.h5"
    model.save_weights(path)
    before = model.part.predict(X, verbose=0)
    model.fit(X, Y, verbose=0)
    model.load_weights(path)
    np.testing.assert_array_equal(model.part.predict(X, verbose=0), before)


class AlwaysDropping(layers.Dropout):
    """Drops in inference too, by a `call` that takes no `training`."""

    def call(self, inputs: Any) -> Any:
        return super().call(inputs, training=True)


@pytest.mark.parametrize("noise_shape", [None, (None, 1)])
def test_a_dropout_whose_call_takes_no_training_stands_in_a_graph(noise_shape: Any) -> None:
    model = nacre.Sequential([nacre.Input((3,)), AlwaysDropping(0.5, noise_shape), layers.Dense(1)])
    first, second = (model.predict(X, verbose=0) for _ in range(2))
    assert not np.array_equal(first, second)


def test_an_eager_fit_draws_what_a_compiled_one_draws() -> None:
    losses = []
    for eager in (False, True):
        nacre.utils.set_random_seed(2)
        model = nacre.Sequential([layers.Dropout(0.3), layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=eager)
        losses.append(model.fit(X, Y, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


class ByValue(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs if ops.mean(inputs) > 0 else -inputs


def test_while_a_graph_is_described_the_advice_is_what_works_there() -> None:
    x = np.ones((4, 3), "float32")
    for describe in (
        lambda: nacre.Sequential([nacre.Input((3,)), ByValue()]),
        lambda: ByValue()(nacre.Input((3,))),
    ):
        with pytest.raises(TypeError, match=r"ops\.where.*on a model without an Input") as told:
            describe()
        assert "which is slow" not in str(told.value)
    model = nacre.Sequential([ByValue(), layers.Dense(1)])
    with pytest.raises(TypeError, match=r"ops\.where.*run_eagerly=True\)"):
        model.predict(x, verbose=0)
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(x, x[:, :1], verbose=0)


def test_a_loss_that_runs_eagerly_may_ask_for_values_as_its_error_says() -> None:
    seen: list[Any] = []

    def loss(y_true: Any, y_pred: Any) -> Any:
        seen.append(float(ops.mean(asked(y_pred))))
        return ops.mean(ops.square(y_true - y_pred))

    model = nacre.Sequential([layers.Dense(1)])
    model.compile("sgd", loss, run_eagerly=True)
    asked: Any = ops.mean
    with pytest.raises(TypeError, match="ops.stop_gradient"):
        model.fit(X, Y, verbose=0)
    asked = ops.stop_gradient
    model.fit(X, Y, verbose=0)
    assert len(seen) == 1


class Target(nacre.Model):
    """A network and a slower one beside it, whose step does one thing more."""

    def __init__(self, also: Any) -> None:
        super().__init__()
        self.now, self.slow = layers.Dense(1), layers.Dense(1, trainable=False)
        self.also = also

    def build(self, input_shape: Any) -> None:
        self.now.build(input_shape), self.slow.build(input_shape)

    def call(self, inputs: Any) -> Any:
        return self.now(inputs)

    def train_step(self, data: Any) -> Any:
        self.also(self, *data)
        return super().train_step(data)


def copied(model: Target, x: Any, y: Any) -> None:
    model.slow.set_weights(model.now.get_weights())


ASKS: dict[str, Any] = {
    "get_weights": copied,
    "numpy": lambda m, x, y: m.now.kernel.numpy(),
    "np.asarray": lambda m, x, y: np.asarray(m.now.kernel),
    "float": lambda m, x, y: float(m.optimizer.learning_rate),
    "int": lambda m, x, y: int(m.optimizer.iterations),
    "if": lambda m, x, y: 1 if m.now.bias else 2,
    "convert_to_numpy": lambda m, x, y: ops.convert_to_numpy(x),
    "save_weights": lambda m, x, y: m.save_weights("never.weights.h5"),
}


@pytest.mark.parametrize("ask", ASKS)
def test_a_variable_asked_for_numbers_in_a_compiled_step_says_what_to_do(ask: str) -> None:
    model = Target(ASKS[ask])
    model.compile("sgd", "mse")
    rule = r"compiled cannot ask a (variable|tensor) for its value\. .*run_eagerly=True"
    with pytest.raises(TracedValueError, match=rule):
        model.fit(X, Y, verbose=0)


def test_where_the_step_is_not_compiled_it_has_them() -> None:
    model = Target(copied)
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X, Y, verbose=0, batch_size=6)
    model.also(model, X, Y)
    np.testing.assert_array_equal(model.slow.kernel, model.now.kernel)


@pytest.mark.parametrize(
    "run",
    [
        lambda m, x, y: m.predict(x, verbose=0),
        lambda m, x, y: m.predict_on_batch(x),
        lambda m, x, y: m.evaluate(x, y, verbose=0),
        lambda m, x, y: m.train_on_batch(x, y),
    ],
)
def test_a_run_over_data_within_a_compiled_step_is_told_to_call_the_model(run: Any) -> None:
    model = Target(run)
    model.compile("sgd", "mse")
    with pytest.raises(TracedValueError, match=r"self\(x, training=False\)"):
        model.fit(X, Y, verbose=0)
