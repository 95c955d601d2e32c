"""`train_step(self, data)` and `test_step(self, data)` as in tf.keras, traced into fit's program."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops
from nacre.core.scope import StatelessScope

RNG = np.random.default_rng(3)
X = RNG.normal(size=(64, 4)).astype("float32")
Y = (X @ np.asarray([[1.0], [-2.0], [0.5], [3.0]], "float32") + 1.0).astype("float32")


def stack():
    keras.utils.set_random_seed(1)
    entry = keras.Input((4,))
    return entry, layers.Dense(1)(layers.Dense(5, activation="tanh")(entry))


class ByHand(keras.Model):
    """The step of the guides: compiled loss, own optimizer, compiled metrics."""

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01),
        lambda: keras.optimizers.SGD(
            keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5), momentum=0.9, clipnorm=0.5
        ),
        lambda: keras.optimizers.AdamW(
            0.01, weight_decay=0.1, use_ema=True, ema_overwrite_frequency=3
        ),
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    ],
)
def test_a_step_by_hand_trains_as_the_built_in_one(optimizer):
    plain, own = keras.Model(*stack()), ByHand(*stack())
    logs = []
    for model in (plain, own):
        model.compile(optimizer(), "mse")
        logs.append(model.fit(X, Y, batch_size=16, epochs=3, shuffle=False, verbose=0).history)
    np.testing.assert_allclose(logs[1]["loss"], logs[0]["loss"], rtol=1e-5)
    for a, b in zip(own.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for a, b in zip(own.optimizer.variables, plain.optimizer.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)


def test_loss_scaling_goes_on_within_a_step_by_hand():
    class Scaled(ByHand):
        def train_step(self, data):
            x, y = data
            with keras.GradientTape() as tape:
                loss = ops.mean(ops.square(y - self(x, training=True)))
                scaled = self.optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    plain, own = keras.Model(*stack()), Scaled(*stack())
    plain.compile(keras.optimizers.SGD(0.05), "mse")
    own.compile(
        keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.05), initial_scale=64.0, dynamic_growth_steps=2
        )
    )
    for model in (plain, own):
        model.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(own.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert float(own.optimizer.dynamic_scale.value) == 256.0
    assert int(own.optimizer.iterations) == 4


class Gan(keras.Model):
    """As published: two models, two optimizers given to compile, metrics of its own, no call."""

    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
        self.discriminator = keras.Sequential(
            [keras.Input((4,)), layers.Dense(6), layers.Dropout(0.3), layers.Dense(1)]
        )
        self.seed = keras.random.SeedGenerator(7)

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")

    @property
    def metrics(self):
        return [self.d_loss_metric, self.g_loss_metric]

    def train_step(self, real):
        real = real[0] if isinstance(real, tuple) else real
        batch = ops.shape(real)[0]
        fake = self.generator(keras.random.normal((batch, 2), seed=self.seed))
        both = ops.concatenate([fake, real], axis=0)
        labels = ops.concatenate([ops.ones((batch, 1)), ops.zeros((batch, 1))], axis=0)
        with keras.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both, training=True))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        noise = keras.random.normal((batch, 2), seed=self.seed)
        with keras.GradientTape() as tape:
            judged = self.discriminator(self.generator(noise))
            g_loss = self.loss_fn(ops.zeros((batch, 1)), judged)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        self.d_loss_metric.update_state(d_loss)
        self.g_loss_metric.update_state(g_loss)
        return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result()}


def test_a_gan_as_published_trains_both_optimizers():
    gan = Gan()
    gan.compile(
        keras.optimizers.Adam(1e-2),
        keras.optimizers.Adam(1e-2),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    before = gan.get_weights()
    history = gan.fit(X, batch_size=16, epochs=3, verbose=0).history
    assert int(gan.d_optimizer.iterations) == int(gan.g_optimizer.iterations) == 12
    assert all(not np.array_equal(a, b) for a, b in zip(gan.get_weights(), before, strict=True))
    assert history["d_loss"][-1] != history["d_loss"][0] and len(history["g_loss"]) == 3
    moments = gan.d_optimizer.variables[2].numpy()
    assert np.abs(moments).sum() > 0
    first = gan.seed.state.numpy().copy()
    gan.fit(X, batch_size=16, verbose=0)  # goes on
    assert int(gan.d_optimizer.iterations) == 16
    assert not np.array_equal(first, gan.seed.state.numpy())


def test_losses_that_layers_add_belong_to_the_last_call_of_each():
    class Penalty(layers.Layer):
        def __init__(self, factor):
            super().__init__()
            self.scale = self.add_weight((), "ones", name="scale")
            self.factor = factor

        def call(self, x):
            self.add_loss(self.factor * ops.mean(x * self.scale))
            return x * self.scale

    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = Penalty(1.0), Penalty(10.0)

        def call(self, x):
            return self.second(self.first(x))

        def train_step(self, data):
            x = data
            with keras.GradientTape() as tape:
                self.first(x)
                self.first(x)
                self.second(x)
                one, ten = ops.sum(self.first.losses), ops.sum(self.second.losses)
                self(x)
                both = ops.sum(self.losses)
            slope = tape.gradient(both, self.first.scale)
            return {"one": one, "ten": ten, "both": both, "slope": slope}

    model = Two()
    model.compile("sgd")
    logs = model.fit(np.ones((8, 2), "float32"), verbose=0).history
    assert {k: v[0] for k, v in logs.items()} == {
        "one": 1.0, "ten": 10.0, "both": 11.0, "slope": 11.0,
    }  # fmt: skip
    assert model.losses == []


def test_test_step_by_hand_reports_what_it_returns():
    class Own(ByHand):
        def test_step(self, data):
            x, y = data
            y_pred = self(x, training=False)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(self.compute_loss(y=y, y_pred=y_pred))
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    own, plain = Own(*stack()), keras.Model(*stack())
    for model in (own, plain):
        model.compile("sgd", "mse", metrics=["mae"])
    a = own.evaluate(X, Y, batch_size=16, verbose=0, return_dict=True)
    b = plain.evaluate(X, Y, batch_size=16, verbose=0, return_dict=True)
    assert a == pytest.approx(b, rel=1e-5)
    history = own.fit(X, Y, validation_data=(X, Y), verbose=0).history
    assert set(history) == {"loss", "mae", "val_loss", "val_mae"}


def test_what_a_step_cannot_return_or_take_is_refused():
    class Returns(ByHand):
        value = None

        def train_step(self, data):
            return self.value

    model = Returns(*stack())
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="must return what is to be reported"):
        model.fit(X, Y, verbose=0)
    model.value = {"loss": np.ones(3)}
    with pytest.raises(ValueError, match=r"'loss' of shape \(3,\)"):
        model.fit(X, Y, verbose=0)

    class Takes(ByHand):
        def train_step(self, x, y, z):
            return {}

    model = Takes(*stack())
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"\(self, data\).*or \(self, state, data\)"):
        model.fit(X, Y, verbose=0)


@pytest.mark.full_effort
@pytest.mark.parametrize("kind", ["convolution", "recurrent"])
def test_a_traced_tape_is_the_program_of_jax_grad(kind):
    if kind == "convolution":
        model = keras.Sequential(
            [
                layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(),
                layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.2), layers.Dense(3),
            ]
        )  # fmt: skip
        x = jnp.ones((4, 8, 8, 2))
    else:
        model = keras.Sequential([layers.LSTM(8, return_sequences=True), layers.GRU(4)])
        x = jnp.ones((4, 6, 3))
    model(x)
    trained, others = model.trainable_variables, model.non_trainable_variables

    def scope(values, rest):
        return StatelessScope([*zip(trained, values, strict=True), *zip(others, rest, strict=True)])

    def plain(values, rest, x):
        def loss(values):
            with scope(values, rest) as inner:
                value = ops.mean(ops.square(model(x, training=True)))
                return value, [inner.get_current_value(v) for v in others]

        return jax.value_and_grad(loss, has_aux=True)(values)

    def taped(values, rest, x):
        with scope(values, rest) as inner:
            with keras.GradientTape() as tape:
                value = ops.mean(ops.square(model(x, training=True)))
            gradients = tape.gradient(value, trained)
            return (value, [inner.get_current_value(v) for v in others]), gradients

    arguments = [v.value for v in trained], [v.value for v in others], x
    counts, results = [], []
    for step in (plain, taped):
        program = jax.jit(step).lower(*arguments).compile()
        lines = re.findall(r"^\s+(?:ROOT )?%?[\w.\-]+ = \S+ ([\w\-]+)\(", program.as_text(), re.M)
        counts.append({k: lines.count(k) for k in ("while", "custom-call", "dot", "convolution")})
        counts[-1]["all"] = len(lines)
        results.append(jax.tree.leaves(program(*arguments)))
    assert counts[1].pop("all") <= 1.1 * counts[0].pop("all")
    assert counts[0] == counts[1]
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("given", [lambda x: (x,), lambda x: x, lambda x: (x, None)])
def test_inputs_to_validate_with_reach_test_step_as_they_do_train_step(given):
    """An autoencoder's `validation_data=(x,)` is `x`, as in Keras, and not a list of one input."""
    seen = {}

    class Autoencoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)
            self.inner.build((None, 3))

        def _loss_of(self, data, kind):
            seen[kind] = data.shape
            return {"loss": ops.mean(ops.square(self.inner(data) - data))}

        def train_step(self, data):
            return self._loss_of(data, "train")

        def test_step(self, data):
            return self._loss_of(data, "test")

    x = np.ones((4, 3), "float32")
    model = Autoencoder()
    model.compile("sgd")
    model.fit(x, batch_size=2, verbose=0, validation_data=given(x))
    assert seen == {"train": (2, 3), "test": (2, 3)}


