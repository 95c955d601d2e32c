"""A small causal language model with its own warm-up schedule, masked loss and masked accuracy."""

import numpy as np
import tensorflow as tf


def waves(length, width):
    """Sines in even places, cosines in odd ones."""
    where = np.arange(length)[:, None] / np.power(1e4, 2 * (np.arange(width)[None] // 2) / width)
    where[:, 0::2], where[:, 1::2] = np.sin(where[:, 0::2]), np.cos(where[:, 1::2])
    return tf.cast(where, tf.float32)


class TokensAndPlaces(tf.keras.layers.Layer):
    def __init__(self, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.tokens = tf.keras.layers.Embedding(vocabulary, width, mask_zero=True)
        self.places = waves(32, width)

    def compute_mask(self, inputs, mask=None):
        return self.tokens.compute_mask(inputs)

    def call(self, inputs):
        found = self.tokens(inputs) * tf.sqrt(float(self.width))
        return found + self.places[tf.newaxis, : tf.shape(inputs)[1]]


class DecoderBlock(tf.keras.layers.Layer):
    def __init__(self, width, heads):
        super().__init__()
        self.attend = tf.keras.layers.MultiHeadAttention(heads, width // heads)
        self.widen = tf.keras.layers.Dense(2 * width, activation="gelu")
        self.narrow = tf.keras.layers.Dense(width)
        self.norms = [tf.keras.layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]

    def call(self, x):
        x = self.norms[0](x + self.attend(x, x, use_causal_mask=True))
        return self.norms[1](x + self.narrow(self.widen(x)))


class WarmUp(tf.keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, width, steps=40):
        self.scale, self.steps = tf.cast(width, tf.float32) ** -0.5, steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        return self.scale * tf.minimum(tf.math.rsqrt(step), step * self.steps**-1.5)


def loss_of_words(truth, logits):
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(truth, tf.int32), logits)
    there = tf.cast(truth != 0, each.dtype)
    return tf.reduce_sum(each * there) / tf.reduce_sum(there)


def share_right(truth, logits):
    guess = tf.argmax(logits, axis=-1)
    there = truth != 0
    right = (tf.cast(truth, guess.dtype) == guess) & there
    return tf.math.count_nonzero(right, dtype=tf.float32) / tf.math.count_nonzero(there, dtype=tf.float32)


model = tf.keras.Sequential(
    [TokensAndPlaces(15, 8), DecoderBlock(8, 2), DecoderBlock(8, 2), tf.keras.layers.Dense(15)]
)
rng = np.random.default_rng(7)
words = rng.integers(1, 15, (12, 9))
words[:3, 6:] = 0
model(words[:, :-1])
model.set_weights([rng.normal(0, 0.2, w.shape) for w in model.get_weights()])
model.compile(
    tf.keras.optimizers.Adam(WarmUp(8), beta_2=0.98, epsilon=1e-9), loss_of_words, metrics=[share_right]
)
log = model.fit(words[:, :-1], words[:, 1:], batch_size=4, epochs=3, shuffle=False, verbose=0).history
print("loss", [f"{v:.3f}" for v in log["loss"]], "right", [f"{v:.3f}" for v in log["share_right"]])
text = tf.constant([[1, 2]])
for _ in range(2):
    following = tf.argmax(model(text)[:, -1], axis=-1, output_type=tf.int32)
    text = tf.concat([text, following[:, tf.newaxis]], axis=-1)
print("text", text.shape, text.dtype.name)
short, long = model(words[-1:, :3]).numpy(), model(words[-1:, :8]).numpy()
print("causal", np.allclose(short, long[:, :3], atol=1e-5))
print("rates", [f"{float(WarmUp(8)(step)):.5f}" for step in (1, 40, 400)])
