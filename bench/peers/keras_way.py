"""The workloads written once in the language of Keras; Keras and nacre both run this file."""

from __future__ import annotations

import time
from typing import Any

from bench import workloads
from bench.peers import protocol, transformers
from bench.peers.protocol import Answer, Request


def build(keras: Any, name: str) -> Any:
    """The compiled model of a workload."""
    layers = keras.layers
    if name == "resnet":
        return compiled(keras, resnet(keras))
    if name == "transformer":
        return compiled(keras, transformers.in_keras(keras))
    stacks = {
        "mlp": lambda: [keras.Input((784,)), layers.Dense(128, activation="relu")],
        "cnn": lambda: [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
        ],
        "lstm": lambda: [keras.Input((50, 16)), layers.LSTM(128)],
        "gru": lambda: [keras.Input((50, 16)), layers.GRU(128)],
        "memory": lambda: [
            keras.Input((workloads.MEMORY_FEATURES,)),
            layers.Dense(64, activation="relu"),
        ],
    }
    return compiled(
        keras, keras.Sequential([*stacks[name](), layers.Dense(10, activation="softmax")])
    )


def resnet(keras: Any) -> Any:
    """ResNet-18: basic blocks, convolutions without bias, batch normalization after each."""
    layers = keras.layers

    def convolved(x: Any, filters: int, window: int, stride: int) -> Any:
        x = layers.Conv2D(filters, window, stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    def block(x: Any, filters: int, stride: int) -> Any:
        y = layers.ReLU()(convolved(x, filters, 3, stride))
        y = convolved(y, filters, 3, 1)
        if stride > 1:
            x = convolved(x, filters, 1, stride)
        return layers.ReLU()(layers.Add()([x, y]))

    inputs = keras.Input((64, 64, 3))
    x = layers.ReLU()(convolved(inputs, 64, 7, 2))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for filters, stride in workloads.RESNET_STAGES:
        for number in range(workloads.RESNET_BLOCKS):
            x = block(x, filters, stride if number == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def compiled(keras: Any, model: Any) -> Any:
    """The model with the optimizer, loss and metric that everyone has."""
    model.compile(
        optimizer=keras.optimizers.Adam(workloads.LEARNING_RATE),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def train(keras: Any, request: Request) -> Answer:
    """One `fit`: an epoch to warm up, then the timed ones.

    The clock starts when the first epoch is over, so that sending the rows to the device is left
    out, as it is for those peers that hold them there from the beginning.
    """
    work = workloads.training(request["workload"], request["quick"])
    rows, labels = workloads.data(work)
    model = build(keras, work.name)
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    done = model.fit(
        rows,
        labels,
        batch_size=work.batch,
        epochs=1 + work.timed_epochs,
        callbacks=[clock],
        verbose=0,
    )
    return protocol.training_answer(work, ends[-1] - ends[0], done.history["loss"])


def one_row(keras: Any) -> tuple[Any, Any]:
    """The MLP, and rows for it."""
    rows, _ = workloads.data(workloads.training("mlp", quick=True))
    return build(keras, "mlp"), rows


def predict(keras: Any, request: Request) -> Answer:
    """Median time of `model.predict(row)` and of `model(row)`."""
    model, rows = one_row(keras)
    row = rows[:1]
    predict_ms, calls = protocol.median_call_ms(
        lambda: model.predict(row, verbose=0), request["quick"]
    )
    convert = keras.ops.convert_to_numpy
    call_ms, _ = protocol.median_call_ms(lambda: convert(model(row)), request["quick"])
    check = protocol.check_probabilities(model.predict(row, verbose=0))
    return {"predict_ms": predict_ms, "calls": calls, "call_ms": call_ms, "check": check}


def first_step(keras: Any, request: Request) -> Answer:
    """From the start of the process to the end of the first step of `fit`."""
    import numpy as np

    work = workloads.training("mlp", quick=True)
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((work.batch, *work.features), dtype=np.float32)
    labels = generator.integers(0, workloads.CLASSES, work.batch, dtype=np.int32)
    model = build(keras, "mlp")
    loss = model.fit(rows, labels, batch_size=work.batch, verbose=0).history["loss"][0]
    seconds = protocol.since_start(request)
    return {"seconds": seconds, "check": "ok" if np.isfinite(loss) else f"loss is {loss}"}


def memory(keras: Any, request: Request) -> Answer:
    """Peak memory of one epoch over a memory-mapped file, above imports and the built model."""
    import numpy as np

    count = workloads.memory_rows(request["quick"])
    shape = (count, workloads.MEMORY_FEATURES)
    rows = np.memmap(request["file"], dtype=np.float32, mode="r", shape=shape)
    labels = workloads.memory_labels(0, count)
    model = build(keras, "memory")
    before = protocol.memory_mb()
    start = time.perf_counter()
    with protocol.AnonymousPeak() as watch:
        batch = workloads.MEMORY_BATCH
        loss = model.fit(rows, labels, batch_size=batch, epochs=1, verbose=0).history["loss"][0]
    seconds = time.perf_counter() - start
    steps = count // batch
    return {
        "peak_mb": protocol.memory_mb()["peak"] - before["peak"],
        "anonymous_mb": watch.peak - before["anonymous"],
        "file_mb": rows.nbytes / 1e6,
        "steps": steps,
        "seconds": seconds,
        "ms_per_step": 1e3 * seconds / steps,
        # A guess costs log(10) = 2.303; the file can be learnt far below that in one epoch.
        "check": "ok" if loss < 2.2 else f"the loss of the epoch is {loss}",
    }


def jobs(keras_of: Any) -> dict[str, Any]:
    """The jobs by name; `keras_of(request)` imports the framework."""
    table = dict.fromkeys(workloads.TRAINING, train)
    table |= {"predict": predict, "first_step": first_step, "memory": memory}
    return {
        name: lambda request, job=job: job(keras_of(request), request)
        for name, job in table.items()
    }
