"""A `train_step` that sets `trainable`, as a GAN that freezes its discriminator while the generator
learns: the flags hold within the step, and training goes on from fit to fit without a word."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops, optimizers

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


class Gan(nacre.Model):
    def __init__(self) -> None:
        super().__init__()
        self.generator = nacre.Sequential([nacre.Input((2,)), layers.Dense(3)])
        self.critic = nacre.Sequential(
            [nacre.Input((3,)), layers.Dense(2), layers.BatchNormalization(), layers.Dense(1)]
        )
        self.optimizers = [optimizers.Adam(0.1), optimizers.Adam(0.1)]
        self.trained: list[int] = []

    def train_step(self, data: Any) -> dict[str, Any]:
        noise = nacre.random.normal((ops.shape(data)[0], 2))
        losses = {}
        for number, part in enumerate((self.critic, self.generator)):
            self.critic.trainable = part is self.critic
            with nacre.GradientTape() as tape:
                made = self.critic(self.generator(noise, training=True), training=True)
                loss = ops.mean((made - number) ** 2) + (1 - number) * ops.mean(self.critic(data))
            weights = part.trainable_variables
            self.trained.append(len(self.critic.trainable_variables))
            self.optimizers[number].apply_gradients(
                zip(tape.gradient(loss, weights), weights, strict=True)
            )
            losses[f"loss_{number}"] = loss
        return losses


@pytest.mark.parametrize("eager", [False, True])
def test_flags_that_a_step_sets_hold_within_it(eager: bool) -> None:
    model = Gan()
    model.compile(run_eagerly=eager)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = model.get_weights()
        for _ in range(2):
            history = model.fit(X, batch_size=4, epochs=2, verbose=0).history
        model.train_on_batch(X)
    assert set(history) == {"loss_0", "loss_1"}
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.critic.trainable and len(model.critic.trainable_variables) == 6
    assert set(zip(model.trained[::2], model.trained[1::2], strict=True)) == {(6, 0)}


def test_flags_that_a_callback_sets_are_told_of_as_ever() -> None:
    model = Gan()
    model.compile()
    freeze = nacre.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(model.generator, "trainable", epoch == 0)
    )
    with pytest.warns(UserWarning, match="`trainable` is read when fit begins"):
        model.fit(X, batch_size=4, epochs=2, verbose=0, callbacks=[freeze])
