"""A convolutional network: which digit is drawn?

    python examples/cnn.py

Convolutions look for small patterns (edges, ends, corners) everywhere in the image, pooling halves
the image, and dense layers decide from what was found. The picture shows what the first filters
react to, and all the test images that the network gets wrong.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

import nacre as keras
from nacre import layers
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
# 1,437 images of 8 x 8 pixels with values 0 to 16, and 360 for the test. A convolution wants a last
# axis for colors: here there is one, grey.
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = x_train[..., None], x_test[..., None]
brightest, num_classes = 16, 10

# --------------------------------------------------------------------------------- the network
model = keras.Sequential(
    [
        keras.Input(shape=x_train.shape[1:]),
        layers.Rescaling(1 / brightest),
        layers.Conv2D(16, 3, padding="same", activation="relu", name="first"),  # 8 x 8 x 16
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),  # 4 x 4 x 32
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),  # 2 x 2 x 64
        layers.Flatten(),
        layers.Dropout(0.4),  # against learning by heart: each step a part of the numbers is zero
        layers.Dense(num_classes, activation="softmax"),  # ten probabilities
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
model.fit(x_train, y_train, batch_size=32, epochs=2 if options.quick else 30, verbose=2)

# ---------------------------------------------------------------------- images it has not seen
_, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy: {accuracy:.3f}")

# A second model that shares the layers of the first and ends after its first convolution.
first_filters = keras.Model(model.inputs, model.get_layer("first").output)
found = first_filters.predict(x_test[:1], verbose=0)[0]  # (8, 8, 16)
probabilities = model.predict(x_test, verbose=0)  # (360, 10)
predicted = probabilities.argmax(axis=-1)
wrong = (predicted != y_test).nonzero()[0]

figure, axes = plt.subplots(3, 8, figsize=(11, 4.6), layout="constrained")
figure.suptitle(f"An image, what 14 filters find in it, and mistakes (accuracy {accuracy:.1%})")
for axis in axes.flat:
    axis.axis("off")
axes[0, 0].imshow(x_test[0, ..., 0], cmap="gray_r")
axes[0, 0].set_title(f"a {y_test[0]}")
for number, axis in enumerate(axes[:2, 1:].flat):
    axis.imshow(found[..., number], cmap="viridis")
for index, axis in zip(wrong, axes[2]):
    axis.imshow(x_test[index, ..., 0], cmap="gray_r")
    axis.set_title(f"{y_test[index]}, read as {predicted[index]}", fontsize=9)
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "cnn.png", dpi=120)
