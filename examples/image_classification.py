"""Image classification with augmentation: much from few images.

    python examples/image_classification.py

There are only 80 images of each kind to learn from. A network would learn them by heart. If each of
them is mirrored, turned, moved and tinted a little, differently in each epoch, it sees a new image
every time and has to learn what a triangle is. The same network is trained with and without; the
picture shows what becomes of one image, and how both do on images that were not trained on.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from shapes import NAMES, made_shapes

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()

# ------------------------------------------------------------------------------------ the data
# Images (count, 32, 32, 3) of one thing each: a circle, a square or a triangle. For photographs of
# your own, in one folder for each kind, use keras.utils.image_dataset_from_directory.
x_train, _, labels, _ = made_shapes(
    48 if options.quick else 240, 32, most=1, sizes=(0.3, 0.7), seed=1
)
x_test, _, test_labels, _ = made_shapes(
    60 if options.quick else 400, 32, most=1, sizes=(0.3, 0.7), seed=2
)
y_train, y_test = labels[:, 0], test_labels[:, 0]


# ------------------------------------------------------------------------------- the augmentation
# Layers that draw anew for each image, and only in training: `predict` leaves images as they are.
# Choose what does not change the meaning: a letter in a mirror would be no letter.
def changes():
    return keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomTranslation(0.2, 0.2),
            layers.RandomRotation(0.03),  # shares of a whole turn: 11 degrees
            layers.RandomZoom(0.2),
            layers.RandomHue(0.5, value_range=(0, 255)),
            layers.RandomBrightness(0.1),
        ],
        name="changes",
    )


# ----------------------------------------------------------------------------------- the network
def made_network(with_changes):
    keras.utils.set_random_seed(1)  # both start from the same weights
    model = keras.Sequential([keras.Input(shape=(32, 32, 3))])
    if with_changes:
        model.add(changes())
    model.add(layers.Rescaling(1 / 127.5, offset=-1))
    for filters in (16, 32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))  # 0.99 is for longer training
        model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(len(NAMES), activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.Adam(0.001),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


accuracies, histories = {}, {}
for name, with_changes in {"without": False, "with augmentation": True}.items():
    model = made_network(with_changes)
    histories[name] = model.fit(
        x_train,
        y_train,
        batch_size=24,
        epochs=3 if options.quick else 60,
        validation_data=(x_test, y_test),  # to draw it; nothing is chosen by it
        verbose=0,
    ).history
    _, accuracies[name] = model.evaluate(x_test, y_test, verbose=0)
    print(f"{name}: {accuracies[name]:.3f}")
mistakes = [1 - accuracies[name] for name in histories]
print(f"share of mistakes left: {mistakes[1] / mistakes[0]:.3f}")

# Calling the layers with training=True shows what they do.
many = changes()(np.repeat(x_train[:1], 15, axis=0), training=True)

figure = plt.figure(figsize=(11, 4), layout="constrained")
left, right = figure.subfigures(1, 2)
left.suptitle("One image (top left), and what it becomes")
for axis, image in zip(left.subplots(4, 4).flat, [x_train[0], *many], strict=True):
    axis.imshow(np.asarray(image).clip(0, 255) / 255)
    axis.axis("off")
axis = right.subplots()
for name, history in histories.items():
    axis.plot(history["val_accuracy"], label=f"{name}: {accuracies[name]:.1%}")
axis.set(title="Accuracy on images it has not seen", xlabel="epoch", ylim=(0.3, 1))
axis.legend()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "image_classification.png", dpi=120)
