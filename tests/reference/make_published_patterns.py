"""Numbers of real tf.keras for `published_patterns.py`.

Written by TensorFlow 2.15.1 under Python 3.11; run it to write published_patterns.npz anew.
"""

import pathlib
import types

import numpy as np
import published_patterns as patterns
import tensorflow as tf

maths = types.SimpleNamespace(
    softmax=tf.nn.softmax,
    sqrt=tf.sqrt,
    sin=tf.sin,
    cos=tf.cos,
    mean=tf.reduce_mean,
    arange=tf.range,
    transpose=tf.transpose,
    sum_of_squares=lambda x: tf.reduce_sum(tf.square(x), axis=1, keepdims=True),
    outer=lambda a, b: tf.matmul(a, b, transpose_b=True),
)
rng, found = np.random.default_rng(5), {}
for name, make in patterns.PATTERNS.items():
    arrays = patterns.data_of(name, rng)
    model, parts = make(tf.keras, tf.GradientTape, maths)
    for number, part in enumerate(parts):
        part.set_weights([0.4 * rng.normal(size=w.shape).astype("float32") for w in part.weights])
        found |= {f"{name}/start/{number}/w{i}": w for i, w in enumerate(part.get_weights())}
    logs = patterns.trained(model, arrays)
    found |= {f"{name}/data/{key}": value for key, value in arrays.items()}
    found |= {f"{name}/logs/{key}": np.asarray(value) for key, value in logs.items()}
    for number, part in enumerate(parts):
        found |= {f"{name}/end/{number}/w{i}": w for i, w in enumerate(part.get_weights())}

np.savez_compressed(pathlib.Path(__file__).with_name("published_patterns.npz"), **found)
