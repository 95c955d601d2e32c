"""A normalizing flow of coupling layers, and a mixture density net."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(44)


class Coupling(tf.keras.layers.Layer):
    def __init__(self, mask):
        super().__init__()
        self.mask = tf.constant(mask, tf.float32)
        self.scale = tf.keras.Sequential([tf.keras.layers.Dense(8, activation="relu"), tf.keras.layers.Dense(2, activation="tanh")])
        self.shift = tf.keras.Sequential([tf.keras.layers.Dense(8, activation="relu"), tf.keras.layers.Dense(2)])

    def call(self, x, direction=1):
        kept = x * self.mask
        s, t = self.scale(kept) * (1 - self.mask), self.shift(kept) * (1 - self.mask)
        gate = (direction - 1) / 2
        moved = x * tf.exp(direction * s) + direction * t * tf.exp(gate * s)
        return kept + (1 - self.mask) * moved, tf.reduce_sum(direction * s, axis=1)


class Flow(tf.keras.Model):
    def __init__(self, count):
        super().__init__()
        self.parts = [Coupling([1.0, 0.0] if i % 2 else [0.0, 1.0]) for i in range(count)]

    def call(self, x, training=True):
        total, direction = 0.0, -1 if training else 1
        for part in self.parts[::direction]:
            x, log_det = part(x, direction=direction)
            total += log_det
        return x, total

    def log_loss(self, x):
        z, log_det = self(x)
        log_density = -0.5 * tf.reduce_sum(z**2, axis=1) - tf.math.log(2 * np.pi)
        return -tf.reduce_mean(log_density + log_det)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.log_loss(data)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
        return {"loss": loss}


points = rng.normal(size=(32, 2)).astype("float32") * [0.5, 2.0] + [1.0, -1.0]
points = points.astype("float32")
flow = Flow(4)
flow(points)
flow.set_weights([rng.normal(0, 0.2, w.shape) for w in flow.get_weights()])
flow.compile(optimizer=tf.keras.optimizers.Adam(0.01))
log = flow.fit(points, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"]
print("flow", [f"{v:.3f}" for v in log])
z, down = flow(points)
back, up = flow(z, training=False)
print("inverse", np.allclose(back, points, atol=1e-4), np.allclose(down + up, 0, atol=1e-4))

inputs = tf.keras.Input((1,))
hidden = tf.keras.layers.Dense(8, activation="tanh")(inputs)
share = tf.keras.layers.Dense(3, activation="softmax")(hidden)
centre = tf.keras.layers.Dense(3)(hidden)
width = tf.keras.layers.Dense(3, activation=tf.exp)(hidden)
mixture = tf.keras.Model(inputs, tf.keras.layers.Concatenate()([share, centre, width]))


def negative_log(y_true, found):
    share, centre, width = tf.split(found, 3, axis=-1)
    log_each = -0.5 * tf.square((y_true - centre) / width) - tf.math.log(width) - 0.5 * np.log(2 * np.pi)
    return -tf.reduce_logsumexp(tf.math.log(share) + log_each, axis=-1)


x = np.linspace(-1, 1, 24, dtype="float32")[:, None]
y = x**2 + 0.1 * rng.normal(size=(24, 1)).astype("float32")
mixture.set_weights([rng.normal(0, 0.3, w.shape) for w in mixture.get_weights()])
mixture.compile(tf.keras.optimizers.Adam(0.02), negative_log)
print("mixture", [f"{v:.4f}" for v in mixture.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"]])
