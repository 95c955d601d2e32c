"""One side of a comparison in pairs: a process that is asked again and again for one timing.

A line on stdin is a job's name; the answer, one line on stdout, is the seconds of one sample. The
first sample of a job comes after its model was built and everything compiled.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROWS = {"mlp": 60_000, "cnn": 1_600, "lstm": 1_600, "gru": 1_600, "transformer": 320, "resnet": 96}
MANY_ROWS = 60_000
DEEP_LAYERS = 41
TRANSFER_ROWS = 192

Sample = Callable[[], Any]


def framework(name: str) -> Any:
    """nacre of a checkout, Keras on JAX or TensorFlow, TensorFlow, or None for JAX alone."""
    if name == "jax":
        return None
    if name == "tf":
        import tensorflow

        return tensorflow
    if name == "hand":  # JAX by hand, around a model of this checkout
        name = str(Path(__file__).parents[2])
    if name in ("keras", "keras tensorflow"):
        import os

        os.environ["KERAS_BACKEND"] = name.removeprefix("keras ") if " " in name else "jax"
        import keras

        return keras
    sys.path.insert(0, name)
    import nacre

    assert Path(nacre.__file__).is_relative_to(name), f"{nacre.__file__} is not of {name}"
    sys.path.remove(name)
    return nacre


def epoch(keras: Any, name: str) -> tuple[Sample, int]:
    """One `fit` of one epoch, sending the rows included."""
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


def transfer(keras: Any, is_frozen: bool) -> tuple[Sample, int]:
    """One `fit` on MobileNetV2 as tutorials do it: all frozen, or the last 20 layers set free."""
    import numpy as np

    layers, random = keras.layers, np.random.default_rng(0)
    base = keras.applications.MobileNetV2((96, 96, 3), include_top=False, weights=None)
    base.trainable = not is_frozen
    if not is_frozen:
        for layer in base.layers[:-20]:
            layer.trainable = False
    image = keras.Input((96, 96, 3))
    features = layers.GlobalAveragePooling2D()(base(image, training=False))
    chances = layers.Dense(5, activation="softmax")(layers.Dropout(0.2)(features))
    model = keras.Model(image, chances)
    rate = 1e-3 if is_frozen else 1e-5
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    x = random.uniform(-1, 1, (TRANSFER_ROWS, 96, 96, 3)).astype("float32")
    y = random.integers(0, 5, TRANSFER_ROWS)
    return lambda: model.fit(x, y, batch_size=16, verbose=0), 1


def device_steps(keras: Any, name: str, by_hand: bool) -> tuple[Sample, int]:
    """An epoch of rows that lie on the device: `fit`, or a loop over a hand-written step."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    from bench import workloads
    from bench.peers import jax_peer, keras_way

    work = workloads.training(name)
    work = replace(work, rows=min(work.rows, 4 * ROWS[name]))
    x, y = (jax.device_put(a) for a in workloads.data(work))
    model = keras_way.build(keras, name)
    if not by_hand:
        return lambda: model.fit(x, y, batch_size=work.batch, verbose=0), 1

    def loss_of(params: Any, other: Any, rows: Any, labels: Any) -> Any:
        chances, other = model.stateless_call(params, other, rows, training=True)
        chosen = jnp.take_along_axis(chances, labels[:, None], axis=-1)
        loss = -jnp.log(jnp.clip(chosen, workloads.EPSILON, 1 - workloads.EPSILON)).mean()
        return loss, (jnp.sum(jnp.argmax(chances, axis=-1) == labels), other)

    def epoch(state: Any, other: Any, x: Any, y: Any, order: Any) -> Any:
        def body(index: Any, carry: Any) -> Any:
            state, other, total, right = carry
            picked = order[index]
            (loss, (hits, other)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
                state[0], other, x[picked], y[picked]
            )
            return jax_peer.adam(state, gradients), other, total + loss, right + hits

        first = state, other, jnp.float32(0), jnp.int32(0)
        return lax.fori_loop(0, order.shape[0], body, first)

    params = [jnp.array(v.value, copy=True) for v in model.trainable_variables]
    other = [jnp.array(v.value, copy=True) for v in model.non_trainable_variables]
    zeros = [jnp.zeros_like(p) for p in params]
    kept = [((params, zeros, [jnp.zeros_like(p) for p in params], jnp.float32(0)), other)]
    run, generator = jax.jit(epoch, donate_argnums=(0, 1)), np.random.default_rng(0)

    def sample() -> float:
        order = generator.permutation(work.rows).astype(np.int32)
        order = order[: work.steps * work.batch].reshape(work.steps, work.batch)
        state, other, total, right = run(*kept[0], x, y, order)
        kept[0] = state, other
        return float(total) + int(right)

    return sample, 1


