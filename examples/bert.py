"""A transformer encoder that learns as BERT does: by filling in words that were masked.

    python examples/bert.py

No labels are needed: some words of each sentence are replaced by [MASK], and the network says what
stood there. An encoder looks at the words on both sides. To fill in a verb it must find the
subject, which may stand far away: "the dogs near the house [MASK] hungry". The picture shows its
answers for sentences that it has never seen.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sentences import PLURALS, sentences

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

# ------------------------------------------------------------------------------------ the data
texts = sentences(600 if options.quick else 8000, seed=1)
train, test = texts[: -len(texts) // 10], texts[-len(texts) // 10 :]
LENGTH, DIM = 15, 64
vectorize = layers.TextVectorization(standardize=None, output_sequence_length=LENGTH)
vectorize.adapt([*train, "[MASK]"])
words = vectorize.get_vocabulary()
MASK = words.index("[MASK]")


def masked(tokens):
    """About a fifth of the words masked; the others cost nothing, so their weight is 0."""
    hidden = (rng.random(tokens.shape) < 0.2) & (tokens > 0)
    return np.where(hidden, MASK, tokens), tokens, hidden.astype("float32")


# Six versions of each sentence, masked in other places.
train_tokens = np.tile(np.asarray(vectorize(train)), (2 if options.quick else 6, 1))
x_train, y_train, weights = masked(train_tokens)

# --------------------------------------------------------------------------------- the network
tokens = keras.Input(shape=(LENGTH,), dtype="int32")
x = layers.TokenAndPositionEmbedding(len(words), LENGTH, DIM, mask_zero=True)(tokens)
for _ in range(2):
    x = layers.TransformerEncoder(2 * DIM, num_heads=4, normalize_first=True)(x)
x = layers.LayerNormalization()(x)
logits = layers.Dense(len(words))(x)  # (batch, 15, words): a score for every word, everywhere
model = keras.Model(tokens, logits)
model.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
model.summary()
model.fit(
    x_train,
    y_train,
    sample_weight=weights,
    batch_size=128,
    epochs=1 if options.quick else 2,
    verbose=2,
)

# ------------------------------------------------------------------- sentences it has not seen


def fill(sentences_with_mask: list[str]) -> np.ndarray:
    """Probabilities (sentences, words) for the one [MASK] of each."""
    tokens = np.asarray(vectorize(sentences_with_mask))
    scores = model.predict(tokens, verbose=0)[np.arange(len(tokens)), (tokens == MASK).argmax(1)]
    return np.asarray(keras.ops.softmax(scores))


# Hide is and are. Half of the time the noun before them is not the subject.
asked, right, tempting = [], [], []
for text in test:
    for verb in ("is", "are"):
        if verb in (split := text.split()):
            place = split.index(verb)
            asked.append(" ".join([*split[:place], "[MASK]", *split[place + 1 :]]))
            right.append(verb == "are")
            tempting.append((split[place - 1] in PLURALS) != (verb == "are"))
found = fill(asked)
says_are = found[:, words.index("are")] > found[:, words.index("is")]
correct = says_are == right
tempting = np.array(tempting)
print(f"is or are: {correct.mean():.3f}")
print(f"is or are after a noun of the other number: {correct[tempting].mean():.3f}")

shown = [
    "the dogs near the house [MASK] hungry",
    "the dog near the houses [MASK] hungry",
    "these children behind a tree [MASK] the small cat",
    "every teacher likes [MASK] gardens",
    "the farmer draws a [MASK] boat",
    "two cats follow a bird [MASK] the garden",
]
figure, axes = plt.subplots(2, 3, figsize=(14, 6), layout="constrained")
for axis, text, probabilities in zip(axes.flat, shown, fill(shown)):
    best = np.argsort(probabilities)[-6:]
    axis.barh([words[index] for index in best], probabilities[best])
    axis.set(title=text, xlim=(0, 1))
figure.suptitle(f"is or are: {correct.mean():.1%} right in new sentences")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "bert.png", dpi=110)
