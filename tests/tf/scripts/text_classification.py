"""Texts in folders, cleaned and turned to numbers by a layer, then a model that takes texts."""

import os
import re
import string

import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, losses

good = ["Great film!<br />Loved it", "loved the great cast", "a great, great story", "what a lovely film"]
bad = ["Terrible film...", "hated the terrible cast", "a boring story<br />", "what a bad film"]
for folder, texts in (("texts/neg", bad), ("texts/pos", good)):
    os.makedirs(folder)
    for number, text in enumerate(texts):
        with open(os.path.join(folder, f"{number}.txt"), "w") as file:
            file.write(text)
raw = tf.keras.utils.text_dataset_from_directory("texts", batch_size=4, seed=42, shuffle=False)
print(raw.class_names)
for batch, labels in raw.take(1):
    print(batch.numpy()[0], labels.numpy().tolist())


def clean(texts):
    lower = tf.strings.lower(texts)
    plain = tf.strings.regex_replace(lower, "<br />", " ")
    return tf.strings.regex_replace(plain, "[%s]" % re.escape(string.punctuation), "")


vectorize = layers.TextVectorization(standardize=clean, max_tokens=30, output_mode="int", output_sequence_length=6)
vectorize.adapt(raw.map(lambda texts, labels: texts))
print(len(vectorize.get_vocabulary()), vectorize.get_vocabulary()[:4])
print(vectorize(tf.expand_dims("A great film", -1)).numpy().tolist())
train = raw.map(lambda texts, labels: (vectorize(texts), labels)).cache().prefetch(buffer_size=tf.data.AUTOTUNE)

model = tf.keras.Sequential(
    [
        layers.Embedding(31, 8),
        layers.Dropout(0.0),
        layers.GlobalAveragePooling1D(),
        layers.Dense(1),
    ]
)
model.build((None, 6))
rng = np.random.default_rng(18)
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
model.compile(
    loss=losses.BinaryCrossentropy(from_logits=True),
    optimizer=tf.keras.optimizers.Adam(0.05),
    metrics=[tf.keras.metrics.BinaryAccuracy(threshold=0.0)],
)
log = model.fit(train, epochs=4, verbose=0).history
print("loss", [f"{v:.3f}" for v in log["loss"]], "accuracy", f"{log['binary_accuracy'][-1]:.3f}")
whole = tf.keras.Sequential([vectorize, model, layers.Activation("sigmoid")])
answers = whole.predict(tf.constant(["a great story", "a terrible film"]), verbose=0)
print(answers.shape, answers[0, 0] > answers[1, 0])
counts = layers.TextVectorization(output_mode="tf_idf", ngrams=2)
counts.adapt(tf.data.Dataset.from_tensor_slices(good).batch(2))
print(counts(["great film"]).shape, counts.vocabulary_size())
