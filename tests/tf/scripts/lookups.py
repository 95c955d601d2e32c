"""tf.lookup tables, preprocessing layers on a table of people, and a net over both kinds of column."""

import numpy as np
import pandas as pd
import tensorflow as tf

keys, values = tf.constant(["cat", "dog", "owl"]), tf.constant([10, 20, 30], dtype=tf.int64)
table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default_value=-1)
print(table.lookup(tf.constant(["dog", "fox"])).numpy().tolist(), table.size().numpy(), table[tf.constant("owl")].numpy())
with open("words.txt", "w") as file:
    file.write("red\ngreen\nblue\n")
initializer = tf.lookup.TextFileInitializer(
    "words.txt", tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
)
vocabulary = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=2)
found = vocabulary.lookup(tf.constant(["blue", "red", "pink"])).numpy()
print(found[:2].tolist(), found[2] in (3, 4), vocabulary.size().numpy())
changing = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, default_value=-1, empty_key=0, deleted_key=-2)
changing.insert(tf.constant([1, 2], tf.int64), tf.constant([5, 6], tf.int64))
print(changing.lookup(tf.constant([2, 3], tf.int64)).numpy().tolist(), changing.size().numpy())
mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
mutable.insert(["a", "b"], [1.0, 2.0])
mutable.remove(tf.constant(["a"]))
print(mutable.lookup(tf.constant(["a", "b"])).numpy().tolist(), sorted(mutable.export()[0].numpy().tolist()))
data = tf.data.Dataset.from_tensor_slices(["dog", "eel"]).map(lambda x: table.lookup(x))
print([int(x) for x in data])

rng = np.random.default_rng(28)
frame = pd.DataFrame(
    {"age": rng.integers(20, 60, 24), "pay": rng.normal(3, 1, 24), "town": rng.choice(["Rome", "Oslo"], 24)}
)
frame["moved"] = (frame["age"] > 40).astype(int)
labels = frame.pop("moved")
dataset = tf.data.Dataset.from_tensor_slices((dict(frame), labels)).batch(8)
for features, label in dataset.take(1):
    print(sorted(features), features["pay"].shape, label.shape)
inputs, encoded = {}, []
for name in ("age", "pay"):
    inputs[name] = tf.keras.Input(shape=(1,), name=name)
    normal = tf.keras.layers.Normalization(axis=None)
    normal.adapt(frame[name].values.astype("float32"))
    encoded.append(normal(inputs[name]))
inputs["town"] = tf.keras.Input(shape=(1,), name="town", dtype="string")
lookup = tf.keras.layers.StringLookup(output_mode="one_hot")
lookup.adapt(frame["town"].values)
encoded.append(lookup(inputs["town"]))
x = tf.keras.layers.Dense(4, activation="relu")(tf.keras.layers.concatenate(encoded))
model = tf.keras.Model(inputs, tf.keras.layers.Dense(1)(x))
model.compile("adam", tf.keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
log = model.fit(dataset.map(lambda f, y: ({n: tf.expand_dims(v, -1) for n, v in f.items()}, y)), epochs=2, verbose=0).history
print(sorted(log), model.output_shape)
sample = {"age": tf.constant([[30.0]]), "pay": tf.constant([[3.0]]), "town": tf.constant([["Rome"]])}
print(tf.nn.sigmoid(model.predict(sample, verbose=0)).shape)
buckets = tf.keras.layers.Discretization(bin_boundaries=[30.0, 45.0])
print(buckets(np.array([[25.0], [40.0], [70.0]])).numpy().ravel().tolist())
crossed = tf.keras.layers.HashedCrossing(num_bins=5, output_mode="int")((tf.constant([["a"]]), tf.constant([["b"]])))
print(crossed.shape, tf.keras.layers.IntegerLookup(vocabulary=[5, 7])(np.array([7, 9])).numpy().tolist())
print(tf.keras.layers.CategoryEncoding(num_tokens=4, output_mode="multi_hot")([[0, 2], [1, 1]]).numpy().tolist())
