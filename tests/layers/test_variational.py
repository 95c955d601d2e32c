"""Random codes and their penalty, alone and in a small variational autoencoder."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, ShapeError
from nacre.layers import Dense, KLDivergenceRegularization, Sampling

rng = np.random.default_rng(0)
MEAN = rng.normal(size=(3, 2)).astype("float32")
LOG_VARIANCE = rng.normal(size=(3, 2)).astype("float32")


def test_draws_have_the_moments_and_repeat_with_the_seed():
    mean, log_variance = (np.repeat(x[:1], 20000, 0) for x in (MEAN, LOG_VARIANCE))
    draws = np.asarray(Sampling(seed=1)([mean, log_variance]))
    np.testing.assert_allclose(draws.mean(0), MEAN[0], atol=0.05)
    np.testing.assert_allclose(draws.var(0), np.exp(LOG_VARIANCE[0]), rtol=0.05)
    np.testing.assert_array_equal(draws, Sampling(seed=1)([mean, log_variance]))


def test_inference_can_give_the_means():
    layer = Sampling(is_random_in_inference=False)
    np.testing.assert_array_equal(layer([MEAN, LOG_VARIANCE]), MEAN)
    assert not np.allclose(layer([MEAN, LOG_VARIANCE], training=True), MEAN)


def test_the_penalty_is_the_divergence_from_the_standard_normal():
    layer = KLDivergenceRegularization(weight=0.5)
    outputs = layer([MEAN, LOG_VARIANCE])
    np.testing.assert_array_equal(outputs[0], MEAN)
    each = (MEAN**2 + np.exp(LOG_VARIANCE) - 1 - LOG_VARIANCE).sum(-1) / 2
    np.testing.assert_allclose(layer.losses, [0.5 * each.mean()], rtol=1e-5)


@pytest.mark.parametrize("layer", [Sampling(seed=3), KLDivergenceRegularization(0.1)])
def test_config_round_trip_and_wrong_inputs(layer):
    again = nacre.layers.deserialize(nacre.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    with pytest.raises(ShapeError, match="one shape"):
        again([MEAN, LOG_VARIANCE[:, :1]])
    with pytest.raises(ArgumentError, match="two tensors"):
        again(MEAN)


def test_a_small_autoencoder_trains_saves_and_loads(tmp_path):
    inputs = nacre.Input((6,))
    hidden = Dense(16, activation="relu")(inputs)
    pair = KLDivergenceRegularization(0.01)([Dense(2)(hidden), Dense(2)(hidden)])
    code = Sampling(seed=0, is_random_in_inference=False)(pair)
    outputs = Dense(6)(Dense(16, activation="relu")(code))
    model = nacre.Model(inputs, outputs)
    model.compile(nacre.optimizers.Adam(0.01), "mse")
    x = (rng.normal(size=(64, 2)) @ rng.normal(size=(2, 6))).astype("float32")
    losses = model.fit(x, x, epochs=15, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    penalty = model.evaluate(x, x, verbose=0) - np.mean((model.predict(x, verbose=0) - x) ** 2)
    assert penalty > 1e-3  # the divergence is part of the loss
    model.save(tmp_path / "vae.keras")
    again = nacre.models.load_model(tmp_path / "vae.keras")
    np.testing.assert_allclose(
        again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )
