"""Numbers of real Keras for distillation; see tests/distillation/test_distiller.py.

Written by Keras 3.15 on JAX; run it to write distillation.npz, and files/distillation/distiller.keras, anew. Losses of probabilities are left
out, as they are meant otherwise here, and sample weights, which do nothing there.
"""

import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np
from keras import distillation, layers

rng = np.random.default_rng(11)
found = {}


def keep(name, **arrays):
    for key, value in arrays.items():
        found[f"{name}/{key}"] = np.asarray(value)


def model(name, hidden):
    made = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(hidden, activation="tanh", name="hidden"),
            layers.Dense(3, name="logits"),
        ],
        name=name,
    )
    made.set_weights([0.5 * rng.normal(size=w.shape).astype("float32") for w in made.weights])
    return made


x = rng.normal(size=(16, 4)).astype("float32")
y = rng.integers(0, 3, 16)
keep("data", x=x, y=y)

CASES = {
    "logits": ([distillation.LogitsDistillation(2.0, loss="mse")], None, 0.5),
    "features": ([distillation.FeatureDistillation("mae", "hidden", "hidden")], None, 0.0),
    "both": (
        [
            distillation.LogitsDistillation(4.0, loss="huber"),
            distillation.FeatureDistillation("mse", "hidden", "hidden"),
        ],
        [0.7, 2.0],
        0.3,
    ),
    "outputs": ([distillation.FeatureDistillation("cosine_similarity")], None, 0.8),
}
for name, (losses, loss_weights, share) in CASES.items():
    teacher, student = model(f"{name}_teacher", 6), model(f"{name}_student", 6)
    for part, one in (("teacher", teacher), ("student", student)):
        keep(f"{name}/{part}", **{f"w{i}": w for i, w in enumerate(one.get_weights())})
    distiller = distillation.Distiller(
        teacher, student, losses, distillation_loss_weights=loss_weights, student_loss_weight=share
    )
    distiller.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = distiller.fit(x, y, batch_size=8, epochs=25, shuffle=False, verbose=0).history
    keep(f"{name}/logs", **history)
    keep(f"{name}/end", **{f"w{i}": w for i, w in enumerate(student.get_weights())})
    if name == "both":
        distiller.save(
            pathlib.Path(__file__).with_name("files") / "distillation" / "distiller.keras"
        )

np.savez_compressed(pathlib.Path(__file__).with_name("distillation.npz"), **found)
