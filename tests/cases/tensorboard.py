"""Trainings whose event files are compared with those of Keras; the same code runs both."""

from __future__ import annotations

from typing import Any

import numpy as np

X = np.linspace(-1, 1, 160).reshape(40, 4).astype("float32")
Y = (np.arange(40) * 7 % 3 > 0).astype("int32")

# Arguments of the callback, then those of each `fit`; "again" makes a second callback for the same
# folder, "evaluate" is an `evaluate`.
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "epochs": ({}, [{"epochs": 3}]),
    "two_fits": ({}, [{"epochs": 2}, {"epochs": 1}]),
    "two_callbacks": ({}, [{"epochs": 2}, {"epochs": 1, "again": True}]),
    "later_epochs": ({}, [{"epochs": 2}, {"epochs": 4, "initial_epoch": 2}]),
    "some_validation": ({}, [{"epochs": 3, "validation_freq": 2}]),
    "no_validation": ({}, [{"epochs": 2, "validation_data": None}]),
    "batches": ({"update_freq": "batch"}, [{"epochs": 2}, {"epochs": 1}]),
    "every_fifth_batch": ({"update_freq": 5}, [{"epochs": 2}]),
    "weights": ({"histogram_freq": 2, "write_images": True}, [{"epochs": 3}]),
    "evaluate": ({}, [{"evaluate": True}, {"epochs": 1}, {"evaluate": True}]),
    "pace": ({"write_steps_per_second": True, "update_freq": "batch"}, [{"epochs": 1}]),
}


def run(keras: Any, folder: str, case: str) -> None:
    """Train as a case says, and write to a folder.

    Args:
        keras: Keras, or nacre.
        folder: The callback's `log_dir`.
        case: Its name.
    """
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(3, activation="tanh", name="hidden"),
            layers.BatchNormalization(name="normed"),
            layers.Dense(2, activation="softmax", name="out"),
        ],
        name="net",
    )
    values = [0.5 + 0.5 * np.cos(np.arange(w.size)).reshape(w.shape) for w in model.get_weights()]
    model.set_weights([value.astype("float32") for value in values])
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    model.compile(
        keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    settings, calls = CASES[case]
    callback = keras.callbacks.TensorBoard(folder, **settings)
    for call in calls:
        arguments = {"batch_size": 8, "verbose": 0, **call}
        if arguments.pop("again", False):
            callback = keras.callbacks.TensorBoard(folder, **settings)
        if arguments.pop("evaluate", False):
            model.evaluate(X, Y, callbacks=[callback], **arguments)
            continue
        arguments = {"shuffle": False, "validation_data": (X[:16], Y[:16]), **arguments}
        model.fit(X, Y, callbacks=[callback], **arguments)
