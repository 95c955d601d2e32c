"""Residual networks: why deep networks need shortcuts.

    python examples/residual.py

A plain stack of many layers is hard to train: what the last layers ask for hardly arrives at the
first. A residual block computes `x + f(x)` instead of `f(x)`: it only learns what is to be
changed, and through the `+` the gradient reaches every layer. The same 40 layers are trained
with shortcuts and without; the picture compares their learning curves and their gradients.
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

(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = x_train[..., None], x_test[..., None]
BLOCKS = 4 if options.quick else 20  # of two convolutions each
EPOCHS = 1 if options.quick else 8


def block(x, shortcut: bool):
    """Two convolutions, and perhaps a way around them."""
    y = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(16, 3, padding="same")(y)
    if shortcut:
        y = layers.Add()([x, y])  # the whole idea
    return layers.ReLU()(y)


def network(shortcut: bool) -> keras.Model:
    inputs = keras.Input(shape=(8, 8, 1))
    x = layers.Rescaling(1 / 16)(inputs)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="first")(x)
    x = layers.MaxPooling2D()(x)
    for _ in range(BLOCKS):
        x = block(x, shortcut)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(10, activation="softmax")(x)
    return keras.Model(inputs, outputs, name="residual" if shortcut else "plain")


def gradient_sizes(model: keras.Model) -> list[float]:
    """How large the gradient of each convolution's kernel is, before any training."""
    with keras.GradientTape() as tape:
        loss = keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(y_train[:128], model(x_train[:128]))
        )
    kernels = [layer.kernel for layer in model.layers if isinstance(layer, layers.Conv2D)]
    return [float(np.linalg.norm(gradient)) for gradient in tape.gradient(loss, kernels)]


results = {}
for shortcut in (True, False):
    keras.utils.set_random_seed(1)  # the same first weights for both
    model = network(shortcut)
    sizes = gradient_sizes(model)
    model.compile(
        optimizer=keras.optimizers.Adam(0.001),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(
        x_train, y_train, batch_size=64, epochs=EPOCHS, validation_data=(x_test, y_test), verbose=2
    ).history
    print(f"{model.name} test accuracy: {history['val_accuracy'][-1]:.3f}")
    results[model.name] = sizes, history["val_accuracy"]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, (sizes, accuracies) in results.items():
    left.plot(range(1, EPOCHS + 1), accuracies, marker="o", label=name)
    right.semilogy(range(1, len(sizes) + 1), sizes, marker=".", label=name)
left.set(
    title=f"{2 * BLOCKS + 1} convolutions, accuracy on test images", xlabel="epoch", ylim=(0, 1)
)
right.set(title="Size of the gradient before training", xlabel="convolution, from the input")
left.legend()
right.legend()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "residual.png", dpi=120)
