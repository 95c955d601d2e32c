"""A model on a machine with several devices runs on the first, and divided where somebody asks."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import nacre

pytestmark = pytest.mark.eight_devices
X = np.random.default_rng(0).normal(size=(16, 6, 6, 2)).astype("float32")


@pytest.fixture(scope="module")
def model() -> nacre.Model:
    """A small network with a convolution, a pooling, a recurrence and a dropout, trained a little."""
    layers = nacre.layers
    model = nacre.Sequential(
        [
            nacre.Input((6, 6, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Reshape((2, 8)),
            layers.LSTM(4),
            layers.Dropout(0.5),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    losses = model.fit(X, X[:, 0, 0, :1], batch_size=5, epochs=3, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    return model


def test_training_and_prediction_stay_on_the_first_device(model: nacre.Model) -> None:
    devices = {device for weight in model.weights for device in weight.value.devices()}
    assert devices == {jax.devices()[0]}
    np.testing.assert_allclose(
        model.predict(X, batch_size=5, verbose=0), model(X), rtol=1e-5, atol=1e-6
    )


def test_a_program_of_somebody_else_divides_the_batch(model: nacre.Model) -> None:
    batch = NamedSharding(Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec("batch"))
    divided = jax.jit(lambda x: model(x))(jax.device_put(X, batch))
    assert divided.sharding.is_equivalent_to(batch, divided.ndim)
    np.testing.assert_allclose(divided, model(X), rtol=1e-5, atol=1e-6)


def test_a_batch_on_several_devices_may_be_given_to_the_model(model: nacre.Model) -> None:
    batch = NamedSharding(Mesh(np.array(jax.devices()), ("batch",)), PartitionSpec("batch"))
    np.testing.assert_allclose(model(jax.device_put(X, batch)), model(X), rtol=1e-5, atol=1e-6)
