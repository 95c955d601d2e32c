"""Semi-supervised learning: five labels for each digit, and many images without.

    python examples/semi_supervised.py

Labels are dear, images are not. Where the network is sure about an image, its own guess serves as
the label of the same image, changed (moved, turned): so it learns from images that nobody labelled
(FixMatch, Sohn et al. 2020). The picture shows how much that helps, and how often it was right.
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

# ------------------------------------------------------------------------------------ the data
(images, truth), (x_test, y_test) = digits.load_data()  # 8 x 8 pixels, 0 to 16; with nacre
images, x_test = images[..., None] / 16, x_test[..., None] / 16
labelled = np.concatenate([np.flatnonzero(truth == digit)[:5] for digit in range(10)])
x_labelled, y_labelled = images[labelled], truth[labelled]
# The labels of all others are not looked at, but to see how often guesses were right.


def weak():
    """A small change, after which every digit is still easy to read."""
    return layers.RandomTranslation(0.06, 0.06, fill_mode="constant")


def strong():
    """Larger changes."""
    moves = layers.RandomTranslation(0.15, 0.15, fill_mode="constant")
    return keras.Sequential([moves, layers.RandomRotation(0.05), layers.GaussianNoise(0.15)])


# ---------------------------------------------------------------------------------- the network
def made_network():
    keras.utils.set_random_seed(1)  # both start from the same weights
    network = keras.Sequential([keras.Input(shape=(8, 8, 1))])
    for filters in (32, 64):
        network.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        network.add(layers.MaxPooling2D())
    network.add(layers.Flatten())
    network.add(layers.Dropout(0.3))
    network.add(layers.Dense(10, activation="softmax"))
    return network


class FixMatch(keras.Model):
    """A step learns from a batch with labels and from a larger one without."""

    def __init__(self, network, sure=0.95, weight=1.0):
        super().__init__()
        self.network, self.sure, self.weight = network, sure, weight
        self.weak, self.strong = weak(), strong()
        self.sure_share = keras.metrics.Mean(name="sure")

    def call(self, inputs, training=False):
        first = inputs[0] if isinstance(inputs, tuple) else inputs  # `fit` gets two kinds
        return self.network(first, training=training)

    def train_step(self, data):
        (x, others), y = data
        x_unlabelled = ops.reshape(others, (-1, 8, 8, 1))  # from (batch, 3, 8, 8, 1)
        guess = ops.stop_gradient(self.network(self.weak(x_unlabelled, training=True)))
        is_sure = ops.cast(ops.max(guess, axis=-1) > self.sure, "float32")
        with keras.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(self.weak(x, training=True), training=True))
            changed = self(self.strong(x_unlabelled, training=True), training=True)
            own = keras.losses.sparse_categorical_crossentropy(ops.argmax(guess, axis=-1), changed)
            loss += self.weight * ops.mean(own * is_sure)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        self.sure_share.update_state(is_sure)
        return {"loss": loss, "sure": self.sure_share.result()}


# ------------------------------------------------------------------------------------- training
rng = np.random.default_rng(1)
epochs, steps = (2, 10) if options.quick else (40, 40)
drawn = rng.integers(50, size=steps * 32)  # the 50 images, again and again
others = rng.integers(len(images), size=steps * 96).reshape(-1, 3)  # three for each of them
accuracies, curves = {}, {}
for name, weight in {"labels alone": 0.0, "with the others": 1.0}.items():
    model = FixMatch(made_network(), weight=weight)
    model.compile(optimizer=keras.optimizers.Adam(0.001), loss="sparse_categorical_crossentropy")
    history = model.fit(
        (x_labelled[drawn], images[others]), y_labelled[drawn],
        batch_size=32, epochs=epochs, verbose=0,
    )  # fmt: skip
    curves[name] = history.history["sure"]
    predicted = model.predict(x_test, verbose=0).argmax(-1)
    accuracies[name] = float(np.mean(predicted == y_test))
    print(f"{name}: {accuracies[name]:.3f}")
print(f"gain: {accuracies['with the others'] - accuracies['labels alone']:.3f}")

probabilities = model.predict(images, verbose=0)
is_sure = probabilities.max(-1) > model.sure
right_share = ((probabilities.argmax(-1) == truth) & is_sure).sum() / max(is_sure.sum(), 1)
print(f"sure of {is_sure.mean():.1%} of all images, right in {right_share:.1%} of these")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
bars = left.bar(list(accuracies), list(accuracies.values()), color=["C7", "C0"])
left.bar_label(bars, fmt="{:.1%}")
left.set(title="Accuracy with 50 labels", ylim=(0.5, 1))
right.plot(curves["with the others"])
right.set(title="Share of images it is sure of", xlabel="epoch", ylim=(0, 1))
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "semi_supervised.png", dpi=120)
