"""What a script of tf.keras costs: run by TensorFlow, and unedited by `nacre run`, in turn.

python -m bench.scripts --tensorflow ~/peers/bin/python [--only mlp,gan] [--pairs 6]

"mlp", "cnn", "lstm": the seconds of one epoch of `fit`, the median of those after the first, which
compiles. "gan": an epoch of a loop over a `tf.function` with two tapes. "start": an empty script by
`nacre run`, less the same by Python. "import": `import tensorflow` as nacre takes it over, with
`import nacre` itself; JAX is loaded by the first name that needs it. A script times itself, so that
both sides are timed alike; processes are started anew for each pair.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.pairs import BYTECODE, ROOT, ratio_with_bounds
from bench.runners import OtherLoad

GOAL = 0.5  # nacre's time of TensorFlow's
START_GOAL = 0.3  # seconds that `nacre run` adds
IMPORT_GOAL = 0.2  # seconds of `import tensorflow`

_FIT = """
import statistics, time
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

class Times(keras.callbacks.Callback):
    seconds = []
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()
    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)

random = np.random.default_rng(0)
x = random.normal(size=SHAPE).astype("float32")
y = random.integers(0, 10, len(x))
model = keras.Sequential([LAYERS, layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=64, epochs=5, verbose=0, callbacks=[Times()])
print("seconds", statistics.median(Times.seconds[1:]))
"""
_GAN = """
import statistics, time
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

generator = tf.keras.Sequential([
    layers.Dense(128, activation="relu", input_shape=(32,)), layers.Dense(784, activation="tanh")])
discriminator = tf.keras.Sequential([
    layers.Dense(128, activation="relu", input_shape=(784,)), layers.Dense(1)])
cross_entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
first = tf.keras.optimizers.Adam(1e-4)
second = tf.keras.optimizers.Adam(1e-4)

@tf.function
def train_step(images):
    noise = tf.random.normal([64, 32])
    with tf.GradientTape() as gen_tape, tf.GradientTape() as disc_tape:
        made = generator(noise, training=True)
        real, fake = discriminator(images, training=True), discriminator(made, training=True)
        gen_loss = cross_entropy(tf.ones_like(fake), fake)
        disc_loss = cross_entropy(tf.ones_like(real), real)
        disc_loss += cross_entropy(tf.zeros_like(fake), fake)
    first.apply_gradients(zip(
        gen_tape.gradient(gen_loss, generator.trainable_variables), generator.trainable_variables))
    second.apply_gradients(zip(
        disc_tape.gradient(disc_loss, discriminator.trainable_variables),
        discriminator.trainable_variables))
    return gen_loss, disc_loss

images = np.random.default_rng(0).normal(size=(6400, 784)).astype("float32")
data = tf.data.Dataset.from_tensor_slices(images).shuffle(6400).batch(64)
times = []
for epoch in range(4):
    start = time.perf_counter()
    for batch in data:
        losses = train_step(batch)
    float(losses[0])
    times.append(time.perf_counter() - start)
print("seconds", statistics.median(times[1:]))
"""


def _fit(shape: str, inside: str) -> str:
    return _FIT.replace("SHAPE", shape).replace("LAYERS", inside)


JOBS = {
    "mlp": _fit(
        "(6400, 784)", 'layers.Dense(128, activation="relu"), layers.Dense(64, activation="relu")'
    ),
    "cnn": _fit(
        "(1280, 28, 28, 1)",
        'layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), '
        'layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()',
    ),
    "lstm": _fit("(1280, 32, 16)", "layers.LSTM(64)"),
    "gan": _GAN,
}
_IMPORT = (
    "import time\nstart = time.perf_counter()\nimport nacre\nnacre.install(quiet=True)\n"
    "import tensorflow as tf\nprint('seconds', time.perf_counter() - start)\n"
)


def _run(command: Sequence[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(BYTECODE)}
    environment.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        command, check=True, env=environment, cwd=tempfile.gettempdir(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    return done.stdout


def told(command: Sequence[str]) -> float:
    """The seconds that a script says it took."""
    lines = [line for line in _run(command).splitlines() if line.startswith("seconds ")]
    return float(lines[-1].split()[1])


def added_by_run(script: Path) -> float:
    """How much longer `nacre run` takes to the end of an empty script than Python."""
    script.write_text("pass\n", encoding="utf-8")
    start = time.perf_counter()
    _run([sys.executable, "-m", "nacre", "run", "-q", str(script)])
    middle = time.perf_counter()
    _run([sys.executable, str(script)])
    return 2 * middle - start - time.perf_counter()


def compare(job: str, tensorflow: str, pairs: int, folder: Path) -> list[tuple[float, float]]:
    """Pairs of seconds: TensorFlow's, nacre's."""
    script = folder / f"{job}.py"
    script.write_text(JOBS[job], encoding="utf-8")
    theirs = [tensorflow, str(script)]
    ours = [sys.executable, "-m", "nacre", "run", "-q", str(script)]
    found = []
    for pair in range(pairs):
        if pair % 2 == 0:
            first = told(theirs)
            found.append((first, told(ours)))
        else:
            second = told(ours)
            found.append((told(theirs), second))
    return found


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.scripts", description=__doc__)
    parser.add_argument("--tensorflow", help="interpreter that has TensorFlow")
    parser.add_argument("--only", help="jobs, by comma")
    parser.add_argument("--pairs", type=int, default=6)
    options = parser.parse_args()
    only = options.only.split(",") if options.only else [*JOBS, "start", "import"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for job in [job for job in only if job in JOBS and options.tensorflow]:
            with OtherLoad() as load:
                pairs = compare(job, options.tensorflow, options.pairs, folder)
            ratio, low, high = ratio_with_bounds(pairs)
            theirs, ours = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
            print(
                f"{job}: {theirs:.0f} ms, nacre {ours:.0f} ms: "
                f"{ratio:.2f} ({low:.2f} to {high:.2f}), goal {GOAL}; "
                f"other programs kept {load.cores:.1f} cores busy",
                flush=True,
            )
        if "start" in only:
            added = statistics.median(added_by_run(folder / "start.py") for _ in range(5))
            print(f"start: `nacre run` adds {added:.2f} s, goal {START_GOAL}")
        if "import" in only:
            took = statistics.median(told([sys.executable, "-c", _IMPORT]) for _ in range(5))
            print(f"import: {took:.2f} s, goal {IMPORT_GOAL}")


if __name__ == "__main__":
    main()
