"""Translation: two recurrent networks, and attention that shows which word comes from where.

    python examples/translation.py

Pairs of sentences teach it a language that somebody made up. Its verbs stand at the end and its
adjectives behind their nouns, so that words change places: "the tall cat sees two birds" is "birds
two cat old the sees", in words of its own. The encoder reads the source; for every new word the
decoder looks back at all source words and weighs them. The picture shows these weights.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sentences import ADJECTIVES, MANY, NOUNS, ONE, PREPOSITIONS, VERBS, sentences

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
VERB_FORMS = {*VERBS, *VERBS.values(), "is", "are"}
english = [*NOUNS, *VERBS, "is", *ADJECTIVES, *PREPOSITIONS, *dict.fromkeys(ONE + MANY)]
syllables = [consonant + vowel for consonant in "bdfgklmnprstv" for vowel in "aeiou"]
invented = [first + second for first in syllables for second in syllables]
MEANING = dict(zip(english, np.random.default_rng(5).permutation(invented)))
MEANING |= {NOUNS[noun]: MEANING[noun] + "n" for noun in NOUNS}  # more than one: an n at the end
MEANING |= {VERBS[verb]: MEANING[verb] for verb in VERBS} | {"are": MEANING["is"]}


def translated(text: str) -> str:
    """Object, subject, verb; the words of each in the opposite order."""
    words = text.split()
    verb = next(place for place, word in enumerate(words) if word in VERB_FORMS)
    order = [*words[verb + 1 :][::-1], *words[:verb][::-1], words[verb]]
    return " ".join(MEANING[word] for word in order)


sources = sentences(600 if options.quick else 6000, seed=2)
targets = [f"[START] {translated(text)} [END]" for text in sources]
num_test = len(sources) // 10
LENGTH = 17


def indices(texts):
    layer = layers.TextVectorization(standardize=None, output_sequence_length=LENGTH)
    layer.adapt(texts)
    return np.asarray(layer(texts)), layer.get_vocabulary()


x, source_words = indices(sources)
y, target_words = indices(targets)
START, END = target_words.index("[START]"), target_words.index("[END]")

# --------------------------------------------------------------------------------- the network
# The decoder is given the words so far and asked for the next one: y without its last word goes
# in, y without its first is asked for. `mask_zero` makes all layers skip what is filled up.
source = keras.Input(shape=(None,), dtype="int32")
so_far = keras.Input(shape=(None,), dtype="int32")

encoded = layers.Embedding(len(source_words), 64, mask_zero=True)(source)
encoded = layers.Bidirectional(layers.GRU(64, return_sequences=True))(encoded)  # (batch, 17, 128)
encoded = layers.Dense(64)(encoded)

decoded = layers.Embedding(len(target_words), 64, mask_zero=True)(so_far)
decoded = layers.GRU(64, return_sequences=True)(decoded)  # (batch, steps, 64)
looked_at, attention = layers.AdditiveAttention()(
    [decoded, encoded], return_attention_scores=True
)  # weights: (batch, steps, 17), each row sums to 1
joined = layers.Dense(128, activation="tanh")(layers.Concatenate()([decoded, looked_at]))
logits = layers.Dense(len(target_words))(joined)

model = keras.Model([source, so_far], logits)
model.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    weighted_metrics=["accuracy"],
)
model.summary()
model.fit(
    [x[num_test:], y[num_test:, :-1]],
    y[num_test:, 1:],
    sample_weight=(y[num_test:, 1:] > 0).astype("float32"),
    batch_size=64,
    epochs=1 if options.quick else 5,
    verbose=2,
)

# ------------------------------------------------------------------- sentences it has not seen
prompt = np.full((num_test, 1), START)
written = keras.models.generate(model, prompt, LENGTH, encoder_inputs=x[:num_test], end_token=END)
right = (written == y[:num_test]).all(axis=1).mean()
print(f"sentences translated without a mistake: {right:.3f}")


def text_of(row):
    return " ".join(target_words[i] for i in row if i not in (0, START, END))


for index in range(5):
    print(f"{sources[index]}\n    {text_of(written[index])}")

weights = keras.Model(model.inputs, attention).predict([x[:num_test], written], verbose=0)
figure, axes = plt.subplots(1, 2, figsize=(13, 6), layout="constrained")
figure.suptitle(f"Where it looks for each word; {right:.1%} of new sentences without a mistake")
longest = np.argsort([-len(text.split()) for text in sources[:50]])[:2]
for axis, index in zip(axes, longest):
    words, answer = sources[index].split(), text_of(written[index]).split()
    axis.imshow(weights[index, : len(answer), : len(words)], cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(words)), words, rotation=60)
    axis.set_yticks(range(len(answer)), answer)
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "translation.png", dpi=110)