def mlp_parts(keras: Any) -> tuple[Any, Any, Any]:
    """The MLP's layers, and 300 batches of rows."""
    from bench import workloads

    x, y = workloads.data(replace(workloads.training("mlp"), rows=300 * 32))
    layers = keras.layers
    stack = [keras.Input((784,)), layers.Dense(128, activation="relu")]
    return [*stack, layers.Dense(10, activation="softmax")], x, y


def tape_step(keras: Any) -> tuple[Sample, int]:
    """`fit` of a model with the built-in step written out with a tape."""

    class OwnStep(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with keras.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"loss": loss}

    stack, x, y = mlp_parts(keras)
    model = OwnStep(stack)
    model.compile("adam", "sparse_categorical_crossentropy")
    return lambda: model.fit(x, y, verbose=0), 1


def built_in_step(keras: Any, hooks: bool = False) -> tuple[Sample, int]:
    """`fit` of the same model by its own step; with callbacks of epochs, or without any."""
    stack, x, y = mlp_parts(keras)
    model = keras.Sequential(stack)
    model.compile("adam", "sparse_categorical_crossentropy")
    seen: list[int] = []
    hook = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    return lambda: model.fit(x, y, verbose=0, callbacks=[hook] if hooks else None), 1


def on_batch(keras: Any, by_hand: bool) -> tuple[Sample, int]:
    """300 steps from Python: `train_on_batch`, or a tape under `nacre.function`."""
    stack, x, y = mlp_parts(keras)
    model = keras.Sequential(stack)
    model.compile("adam", "sparse_categorical_crossentropy")
    optimizer = keras.optimizers.Adam()
    loss_of = keras.losses.SparseCategoricalCrossentropy()
    batches = [(x[i : i + 32], y[i : i + 32]) for i in range(0, len(x), 32)]

    def step(rows: Any, labels: Any) -> Any:
        with keras.GradientTape() as tape:
            loss = loss_of(labels, model(rows, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    run = keras.function(step) if by_hand else model.train_on_batch

    def sample() -> float:
        for rows, labels in batches:
            loss = run(rows, labels)
        return float(loss)

    return sample, 1


def gan_by_hand(keras: Any) -> tuple[Sample, int]:
    """A GAN of dense layers as it was written before tapes: three `train_on_batch` a step."""
    import numpy as np

    layers = keras.layers
    generator = keras.Sequential(
        [keras.Input((16,)), layers.Dense(64, activation="relu"), layers.Dense(64)]
    )
    judge = keras.Sequential(
        [keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(1, "sigmoid")]
    )
    judge.compile("adam", "binary_crossentropy")
    judge.trainable = False
    noise_in = keras.Input((16,))
    both = keras.Model(noise_in, judge(generator(noise_in)))
    both.compile("adam", "binary_crossentropy")
    random = np.random.default_rng(0)
    real = random.standard_normal((32, 64), dtype=np.float32)
    ones, zeros = np.ones((32, 1), np.float32), np.zeros((32, 1), np.float32)

    def sample() -> float:
        noise = random.standard_normal((32, 16), dtype=np.float32)
        made = np.asarray(generator(noise))
        judge.train_on_batch(real, ones)
        judge.train_on_batch(made, zeros)
        return float(np.asarray(both.train_on_batch(noise, ones)))

    return sample, 30


def jobs(keras: Any) -> dict[str, Callable[[], tuple[Sample, int]]]:
    """name -> what builds the sample, and how many calls one sample has."""
    from bench.peers import data_jobs

    if sys.argv[1] == "tf":
        return data_jobs.of_tensorflow(keras)
    table: dict[str, Callable[[], tuple[Sample, int]]] = {
        f"row {name}": lambda name=name: one_row(keras, name) for name in ("predict", "call")
    }
    if keras is not None:
        table |= {name: lambda name=name: epoch(keras, name) for name in ROWS}
        for name in ("predict", "evaluate"):
            table[f"many {name}"] = lambda name=name: many_rows(keras, name)
        for name in ("train_on_batch", "test_on_batch", "fit", "call"):
            table[f"deep {name}"] = lambda name=name: deep(keras, name)
        by_hand = sys.argv[1] == "hand"
        for name in ("mlp", "cnn", "lstm", "transformer"):
            table[f"steps {name}"] = lambda name=name: device_steps(keras, name, by_hand)
        table["transfer frozen"] = lambda: transfer(keras, is_frozen=True)
        table["transfer unfrozen"] = lambda: transfer(keras, is_frozen=False)
        table["tape step"] = lambda: tape_step(keras)
        table["built-in step"] = lambda: built_in_step(keras)
        table["epoch hooks"] = lambda: built_in_step(keras, hooks=True)
        table["on batch"] = lambda: on_batch(keras, by_hand=False)
        table["function"] = lambda: on_batch(keras, by_hand=True)
        table["gan by hand"] = lambda: gan_by_hand(keras)
        if not sys.argv[1].startswith("keras"):
            table |= data_jobs.of_nacre(keras)
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
