"""`super().train_step(data)` and its like, in both forms that Keras has, wherever steps run."""

import functools
import types

import jax
import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core.errors import ArgumentError, LossInputError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = (X[:, :1] - X[:, 1:2]).astype("float32")
WEIGHTS = np.where(np.arange(32) % 5 == 0, 0.0, 1.5).astype("float32")


def stack(outputs=1, activation=None):
    """Ends of a small model with a seed, statistics and a loss of its own."""
    keras.utils.set_random_seed(1)
    entry = keras.Input((4,))
    x = layers.Dense(5, activation="tanh", kernel_regularizer="l2")(entry)
    x = layers.Dropout(0.2, seed=3)(layers.BatchNormalization()(x))
    return entry, layers.Dense(outputs, activation=activation)(x)


class Plain(keras.Model):
    pass


class InPlace(keras.Model):
    def train_step(self, data):
        return {**super().train_step(data), "one": 1.0}

    def test_step(self, data):
        return {**super().test_step(data), "one": 1.0}

    def predict_step(self, data):
        return 2.0 * super().predict_step(data)


class Pure(keras.Model):
    def train_step(self, state, data):
        logs, state = super().train_step(state, data)
        return {**logs, "one": 1.0}, state

    def test_step(self, state, data):
        logs, state = super().test_step(state=state, data=data)
        return {**logs, "one": 1.0}, state

    def predict_step(self, state, data):
        outputs, others = super().predict_step(state, data)
        return 2.0 * outputs, others


class Handing(keras.Model):
    """Whichever form it is, as code for several backends writes it."""

    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)

    def test_step(self, *args, **kwargs):
        return super().test_step(*args, **kwargs)

    def predict_step(self, *args, **kwargs):
        return super().predict_step(*args, **kwargs)


class Derived(InPlace):
    def train_step(self, data):
        logs = super().train_step(data)
        return {**logs, "two": logs["one"] * 2}


def made(cls, **settings):
    model = cls(*stack())
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", metrics=["mae"], **settings)
    return model


def trained(cls, **settings):
    """All that a training leaves behind."""
    model = made(cls, **settings)
    history = model.fit(X, Y, 16, sample_weight=WEIGHTS, shuffle=False, verbose=0).history
    found = [history["loss"], history["mae"], *model.get_weights()]
    found += [v.numpy() for v in model.optimizer.variables]
    found += model.evaluate(X, Y, verbose=0)[:2]
    found += model.train_on_batch(X[:8], Y[:8])[:2] + model.test_on_batch(X, Y)[:2]
    factor = 2.0 if cls in (InPlace, Pure, Derived) else 1.0
    found += [model.predict(X[:9], verbose=0) / factor, model.predict_on_batch(X) / factor]
    return found


@functools.cache
def trained_plainly(eager):
    return trained(Plain, run_eagerly=eager)


@pytest.mark.parametrize(
    ("cls", "eager"),
    [(InPlace, False), (InPlace, True), (Pure, False), (Handing, False), (Derived, False)],
)
def test_a_step_that_calls_the_built_in_one_trains_as_that_does(cls, eager):
    for own, plain in zip(trained(cls, run_eagerly=eager), trained_plainly(eager), strict=True):
        np.testing.assert_allclose(own, plain, rtol=1e-4, atol=1e-6)


def test_a_step_may_change_the_batch_and_the_logs():
    class Shifted(keras.Model):
        def train_step(self, data):
            x, y = data
            logs = super().train_step((x + 1.0, y))
            return {"doubled": logs["loss"] * 2}

    one, other = made(Plain), made(Shifted)
    expected = one.fit(X + 1.0, Y, shuffle=False, verbose=0).history["loss"][0]
    found = other.fit(X, Y, shuffle=False, verbose=0).history
    assert list(found) == ["doubled"]
    np.testing.assert_allclose(found["doubled"][0], 2 * expected, rtol=1e-6)
    np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=1e-6)


