"""A sequential network for a table: is a tumour benign or malignant?

    python examples/ann.py

Each row of the table holds 30 measurements of cells seen under a microscope. A stack of dense
layers learns from 455 patients and is asked about 114 others. The picture shows the learning
curves and which measurements the network relies on.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers
from nacre.datasets import breast_cancer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the data
(x_train, y_train), (x_test, y_test) = breast_cancer.load_data()  # comes with nacre
names = breast_cancer.get_feature_names()

# --------------------------------------------------------------------------------- the network
# The measurements have very different sizes (0.05 and 1,300). This layer learns mean and variance
# of each from the training rows, so that the network sees numbers around zero. It is a part of the
# model: whoever loads the file later passes plain measurements.
normalization = layers.Normalization()
normalization.adapt(x_train)

model = keras.Sequential(
    [
        keras.Input(shape=x_train.shape[1:]),  # as many as there are columns
        normalization,
        layers.Dense(16, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(8, activation="relu"),
        # One probability: that of class 1. For three classes or more end with
        # Dense(3, activation="softmax") and loss="sparse_categorical_crossentropy".
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(0.003), loss="binary_crossentropy", metrics=["accuracy"]
)
model.summary()

# ------------------------------------------------------------------------------------ training
# A tenth of the rows is held back. When the loss on them has not improved for 15 epochs, more
# training would only learn the other rows by heart: it stops, and the best weights come back.
history = model.fit(
    x_train,
    y_train,
    batch_size=16,
    epochs=3 if options.quick else 120,
    validation_split=0.1,
    callbacks=[keras.callbacks.EarlyStopping("val_loss", patience=15, restore_best_weights=True)],
    verbose=2,
)

# ------------------------------------------------------------------- patients it has not seen
_, accuracy = model.evaluate(x_test, y_test, verbose=0)
print(f"test accuracy: {accuracy:.3f}")

# What does it rely on? Shuffle one measurement among the patients and see how much the loss grows.
rng = np.random.default_rng(0)
before, _ = model.evaluate(x_test, y_test, verbose=0)
growth = []
for column in range(x_test.shape[1]):
    shuffled = x_test.copy()
    shuffled[:, column] = rng.permutation(shuffled[:, column])
    growth.append(model.evaluate(shuffled, y_test, verbose=0)[0] - before)
order = np.argsort(growth)[-10:]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
left.plot(history.history["loss"], label="training rows")
left.plot(history.history["val_loss"], label="rows held back")
left.set(title="Loss", xlabel="epoch")
left.legend()
right.barh([names[column] for column in order], np.array(growth)[order])
right.set(title=f"Loss grows when shuffled (test accuracy {accuracy:.1%})")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "ann.png", dpi=120)
