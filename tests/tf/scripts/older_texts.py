import json
import numpy as np
import tensorflow as tf
from tensorflow.keras.preprocessing.text import Tokenizer, text_to_word_sequence, one_hot, hashing_trick, tokenizer_from_json
from tensorflow.keras.preprocessing.sequence import pad_sequences, make_sampling_table, skipgrams, TimeseriesGenerator
texts = ["The cat sat on the mat.", "The dog ate my homework!", "A cat, a dog; and a mat", "unknown words here"]
tok = Tokenizer(num_words=10, oov_token="<OOV>")
tok.fit_on_texts(texts[:3])
print(tok.word_index, tok.document_count, dict(tok.word_counts)["cat"], len(tok.index_word))
seqs = tok.texts_to_sequences(texts)
print(seqs, tok.sequences_to_texts(seqs))
print(tok.texts_to_matrix(texts, mode="count").sum(), tok.texts_to_matrix(texts, mode="tfidf").round(3)[0].tolist())
print(tok.texts_to_matrix(texts, mode="freq").round(3)[2].tolist(), tok.sequences_to_matrix(seqs, "binary")[1].tolist())
back = tokenizer_from_json(tok.to_json())
print(back.texts_to_sequences(texts) == seqs, json.loads(tok.to_json())["class_name"])
print(pad_sequences(seqs, maxlen=5, padding="post", truncating="post").tolist())
print(pad_sequences(seqs, value=-1, dtype="int16").tolist(), pad_sequences([[1.5], [2.5, 3.5]], dtype="float32").tolist())
print(text_to_word_sequence("Hello, World! it's me", lower=True), len(one_hot("a b c", 50)), hashing_trick("a b", 20, hash_function="md5"))
char = Tokenizer(char_level=True, lower=False, filters="")
char.fit_on_texts(["abca", "bcd"])
print(char.word_index, char.texts_to_sequences(["abz"]))
couples, labels = skipgrams([1, 2, 3, 4], vocabulary_size=6, window_size=1, negative_samples=1.0, seed=3)
print(len(couples), sum(labels), make_sampling_table(4).round(4).tolist())
series = np.arange(10, dtype="float32").reshape(-1, 1)
gen = TimeseriesGenerator(series, series, length=3, batch_size=2, sampling_rate=1, stride=2)
x, y = gen[0]
print(len(gen), x.ravel().tolist(), y.ravel().tolist(), x.shape)
model = tf.keras.Sequential([tf.keras.layers.Embedding(11, 4, input_length=5, mask_zero=True), tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(3)), tf.keras.layers.Dense(1, activation="sigmoid")])
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
X = pad_sequences(seqs, maxlen=5)
model.fit(X, np.array([0, 1, 0, 1]), epochs=2, verbose=0, validation_split=0.25)
print(model.predict(X, verbose=0).shape, model.layers[0].get_weights()[0].shape)
lstm = tf.keras.Sequential([tf.keras.layers.LSTM(4, input_shape=(3, 1)), tf.keras.layers.Dense(1)])
lstm.compile("adam", "mse")
lstm.fit(gen, epochs=2, verbose=0)
print(lstm.predict(gen, verbose=0).shape)
