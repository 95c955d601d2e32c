"""A variational autoencoder whose `train_step` keeps two parts of the loss apart."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers


class Draw(layers.Layer):
    """A point near the mean, as far off as the variance says."""

    def call(self, inputs):
        mean, log_variance = inputs
        noise = tf.random.normal(shape=tf.shape(mean))
        return mean + noise * tf.exp(log_variance / 2)


def make_encoder(codes):
    pictures = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(pictures)
    x = layers.Dense(8, activation="relu")(layers.Flatten()(x))
    mean = layers.Dense(codes, name="mean")(x)
    log_variance = layers.Dense(codes, name="log_variance")(x)
    return keras.Model(pictures, [mean, log_variance, Draw()([mean, log_variance])], name="encoder")


def make_decoder(codes):
    return keras.Sequential(
        [
            keras.Input((codes,)),
            layers.Dense(64, activation="relu"),
            layers.Reshape((4, 4, 4)),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ],
        name="decoder",
    )


class VariationalAutoencoder(keras.Model):
    def __init__(self, codes=2, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = make_encoder(codes), make_decoder(codes)
        self.pixels_mean = keras.metrics.Mean(name="pixels")
        self.divergence_mean = keras.metrics.Mean(name="divergence")

    @property
    def metrics(self):
        return [self.pixels_mean, self.divergence_mean]

    def train_step(self, pictures):
        with tf.GradientTape() as tape:
            mean, log_variance, point = self.encoder(pictures, training=True)
            guess = self.decoder(point, training=True)
            pixels = keras.losses.binary_crossentropy(pictures, guess)
            pixels = tf.reduce_mean(tf.reduce_sum(pixels, axis=[1, 2]))
            divergence = tf.exp(log_variance) + tf.square(mean) - 1.0 - log_variance
            divergence = tf.reduce_mean(tf.reduce_sum(divergence / 2, axis=-1))
            loss = pixels + divergence
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        self.pixels_mean.update_state(pixels)
        self.divergence_mean.update_state(divergence)
        return {"loss": loss, **{metric.name: metric.result() for metric in self.metrics}}


pictures = (np.random.default_rng(9).random((32, 8, 8, 1)) > 0.7).astype("float32")
vae = VariationalAutoencoder()
vae.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01))
log = vae.fit(pictures, epochs=5, batch_size=8, verbose=0).history
print(sorted(log), "learns", log["pixels"][-1] < log["pixels"][0], "positive", min(log["divergence"]) >= 0)
means, log_variances, points = vae.encoder.predict(pictures, verbose=0)
print(means.shape, log_variances.shape, points.shape, vae.decoder.predict(means[:3], verbose=0).shape)
print(len(vae.trainable_weights), vae.optimizer.iterations.numpy())
