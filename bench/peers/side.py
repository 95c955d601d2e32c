"""One side of a comparison in pairs: a process that is asked again and again for one timing.

A line on stdin is a job's name; the answer, one line on stdout, is the seconds of one sample. The
first sample of a job comes after its model was built and everything compiled.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROWS = {"mlp": 60_000, "cnn": 1_600, "lstm": 1_600, "gru": 1_600, "transformer": 320, "resnet": 96}
MANY_ROWS = 60_000
DEEP_LAYERS = 41

Sample = Callable[[], Any]


def framework(name: str) -> Any:
    """nacre of a checkout, Keras on JAX, or None for JAX alone."""
    if name == "jax":
        return None
    if name == "keras":
        import os

        os.environ["KERAS_BACKEND"] = "jax"
        import keras

        return keras
    sys.path.insert(0, name)
    import nacre

    assert Path(nacre.__file__).is_relative_to(name), f"{nacre.__file__} is not of {name}"
    sys.path.remove(name)
    return nacre


def epoch(keras: Any, name: str) -> tuple[Sample, int]:
    """One `fit` of one epoch, sending the rows included."""
    from dataclasses import replace

    from bench import workloads
    from bench.peers import keras_way

    work = replace(workloads.training(name), rows=ROWS[name])
    x, y = workloads.data(work)
    model = keras_way.build(keras, name)
    return lambda: model.fit(x, y, batch_size=work.batch, verbose=0), 1


def many_rows(keras: Any, method: str) -> tuple[Sample, int]:
    """`predict` or `evaluate` of 60,000 rows of the MLP."""
    from bench import workloads
    from bench.peers import keras_way

    x, y = workloads.data(workloads.training("mlp"))
    model = keras_way.build(keras, "mlp")
    if method == "predict":
        return lambda: model.predict(x, verbose=0), 1
    return lambda: model.evaluate(x, y, verbose=0), 1


def one_row(keras: Any, method: str) -> tuple[Sample, int]:
    """One row of the MLP, a NumPy array in and out; with JAX alone a bare `jax.jit`."""
    import numpy as np

    row = np.random.default_rng(0).standard_normal((1, 784), dtype=np.float32)
    if keras is None:
        import jax

        shapes = (784, 128), (128,), (128, 10), (10,)
        a, b, c, d = (jax.random.normal(jax.random.key(0), s) * 0.05 for s in shapes)

        @jax.jit
        def run(a: Any, b: Any, c: Any, d: Any, x: Any) -> Any:
            return jax.nn.softmax(jax.nn.relu(x @ a + b) @ c + d)

        return lambda: np.asarray(run(a, b, c, d, row)), 500
    from bench.peers import keras_way

    model = keras_way.build(keras, "mlp")
    if method == "predict":
        return lambda: model.predict(row, verbose=0), 500
    return lambda: np.asarray(model(row)), 500


def deep(keras: Any, method: str) -> tuple[Sample, int]:
    """One batch through 41 Dense layers of 32: what each layer costs outside of its program."""
    import numpy as np

    layers = keras.layers
    hidden = [layers.Dense(32, activation="relu") for _ in range(DEEP_LAYERS - 1)]
    model = keras.Sequential([keras.Input((32,)), *hidden, layers.Dense(1)])
    model.compile("adam", "mse")
    generator = np.random.default_rng(0)
    x = generator.random((32, 32), dtype=np.float32)
    y = generator.random((32, 1), dtype=np.float32)
    calls: dict[str, Sample] = {
        "train_on_batch": lambda: model.train_on_batch(x, y),
        "test_on_batch": lambda: model.test_on_batch(x, y),
        "fit": lambda: model.fit(x, y, verbose=0),
        "call": lambda: np.asarray(model(x)),
    }
    return calls[method], 30


def jobs(keras: Any) -> dict[str, Callable[[], tuple[Sample, int]]]:
    """name -> what builds the sample, and how many calls one sample has."""
    table: dict[str, Callable[[], tuple[Sample, int]]] = {
        f"row {name}": lambda name=name: one_row(keras, name) for name in ("predict", "call")
    }
    if keras is not None:
        table |= {name: lambda name=name: epoch(keras, name) for name in ROWS}
        for name in ("predict", "evaluate"):
            table[f"many {name}"] = lambda name=name: many_rows(keras, name)
        for name in ("train_on_batch", "test_on_batch", "fit", "call"):
            table[f"deep {name}"] = lambda name=name: deep(keras, name)
    return table


def main() -> None:
    """Answer until stdin ends."""
    keras = framework(sys.argv[1])
    sys.path.insert(0, str(Path(__file__).parents[2]))
    table, ready = jobs(keras), dict[str, tuple[Sample, int]]()
    for line in sys.stdin:
        name = line.strip()
        if name not in ready:
            ready.clear()  # the models and rows of one job at a time
            gc.collect()
            ready[name] = table[name]()
            for _ in range(3):
                ready[name][0]()
        sample, count = ready[name]
        start = time.perf_counter()
        for _ in range(count):
            sample()
        print((time.perf_counter() - start) / count, flush=True)


if __name__ == "__main__":
    main()
