"""Transfer learning: what a network learnt on many images helps with few others.

    python examples/transfer_learning.py

A small ready-made network learns to tell the digits 0 to 4 from many images. Then there are only
five images of each of 5 to 9. Its layers already know what strokes and curves are: they stay as
they are (frozen) under a new last layer, and at the end the last blocks learn a little, too. The
same network from scratch is the comparison.
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
(x_train, y_train), (x_test, y_test) = digits.load_data()  # 8 x 8 pixels, 0 to 16; with nacre


def prepared(images):
    """As MobileNet wants them: at least 32 x 32 pixels, three colours, from -1 to 1."""
    large = images.repeat(4, axis=1).repeat(4, axis=2)[..., None].repeat(3, axis=-1)
    return keras.applications.mobilenet.preprocess_input(large * (255 / 16))


first = y_train < 5
x_first, y_first = prepared(x_train[first]), y_train[first]
few = np.concatenate([np.flatnonzero(y_train == digit)[:5] for digit in range(5, 10)])
x_few, y_few = prepared(x_train[few]), y_train[few] - 5
x_other, y_other = prepared(x_test[y_test >= 5]), y_test[y_test >= 5] - 5


# ---------------------------------------------------------------------------------- the networks
def made_base():
    """The first five blocks of MobileNet, a quarter as wide; the last ones look for whole things,
    which will be others. With photographs of your own use weights="imagenet"."""
    whole = keras.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
    )
    for layer in whole.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # running means for a few hundred steps; 0.99 is for thousands
    parts = whole.get_layer("conv_pw_5_relu").output  # (batch, 4, 4, 64)
    return keras.Model(whole.inputs, layers.Flatten()(parts))


def with_head(base, training=None):
    """A new last layer. With training=False the base's normalization keeps what it knows."""
    inputs = keras.Input(shape=(32, 32, 3))
    outputs = layers.Dense(5, activation="softmax")(base(inputs, training=training))
    return keras.Model(inputs, outputs)


def train(model, x, y, epochs, rate):
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=1 if options.quick else epochs, verbose=0)


accuracies = {}


def report(name, model):
    accuracies[name] = model.evaluate(x_other, y_other, verbose=0)[1]
    print(f"{name}: {accuracies[name]:.3f}")


# From scratch: all the network sees are the 25 images.
model = with_head(made_base())
train(model, x_few, y_few, epochs=50, rate=0.002)
report("from scratch", model)

# 1. Learn from what there is much of: the digits 0 to 4.
base = made_base()
train(with_head(base), x_first, y_first, epochs=12, rate=0.002)

# 2. Freeze it and train a new last layer.
base.trainable = False
model = with_head(base, training=False)
train(model, x_few, y_few, epochs=60, rate=0.01)
report("new head", model)

# 3. Unfreeze the last blocks and go on in small steps. Compile again, or nothing changes.
base.trainable = True
for layer in base.layers:
    block = layer.name.split("_")[2] if layer.name.startswith("conv_") else "0"
    layer.trainable = block.isdigit() and int(block) >= 4
train(model, x_few, y_few, epochs=30, rate=0.0005)
report("last blocks too", model)
print(f"gain: {accuracies['last blocks too'] - accuracies['from scratch']:.3f}")

predicted = model.predict(x_other[:16], verbose=0).argmax(-1) + 5
figure = plt.figure(figsize=(10, 4), layout="constrained")
left, right = figure.subfigures(1, 2)
axis = left.subplots()
bars = axis.bar(list(accuracies), list(accuracies.values()), color=["C7", "C0", "C2"])
axis.bar_label(bars, fmt="{:.1%}")
axis.set(title="Accuracy with five images of each digit", ylim=(0, 1.05))
right.suptitle("Read as (images it has not seen)")
for axis, image, digit in zip(
    right.subplots(4, 4).flat, x_test[y_test >= 5], predicted, strict=False
):
    axis.imshow(image, cmap="gray_r")
    axis.set_title(digit)
    axis.axis("off")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "transfer_learning.png", dpi=120)
