"""An encoder and a decoder that learn as T5 does: what was cut out of a text is written down.

    python examples/t5.py

One or two pieces of a sentence, of one to three words each, are replaced by marks: "the dogs <0>
house are <1>". The encoder reads what is left, in both directions; the decoder writes the pieces:
"<0> near the <1> hungry". Both are text, so any task fits. How many words are missing is not
said, and many answers are good: the program puts them back and asks the grammar.
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
rng = np.random.default_rng(1)

# ------------------------------------------------------------------------------------ the data
LENGTH, DIM = 17, 64


def cut(text: str) -> tuple[str, str]:
    """A sentence with one or two pieces cut out, and the pieces, between [START] and [END]."""
    words, pieces, left = text.split(), ["[START]"], []
    starts = sorted(
        rng.choice(np.arange(rng.integers(3), len(words) - 1, 4), rng.integers(1, 3), replace=True)
    )
    place = 0
    for number, start in enumerate(dict.fromkeys(starts)):
        end = min(start + int(rng.integers(1, 4)), len(words))
        left += [*words[place:start], f"<{number}>"]
        pieces += [f"<{number}>", *words[start:end]]
        place = end
    return " ".join([*left, *words[place:]]), " ".join([*pieces, "[END]"])


def put_back(left: str, pieces: str) -> str:
    for number in (0, 1):
        piece = pieces.partition(f"<{number}>")[2].partition("<")[0].strip()
        left = left.replace(f"<{number}>", piece)
    return " ".join(left.split())


texts = sentences(800 if options.quick else 9000, seed=3)
num_test = len(texts) // 20
pairs = [cut(text) for text in [*texts, *texts[num_test:]]]  # each one twice, but for the tests
vectorize = layers.TextVectorization(standardize=None, output_sequence_length=LENGTH)
vectorize.adapt([part for pair in pairs for part in pair])  # one vocabulary for both sides
words = vectorize.get_vocabulary()
source, target = (np.asarray(vectorize([pair[side] for pair in pairs])) for side in (0, 1))

# --------------------------------------------------------------------------------- the network
# One table of vectors serves both sides.
read, so_far = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
vectors = layers.TokenAndPositionEmbedding(len(words), LENGTH, DIM, mask_zero=True)
encoded, decoded = vectors(read), vectors(so_far)
for _ in range(2):
    encoded = layers.TransformerEncoder(2 * DIM, num_heads=4, normalize_first=True)(encoded)
encoded = layers.LayerNormalization()(encoded)
for _ in range(2):
    decoded = layers.TransformerDecoder(2 * DIM, num_heads=4, normalize_first=True)(
        decoded, encoded
    )
logits = layers.Dense(len(words))(layers.LayerNormalization()(decoded))
model = keras.Model([read, so_far], logits)
model.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
model.summary()
model.fit(
    [source[num_test:], target[num_test:, :-1]],
    target[num_test:, 1:],
    sample_weight=(target[num_test:, 1:] > 0).astype("float32"),
    batch_size=64,
    epochs=1 if options.quick else 4,
    verbose=2,
)

# ------------------------------------------------------------------- sentences it has not seen
start, end = words.index("[START]"), words.index("[END]")
written = keras.models.generate(
    model, target[:num_test, :1], LENGTH, encoder_inputs=source[:num_test], end_token=end
)
rows = []
for index in range(num_test):
    left = pairs[index][0]
    pieces = " ".join(words[token] for token in written[index] if token not in (0, start, end))
    rows.append((left, pieces, is_sentence(put_back(left, pieces))))
good = np.mean([row[2] for row in rows])
print(f"sentences made whole again: {good:.3f}")

table = [f"{good:.1%} of {num_test} new sentences made whole again\n"]
wide, narrow = (2 + max(len(row[column]) for row in rows) for column in (0, 1))
table += [f"{'what the encoder read':<{wide}}{'what the decoder wrote':<{narrow}}"]
table += [f"{row[0]:<{wide}}{row[1]:<{narrow}}{'' if row[2] else 'wrong'}" for row in rows]
print("\n".join(table[:12]))
options.out.mkdir(parents=True, exist_ok=True)
(options.out / "t5.txt").write_text("\n".join(table))
