"""Skip-grams with negative samples of a small text, trained by dot products."""

import io

import numpy as np
import tensorflow as tf

text = "the quick fox sees the slow dog and the slow dog sees the quick fox near the old house"
vocabulary = {}
for word in text.split():
    vocabulary.setdefault(word, len(vocabulary) + 1)
inverse = {number: word for word, number in vocabulary.items()}
sentence = [vocabulary[word] for word in text.split()]
pairs, labels = tf.keras.preprocessing.sequence.skipgrams(
    sentence, vocabulary_size=len(vocabulary) + 1, window_size=2, negative_samples=0, shuffle=False
)
print(len(pairs), pairs[:4], set(labels))
table = tf.keras.preprocessing.sequence.make_sampling_table(size=6)
print(np.round(table, 5).tolist())
sampled, _, _ = tf.random.log_uniform_candidate_sampler(
    true_classes=tf.constant([[1]], dtype="int64"), num_true=1, num_sampled=4, unique=True, range_max=8, seed=3
)
print("negatives", sampled.shape, bool(tf.reduce_all(sampled < 8)), len(set(sampled.numpy().tolist())))


class WordVectors(tf.keras.Model):
    def __init__(self, size, width):
        super().__init__()
        self.targets = tf.keras.layers.Embedding(size, width, name="targets")
        self.contexts = tf.keras.layers.Embedding(size, width)

    def call(self, pair):
        target, context = pair
        if len(target.shape) == 2:
            target = tf.squeeze(target, axis=1)
        return tf.einsum("be,bce->bc", self.targets(target), self.contexts(context))


rng = np.random.default_rng(17)
size = len(vocabulary) + 1
targets = np.array([t for t, _ in pairs])
negatives = rng.integers(1, size, (len(pairs), 3))
contexts = np.concatenate([np.array([[c] for _, c in pairs]), negatives], axis=1)
wanted = np.tile([[1, 0, 0, 0]], (len(pairs), 1))
model = WordVectors(size, 6)
model((targets[:2], contexts[:2]))
model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
dataset = tf.data.Dataset.from_tensor_slices(((targets, contexts), wanted)).batch(16, drop_remainder=True).cache().prefetch(1)
model.compile(
    optimizer=tf.keras.optimizers.Adam(0.01), loss=tf.keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
log = model.fit(dataset, epochs=4, verbose=0).history
print("loss", [f"{v:.3f}" for v in log["loss"]], f"{log['accuracy'][-1]:.3f}")
vectors = model.get_layer("targets").get_weights()[0]
out_v, out_m = io.open("vectors.tsv", "w"), io.open("words.tsv", "w")
for number in sorted(inverse):
    out_v.write("\t".join(str(x) for x in vectors[number]) + "\n")
    out_m.write(inverse[number] + "\n")
out_v.close()
out_m.close()
with open("vectors.tsv") as vectors_file, open("words.tsv") as words_file:
    print(len(vectors_file.readlines()), words_file.read().split()[:3])
normed = tf.nn.l2_normalize(vectors, axis=1)
print("nearest to itself", int(tf.argmax(tf.linalg.matvec(normed, normed[2]))))
