"""Diffusion: digits out of pure noise, a hundred small steps.

    python examples/diffusion.py

Add noise to an image again and again, and nothing is left of it. A network that looks at a noisy
image and tells the noise in it can go the way back: it begins with noise and takes away a little
at each step. It is told which digit is wanted, too. The picture shows the way of some images, and
a classifier that has seen real digits only is asked what it reads.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from diffusion_schedules import cosine, noisy, step_back

import nacre as keras
from nacre import layers
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

# ------------------------------------------------------------------------------------ the data
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = x_train.reshape(-1, 64) / 8 - 1, x_test.reshape(-1, 64) / 8 - 1  # from -1 to 1
STEPS = 10 if options.quick else 100
signal = cosine(STEPS)

# --------------------------------------------------------------------------------- the network
# Three things go in: the noisy image, how noisy it is, and the digit. Vectors for the last two are
# added to what is known of the image in every block.
image = keras.Input(shape=(64,))
step = keras.Input(shape=(), dtype="int32")
digit = keras.Input(shape=(), dtype="int32")
x = layers.Dense(256)(image)
context = layers.Add()(
    [layers.Embedding(STEPS, 256)(step), layers.Embedding(10, 256, "uniform")(digit)]
)
for _ in range(4):
    y = layers.LayerNormalization()(layers.Add()([x, context]))
    y = layers.Dense(256, activation="silu")(y)
    x = layers.Add()([x, layers.Dense(256)(y)])
model = keras.Model([image, step, digit], layers.Dense(64)(layers.LayerNormalization()(x)))
model.compile(optimizer=keras.optimizers.Adam(0.001), loss="mean_squared_error")
model.summary()


def noised(images, labels):
    """What goes in, and the noise that is asked for: other noise and other steps at each call."""
    noise = rng.normal(size=images.shape)
    steps = rng.integers(STEPS, size=len(images))
    return (noisy(images, noise, signal[steps]), steps, labels), noise


for epoch in range(1 if options.quick else 30):
    # Each image twelve times, with other noise, and a smaller learning rate towards the end.
    inputs, noise = noised(np.tile(x_train, (12, 1)), np.tile(y_train, 12))
    model.optimizer.learning_rate = 0.001 * min(1, (30 - epoch) / 15)
    loss = model.fit(inputs, noise, batch_size=128, verbose=0).history["loss"][-1]
    print(f"round {epoch + 1}: loss {loss:.4f}")

# --------------------------------------------------------------------------- out of pure noise
wanted = np.arange(300) % 10
images = rng.normal(size=(len(wanted), 64))
way = [images]
for number in range(STEPS - 1, -1, -1):
    steps = np.full(len(wanted), number)
    noise = np.asarray(model((images, steps, wanted)))
    before = signal[number - 1] if number else 1.0
    images = step_back(images, noise, signal[number], before, rng)
    way.append(images)

# A judge that knows nothing of all this.
judge = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(10)])
judge.compile(
    optimizer="adam",
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
judge.fit(x_train, y_train, batch_size=32, epochs=2 if options.quick else 20, verbose=0)
read = judge.predict(images, verbose=0).argmax(axis=-1)
right = (read == wanted).mean()
print(f"judge, real digits read right: {judge.evaluate(x_test, y_test, verbose=0)[1]:.3f}")
print(f"digits read as wanted: {right:.3f}")
# Are they new? The nearest training image of a copy would be at distance 0.
near = np.mean([np.abs(x_train - one).mean(axis=1).min() for one in images])
real = np.mean([np.abs(x_train - one).mean(axis=1).min() for one in x_test])
print(f"distance to the nearest training image: {near:.3f}")
print(f"the same for real test images: {real:.3f}")

figure, axes = plt.subplots(8, 10, figsize=(9, 7.6), layout="constrained")
figure.suptitle(f"From noise to digits, and more of them; {right:.1%} are read as wanted")
shown = [way[round(share * STEPS)] for share in (0, 0.5, 0.75, 0.9, 1)]
shown += [images[10 * row :] for row in (1, 2, 3)]
for row, line in zip(axes, shown):
    for axis, picture in zip(row, line):
        axis.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=-1, vmax=1)
        axis.axis("off")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "diffusion.png", dpi=110)
