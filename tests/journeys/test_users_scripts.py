"""Scripts as they stand in courses and products, from data to a file that is opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import nacre as keras
from nacre import layers, ops

RNG = np.random.default_rng(0)


def test_variational_autoencoder_of_tf_keras_2_adds_its_own_loss(tmp_path: Path) -> None:
    x = RNG.random((32, 8)).astype("float32")
    inputs = keras.Input(shape=(8,), name="encoder_input")
    hidden = layers.Dense(6, activation="relu")(inputs)
    ends = [layers.Dense(2, name="z_mean")(hidden), layers.Dense(2, name="z_log_var")(hidden)]
    encoder = keras.Model(inputs, ends, name="encoder")
    latent = keras.Input(shape=(2,))
    decoder = keras.Model(latent, layers.Dense(8, activation="sigmoid")(latent), name="decoder")
    z_mean, z_log_var = encoder(inputs)
    outputs = decoder(z_mean)
    vae = keras.Model(inputs, outputs, name="vae")
    reconstruction = 8 * keras.losses.binary_crossentropy(inputs, outputs)
    kl = -0.5 * ops.sum(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var), axis=-1)
    vae.add_loss(ops.mean(reconstruction + kl))
    vae.compile(optimizer="adam")
    history = vae.fit(x, epochs=3, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < history[0]

    mean, log_var = encoder.predict(x, verbose=0)
    rows = np.clip(decoder.predict(mean, verbose=0), 1e-7, 1 - 1e-7)
    bits = -(x * np.log(rows) + (1 - x) * np.log(1 - rows)).sum(axis=-1)
    by_hand = bits - 0.5 * (1 + log_var - mean**2 - np.exp(log_var)).sum(axis=-1)
    assert vae.evaluate(x, verbose=0) == pytest.approx(by_hand.mean(), rel=1e-4)
    vae.save(tmp_path / "vae.keras")
    again = keras.models.load_model(tmp_path / "vae.keras")
    assert again.evaluate(x, verbose=0) == pytest.approx(by_hand.mean(), rel=1e-4)


def test_translation_decodes_step_by_step_from_the_opened_file(tmp_path: Path) -> None:
    words, units = 6, 5
    source = np.eye(words, dtype="float32")[RNG.integers(0, words, size=(12, 4))]
    target = np.eye(words, dtype="float32")[RNG.integers(0, words, size=(12, 5))]
    encoder_inputs = keras.Input(shape=(None, words))
    _, h, c = layers.LSTM(units, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input(shape=(None, words))
    lstm = layers.LSTM(units, return_sequences=True, return_state=True)
    sequence, _, _ = lstm(decoder_inputs, initial_state=[h, c])
    outputs = layers.Dense(words, activation="softmax")(sequence)
    model = keras.Model([encoder_inputs, decoder_inputs], outputs)
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    model.fit([source, target[:, :-1]], target[:, 1:], verbose=0)
    model.save(tmp_path / "s2s.keras")

    model = keras.models.load_model(tmp_path / "s2s.keras")
    _, h, c = model.layers[2].output
    encoder = keras.Model(model.input[0], [h, c])
    states = [keras.Input(shape=(units,)), keras.Input(shape=(units,))]
    sequence, h, c = model.layers[3](model.input[1], initial_state=states)
    decoder = keras.Model([model.input[1], *states], [model.layers[4](sequence), h, c])
    token, state, rows = target[:1, :1], encoder.predict(source[:1], verbose=0), []
    said = [token[0, 0]]
    for _ in range(4):
        row, *state = decoder.predict([token, *state], verbose=0)
        rows.append(row[0, 0])
        token = np.eye(words, dtype="float32")[[row[0].argmax(-1)]]
        said.append(token[0, 0])
    whole = model.predict([source[:1], np.stack(said[:-1])[None]], verbose=0)[0]
    np.testing.assert_allclose(rows, whole, atol=1e-5)


class Distiller(keras.Model):
    """A student learns from labels and from a teacher's softened answers."""

    def __init__(self, student: Any, teacher: Any) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher

    def compile(self, optimizer: Any, metrics: Any, student_loss: Any, teacher_loss: Any) -> None:
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss, self.teacher_loss = student_loss, teacher_loss

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, allow_empty=False):
        told = ops.softmax(self.teacher(x, training=False) / 3.0, axis=1)
        soft = self.teacher_loss(told, ops.softmax(y_pred / 3.0, axis=1))
        return 0.1 * self.student_loss(y, y_pred) + 0.9 * soft

    def call(self, x: Any) -> Any:
        return self.student(x)


def test_a_student_learns_from_a_frozen_teacher() -> None:
    x, y = RNG.normal(size=(48, 10)).astype("float32"), RNG.integers(0, 3, size=48)
    teacher = keras.Sequential([keras.Input((10,)), layers.Dense(3)])
    student = keras.Sequential([keras.Input((10,)), layers.Dense(4), layers.Dense(3)])
    teacher.trainable = False
    before = teacher.get_weights()
    distiller = Distiller(student, teacher)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("adam", ["accuracy"], cross_entropy, keras.losses.KLDivergence())
    history = distiller.fit(x, y, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] and "accuracy" in history
    assert all(np.array_equal(a, b) for a, b in zip(before, teacher.get_weights(), strict=True))
    assert len(distiller.trainable_variables) == 4


class Stateless(keras.Model):
    """`train_step` in the stateless form of the guide for JAX."""

    def loss_of(self, trainable: Any, others: Any, x: Any, y: Any) -> Any:
        y_pred, others = self.stateless_call(trainable, others, x, training=True)
        return self.compute_loss(x, y, y_pred), (y_pred, others)

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, others, of_optimizer, of_metrics = state
        x, y = data
        (loss, (y_pred, others)), gradients = jax.value_and_grad(self.loss_of, has_aux=True)(
            trainable, others, x, y
        )
        trainable, of_optimizer = self.optimizer.stateless_apply(of_optimizer, gradients, trainable)
        taken, logs = [], {}
        for metric in self.metrics:
            mine = of_metrics[len(taken) : len(taken) + len(metric.variables)]
            news = (loss,) if metric.name == "loss" else (y, y_pred)
            mine = metric.stateless_update_state(mine, *news)
            logs[metric.name] = metric.stateless_result(mine)
            taken += mine
        return logs, (trainable, others, of_optimizer, taken)


def test_a_stateless_train_step_trains_as_fit_does() -> None:
    x = RNG.normal(size=(32, 5)).astype("float32")
    histories, weights = [], None
    for kind in (Stateless, keras.Model):
        inputs = keras.Input((5,))
        hidden = layers.BatchNormalization()(layers.Dense(4, activation="relu")(inputs))
        model = kind(inputs, layers.Dense(1)(hidden))
        if weights is not None:
            model.set_weights(weights)
        weights = model.get_weights()
        model.compile("adam", "mse", metrics=["mae"])
        fitted = model.fit(x, x[:, :1], epochs=2, batch_size=8, shuffle=False, verbose=0)
        histories.append(fitted.history)
    for name in ("loss", "mae"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-5)
