"""Facts of dropout and noise."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import ArgumentError, ShapeError
from nacre.layers.regularization.random_bits import keep_mask, random_bits

ONES = np.ones((64, 500), "float32")


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_its_share_and_the_mean(rate: float) -> None:
    y = np.asarray(layers.Dropout(rate, seed=1)(ONES, training=True))
    assert abs((y == 0).mean() - rate) < 0.01
    np.testing.assert_allclose(y[y != 0], 1 / (1 - rate), rtol=1e-6)


def test_random_bits_look_random() -> None:
    bits = np.asarray(random_bits(jax.random.key(3), (200_000,)))
    planes = (bits[:, None] >> np.arange(32, dtype="uint32")) & 1
    assert np.abs(planes.mean(0) - 0.5).max() < 5e-3  # 4.5 standard deviations
    correlation = np.corrcoef(planes.T.astype("float32")) - np.eye(32)
    assert np.abs(correlation).max() < 0.012
    shifted = [np.corrcoef(bits[:-lag], bits[lag:])[0, 1] for lag in (1, 2, 64, 1024)]
    assert np.abs(shifted).max() < 0.012


def test_random_bits_of_near_keys_differ() -> None:
    first, second = (random_bits(jax.random.key(seed), (100_000,)) for seed in (7, 8))
    assert (np.asarray(first) == np.asarray(second)).mean() < 1e-4
    masks = [np.asarray(keep_mask(jax.random.key(s), 0.5, (100_000,))) for s in (7, 8)]
    assert abs((masks[0] == masks[1]).mean() - 0.5) < 0.01


def test_dropout_edges() -> None:
    assert (np.asarray(layers.Dropout(1.0)(ONES, training=True)) == 0).all()
    layer = layers.Dropout(0.0)
    assert not layer.variables and layer(ONES, training=True) is not None
    for rate in (-0.1, 1.5, "half", None):
        with pytest.raises(ArgumentError, match="from 0 to 1"):
            layers.Dropout(rate)


def test_noise_shape_shares_decisions() -> None:
    x = np.ones((4, 6, 8), "float32")
    y = np.asarray(layers.Dropout(0.5, noise_shape=(None, 1, None), seed=2)(x, training=True))
    assert (y == y[:, :1]).all() and (y == 0).any()
    spatial = np.asarray(layers.SpatialDropout1D(0.5, seed=2)(x, training=True))
    assert (spatial == spatial[:, :1]).all()


@pytest.mark.parametrize("noise_shape", [(None, 1), (2, 3, 7)])
def test_a_noise_shape_that_does_not_fit_is_named(noise_shape) -> None:
    with pytest.raises(ShapeError, match="noise_shape must have .* input of shape"):
        layers.Dropout(0.5, noise_shape=noise_shape)(ONES[:2, :12].reshape(2, 3, 4), training=True)


def test_a_noise_shape_may_fix_the_batch_size_of_a_graph() -> None:
    inputs = nacre.Input((4,))
    outputs = layers.Dropout(0.5, noise_shape=(3, 1), seed=1)(inputs, training=True)
    assert outputs.shape == (None, 4)
    y = np.asarray(nacre.Model(inputs, outputs)(ONES[:3, :4]))
    assert (y == y[:, :1]).all() and set(np.unique(y)) == {0, 2}


def test_dropout_of_channels_takes_no_noise_shape() -> None:
    with pytest.raises(ArgumentError, match="SpatialDropout1D: it takes no noise_shape"):
        layers.SpatialDropout1D(0.5, noise_shape=(1, 2))


@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise"])
def test_noise_on_whole_numbers_is_that_on_the_same_floats(name: str) -> None:
    make = lambda: getattr(layers, name)(0.25, seed=3)
    whole, floats = (
        make()(np.ones((4, 9), "int32"), training=True),
        make()(ONES[:4, :9], training=True),
    )
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(whole, floats)


def test_dropout_gradient_is_its_mask() -> None:
    layer = layers.Dropout(0.5)

    def total(x):
        return layer(x, training=True).sum()

    gradient = np.asarray(jax.jit(jax.grad(total))(ONES))
    assert set(np.unique(gradient)) == {0.0, 2.0}


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(0).normal(size=(400, 500)).astype("float32")
    y = np.asarray(layers.AlphaDropout(0.3, seed=1)(x, training=True))
    assert abs(y.mean()) < 0.02 and abs(y.std() - 1) < 0.02


@pytest.mark.parametrize(
    "layer", [layers.GaussianDropout(0.3, seed=1), layers.GaussianNoise(0.65, seed=1)]
)
def test_gaussian_layers_have_their_deviation(layer) -> None:
    y = np.asarray(layer(ONES, training=True))
    assert abs(y.mean() - 1) < 0.02 and abs(y.std() - 0.65) < 0.01


def test_the_seed_state_is_saved_under_keras_names() -> None:
    layer = layers.Dropout(0.5, seed=9)
    assert [v.name for v in layer.variables] == ["seed_generator_state"]
    assert layer.seed_generator.state.numpy().tolist() == [9, 0]
    assert layer.weights == []
