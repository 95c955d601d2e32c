"""Audio: which sound is that? A network that sees sounds as pictures.

    python examples/audio.py

A spectrogram shows which pitches are in a sound at which time. In that picture a rising whistle is
a rising line wherever it begins, so a convolutional network can find it. The spectrogram is a layer
of the model: it takes plain samples. The picture shows a sound of each kind that was not trained
on, what the network sees of it, and which kinds it takes for which.
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

# ------------------------------------------------------------------------------------ the data
# Half a second each, 8,000 samples a second, with noise. For recordings of your own (.wav files in
# one folder for each kind) use keras.utils.audio_dataset_from_directory.
RATE, LENGTH = 8000, 4000
KINDS = ("rising", "falling", "steady", "trill", "knocks", "bell")


def made_sounds(count, seed):
    """Sounds (count, 4000) of about -2 to 2, and their kinds (count,)."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(len(KINDS), size=count)
    sounds = np.zeros((count, LENGTH), "float32")
    t = np.arange(LENGTH) / RATE
    for i, kind in enumerate(kinds):
        begin, pitch = rng.uniform(0, 0.2), rng.uniform(400, 1500)
        s = (t - begin).clip(0)  # seconds since the sound began
        heard = (t > begin) & (s < 0.25)
        slope = rng.uniform(1500, 4000)
        if kind == 0:
            wave = np.sin(2 * np.pi * (pitch * s + slope * s**2))
        elif kind == 1:
            wave = np.sin(2 * np.pi * ((pitch + slope / 2) * s - slope * s**2))
        elif kind == 2:
            wave = np.sin(2 * np.pi * pitch * s)
        elif kind == 3:  # two pitches by turns
            wave = np.sin(2 * np.pi * pitch * np.where(s * 24 % 2 < 1, 1.0, 1.4) * s)
        elif kind == 4:  # short bursts of noise
            wave = rng.normal(0, 1, LENGTH) * np.exp(-(s % 0.06) * 200)
        else:  # several pitches that die away
            wave = sum(np.sin(2 * np.pi * pitch * k * s) / 2 for k in (1, 1.5, 2.1)) * np.exp(
                -s * 14
            )
        sounds[i] = wave * heard * rng.uniform(0.3, 1.0)
    return sounds + rng.normal(0, 0.45, sounds.shape).astype("float32"), kinds


x_train, y_train = made_sounds(60 if options.quick else 1200, seed=1)
x_test, y_test = made_sounds(30 if options.quick else 400, seed=2)

# --------------------------------------------------------------------------------- the network
# 48 bands of pitch, spaced as the ear hears, every 16 ms; in decibels.
spectrogram = layers.MelSpectrogram(
    num_mel_bins=48, sampling_rate=RATE, fft_length=512, sequence_stride=128, min_freq=100
)
model = keras.Sequential([keras.Input(shape=(LENGTH,)), spectrogram, layers.Rescaling(1 / 40)])
seen = keras.Model(model.inputs, model.output)  # (batch, 48 bands, 32 times)
model.add(layers.Reshape((*model.output_shape[1:], 1)))  # one colour, as a grey image has
for filters in (16, 32, 64):
    model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
    model.add(layers.BatchNormalization(momentum=0.9))
    model.add(layers.Activation("relu"))
    model.add(layers.MaxPooling2D(padding="same"))
model.add(layers.GlobalMaxPooling2D())  # wherever in time and pitch it was
model.add(layers.Dropout(0.3))
model.add(layers.Dense(len(KINDS), activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=2 if options.quick else 10, verbose=2)

# ---------------------------------------------------------------------- sounds it has not heard
_, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy: {accuracy:.3f}")
predicted = model.predict(x_test, verbose=0).argmax(-1)
confusion = np.zeros((len(KINDS), len(KINDS)), int)
np.add.at(confusion, (y_test, predicted), 1)

figure = plt.figure(figsize=(12, 6), layout="constrained")
pictures, table = figure.subfigures(1, 2, width_ratios=(3, 2))
rows = -(-len(KINDS) // 3)
axes = pictures.subplots(2 * rows, 3).reshape(rows, 2, 3).swapaxes(1, 2).reshape(-1, 2)
for kind, (top, bottom) in enumerate(axes):
    if kind >= len(KINDS):  # a place that is left over
        top.axis("off")
        bottom.axis("off")
        continue
    sound = x_test[(y_test == kind).argmax()]
    top.plot(np.arange(LENGTH) / RATE, sound, linewidth=0.4)
    top.set(title=KINDS[kind], xticks=[], yticks=[])
    bottom.imshow(seen.predict(sound[None], verbose=0)[0], origin="lower", aspect="auto")
    bottom.set(xticks=[], yticks=[])
axis = table.subplots()
axis.imshow(confusion, cmap="Blues")
for (row, column), number in np.ndenumerate(confusion):
    axis.text(column, row, number or "", ha="center", va="center", color="C1")
axis.set_xticks(range(len(KINDS)), KINDS, rotation=45)
axis.set_yticks(range(len(KINDS)), KINDS)
axis.set(title=f"Kinds and what was heard (accuracy {accuracy:.1%})")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "audio.png", dpi=120)
