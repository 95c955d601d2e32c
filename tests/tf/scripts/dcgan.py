"""A convolutional GAN as a model with its own compile and train_step, and pictures in a callback."""

import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import BatchNormalization, Conv2D, Conv2DTranspose, Dense, Dropout, Flatten, LeakyReLU, Reshape


def make_generator(size):
    model = tf.keras.models.Sequential(name="generator")
    model.add(Dense(4 * 4 * 8, use_bias=False, input_shape=(size,)))
    model.add(BatchNormalization())
    model.add(LeakyReLU())
    model.add(Reshape((4, 4, 8)))
    assert model.output_shape == (None, 4, 4, 8)
    model.add(Conv2DTranspose(4, (5, 5), strides=(2, 2), padding="same", use_bias=False))
    model.add(BatchNormalization())
    model.add(LeakyReLU())
    model.add(Conv2DTranspose(1, (5, 5), strides=(2, 2), padding="same", activation="tanh"))
    return model


def make_discriminator():
    model = tf.keras.models.Sequential(name="discriminator")
    model.add(Conv2D(4, (5, 5), strides=(2, 2), padding="same", input_shape=[16, 16, 1]))
    model.add(LeakyReLU(0.2))
    model.add(Dropout(0.3))
    model.add(Flatten())
    model.add(Dense(1))
    return model


class Pair(tf.keras.Model):
    def __init__(self, generator, discriminator, size):
        super().__init__()
        self.generator, self.discriminator, self.size = generator, discriminator, size

    def compile(self, g_optimizer, d_optimizer, loss_fn):
        super().compile()
        self.g_optimizer, self.d_optimizer, self.loss_fn = g_optimizer, d_optimizer, loss_fn

    def train_step(self, real):
        if isinstance(real, tuple):
            real = real[0]
        count = tf.shape(real)[0]
        fake = self.generator(tf.random.normal((count, self.size)), training=True)
        both = tf.concat([fake, real], axis=0)
        labels = tf.concat([tf.zeros((count, 1)), tf.ones((count, 1))], axis=0)
        labels += 0.05 * tf.random.uniform(tf.shape(labels))
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both, training=True))
        found = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(found, self.discriminator.trainable_weights))
        with tf.GradientTape() as tape:
            guess = self.discriminator(self.generator(tf.random.normal((count, self.size)), training=True))
            g_loss = self.loss_fn(tf.ones((count, 1)), guess)
        found = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(found, self.generator.trainable_weights))
        return {"d_loss": d_loss, "g_loss": g_loss}


class Shots(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        picture = self.model.generator(tf.zeros((1, self.model.size)))[0] * 127.5 + 127.5
        img = tf.keras.preprocessing.image.array_to_img(picture)
        img.save("generated_%d.png" % epoch)
        print("epoch", epoch, sorted(logs), img.size)


pictures = np.random.RandomState(12).uniform(-1, 1, (24, 16, 16, 1)).astype("float32")
data = tf.data.Dataset.from_tensor_slices(pictures).shuffle(24).batch(8).prefetch(tf.data.AUTOTUNE)
gan = Pair(make_generator(5), make_discriminator(), 5)
gan.compile(
    tf.keras.optimizers.Adam(1e-4), tf.keras.optimizers.Adam(1e-4), tf.keras.losses.BinaryCrossentropy(from_logits=True)
)
before = [w.numpy().copy() for w in gan.generator.trainable_weights + gan.discriminator.trainable_weights]
history = gan.fit(data, epochs=2, verbose=0)
after = gan.generator.trainable_weights + gan.discriminator.trainable_weights
print("all moved", all(not np.array_equal(a, b.numpy()) for a, b in zip(before, after)))
print("finite", np.isfinite(history.history["d_loss"]).all(), gan.generator.count_params(), gan.discriminator.count_params())
