"""Triplets: learn what a kind is, then name new kinds from one example each.

    python examples/siamese_triplet.py

A triplet is an anchor, a positive of its kind and a negative of another. The loss asks that the
anchor be nearer to the positive than to the negative. Making triplets by hand wastes most of
them, as they are easy; with `mining="semi_hard"` the loss finds useful ones in each batch.

The network learns from Latin, Greek and Cyrillic letters. Then it sees one image of each of 33
Armenian letters, and names all others by the nearest of the 33.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from letters import ARMENIAN, CYRILLIC, GREEK, LATIN, SIZE, draw

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

# ------------------------------------------------------------------------------------ the data
x_train, y_train = draw(LATIN + GREEK + CYRILLIC, 6 if options.quick else 40, rng)
x_new, y_new = draw(ARMENIAN, 12, rng)

# --------------------------------------------------------------------------------- the network
# The last layer puts all results on a sphere, so that only directions count.
model = keras.Sequential(
    [
        keras.Input(shape=(SIZE, SIZE, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(48, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(32),
        layers.UnitNormalization(),
    ]
)
model.compile(optimizer="adam", loss=keras.losses.TripletLoss(margin=0.3, mining="semi_hard"))
model.summary()
before = model.predict(x_new, verbose=0)
model.fit(x_train, y_train, batch_size=256, epochs=1 if options.quick else 20, verbose=2)
after = model.predict(x_new, verbose=0)

# ---------------------------------------------------------------------------- one example each


def named_from_one_example(embeddings, rounds=50) -> float:
    """How often the nearest of the examples, one of each new letter, is of the image's kind."""
    right = []
    for _ in range(rounds):
        examples = np.array([rng.choice((y_new == kind).nonzero()[0]) for kind in set(y_new)])
        asked = np.setdiff1d(np.arange(len(y_new)), examples)
        nearest = (embeddings[asked] @ embeddings[examples].T).argmax(axis=1)
        right.append((y_new[examples][nearest] == y_new[asked]).mean())
    return float(np.mean(right))


accuracy = named_from_one_example(after)
pixels = x_new.reshape(len(x_new), -1)
pixels = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
plain = named_from_one_example(pixels)
print(f"new letters named from one example: {accuracy:.3f}")
print(f"the same by comparing pixels: {plain:.3f}")


def flat(embeddings):
    """The two directions in which the embeddings differ most."""
    centered = embeddings - embeddings.mean(axis=0)
    return (centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T).T


figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
titles = ("Before training", f"After: new letters named from one example {accuracy:.1%}")
shown = y_new < 12
for axis, title, embeddings in zip(axes, titles, (before, after)):
    places = flat(embeddings[shown])
    axis.scatter(*places, s=0)  # sets the limits
    for x, y, kind in zip(*places, y_new[shown]):
        axis.text(x, y, ARMENIAN[kind], color=f"C{kind % 10}", ha="center", va="center")
    axis.set(title=title, xticks=[], yticks=[])
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "siamese_triplet.png", dpi=120)
