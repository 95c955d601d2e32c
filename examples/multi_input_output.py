"""Two inputs and two outputs: an image and a question go in, a digit and an answer come out.

    python examples/multi_input_output.py

A model is a graph of layers: branches meet and part again. One branch here looks at the image,
another reads the question as text; where they meet, the answer is decided. A second output tells
the digit, from the image alone. Each output has its own loss, and both train the image's branch.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

# ------------------------------------------------------------------------------------ the data
QUESTIONS = {  # and the digits for which the answer is yes
    "is it even": {0, 2, 4, 6, 8},
    "is it larger than four": {5, 6, 7, 8, 9},
    "is it a square number": {0, 1, 4, 9},
    "does it have a closed loop": {0, 6, 8, 9},
}
TRUTH = np.array([[digit in yes for digit in range(10)] for yes in QUESTIONS.values()], "float32")


def with_questions(images, labels, count):
    """Each image comes with `count` questions chosen at random."""
    images, labels = np.repeat(images[..., None], count, axis=0), np.repeat(labels, count)
    asked = rng.integers(len(QUESTIONS), size=len(labels))
    order = rng.permutation(len(labels))
    inputs = {"image": images[order], "question": np.array(list(QUESTIONS))[asked[order]]}
    outputs = {"digit": labels[order], "answer": TRUTH[asked, labels][order]}
    return inputs, outputs


(x_train, y_train), (x_test, y_test) = digits.load_data()
train_inputs, train_outputs = with_questions(x_train, y_train, count=3)
test_inputs, test_outputs = with_questions(x_test, y_test, count=1)

# --------------------------------------------------------------------------------- the network
words = layers.TextVectorization(output_sequence_length=5)
words.adapt(list(QUESTIONS))

image = keras.Input(shape=(8, 8, 1), name="image")
question = keras.Input(shape=(), dtype="string", name="question")

seen = layers.Rescaling(1 / 16)(image)
seen = layers.Conv2D(32, 3, padding="same", activation="relu")(seen)
seen = layers.MaxPooling2D()(seen)
seen = layers.Conv2D(64, 3, padding="same", activation="relu")(seen)
seen = layers.Flatten()(layers.MaxPooling2D()(seen))
seen = layers.Dropout(0.3)(seen)

read = layers.Embedding(words.vocabulary_size(), 16, mask_zero=True)(words(question))
read = layers.GRU(32)(read)

met = layers.Concatenate()([layers.Dense(64, activation="relu")(seen), read])
met = layers.Dense(64, activation="relu")(met)

digit = layers.Dense(10, activation="softmax", name="digit")(seen)
answer = layers.Dense(1, activation="sigmoid", name="answer")(met)
model = keras.Model([image, question], {"digit": digit, "answer": answer})
model.compile(
    optimizer="adam",
    loss={"digit": "sparse_categorical_crossentropy", "answer": "binary_crossentropy"},
    loss_weights={"digit": 1.0, "answer": 2.0},
    metrics={"digit": ["accuracy"], "answer": ["accuracy"]},
)
model.summary()
model.fit(train_inputs, train_outputs, batch_size=64, epochs=1 if options.quick else 15, verbose=2)

# ---------------------------------------------------------------------- images it has not seen
scores = model.evaluate(test_inputs, test_outputs, return_dict=True, verbose=0)
print(f"digit accuracy: {scores['digit_accuracy']:.3f}")
print(f"answer accuracy: {scores['answer_accuracy']:.3f}")

found = model.predict(test_inputs, verbose=0)
figure, axes = plt.subplots(2, 4, figsize=(12, 6), layout="constrained")
figure.suptitle(
    f"Digits: {scores['digit_accuracy']:.1%} right, answers: {scores['answer_accuracy']:.1%}"
)
for index, axis in enumerate(axes.flat):
    yes = found["answer"][index, 0]
    axis.imshow(test_inputs["image"][index, ..., 0], cmap="gray_r")
    axis.axis("off")
    axis.set_title(
        f"{test_inputs['question'][index]}?\n{'yes' if yes > 0.5 else 'no'} "
        f"({max(yes, 1 - yes):.0%}); a {found['digit'][index].argmax()}",
        color="black" if (yes > 0.5) == test_outputs["answer"][index] else "red",
        fontsize=10,
    )
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "multi_input_output.png", dpi=120)
