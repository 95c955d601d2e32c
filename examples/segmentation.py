"""Image segmentation: to which thing does each pixel belong?

    python examples/segmentation.py

A U-Net goes down, to see more of the image at once, and up again to full size. On the way up it
joins what it knew at the same size on the way down, so that edges stay sharp. The picture shows
images that were not trained on, their true masks and the masks that were found.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from shapes import NAMES, made_shapes

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
# Images (count, 48, 48, 3), and masks (count, 48, 48): for each pixel 0 for the ground, or the
# number of its thing. With others change `names`: all else follows from it and from the images,
# whose sides only must be multiples of 8, as they are halved three times.
names = ("ground", *NAMES)
x_train, _, _, y_train = made_shapes(64 if options.quick else 1000, side=48, seed=1)
x_test, _, _, y_test = made_shapes(32 if options.quick else 200, side=48, seed=2)
num_classes = len(names)
assert y_train.min() >= 0 and y_train.max() < num_classes


# --------------------------------------------------------------------------------- the network
def block(x, filters):
    """Two convolutions, each brought to mean 0 and variance 1.

    For images alone, as in `predict`, running means are used. With a momentum of 0.9 they are near
    the truth after 50 steps; the default, 0.99, is for longer training.
    """
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.Activation("relu")(x)
    return x


inputs = keras.Input(shape=x_train.shape[1:])
x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
kept = []
for filters in (8, 16, 32):  # down: 48 -> 24 -> 12 -> 6
    x = block(x, filters)
    kept.append(x)
    x = layers.MaxPooling2D()(x)
x = block(x, 64)
for filters, before in zip((32, 16, 8), reversed(kept), strict=True):  # up: 6 -> 12 -> 24 -> 48
    x = layers.UpSampling2D()(x)
    x = layers.Concatenate()([x, before])
    x = block(x, filters)
outputs = layers.Conv2D(num_classes, 1, activation="softmax")(x)  # (batch, 48, 48, classes)
model = keras.Model(inputs, outputs)

# Accuracy says little here, as most pixels are ground. Mean IoU is the share of a class's true and
# found pixels that are both, averaged over the classes.
model.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss="sparse_categorical_crossentropy",
    metrics=[keras.metrics.MeanIoU(num_classes, sparse_y_pred=False, name="mean_iou")],
)
model.fit(x_train, y_train, batch_size=32, epochs=2 if options.quick else 9, verbose=2)

# ---------------------------------------------------------------------- images it has not seen
scores = model.evaluate(x_test, y_test, return_dict=True, verbose=0)
print(f"mean IoU: {scores['mean_iou']:.3f}")
found = model.predict(x_test, verbose=0).argmax(axis=-1)
for label, name in enumerate(names):
    metric = keras.metrics.IoU(num_classes, [label])
    metric.update_state(y_test, found)
    print(f"  {name}: {float(metric.result()):.3f}")

colors = plt.get_cmap("viridis", num_classes)
figure, axes = plt.subplots(3, 8, figsize=(12, 5.2), layout="constrained")
figure.suptitle(f"Images, true masks, found masks (mean IoU {scores['mean_iou']:.3f})")
for index, (top, middle, bottom) in enumerate(axes.T):
    top.imshow(x_test[index] / 255)
    middle.imshow(y_test[index], cmap=colors, vmin=-0.5, vmax=num_classes - 0.5)
    drawn = bottom.imshow(found[index], cmap=colors, vmin=-0.5, vmax=num_classes - 0.5)
    for axis in (top, middle, bottom):
        axis.axis("off")
bar = figure.colorbar(drawn, ax=axes, orientation="horizontal", aspect=60, shrink=0.6, pad=0.02)
bar.set_ticks(range(num_classes), labels=names)
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "segmentation.png", dpi=120)
