"""Rows of different lengths: made, computed with, batched, padded, fed to a net."""

import numpy as np
import tensorflow as tf

rows = tf.ragged.constant([[3, 1, 4, 1], [], [5, 9, 2], [6]])
print(rows, rows.shape, rows.dtype.name, rows.nrows().numpy(), rows.ragged_rank)
print(rows.row_lengths().numpy().tolist(), rows.row_splits.numpy().tolist(), rows.values.numpy().tolist())
print(rows.to_tensor().numpy().tolist(), rows.to_tensor(default_value=-1, shape=[None, 2]).numpy().tolist())
print(rows[0].numpy().tolist(), rows[2, 1].numpy(), rows[:, :2].to_list(), rows[:, -1:].to_list(), rows[1:3].to_list())
print((rows + 1).to_list(), (rows * rows).to_list(), (rows > 2).to_list())
print(tf.RaggedTensor.from_row_lengths([1, 2, 3], [1, 0, 2]).to_list(), tf.RaggedTensor.from_row_splits([1, 2, 3], [0, 2, 3]).to_list())
print(tf.RaggedTensor.from_value_rowids([1, 2, 3], [0, 0, 2]).to_list(), tf.RaggedTensor.from_tensor([[1, 0, 0], [2, 3, 0]], padding=0).to_list())
print(tf.ragged.stack([tf.constant([1, 2]), tf.constant([3])]).to_list(), tf.ragged.range([2, 0, 3]).to_list())
print(tf.ragged.boolean_mask([[1, 2, 3], [4, 5, 6]], [[True, False, True], [False, False, True]]).to_list())
print(tf.ragged.map_flat_values(lambda x: x * 2, rows).to_list())
deep = tf.ragged.constant([[[1], [2, 3]], [[4, 5, 6]]])
print(deep.shape, deep.ragged_rank, deep.flat_values.numpy().tolist(), deep.to_list(), deep.bounding_shape().numpy().tolist())
print(deep.merge_dims(1, 2).to_list(), isinstance(deep, tf.RaggedTensor), tf.ragged.constant([["a"], []], dtype=tf.string).to_list())
print(rows.numpy()[2].tolist(), len(list(rows)))
words = tf.strings.split(["a b c", "d"])
print(words.to_list(), words.to_tensor("").numpy().tolist())
data = tf.data.Dataset.from_tensor_slices(rows).map(lambda x: x + 1)
print([x.numpy().tolist() for x in data])
for batch in data.padded_batch(2):
    print(batch.numpy().tolist())
for batch in tf.data.Dataset.range(1, 4).map(lambda n: tf.range(n)).apply(tf.data.experimental.dense_to_ragged_batch(2)):
    print(batch.to_list())
lengths = tf.data.Dataset.range(1, 7).map(lambda n: tf.ones([n], tf.int64))
for batch in lengths.bucket_by_sequence_length(lambda x: tf.shape(x)[0], bucket_boundaries=[3, 5], bucket_batch_sizes=[2, 2, 2]):
    print(batch.numpy().shape)


model = tf.keras.Sequential([tf.keras.layers.Embedding(12, 3, mask_zero=True), tf.keras.layers.LSTM(4), tf.keras.layers.Dense(1)])
padded = rows.to_tensor()
model(padded)
rng = np.random.default_rng(26)
model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
model.compile("sgd", "mse")
print(f"{model.evaluate(padded, np.ones((4, 1)), verbose=0):.4f}", np.round(model.predict(padded, verbose=0).ravel(), 4).tolist())
