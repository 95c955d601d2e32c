"""A dense autoencoder as a subclass, a convolutional one for noisy pictures, and a threshold."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, losses
from tensorflow.keras.models import Model


class Squeeze(Model):
    def __init__(self, code_size, picture_shape):
        super(Squeeze, self).__init__()
        pixels = tf.math.reduce_prod(picture_shape).numpy()
        self.encode = tf.keras.Sequential([layers.Flatten(), layers.Dense(code_size, activation="relu")])
        self.decode = tf.keras.Sequential(
            [layers.Dense(pixels, activation="sigmoid"), layers.Reshape(picture_shape)]
        )

    def call(self, pictures):
        return self.decode(self.encode(pictures))


rng = np.random.default_rng(8)
pictures = rng.random((20, 8, 8)).astype("float32")
squeeze = Squeeze(5, pictures.shape[1:])
squeeze.compile(optimizer="adam", loss=losses.MeanSquaredError())
squeeze(pictures[:1])
squeeze.set_weights([rng.normal(0, 0.2, w.shape) for w in squeeze.get_weights()])
log = squeeze.fit(
    pictures, pictures, epochs=3, shuffle=False, batch_size=5, validation_data=(pictures[:5], pictures[:5]), verbose=0
)
print("val_loss", [f"{v:.4f}" for v in log.history["val_loss"]])
codes = squeeze.encode(pictures).numpy()
print(codes.shape, squeeze.decode(codes).numpy().shape)

clean = pictures[..., tf.newaxis]
noisy = tf.clip_by_value(clean + 0.2 * tf.random.normal(clean.shape), 0.0, 1.0)
print("in range", bool(tf.reduce_min(noisy) >= 0), bool(tf.reduce_max(noisy) <= 1), noisy.shape)
mend = tf.keras.Sequential(
    [
        layers.Input(shape=(8, 8, 1)),
        layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(1, kernel_size=(3, 3), padding="same", activation="sigmoid"),
    ]
)
mend.compile("adam", "mse")
losses_seen = mend.fit(noisy, clean, epochs=4, batch_size=4, verbose=0).history["loss"]
print("learns", losses_seen[-1] < losses_seen[0], mend.output_shape, mend.predict(noisy, verbose=0).shape)
errors = tf.keras.losses.mae(mend(noisy).numpy().reshape(20, -1), pictures.reshape(20, -1))
limit = np.mean(errors) + 2 * np.std(errors)
print("odd ones", tf.reduce_sum(tf.cast(tf.math.greater(errors, limit), tf.int32)).numpy() < 3, errors.shape)
