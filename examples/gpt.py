"""A transformer decoder that learns as GPT does: always the next token. Here it learns to sort.

    python examples/gpt.py

It reads "3 7 0 7 1 9 =" and goes on, one digit after another: "0 1 3 7 7 9". Nobody tells it what
sorting is: it only sees examples, and each position may look at earlier ones only. The picture
shows how sure it is of each digit, and which of the digits it read an answer depends on.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

# ------------------------------------------------------------------------------------ the data
DIGITS, EQUALS = 8, 10  # how many are sorted; tokens 0 to 9 are digits, 10 is "="
VOCABULARY, DIM, HEADS = 11, 48, 4


def lines(count):
    digits = rng.integers(10, size=(count, DIGITS))
    return np.concatenate([digits, np.full((count, 1), EQUALS), np.sort(digits)], axis=1)


train = lines(1000 if options.quick else 20000)
test = lines(500)
# All but the last token go in; asked for is, at each place, the token that follows. What follows
# within the unsorted part is chance: its weight is 0.
x, y = train[:, :-1], train[:, 1:]
weights = np.broadcast_to(np.arange(x.shape[1]) >= DIGITS, x.shape).astype("float32")

# --------------------------------------------------------------------------------- the network
# TransformerDecoder blocks look backwards only. `generate` keeps what they have computed for the
# tokens so far, so that each new token costs one step.
tokens = keras.Input(shape=(None,), dtype="int32")
h = layers.TokenAndPositionEmbedding(VOCABULARY, 2 * DIGITS + 1, DIM)(tokens)
for _ in range(2):
    h = layers.TransformerDecoder(4 * DIM, num_heads=HEADS, normalize_first=True)(h)
h = layers.LayerNormalization()(h)
model = keras.Model(tokens, layers.Dense(VOCABULARY)(h))
model.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=["accuracy"],
)
model.summary()
model.fit(x, y, sample_weight=weights, batch_size=64, epochs=1 if options.quick else 4, verbose=2)

# ---------------------------------------------------------------------- digits it has not seen
prompts = test[:, : DIGITS + 1]
written = keras.models.generate(model, prompts, max_new_tokens=DIGITS)
right = (written == test).all(axis=1).mean()
print(f"sorted without a mistake: {right:.3f}")
for row in written[:4]:
    print("".join("=" if token == EQUALS else str(token) for token in row))

# How sure it is: probabilities at each step of one line. Which digits does a written one
# depend on? Change one unsorted digit at a time and see how much the answers move.
shown = max(test, key=lambda line: len(set(line)))  # of many different digits
probabilities = np.asarray(keras.ops.softmax(model.predict(shown[None, :-1], verbose=0)))
probabilities = probabilities[0, DIGITS:]  # (8, 11)
depends = np.zeros((DIGITS, DIGITS))
for place in range(DIGITS):
    changed = np.repeat(shown[None, :-1], 10, axis=0)
    changed[:, place] = np.arange(10)
    moved = np.asarray(keras.ops.softmax(model.predict(changed, verbose=0)))[:, DIGITS:]
    depends[:, place] = np.abs(moved - probabilities).sum(axis=-1).mean(axis=0) / 2

figure, (left, right_axis) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
figure.suptitle(f"{right:.1%} of new lines sorted without a mistake")
left.imshow(probabilities[:, :10].T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
left.set_xticks(range(DIGITS), shown[DIGITS + 1 :])
left.set_yticks(range(10))
left.set(title="Probability of each digit at each step", xlabel="right answer", ylabel="digit")
right_axis.imshow(depends, cmap="Blues", vmin=0)
right_axis.set_xticks(range(DIGITS), shown[:DIGITS])
right_axis.set_yticks(range(DIGITS), shown[DIGITS + 1 :])
right_axis.set(title="What changes an answer", xlabel="unsorted digit", ylabel="answer")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "gpt.png", dpi=110)
