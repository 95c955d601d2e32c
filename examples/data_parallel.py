"""Data parallel training: one model, its batches shared among eight devices.

    python examples/data_parallel.py

Each device holds all weights and an eighth of each batch; gradients are added up over all of them,
so that the step is that of the whole batch on one device. Here the devices are parts of the
processor: nothing gets faster, but the very program runs on eight graphics cards. The picture shows
that one device and eight learn the same.
"""

import argparse
import os
from pathlib import Path

# Before anything computes: the processor shows itself as eight devices. Leave it out on a machine
# that has several graphics cards.
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import matplotlib.pyplot as plt
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import nacre as keras
from nacre import layers, ops
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()

# ------------------------------------------------------------------------------------ the data
(x_train, y_train), (x_test, y_test) = digits.load_data()  # 8 x 8 pixels, 0 to 16; with nacre
x_train, x_test = x_train[..., None] / 16, x_test[..., None] / 16
BATCH_SIZE = 64  # a multiple of the number of devices


# --------------------------------------------------------------------------------- the network
def made_model():
    keras.utils.set_random_seed(1)  # all start from the same weights
    model = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),  # by mean and variance of the whole batch, not of a part
            layers.Activation("relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def train(devices, epochs):
    """The trained model, and the loss of each step."""
    model, optimizer = made_model()
    mesh = Mesh(np.array(devices), ("batch",))
    split = NamedSharding(mesh, PartitionSpec("batch"))  # the first axis is cut among the devices
    whole = NamedSharding(mesh, PartitionSpec())  # each device has all of it

    # Weights, running means and what the optimizer remembers, as plain arrays on all devices.
    parts = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state = jax.device_put([[v.value for v in variables] for variables in parts], whole)

    @jax.jit
    def step(state, x, y):
        """A pure function: state and batch in, new state and loss out."""
        weights, others, memory = state

        def loss_of(weights):
            logits, new_others = model.stateless_call(weights, others, x, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
            return ops.mean(losses), new_others

        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights)
        weights, memory = optimizer.stateless_apply(memory, gradients, weights)
        return [weights, others, memory], loss

    rng, losses = np.random.default_rng(1), []
    for _ in range(epochs):
        order = rng.permutation(len(x_train) // BATCH_SIZE * BATCH_SIZE)
        for places in order.reshape(-1, BATCH_SIZE):
            batch = jax.device_put((x_train[places], y_train[places]), split)
            state, loss = step(state, *batch)
            losses.append(float(loss))
    print(f"{len(devices)} device(s), rows of a batch on each: {BATCH_SIZE // len(devices)}")
    for variables, values in zip(parts, state, strict=True):  # back into the model
        for variable, value in zip(variables, values, strict=True):
            variable.assign(np.asarray(value))
    return model, losses


epochs = 1 if options.quick else 10
alone, losses_alone = train(jax.devices()[:1], epochs)
model, losses = train(jax.devices(), epochs)
accuracy = np.mean(model.predict(x_test, verbose=0).argmax(-1) == y_test)
print(f"largest difference of two losses: {np.abs(np.subtract(losses, losses_alone)).max():.5f}")
print(f"test accuracy: {accuracy:.3f}")

figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
axis.semilogy(losses_alone, linewidth=4, alpha=0.4, label="one device")
axis.semilogy(losses, "k--", linewidth=1, label=f"{len(jax.devices())} devices")
axis.set(title=f"Loss of each step (test accuracy {accuracy:.1%})", xlabel="step")
axis.legend()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "data_parallel.png", dpi=120)
