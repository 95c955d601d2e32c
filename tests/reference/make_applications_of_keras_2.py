"""Write the networks that tf.keras 2.15 has and Keras 3 has not into `applications.json`.

What is written is that of `make_applications.py`, which writes all others. Members that the file
has already stay as they are.

Usage: python make_applications_of_keras_2.py   (with tf.keras 2.15; a quarter of an hour)
"""

from __future__ import annotations

import json
from typing import Any

import oracle  # isort: skip
import numpy as np
import tensorflow as tf
from cases import applications as cases

keras = tf.keras


def build(name: str, shape: tuple[int, ...], **arguments: Any) -> Any:
    keras.backend.clear_session()
    image = keras.Input(batch_shape=(1, *shape))
    return getattr(keras.applications, name)(weights=None, input_tensor=image, **arguments)


def numbers(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    keras.backend.clear_session()
    model = getattr(keras.applications, name)(**cases.small(arguments))
    cases.fill(model)
    with tf.GradientTape() as tape:
        y = model(cases.pictures(arguments["input_shape"]), training=False)
        loss = tf.reduce_sum(y * y)
    gradients = tape.gradient(loss, model.trainable_variables)
    return {
        **cases.facts(model),
        "outputs": np.asarray(y, np.float64).tolist(),
        "slopes": cases.slopes(gradients),
    }


path = oracle.FOLDER / "applications.json"
found = json.loads(path.read_text())
for family, members in cases.OLD_FAMILIES.items():
    name, arguments = cases.SMALL[family]
    without = build(name, arguments["input_shape"], include_top=False, pooling="max")
    found[f"{family}: end"] = cases.layer_lines(without)[-2:]
    found[f"{family}: numbers"] = numbers(name, arguments)
    for name, size in members.items():
        if name not in found:
            found[name] = cases.facts(build(name, (size, size, 3)))
    oracle.write_facts("applications", found)
