import re, string
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers
texts = ["A <br />good movie, really!", "bad bad film", "so so", "Good good GOOD film"] * 4
labels = [1, 0, 0, 1] * 4
raw = tf.data.Dataset.from_tensor_slices((texts, labels)).batch(4)
def custom_standardization(input_data):
    lowercase = tf.strings.lower(input_data)
    stripped = tf.strings.regex_replace(lowercase, "<br />", " ")
    return tf.strings.regex_replace(stripped, "[%s]" % re.escape(string.punctuation), "")
vectorize = layers.TextVectorization(standardize=custom_standardization, max_tokens=20, output_mode="int", output_sequence_length=6)
vectorize.adapt(raw.map(lambda x, y: x))
def vectorize_text(text, label):
    text = tf.expand_dims(text, -1)
    return vectorize(text), label
print([str(w) for w in vectorize.get_vocabulary()[:4]], vectorize.vocabulary_size())
first, label = next(iter(raw))
print(vectorize_text(first[0], label[0])[0].numpy().tolist())
ds = raw.map(vectorize_text).cache().prefetch(buffer_size=tf.data.AUTOTUNE)
model = tf.keras.Sequential([layers.Embedding(21, 4), layers.Dropout(0.2), layers.GlobalAveragePooling1D(), layers.Dropout(0.2), layers.Dense(1)])
model.compile(loss=tf.keras.losses.BinaryCrossentropy(from_logits=True), optimizer="adam", metrics=[tf.metrics.BinaryAccuracy(threshold=0.0)])
model.fit(ds, validation_data=ds, epochs=2, verbose=0)
export = tf.keras.Sequential([vectorize, model, layers.Activation("sigmoid")])
export.compile(loss=tf.keras.losses.BinaryCrossentropy(from_logits=False), optimizer="adam", metrics=["accuracy"])
print(len(export.evaluate(raw, verbose=0)), export.predict(tf.constant(["a good film", "bad"]), verbose=0).shape)
tokens = tf.strings.split(tf.constant(["the cat sat", "on it", ""]))
print(tokens, tokens.row_lengths().numpy().tolist(), tokens.to_tensor(default_value="[PAD]").numpy().tolist())
chars = tf.strings.unicode_split("héllo", "UTF-8"); print(chars.numpy()[1].decode(), tf.strings.unicode_decode("hé", "UTF-8").numpy().tolist(), tf.strings.length("hé", unit="UTF8_CHAR").numpy())
ids = layers.StringLookup(vocabulary=["cat", "sat"], mask_token=None)(tokens); print(ids.to_list())
inv = layers.StringLookup(vocabulary=["cat", "sat"], invert=True, mask_token=None); print(inv(tf.constant([1, 2, 0])).numpy().tolist())
print(tf.strings.reduce_join(chars, axis=-1).numpy().decode(), tf.strings.join(["a", "b"], "-").numpy(), tf.strings.substr("hello", 1, 3).numpy())
print(tf.strings.ngrams(["a", "b", "c"], 2).numpy().tolist(), tf.strings.to_number(["1.5", "2"]).numpy().tolist(), tf.strings.as_string([1.5, 2.0], precision=1).numpy().tolist())
print(tf.strings.regex_full_match(["ab", "b"], "a.*").numpy().tolist(), tf.strings.strip("  x ").numpy(), tf.strings.format("{} and {}", (tf.constant([1, 2]), "z")).numpy())
class CharModel(tf.keras.Model):
    def __init__(self, vocab_size, embedding_dim, rnn_units):
        super().__init__()
        self.embedding = layers.Embedding(vocab_size, embedding_dim)
        self.gru = layers.GRU(rnn_units, return_sequences=True, return_state=True)
        self.dense = layers.Dense(vocab_size)
    def call(self, inputs, states=None, return_state=False, training=False):
        x = self.embedding(inputs, training=training)
        if states is None and tf.__version__ > "2.9":
            states = self.gru.get_initial_state(x)
        x, states = self.gru(x, initial_state=states, training=training)
        x = self.dense(x, training=training)
        return (x, states) if return_state else x
text = "hello world, hello tensors. " * 20
vocab = sorted(set(text))
ids_from_chars = layers.StringLookup(vocabulary=list(vocab), mask_token=None)
all_ids = ids_from_chars(tf.strings.unicode_split(text, "UTF-8"))
seqs = tf.data.Dataset.from_tensor_slices(all_ids).batch(11, drop_remainder=True).map(lambda s: (s[:-1], s[1:])).batch(8, drop_remainder=True)
cm = CharModel(len(ids_from_chars.get_vocabulary()), 4, 8)
for a, b in seqs.take(1):
    print(cm(a).shape)
cm.compile(optimizer="adam", loss=tf.losses.SparseCategoricalCrossentropy(from_logits=True))
print(len(cm.fit(seqs, epochs=2, verbose=0).history["loss"]))
sampled = tf.random.categorical(cm(a)[0], num_samples=1)
print(tf.squeeze(sampled, axis=-1).numpy().shape)
