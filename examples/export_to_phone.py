"""To a phone: a trained network as a TFLite file, in 32 and in 8 bits, run as a phone runs it.

    pip install 'nacre[plot,tflite]' && python examples/export_to_phone.py

Phones run files of TFLite (LiteRT). The file holds the network alone: no Python, no nacre. In 8
bits it is about a quarter as large and phones compute it faster, with whole numbers; how far these
reach is found with samples of real data. What was written is called and compared with the network
before `export` returns. The app on the phone then does what the last part of this program does.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import nacre as keras
from nacre import layers
from nacre.datasets import digits

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run

# ------------------------------------------------------------------------------------ the network
(x_train, y_train), (x_test, y_test) = digits.load_data()  # 8 x 8 pixels, 0 to 16; with nacre
x_train, x_test = (x[..., None].astype("float32") for x in (x_train, x_test))
model = keras.Sequential(
    [
        keras.Input((8, 8, 1), name="image"),
        layers.Rescaling(1 / 16),  # what belongs to the network travels with it
        layers.Conv2D(32, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),  # in the file it is part of the convolution
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, activation="softmax", name="digit"),
    ],
    name="digits",
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=2 if options.quick else 30, verbose=0)
accuracy = model.evaluate(x_test, y_test, verbose=0)[1]

# ------------------------------------------------------------------------------------ the files
folder = Path(tempfile.mkdtemp())
variants = {
    "32 bits": {},
    "weights in 16 bits": {"weights": "float16"},
    "all in 8 bits": {"representative_dataset": [[x_train[i : i + 1]] for i in range(200)]},
}
files = {}
for number, (name, how) in enumerate(variants.items()):
    files[name] = folder / f"digits_{number}.tflite"
    print(model.export(files[name], format="litert", verbose=False, **how))


# -------------------------------------------------------------------------- as the phone's app does
def run(path, images):
    """The probabilities that a file gives, (images, 10)."""
    interpreter = Interpreter(model_path=str(path))
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, images.shape)  # any number of images at once
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


sizes, scores, found = [], [], {}
for name, path in files.items():
    found[name] = run(path, x_test)
    sizes.append(path.stat().st_size / 1000)
    scores.append(float(np.mean(found[name].argmax(-1) == y_test)))
exact = model.predict(x_test, verbose=0)

print(f"\n{'':<20} {'kB':>7} {'accuracy':>9} {'largest difference':>19}")
print(f"{'nacre':<20} {'':>7} {accuracy:>9.3f}")
for name, size, score in zip(files, sizes, scores):
    difference = np.abs(found[name] - exact).max()
    print(f"{name:<20} {size:>7.1f} {score:>9.3f} {difference:>19.1e}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
left.bar(list(files), sizes, color="tab:blue")
left.set_title("size of the file, kB")
right.bar(list(files), scores, color="tab:green")
right.axhline(accuracy, color="black", linewidth=1, label="the network in nacre")
right.set_ylim(min(0.9, *scores) - 0.02, 1)
right.set_title("share of new images that are right")
right.legend(loc="lower right")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "export_to_phone.png", dpi=100)

print(f"\naccuracy in 32 bits: {scores[0]:.3f}")
print(f"accuracy in 8 bits: {scores[2]:.3f}")
print(f"size of 8 bits compared with 32: {sizes[2] / sizes[0]:.2f}")
