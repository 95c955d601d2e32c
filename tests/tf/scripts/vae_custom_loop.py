"""A variational autoencoder trained by hand, with its bound written out."""

import math
import time

import numpy as np
import tensorflow as tf


class Codes(tf.keras.Model):
    def __init__(self, size):
        super(Codes, self).__init__()
        self.size = size
        self.inference = tf.keras.Sequential(
            [
                tf.keras.layers.InputLayer(input_shape=(8, 8, 1)),
                tf.keras.layers.Conv2D(filters=4, kernel_size=3, strides=(2, 2), activation=tf.nn.relu),
                tf.keras.layers.Flatten(),
                tf.keras.layers.Dense(2 * size),
            ]
        )
        self.generation = tf.keras.Sequential(
            [
                tf.keras.layers.InputLayer(input_shape=(size,)),
                tf.keras.layers.Dense(units=32, activation=tf.nn.relu),
                tf.keras.layers.Reshape(target_shape=(4, 4, 2)),
                tf.keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
            ]
        )

    def moments(self, pictures):
        return tf.split(self.inference(pictures), num_or_size_splits=2, axis=1)

    @tf.function
    def draw(self, points=None):
        if points is None:
            points = tf.random.normal(shape=(10, self.size))
        return tf.sigmoid(self.generation(points))


def log_density(x, mean, log_variance):
    scaled = tf.square(x - mean) * tf.exp(-log_variance)
    return -0.5 * tf.reduce_sum(scaled + log_variance + math.log(2.0 * math.pi), axis=1)


def bound(model, pictures):
    mean, log_variance = model.moments(pictures)
    point = mean + tf.random.normal(tf.shape(mean)) * tf.exp(0.5 * log_variance)
    logits = model.generation(point)
    pixels = tf.nn.sigmoid_cross_entropy_with_logits(labels=pictures, logits=logits)
    evidence = log_density(point, 0.0, 0.0) - log_density(point, mean, log_variance)
    return tf.reduce_mean(evidence - tf.reduce_sum(pixels, axis=[1, 2, 3]))


@tf.function
def climb(model, pictures, optimizer):
    with tf.GradientTape() as tape:
        loss = -bound(model, pictures)
    found = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(found, model.trainable_variables))


pictures = (np.random.RandomState(10).rand(40, 8, 8, 1) > 0.8).astype("float32")
batches = tf.data.Dataset.from_tensor_slices(pictures).shuffle(40).batch(8)
model, optimizer, bounds = Codes(2), tf.keras.optimizers.Adam(1e-2), []
for _ in range(5):
    begun = time.time()
    for batch in batches:
        climb(model, batch, optimizer)
    mean = tf.keras.metrics.Mean()
    for batch in batches:
        mean(bound(model, batch))
    bounds.append(mean.result())
print("grows", bool(bounds[-1] > bounds[0]), time.time() > begun, optimizer.iterations.numpy())
print(model.draw().shape, model.draw(tf.zeros((3, 2))).shape)
print("equal points", float(np.ptp(model.draw(tf.zeros((3, 2))).numpy(), axis=0).max()) < 1e-6)
print("density", f"{log_density(tf.ones((1, 2)), 0.5, 0.1).numpy()[0]:.5f}")
