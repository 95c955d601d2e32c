"""A siamese network: are these two images of one kind, even of a kind never seen before?

    python examples/siamese_contrastive.py

Two twins with the same weights turn each image into a few numbers, and the distance of the two
results decides. The contrastive loss pulls pairs of one kind together and pushes others apart. It
learns from Latin, Greek and Cyrillic letters; then it is asked about Armenian ones.
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
MARGIN = 1.0  # pairs of two kinds that are further apart than this cost nothing

# ------------------------------------------------------------------------------------ the data
count = 6 if options.quick else 30  # images of each letter
x_train, y_train = draw(LATIN + GREEK + CYRILLIC, count, rng)
x_known, y_known = draw(LATIN + GREEK + CYRILLIC, 6, rng)
x_new, y_new = draw(ARMENIAN, 20, rng)


def pairs(images, labels, count):
    """Half of the pairs of one kind (0), half of two kinds (1)."""
    of_kind = {kind: (labels == kind).nonzero()[0] for kind in np.unique(labels)}
    first = rng.integers(len(labels), size=count)
    same = [of_kind[labels[index]] for index in first]
    second = np.array([rng.choice(found[found != index]) for found, index in zip(same, first)])
    other = rng.random(count) < 0.5
    second[other] = rng.integers(len(labels), size=other.sum())
    return (images[first], images[second]), (labels[first] != labels[second]).astype("float32")


(first, second), differ = pairs(x_train, y_train, (1 if options.quick else 5) * len(x_train))

# --------------------------------------------------------------------------------- the network
# One model for both: calling it twice shares its weights.
twin = keras.Sequential(
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
    ],
    name="twin",
)
image_a, image_b = keras.Input(shape=(SIZE, SIZE, 1)), keras.Input(shape=(SIZE, SIZE, 1))
distance = layers.Distance()([twin(image_a), twin(image_b)])  # (batch, 1)
model = keras.Model([image_a, image_b], distance)
model.compile(optimizer="adam", loss=keras.losses.ContrastiveLoss(margin=MARGIN))
model.summary()
model.fit([first, second], differ, batch_size=64, epochs=1 if options.quick else 6, verbose=2)

# --------------------------------------------------------------------- pairs it has never seen
results = {}
tests = {"known letters": (x_known, y_known), "new letters": (x_new, y_new)}
for name, (images, labels) in tests.items():
    (a, b), differ = pairs(images, labels, 1000)
    distances = model.predict([a, b], verbose=0)[:, 0]
    accuracy = ((distances > MARGIN / 2) == differ).mean()
    print(f"pairs of {name} told right: {accuracy:.3f}")
    results[name] = a, b, distances, differ, accuracy

figure = plt.figure(figsize=(12, 5.4), layout="constrained")
upper, lower = figure.subfigures(2, 1, height_ratios=(2, 1))
lower.suptitle("Pairs of new letters, and their distances (red: on the wrong side of the line)")
for axis, (name, (_, _, distances, differ, accuracy)) in zip(upper.subplots(1, 2), results.items()):
    bins = np.linspace(0, distances.max(), 40)
    axis.hist(distances[differ == 0], bins, alpha=0.6, label="one letter")
    axis.hist(distances[differ == 1], bins, alpha=0.6, label="two letters")
    axis.axvline(MARGIN / 2, color="black", linestyle=":")
    axis.set(title=f"Pairs of {name}: {accuracy:.1%} right", xlabel="distance")
    axis.legend()
a, b, distances, differ, _ = results["new letters"]
for axis, index in zip(lower.subplots(1, 7), range(7)):
    axis.imshow(np.hstack([a[index, ..., 0], np.zeros((SIZE, 1)), b[index, ..., 0]]), cmap="gray_r")
    right = (distances[index] > MARGIN / 2) == differ[index]
    axis.set_title(f"{distances[index]:.2f}", color="black" if right else "red")
    axis.axis("off")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "siamese_contrastive.png", dpi=120)
