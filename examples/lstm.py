"""A recurrent network: in which language is this sentence written?

    python examples/lstm.py

An LSTM reads a text character by character and remembers what matters. Here two of them read,
one from each end, and the sum of what they remember decides between ten languages. The picture
shows which languages are taken for which, and how the answer changes while a sentence is read.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers
from nacre.datasets import languages

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
(x_train, y_train), (x_test, y_test) = languages.load_data()  # comes with nacre
names = languages.get_label_names()
LENGTH = 48  # characters; longer texts are cut there

# Texts become numbers, one for each character. It is a part of the model, too: the model takes
# texts. Number 0 fills up what is shorter, and `mask_zero` below makes the layers skip it.
characters = layers.TextVectorization(split="character", output_sequence_length=LENGTH)
characters.adapt(x_train)

# --------------------------------------------------------------------------------- the network
text = keras.Input(shape=(), dtype="string")
x = characters(text)
x = layers.Embedding(characters.vocabulary_size(), 32, mask_zero=True)(x)  # (batch, 48, 32)
x = layers.Bidirectional(layers.LSTM(64, return_sequences=True), merge_mode="sum")(x)
x = layers.GlobalAveragePooling1D()(x)  # over the characters that are there: (batch, 64)
x = layers.Dropout(0.4)(x)
answer = layers.Dense(len(names), activation="softmax")(x)
model = keras.Model(text, answer)
model.compile(
    optimizer=keras.optimizers.Adam(0.004),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.summary()
model.fit(x_train, y_train, batch_size=32, epochs=1 if options.quick else 30, verbose=2)

# ----------------------------------------------------------------------- texts it has not seen
_, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy: {accuracy:.3f}")

predicted = model.predict(x_test, verbose=0).argmax(axis=-1)
counts = np.zeros((len(names), len(names)), int)
np.add.at(counts, (y_test, predicted), 1)

sentence = "Dieser Wert muss größer sein als der vorige."
beginnings = np.array([sentence[: end + 1] for end in range(len(sentence))])
certainty = model.predict(beginnings, verbose=0)  # (beginnings, languages)

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
left.imshow(counts, cmap="Blues")
for row in range(len(names)):
    for column in range(len(names)):
        if counts[row, column]:
            color = "white" if counts[row, column] > 20 else "black"
            left.text(column, row, counts[row, column], ha="center", va="center", color=color)
left.set(title=f"Test texts, accuracy {accuracy:.1%}", xlabel="answer", ylabel="language")
left.set_xticks(range(len(names)), names)
left.set_yticks(range(len(names)), names)
for number in np.argsort(certainty.max(axis=0))[-4:]:
    right.plot(certainty[:, number], label=names[number])
right.set_xticks(range(len(sentence)), sentence, fontsize=7)
right.set(title="Probabilities after each character")
right.legend()
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "lstm.png", dpi=120)
