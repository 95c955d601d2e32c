"""A variational autoencoder: a map of all digits, from which new ones are drawn.

    python examples/autoencoder_variational.py

The encoder gives each image a place on a map of two dimensions, or rather a small cloud: mean and
variance. The decoder draws an image from a point of the cloud. A second part of the loss, the
Kullback-Leibler divergence, keeps all clouds together near the origin and as wide as they can be.
So the map has no gaps, and any point of it can be drawn.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers, ops
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = x_train.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16


class Sampling(layers.Layer):
    """A point of each cloud, and the price of clouds that are far away or narrow."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1)

    def call(self, inputs):
        mean, log_variance = inputs  # (batch, 2) each
        divergence = -0.5 * ops.sum(1 + log_variance - mean**2 - ops.exp(log_variance), axis=-1)
        self.add_loss(ops.mean(divergence))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise


def pixels_loss(y_true, y_pred):
    """Crossentropy of each pixel, summed over the image; the divergence is a sum, too."""
    return 64 * keras.losses.binary_crossentropy(y_true, y_pred)


# --------------------------------------------------------------------------------- the network
image = keras.Input(shape=(64,))
x = layers.Dense(256, activation="relu")(image)
x = layers.Dense(128, activation="relu")(x)
mean = layers.Dense(2)(x)
log_variance = layers.Dense(2)(x)
encoder = keras.Model(image, [mean, log_variance], name="encoder")

decoder = keras.Sequential(
    [
        keras.Input(shape=(2,)),
        layers.Dense(128, activation="relu"),
        layers.Dense(256, activation="relu"),
        layers.Dense(64, activation="sigmoid"),
    ],
    name="decoder",
)
model = keras.Model(image, decoder(Sampling()(encoder(image))))
model.compile(optimizer=keras.optimizers.Adam(0.001), loss=pixels_loss)
model.summary()
model.fit(x_train, x_train, batch_size=64, epochs=2 if options.quick else 150, verbose=2)

# ------------------------------------------------------------------------- a map of the digits
# Labels were never used. Still digits of one kind lie together: how often has the nearest
# training image on the map the same label as a test image?
places_train, _ = encoder.predict(x_train, verbose=0)
places_test, _ = encoder.predict(x_test, verbose=0)
distances = np.linalg.norm(places_test[:, None] - places_train[None], axis=-1)
same = (y_train[distances.argmin(axis=1)] == y_test).mean()
error = np.mean((model.predict(x_test, verbose=0) - x_test) ** 2)
print(f"neighbours of one kind: {same:.3f}")
print(f"mean squared error of drawn test images: {error:.3f}")

# A grid over the middle of the map, each point drawn by the decoder.
COUNT = 15
axis = np.linspace(-2, 2, COUNT)
points = np.array([(x, y) for y in axis[::-1] for x in axis])
drawn = decoder.predict(points, verbose=0).reshape(COUNT, COUNT, 8, 8)
sheet = np.pad(drawn, ((0, 0), (0, 0), (1, 1), (1, 1))).transpose(0, 2, 1, 3)
sheet = sheet.reshape(COUNT * 10, COUNT * 10)

figure, (left, right) = plt.subplots(1, 2, figsize=(13, 6.4), layout="constrained")
colors = left.scatter(*places_test.T, c=y_test, cmap="tab10", vmin=-0.5, vmax=9.5, s=14)
figure.colorbar(colors, ax=left, ticks=range(10))
left.set(title=f"Test images on the map, {same:.0%} beside one of their kind")
right.imshow(sheet, cmap="gray_r", extent=(-2.14, 2.14, -2.14, 2.14))
right.set(title="What the decoder draws at each point")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "autoencoder_variational.png", dpi=120)
