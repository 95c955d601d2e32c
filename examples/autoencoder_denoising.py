"""A denoising autoencoder: clean images out of noisy ones.

    python examples/autoencoder_denoising.py

An encoder squeezes an image into a few numbers, a decoder makes an image of them again. There is
no room for noise in these few numbers: a network that is shown noisy images, and asked for the
clean ones, learns to keep what a digit is made of. No labels are needed.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
(x_train, _), (x_test, y_test) = digits.load_data()
x_train, x_test = x_train[..., None] / 16, x_test[..., None] / 16  # values from 0 to 1
NOISE = 0.4

# --------------------------------------------------------------------------------- the network
# GaussianNoise adds new noise at every training step, and none when the model is used.
encoder = keras.Sequential(
    [
        layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),  # 4 x 4 x 32
        layers.Conv2D(64, 3, strides=2, padding="same", activation="relu"),  # 2 x 2 x 64
        layers.Flatten(),
        layers.Dense(24),  # 64 pixels become 24 numbers
    ],
    name="encoder",
)
decoder = keras.Sequential(
    [
        layers.Dense(2 * 2 * 64, activation="relu"),
        layers.Reshape((2, 2, 64)),
        layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),  # 4 x 4 x 64
        layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),  # 8 x 8 x 32
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ],
    name="decoder",
)
images = keras.Input(shape=(8, 8, 1))
model = keras.Model(images, decoder(encoder(layers.GaussianNoise(NOISE)(images))))
model.compile(optimizer=keras.optimizers.Adam(0.002), loss="mean_squared_error")
model.summary()
model.fit(x_train, x_train, batch_size=64, epochs=2 if options.quick else 60, verbose=2)

# ---------------------------------------------------------------------- images it has not seen
noisy = x_test + NOISE * np.random.default_rng(0).normal(size=x_test.shape)
cleaned = model.predict(noisy, verbose=0)
before, after = np.mean((noisy - x_test) ** 2), np.mean((cleaned - x_test) ** 2)
print(f"mean squared error of the noisy images: {before:.3f}")
print(f"mean squared error of the cleaned images: {after:.3f}")

chosen = [int((y_test == digit).nonzero()[0][3]) for digit in range(10)]
figure, axes = plt.subplots(3, 10, figsize=(12, 4.2), layout="constrained")
figure.suptitle(f"Squared error {before:.3f} before and {after:.3f} after")
for row, (title, shown) in enumerate({"noisy": noisy, "cleaned": cleaned, "true": x_test}.items()):
    for column, index in enumerate(chosen):
        axes[row, column].imshow(shown[index, ..., 0], cmap="gray_r", vmin=0, vmax=1)
        axes[row, column].set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(title)
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "autoencoder_denoising.png", dpi=120)
