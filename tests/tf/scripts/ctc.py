"""Connectionist temporal classification: the loss in three forms, decoding, edit distance."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import backend as K

rng = np.random.default_rng(45)
probabilities = tf.nn.softmax(tf.constant(rng.normal(size=(2, 6, 5)), tf.float32))
labels = tf.constant([[1, 2, 3], [0, 2, 0]])
input_length, label_length = tf.constant([[6], [5]]), tf.constant([[3], [2]])
print(np.round(K.ctc_batch_cost(labels, probabilities, input_length, label_length).numpy(), 4).tolist())
logits = tf.transpose(tf.math.log(probabilities), [1, 0, 2])
loss = tf.nn.ctc_loss(
    labels=labels, logits=logits, label_length=[3, 2], logit_length=[6, 5], logits_time_major=True, blank_index=-1
)
print(np.round(loss.numpy(), 4).tolist())
decoded, log_probability = K.ctc_decode(probabilities, input_length=np.array([6, 5]), greedy=True)
print(decoded[0].numpy().tolist(), np.round(log_probability.numpy(), 3).tolist())
paths, scores = tf.nn.ctc_greedy_decoder(logits, sequence_length=[6, 5])
print(tf.sparse.to_dense(paths[0], default_value=-1).numpy().tolist())
truth = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1, 2, 4], [2, 2])
guess = tf.SparseTensor([[0, 0], [1, 0]], [1, 3], [2, 2])
print(tf.edit_distance(guess, truth, normalize=False).numpy().tolist(), tf.edit_distance(guess, truth).numpy().tolist())


class CTCLayer(tf.keras.layers.Layer):
    def call(self, y_true, y_pred):
        batch = tf.cast(tf.shape(y_true)[0], dtype="int64")
        steps = tf.cast(tf.shape(y_pred)[1], dtype="int64") * tf.ones(shape=(batch, 1), dtype="int64")
        size = tf.cast(tf.shape(y_true)[1], dtype="int64") * tf.ones(shape=(batch, 1), dtype="int64")
        self.add_loss(tf.reduce_mean(K.ctc_batch_cost(y_true, y_pred, steps, size)))
        return y_pred


picture = tf.keras.layers.Input((12, 6, 1), name="picture")
text = tf.keras.layers.Input((None,), name="text")
x = tf.keras.layers.Conv2D(4, 3, padding="same", activation="relu")(picture)
x = tf.keras.layers.MaxPooling2D((1, 2))(x)
x = tf.keras.layers.Reshape((12, 12))(x)
x = tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(5, return_sequences=True))(x)
x = tf.keras.layers.Dense(5, activation="softmax", name="characters")(x)
model = tf.keras.Model([picture, text], CTCLayer()(text, x))
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
model.compile(optimizer=tf.keras.optimizers.Adam(0.01))
pictures = rng.random((8, 12, 6, 1)).astype("float32")
texts = rng.integers(0, 4, (8, 3)).astype("float32")
data = tf.data.Dataset.from_tensor_slices({"picture": pictures, "text": texts}).batch(4)
print("loss", [f"{v:.3f}" for v in model.fit(data, epochs=3, verbose=0).history["loss"]])
reader = tf.keras.models.Model(model.input[0] if isinstance(model.input, list) else model.inputs[0], model.get_layer("characters").output)
found = K.get_value(K.ctc_decode(reader.predict(pictures, verbose=0), np.full(8, 12), greedy=True)[0][0])
print(found.shape[0], found.dtype.kind)