def test_layers_that_only_a_step_of_the_users_builds_train_without_a_warning():
    class Autoencoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)

        def train_step(self, data):
            with keras.GradientTape() as tape:
                loss = ops.mean(ops.square(self.inner(data) - data))
            slopes = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(slopes, self.trainable_variables, strict=True))
            return {"loss": loss}

    model = Autoencoder()
    model.compile(keras.optimizers.Adam(0.1))
    losses = model.fit(np.ones((4, 3), "f"), batch_size=2, epochs=3, verbose=0).history["loss"]
    assert losses[2] < losses[1] < losses[0]


def test_masks_and_logits_reach_the_loss_of_a_step_by_hand():
    """They are found in the call of the model; the loss is computed after it."""

    def ends():
        keras.utils.set_random_seed(1)
        entry = keras.Input((5,), dtype="int32")
        x = layers.Embedding(10, 4, mask_zero=True)(entry)
        return entry, layers.TimeDistributed(layers.Dense(3, activation="softmax"))(x)

    ids = np.array([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]] * 4)
    labels = RNG.integers(0, 3, size=(8, 5))
    found = []
    for model in (keras.Model(*ends()), ByHand(*ends())):
        model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
        history = model.fit(ids, labels, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        found.append(history["loss"])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)

    class Sure(keras.Model):
        """Of probabilities as far apart as these the loss would be infinite, or cut off."""

        def test_step(self, data):
            x, y = data
            return {"loss": self.compute_loss(y=y, y_pred=self(x))}

    entry = keras.Input((2,))
    sure = Sure(entry, layers.Activation("softmax")(layers.Rescaling(1e3)(entry)))
    sure.compile("sgd", "categorical_crossentropy")
    one, other = np.eye(2, dtype="float32")[:, None]
    np.testing.assert_allclose(sure.evaluate(one, other, verbose=0), 1000.0)
