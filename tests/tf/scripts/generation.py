"""Characters of a text, windows by batch, a GRU subclass with states, and a generator that samples."""

import numpy as np
import tensorflow as tf

text = "the cat sat on the mat. the dog sat on the cat. " * 4
vocabulary = sorted(set(text))
to_ids = tf.keras.layers.StringLookup(vocabulary=vocabulary, mask_token=None)
to_characters = tf.keras.layers.StringLookup(vocabulary=to_ids.get_vocabulary(), invert=True, mask_token=None)
ids = to_ids(tf.strings.unicode_split(text, "UTF-8"))
print(len(vocabulary), ids.shape, ids[:5].numpy().tolist(), tf.strings.reduce_join(to_characters(ids[:7])).numpy().decode())
sequences = tf.data.Dataset.from_tensor_slices(ids).batch(13, drop_remainder=True)
dataset = sequences.map(lambda s: (s[:-1], s[1:])).batch(4, drop_remainder=True).prefetch(tf.data.experimental.AUTOTUNE)
print(dataset.element_spec[0].shape, len(dataset))


class Writer(tf.keras.Model):
    def __init__(self, size, width, units):
        super().__init__()
        self.embedding = tf.keras.layers.Embedding(size, width)
        self.gru = tf.keras.layers.GRU(units, return_sequences=True, return_state=True)
        self.dense = tf.keras.layers.Dense(size)

    def call(self, inputs, states=None, return_state=False, training=False):
        x = self.embedding(inputs, training=training)
        x, states = self.gru(x, initial_state=states, training=training)
        x = self.dense(x, training=training)
        return (x, states) if return_state else x


size = len(to_ids.get_vocabulary())
model = Writer(size, 6, 8)
for x, y in dataset.take(1):
    print(model(x).shape)
rng = np.random.default_rng(49)
model.set_weights([rng.normal(0, 0.2, w.shape) for w in model.get_weights()])
model.compile(optimizer=tf.keras.optimizers.Adam(0.02), loss=tf.losses.SparseCategoricalCrossentropy(from_logits=True))
print([f"{v:.3f}" for v in model.fit(dataset, epochs=3, verbose=0).history["loss"]])


class OneStep(tf.keras.Model):
    def __init__(self, model, temperature=1.0):
        super().__init__()
        self.temperature, self.model = temperature, model
        unknown = to_ids(["[UNK]"])[:, None]
        mask = tf.SparseTensor(values=[-float("inf")] * len(unknown), indices=unknown, dense_shape=[size])
        self.mask = tf.sparse.to_dense(mask)

    @tf.function
    def step(self, characters, states=None):
        found = to_ids(tf.strings.unicode_split(characters, "UTF-8").to_tensor())
        logits, states = self.model(inputs=found, states=states, return_state=True)
        logits = logits[:, -1, :] / self.temperature + self.mask
        chosen = tf.squeeze(tf.random.categorical(logits, num_samples=1), axis=-1)
        return to_characters(chosen), states


tf.random.set_seed(3)
one, states, following = OneStep(model), None, tf.constant(["the ", "cat "])
result = [following]
for _ in range(6):
    following, states = one.step(following, states=states)
    result.append(following)
joined = tf.strings.join(result)
print(joined.shape, [len(s.decode()) for s in joined.numpy()], set("".join(s.decode() for s in joined.numpy())) <= set(vocabulary))
logits, state = model(tf.constant([[1, 2, 3]]), return_state=True)
by_parts, state_1 = model(tf.constant([[1, 2]]), return_state=True)
by_parts, state_2 = model(tf.constant([[3]]), states=state_1, return_state=True)
print("same state", np.allclose(state, state_2, atol=1e-5), np.round(logits[0, -1, :3].numpy(), 3).tolist())
cold = tf.nn.softmax(logits[0, -1] / 0.1)
top, where = tf.nn.top_k(cold, k=2)
print(f"{float(top[0]):.3f}", where.shape)
