"""Text generation: how the next piece of a text is chosen decides how the text reads.

    python examples/text_generation.py

A tokenizer of byte pairs finds the pieces that words are made of, and a small GPT learns which
piece follows. It gives probabilities; what to do with them is another question: take the
likeliest, draw, draw from the best few, or look for the likeliest whole sentence. The table shows
how many sentences of each way are grammatical, how many are different, and how many were not
among those it learned from. It needs the package tokenizers: pip install '.[tokenizers]'.
"""

import argparse
from pathlib import Path

import numpy as np
from sentences import is_sentence, sentences

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the table")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
# For texts of your own: texts = open("my.txt").read().splitlines(), and a larger max_tokens.
texts = sentences(400 if options.quick else 6000, seed=4)
tokenizer = layers.BytePairTokenizer(
    max_tokens=350, start_token="[START]", end_token="[END]", pad_token="[PAD]"
)
tokenizer.adapt(texts)
tokens = np.asarray(tokenizer(texts))  # (texts, length), 0 where nothing is left
START, END = tokenizer.token_to_id("[START]"), tokenizer.token_to_id("[END]")
LENGTH, DIM = tokens.shape[1], 64
print("a sentence in pieces:", " ".join(tokenizer.tokens_of(texts[0])).replace("Ġ", "_"))

# --------------------------------------------------------------------------------- the network
so_far = keras.Input(shape=(None,), dtype="int32")
x = layers.TokenAndPositionEmbedding(tokenizer.vocabulary_size(), LENGTH, DIM)(so_far)
for _ in range(2):
    x = layers.TransformerDecoder(4 * DIM, num_heads=4, normalize_first=True)(x)
x = layers.LayerNormalization()(x)
model = keras.Model(so_far, layers.Dense(tokenizer.vocabulary_size())(x))
model.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
model.summary()
model.fit(
    tokens[:, :-1],
    tokens[:, 1:],
    sample_weight=(tokens[:, 1:] > 0).astype("float32"),
    batch_size=64,
    epochs=1 if options.quick else 5,
    verbose=2,
)

# --------------------------------------------------------------------------------- it writes
WAYS = {
    "the likeliest piece": {},
    "the likeliest sentence (5 beams)": {"num_beams": 5},
    "drawn, temperature 0.5": {"temperature": 0.5},
    "drawn": {"temperature": 1.0},
    "drawn, temperature 1.6": {"temperature": 1.6},
    "the same from the best 8": {"temperature": 1.6, "top_k": 8},
    "the same from the best 90 %": {"temperature": 1.6, "top_p": 0.9},
}
if options.quick:
    WAYS = dict(list(WAYS.items())[-4:])
COUNT, known = 200, set(texts)
prompts = [[START]] * COUNT
rows = [f"{f'{COUNT} sentences each':<33} {'grammatical':>12} {'different':>10} {'new':>6}"]
examples, shares = [], {}
for name, choice in WAYS.items():
    written = keras.models.generate(
        model, prompts, max_new_tokens=LENGTH - 1, end_token=END, seed=1, **choice
    )
    found = tokenizer.detokenize(written)
    good = np.mean([is_sentence(text) for text in found])
    new = np.mean([text not in known for text in found])
    shares[name] = good, len(set(found)) / COUNT, new
    rows.append(f"{name:<33} {good:>12.0%} {len(set(found)):>10} {new:>6.0%}")
    examples += [f"\n{name}:", *(f"    {text}" for text in list(dict.fromkeys(found))[:4])]
print("\n".join([*rows, *examples]))
print(f"grammatical when drawn: {shares['drawn'][0]:.3f}")
print(f"different when drawn: {shares['drawn'][1]:.3f}")
print(f"grammatical at a high temperature: {shares['drawn, temperature 1.6'][0]:.3f}")
print(f"the same from the best 90 %: {shares['the same from the best 90 %'][0]:.3f}")

# A text that is begun is gone on with, whatever its length.
for begun in ("every small", "two dogs near the tree"):
    start = np.asarray(tokenizer(begun))[:-1]  # without [END]
    more = keras.models.generate(
        model, start, max_new_tokens=LENGTH - len(start), end_token=END, temperature=0.7, seed=3
    )
    rows.append(f"{begun} ... {tokenizer.detokenize(more)}")
    print(rows[-1])
options.out.mkdir(parents=True, exist_ok=True)
text = "\n".join([*rows, *examples, ""])
(options.out / "text_generation.txt").write_text(text, encoding="utf-8")
