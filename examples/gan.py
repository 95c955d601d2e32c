"""A generative adversarial network: one network forges digits, another finds forgeries.

    python examples/gan.py

The generator makes an image out of random numbers and a wanted digit. The discriminator sees real
and made images and tells which is which. Each learns from the other: `train_step` is one round of
the game. A classifier that has seen real digits only is asked what it reads.
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
NOISE = 16


def make_generator() -> keras.Model:
    noise, digit = keras.Input((NOISE,)), keras.Input((), dtype="int32")
    x = layers.Concatenate()([noise, layers.Embedding(10, 16)(digit)])
    for units in (128, 256):
        x = layers.BatchNormalization()(layers.Dense(units)(x))
        x = layers.LeakyReLU(0.2)(x)
    return keras.Model([noise, digit], layers.Dense(64, activation="sigmoid")(x))


def make_discriminator() -> keras.Model:
    image, digit = keras.Input((64,)), keras.Input((), dtype="int32")
    x = layers.Concatenate()([image, layers.Embedding(10, 16)(digit)])
    for units in (256, 128):
        x = layers.LeakyReLU(0.2)(layers.Dense(units)(x))
        x = layers.Dropout(0.3)(x)
    return keras.Model([image, digit], layers.Dense(1)(x))  # above 0: real


class GAN(keras.Model):
    """Both players, and one round of the game."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seed = keras.random.SeedGenerator(1)
        self.loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    def compile(self, generator_optimizer, discriminator_optimizer):
        super().compile()
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    def train_step(self, data):
        images, labels = data
        noise = keras.random.normal((len(images), NOISE), seed=self.seed)
        ones = ops.ones((len(images), 1))

        # The discriminator: real images are 1 (0.9: never too sure), made ones 0.
        with keras.GradientTape() as tape:
            made = self.generator([noise, labels], training=True)
            on_real = self.discriminator([images, labels], training=True)
            on_made = self.discriminator([made, labels], training=True)
            d_loss = self.loss_of(0.9 * ones, on_real) + self.loss_of(0 * ones, on_made)
        variables = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(d_loss, variables), variables)

        # The generator: its images shall be taken for real ones.
        with keras.GradientTape() as tape:
            made = self.generator([noise, labels], training=True)
            g_loss = self.loss_of(ones, self.discriminator([made, labels], training=True))
        variables = self.generator.trainable_variables
        self.generator_optimizer.apply(tape.gradient(g_loss, variables), variables)
        return {"discriminator": d_loss, "generator": g_loss}


gan = GAN(make_generator(), make_discriminator())
gan.compile(keras.optimizers.Adam(3e-4, beta_1=0.5), keras.optimizers.Adam(3e-4, beta_1=0.5))
history = gan.fit(
    x_train, y_train, batch_size=64, epochs=1 if options.quick else 250, verbose=0
).history

# --------------------------------------------------------------------------- what it can do now
wanted = np.arange(300) % 10
noise = np.random.default_rng(1).normal(size=(len(wanted), NOISE))
images = gan.generator.predict([noise, wanted], verbose=0)

judge = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(10)])
judge.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
judge.fit(x_train, y_train, batch_size=32, epochs=2 if options.quick else 20, verbose=0)
right = (judge.predict(images, verbose=0).argmax(axis=-1) == wanted).mean()
print(f"digits read as wanted: {right:.3f}")
# Does it always make the same image?
spread = np.mean([images[wanted == digit].std(axis=0).mean() for digit in range(10)])
real = np.mean([x_test[y_test == digit].std(axis=0).mean() for digit in range(10)])
print(f"variety compared with real digits: {spread / real:.3f}")

figure = plt.figure(figsize=(13, 5), layout="constrained")
left, right_half = figure.subfigures(1, 2)
figure.suptitle(f"{right:.1%} of the made digits are read as wanted")
axis = left.subplots()
for name, values in history.items():
    axis.plot(values, label=name)
axis.set(title="Losses: neither wins", xlabel="epoch")
axis.legend()
for cell, image in zip(right_half.subplots(6, 10).flat, images):
    cell.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
    cell.axis("off")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "gan.png", dpi=110)
