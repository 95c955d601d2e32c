"""Pictures of two kinds turned into each other: two generators, two critics, one persistent tape."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers


class InstanceNormalization(layers.Layer):
    """Each picture and channel for itself."""

    def __init__(self, epsilon=1e-5):
        super().__init__()
        self.epsilon = epsilon

    def build(self, input_shape):
        self.scale = self.add_weight(
            name="scale", shape=input_shape[-1:], initializer=tf.random_normal_initializer(1.0, 0.02), trainable=True
        )
        self.offset = self.add_weight(name="offset", shape=input_shape[-1:], initializer="zeros", trainable=True)

    def call(self, x):
        mean, variance = tf.nn.moments(x, axes=[1, 2], keepdims=True)
        return self.scale * (x - mean) * tf.math.rsqrt(variance + self.epsilon) + self.offset


def generator():
    inputs = layers.Input(shape=[8, 8, 3])

    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(InstanceNormalization()(x))
    return tf.keras.Model(inputs, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


def critic():
    return tf.keras.Sequential([layers.Input((8, 8, 3)), layers.Conv2D(4, 4, strides=2), layers.LeakyReLU(), layers.Conv2D(1, 3)])


nets = {"a_to_b": generator(), "b_to_a": generator(), "is_a": critic(), "is_b": critic()}
optimizers = {name: tf.keras.optimizers.Adam(2e-3, beta_1=0.5) for name in nets}
rng = np.random.default_rng(14)
for net in nets.values():
    net.set_weights([rng.normal(0, 0.1, w.shape) for w in net.get_weights()])
bce = tf.keras.losses.BinaryCrossentropy(from_logits=True)


@tf.function
def train_step(a, b):
    with tf.GradientTape(persistent=True) as tape:
        fake_b, fake_a = nets["a_to_b"](a, training=True), nets["b_to_a"](b, training=True)
        cycle = tf.reduce_mean(tf.abs(nets["b_to_a"](fake_b, training=True) - a))
        cycle += tf.reduce_mean(tf.abs(nets["a_to_b"](fake_a, training=True) - b))
        same = tf.reduce_mean(tf.abs(nets["a_to_b"](b) - b)) + tf.reduce_mean(tf.abs(nets["b_to_a"](a) - a))
        judged_a, judged_b = nets["is_a"](fake_a), nets["is_b"](fake_b)
        losses = {
            "a_to_b": bce(tf.ones_like(judged_b), judged_b) + 10 * cycle + 5 * same,
            "b_to_a": bce(tf.ones_like(judged_a), judged_a) + 10 * cycle + 5 * same,
            "is_a": 0.5 * (bce(tf.ones_like(judged_a), nets["is_a"](a)) + bce(tf.zeros_like(judged_a), judged_a)),
            "is_b": 0.5 * (bce(tf.ones_like(judged_b), nets["is_b"](b)) + bce(tf.zeros_like(judged_b), judged_b)),
        }
    for name, loss in losses.items():
        variables = nets[name].trainable_variables
        optimizers[name].apply_gradients(zip(tape.gradient(loss, variables), variables))
    return losses


a, b = (tf.constant(rng.uniform(-1, 1, (4, 8, 8, 3)), tf.float32) for _ in range(2))
for _ in range(2):
    print({name: f"{float(loss):.3f}" for name, loss in train_step(a, b).items()})
checkpoint = tf.train.Checkpoint(a_to_b=nets["a_to_b"], optimizer=optimizers["a_to_b"])
manager = tf.train.CheckpointManager(checkpoint, "./cycle", max_to_keep=2)
path = manager.save()
expected = nets["a_to_b"](a).numpy()
train_step(a, b)
checkpoint.restore(manager.latest_checkpoint)
print("restored", np.allclose(nets["a_to_b"](a).numpy(), expected, atol=1e-6), path.split("/")[-1])
