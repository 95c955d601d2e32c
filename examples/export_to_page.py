"""To a page: a trained network in a browser, where a person draws and the network answers.

    python examples/export_to_page.py          # leaves the folder digits_page; open index.html

The folder needs no server and no Python: the page, the network with its weights, and TF.js, which
computes in the browser. TF.js comes with `npm install @tensorflow/tfjs`; where it is installed, the
network is run in Node and compared with nacre first. People draw larger, smaller and beside the
middle: the images it learns from are moved and turned a little, anew in each epoch.
"""

import argparse
from pathlib import Path

import numpy as np

import nacre as keras
from nacre import layers
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the page")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the network
(x_train, y_train), (x_test, y_test) = digits.load_data()  # 8 x 8 pixels, 0 to 16; with nacre
x_train, x_test = (x[..., None].astype("float32") for x in (x_train, x_test))
model = keras.Sequential(
    [
        keras.Input((8, 8, 1), name="drawing"),
        layers.Rescaling(1 / 16),  # the page asks this layer what a white pixel is: 16
        layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),  # in training alone
        layers.RandomRotation(0.03, fill_mode="constant"),
        layers.RandomZoom(0.1, fill_mode="constant"),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax", name="digit"),
    ],
    name="digits",
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=2 if options.quick else 40, verbose=0)
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]

# ------------------------------------------------------------------------------------ the page
options.out.mkdir(parents=True, exist_ok=True)
page = options.out / "export_to_page"
names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
report = model.export(page, format="web", class_names=names, margin=0.06, verbose=False)
print(report)

print(f"\n{'file':<14} {'kB':>7}")
for file in sorted(page.iterdir()):
    print(f"{file.name:<14} {file.stat().st_size / 1000:>7.1f}")
if not (page / "tf.min.js").exists():
    print("\nFor TF.js itself: npm install @tensorflow/tfjs, and run this program again.")
print(f"\nOpen {page / 'index.html'} in a browser, and draw.")

# What the page does with a drawing, done here: a picture that was made larger and dropped beside
# the middle is cut out and put back, so that it is told as before.
places = [tuple(slice(lines.min(), lines.max() + 1) for lines in np.nonzero(x[..., 0]))
          for x in x_test]  # fmt: skip
cut = np.zeros_like(x_test)
for image, place, target in zip(x_test, places, cut):
    part = image[place]
    top, left = (8 - part.shape[0]) // 2, (8 - part.shape[1]) // 2
    target[top : top + part.shape[0], left : left + part.shape[1]] = part
centred = model.evaluate(cut, y_test, verbose=0)[1]
print(f"\ntest accuracy: {accuracy:.3f}")
print(f"test accuracy when put into the middle: {centred:.3f}")
