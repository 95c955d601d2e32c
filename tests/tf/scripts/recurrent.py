import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import GRU, LSTM, Bidirectional, Dense, Embedding, Masking, SimpleRNN, TimeDistributed
from tensorflow.keras.models import Sequential
from tensorflow.keras.preprocessing.sequence import pad_sequences

rng = np.random.default_rng(5)
texts = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [2]]
padded = pad_sequences(texts, maxlen=5, padding="post", value=0)
print(padded.tolist(), padded.dtype)
print(pad_sequences(texts, maxlen=3).tolist())


def filled(model):
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


classifier = filled(
    Sequential([tf.keras.Input((5,)), Embedding(10, 6, mask_zero=True), Bidirectional(LSTM(4)), Dense(1, activation="sigmoid")])
)
classifier.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
labels = np.array([0, 1, 0, 1], "float32")
history = classifier.fit(padded, labels, epochs=3, batch_size=2, shuffle=False, verbose=0)
print("lstm", [f"{v:.4f}" for v in history.history["loss"]])

tagger = filled(
    Sequential(
        [
            tf.keras.Input((None, 3)),
            Masking(0.0),
            GRU(5, return_sequences=True, dropout=0.0),
            SimpleRNN(4, return_sequences=True),
            TimeDistributed(Dense(2, activation="softmax")),
        ]
    )
)
x = rng.normal(size=(2, 6, 3)).astype("float32")
x[1, 4:] = 0
print("tagger", tagger.output_shape, np.round(tagger.predict(x, verbose=0)[:, -1], 4).tolist())

cell = tf.keras.layers.LSTMCell(3)
layer = tf.keras.layers.RNN(cell, return_state=True, return_sequences=True)
sequence, h, c = layer(x)
print("states", sequence.shape, h.shape, c.shape, np.allclose(sequence[:, -1], h, atol=1e-6))

stateful = Sequential([tf.keras.Input(batch_shape=(1, 2, 1)), GRU(2, stateful=True)])
filled(stateful)
first = stateful.predict(np.ones((1, 2, 1)), verbose=0)
second = stateful.predict(np.ones((1, 2, 1)), verbose=0)
stateful.layers[0].reset_states()
again = stateful.predict(np.ones((1, 2, 1)), verbose=0)
print("stateful", np.allclose(first, second), np.allclose(first, again, atol=1e-6), np.round(second, 4).tolist())
