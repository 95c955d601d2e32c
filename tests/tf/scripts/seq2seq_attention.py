"""Reverse short rows of numbers: an encoder, additive attention, and a decoder taught step by step."""

import numpy as np
import tensorflow as tf

VOCABULARY, WIDTH, START = 12, 6, 1


class Reader(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = tf.keras.layers.Embedding(VOCABULARY, 4)
        self.rnn = tf.keras.layers.GRU(WIDTH, return_sequences=True, return_state=True)

    def call(self, tokens):
        state = tf.zeros((tf.shape(tokens)[0], WIDTH))
        return self.rnn(self.embed(tokens), initial_state=state)


class Look(tf.keras.layers.Layer):
    """Additive attention of one state over all memories."""

    def __init__(self, units):
        super().__init__()
        self.of_state, self.of_memory = (tf.keras.layers.Dense(units, use_bias=False) for _ in "ab")
        self.score = tf.keras.layers.Dense(1)

    def call(self, state, memory):
        joined = tf.nn.tanh(self.of_state(state)[:, tf.newaxis, :] + self.of_memory(memory))
        share = tf.nn.softmax(tf.squeeze(self.score(joined), -1), axis=-1)
        return tf.einsum("bt,btd->bd", share, memory), share


class Writer(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.embed = tf.keras.layers.Embedding(VOCABULARY, 4)
        self.look = Look(WIDTH)
        self.cell = tf.keras.layers.GRUCell(WIDTH)
        self.to_tokens = tf.keras.layers.Dense(VOCABULARY)

    def call(self, token, state, memory):
        context, share = self.look(state, memory)
        output, states = self.cell(tf.concat([context, self.embed(token)], axis=-1), [state])
        state = states[0] if isinstance(states, (list, tuple)) else states
        return self.to_tokens(output), state, share


reader, writer = Reader(), Writer()
optimizer = tf.keras.optimizers.Adam(0.02)
cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")


@tf.function
def learn(source, target):
    with tf.GradientTape() as tape:
        memory, state = reader(source)
        token, total = tf.fill([tf.shape(source)[0]], tf.constant(START, target.dtype)), 0.0
        for step in range(target.shape[1]):
            logits, state, _ = writer(token, state, memory)
            present = tf.cast(tf.math.not_equal(target[:, step], 0), tf.float32)
            total += tf.reduce_mean(cross_entropy(target[:, step], logits) * present)
            token = target[:, step]
    weights = reader.trainable_variables + writer.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(total, weights), weights))
    return total / int(target.shape[1])


def answer(source, steps):
    memory, state = reader(source)
    token, found = tf.constant([START]), []
    for _ in range(steps):
        logits, state, share = writer(token, state, memory)
        token = tf.argmax(logits, axis=-1)
        found.append(int(token.numpy()[0]))
    return found, share


rng = np.random.default_rng(6)
sources = rng.integers(2, VOCABULARY, (8, 5))
targets = np.concatenate([sources[:, ::-1][:, :3], np.zeros((8, 1), int)], axis=1)
memory, state = reader(tf.constant(sources[:4]))
writer(tf.ones((4,), tf.int32), state, memory)
for part in (reader, writer):
    part.set_weights([rng.normal(0, 0.3, w.shape) for w in part.get_weights()])
pairs = tf.data.Dataset.from_tensor_slices((sources, targets)).batch(4, drop_remainder=True)
for epoch in range(3):
    losses = [learn(*pair).numpy() for pair in pairs]
    print(f"epoch {epoch + 1}: {np.mean(losses):.4f}")
found, share = answer(tf.convert_to_tensor(sources[:1]), 3)
print("found", found, "shares", share.shape, f"{tf.reduce_sum(share).numpy():.4f}")