def test_a_step_may_make_the_targets():
    """Of what fit is given the losses could take nothing: no labels, or class numbers."""

    class OneHot(keras.Model):
        def train_step(self, data):
            x, y = data
            return super().train_step((x, ops.one_hot(y, 3)))

        def test_step(self, data):
            x, y = data
            return super().test_step((x, ops.one_hot(y, 3)))

    class Reconstructing(keras.Model):
        def train_step(self, x):
            return super().train_step((x, x))

        def test_step(self, x):
            return super().test_step((x, x))

    labels = np.argmax(X[:, :3], axis=1)
    model = OneHot(*stack(3, "softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    assert model.fit(X, labels, epochs=2, verbose=0).history["accuracy"][-1] > 0.0
    accuracy = np.mean(model.predict(X, verbose=0).argmax(-1) == labels)
    np.testing.assert_allclose(model.evaluate(X, labels, verbose=0)[1], accuracy, rtol=1e-6)

    model = Reconstructing(*stack(4))
    model.compile("adam", "mse", metrics=["mae"])
    assert len(model.fit(X, epochs=2, verbose=0).history["mae"]) == 2
    error = np.mean(np.abs(model.predict(X, verbose=0) - X))
    np.testing.assert_allclose(model.evaluate(X, verbose=0)[1], error, rtol=1e-5)


def test_targets_that_a_step_hands_on_are_refused_as_ever():
    model = InPlace(*stack(3, "softmax"))
    model.compile("adam", "categorical_crossentropy")
    for _ in range(2):
        with pytest.raises(LossInputError, match="sparse_categorical_crossentropy"):
            model.fit(X, np.argmax(X[:, :3], axis=1), verbose=0)


def test_steps_called_by_themselves_run_one_step_and_metrics_go_on():
    by_batch, by_hand = made(Plain), made(Derived)
    losses = [by_batch.train_on_batch(X[:8], Y[:8])[0] for _ in range(2)]
    logs = [by_hand.train_step((X[:8], Y[:8])) for _ in range(2)]
    np.testing.assert_allclose(float(logs[1]["loss"]), np.mean(losses), rtol=1e-6)
    assert float(logs[1]["two"]) == 2.0
    assert int(by_hand.optimizer.iterations) == 2
    np.testing.assert_array_equal(by_hand.get_weights()[0], by_batch.get_weights()[0])
    by_hand.reset_metrics()
    found = by_hand.test_step((X, Y, WEIGHTS))
    expected = by_batch.test_on_batch(X, Y, WEIGHTS)
    np.testing.assert_allclose([float(found["loss"]), float(found["mae"])], expected, rtol=1e-6)
    np.testing.assert_allclose(
        by_hand.predict_step((X, Y)), 2 * by_batch.predict(X, verbose=0), rtol=1e-5, atol=1e-6
    )


def test_the_pure_form_is_a_function_of_values_that_jax_may_compile():
    model, plain = made(Pure), made(Plain)
    model.fit(X[:8], Y[:8], shuffle=False, verbose=0)
    plain.fit(X[:8], Y[:8], shuffle=False, verbose=0)
    before = model.get_weights()
    state = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = jax.tree.map(lambda v: v.value, state)
    logs, new = jax.jit(model.train_step)(state, (X[8:16], Y[8:16]))
    assert set(logs) == {"loss", "mae", "one"}
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    plain.train_step((X[8:16], Y[8:16]))
    for group, variables in zip(
        new, (plain.trainable_variables, plain.non_trainable_variables, plain.optimizer.variables)
    ):
        for a, b in zip(group, variables, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(ArgumentError, match=r"must be a tuple of 4 lists. Got 3"):
        model.train_step(state[:3], (X, Y))
    with pytest.raises(ArgumentError, match="must hold 6 trainable values. Got 0"):
        model.train_step(([], *state[1:]), (X, Y))


def test_a_step_set_on_one_model_is_its_own_alone():
    model, other = made(Plain), made(Plain)

    def train_step(self, data):
        return {"own": self.compute_loss(y=data[1], y_pred=self(data[0]))}

    model.train_step = types.MethodType(train_step, model)
    assert list(model.fit(X, Y, verbose=0).history) == ["own"]
    assert list(other.fit(X, Y, verbose=0).history) == ["loss", "mae"]
    del model.train_step
    assert list(model.fit(X, Y, verbose=0).history) == ["loss", "mae"]


def test_predict_step_is_given_what_predict_was():
    seen = []

    class Labelled(keras.Model):
        def predict_step(self, data):
            seen.append(jax.tree.map(np.shape, data))
            x, y = data if isinstance(data, tuple) else (data, 0.0)
            return {"p": self(x, training=False), "y": 0.0 * x + y}

    model = Labelled(*stack())
    assert set(model.predict(X, verbose=0)) == {"p", "y"}
    found = model.predict(iter([(X[:8], Y[:8]), (X[8:12], Y[8:12])]), verbose=0)
    np.testing.assert_array_equal(found["y"][:, 0], Y[:12, 0])
    assert ((8, 4), (8, 1)) in seen
    assert found["p"].shape == (12, 1)


def test_predict_step_may_call_parts_alone():
    class Coded(keras.Model):
        def __init__(self):
            super().__init__()
            self.decoder = keras.Sequential([keras.Input((2,)), layers.Dense(3)])

        def predict_step(self, data):
            return ops.argmax(self.decoder(data[:, :2]), axis=-1)

    assert Coded().predict(X, verbose=0).shape == (32,)


def test_a_step_of_other_arguments_is_refused():
    class Wrong(keras.Model):
        def predict_step(self, x, y, z):
            return x

    with pytest.raises(ArgumentError, match=r"Wrong.predict_step: it must take \(self, data\)"):
        Wrong(*stack()).predict(X, verbose=0)
    with pytest.raises(ArgumentError, match="it takes a batch. Got no argument"):
        made(Plain).train_step()


def test_a_step_of_two_built_in_ones_is_two_steps():
    class Twice(keras.Model):
        def train_step(self, data):
            super().train_step(data)
            return super().train_step(data)

    once, twice = made(Plain), made(Twice)
    for _ in range(2):
        once.train_step((X[:8], Y[:8]))
    twice.fit(X[:8], Y[:8], shuffle=False, verbose=0)
    assert int(twice.optimizer.iterations) == 2
    for a, b in zip(once.get_weights(), twice.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("wrap", [False, True])
def test_steps_called_by_themselves_build_the_model(wrap):
    class Late(InPlace):
        def __init__(self):
            super().__init__()
            self.out = layers.Dense(1)

        def call(self, x):
            return self.out(x)

    model = Late()
    model.compile("adam", "mse", metrics=["mae"])
    step = keras.function(model.train_step) if wrap else model.train_step
    assert set(step((X, Y))) == {"loss", "mae", "one"}
    first = model.get_weights()[0]
    step((X, Y))
    assert int(model.optimizer.iterations) == 2
    assert not np.array_equal(first, model.get_weights()[0])
