"""What composite ops cost: a training step with named inner calls against one of bare primitives.

An op that an exporter must see as one runs inside an inner `jax.jit` that carries its name. Here
the same training step is traced, lowered, compiled and run both ways.

    python -m bench.named_ops [--rounds 10] [--steps 20] [--only mlp,cnn]

The ways take turns within each round; times are medians. XLA's cache on disk is off.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import nacre
from nacre.ops._op import decomposed
from nacre.training.programs import finisher
from nacre.training.state import training_state
from nacre.training.step import train_step

ROWS = 32


def mlp() -> tuple[Any, Any, int]:
    """Two dense layers on 784 features."""
    layers = nacre.layers
    model = nacre.Sequential(
        [layers.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)]
    )
    return model, np.zeros((ROWS, 784), "float32"), 10


def cnn() -> tuple[Any, Any, int]:
    """Three convolutions with batch normalization and poolings, on 32 by 32 pixels."""
    layers = nacre.layers
    model = nacre.Sequential([layers.Input((32, 32, 3))])
    for filters in (32, 64, 64):
        model.add(layers.Conv2D(filters, 3, padding="same"))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    return model, np.zeros((ROWS, 32, 32, 3), "float32"), 10


def lstm() -> tuple[Any, Any, int]:
    """An LSTM on 50 steps of 16 features, then a GRU."""
    layers = nacre.layers
    model = nacre.Sequential(
        [
            layers.Input((50, 16)),
            layers.LSTM(64, return_sequences=True),
            layers.GRU(64),
            layers.Dense(10),
        ]
    )
    return model, np.zeros((ROWS, 50, 16), "float32"), 10


def transformer() -> tuple[Any, Any, int]:
    """Four blocks of attention and two dense layers, 64 wide, on 32 tokens."""
    layers = nacre.layers
    tokens = layers.Input((32,), dtype="int32")
    x = layers.Embedding(100, 64)(tokens)
    for _ in range(4):
        normal = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 16)(normal, normal)])
        normal = layers.LayerNormalization()(x)
        hidden = layers.Dense(128, activation="gelu")(normal)
        x = layers.Add()([x, layers.Dense(64)(hidden)])
    outputs = layers.Dense(10)(layers.GlobalAveragePooling1D()(x))
    return nacre.Model(tokens, outputs), np.zeros((ROWS, 32), "int32"), 10


MODELS: dict[str, Callable[[], tuple[Any, Any, int]]] = {
    "mlp": mlp,
    "cnn": cnn,
    "lstm": lstm,
    "transformer": transformer,
}


def training_step(name: str) -> tuple[Callable[[], Any], Any, list[Any]]:
    """A model's step: a maker of new jitted functions of it, and its two arguments."""
    model, x, classes = MODELS[name]()
    loss = nacre.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    y = np.arange(ROWS, dtype="int32") % classes
    model.train_on_batch(x, y)
    trainer = model._trainer
    state = training_state(model, trainer.optimizer, model.metrics)

    def make() -> Any:
        step = train_step(model, trainer, state)
        finish = finisher(model, trainer, state, False)

        def run(values: Any, batch: list[Any]) -> Any:
            new, *_ = step(values, (*batch, None))
            return new, finish(new)

        return jax.jit(run)

    values = jax.tree.map(np.asarray, state.read())
    return make, values, [x, y]


def instructions(compiled: Any) -> int:
    """How many instructions the optimized program has, all its computations together."""
    return len(re.findall(r"^\s+(?:ROOT )?%?[\w.-]+ = ", compiled.as_text(), re.MULTILINE))


WAYS: dict[str, Callable[[], Any]] = {"named": contextlib.nullcontext, "primitives": decomposed}


def measure(name: str, rounds: int, steps: int) -> dict[str, dict[str, float]]:
    """Medians of each way: trace, lower and compile in ms, instructions, ms a step."""
    make, values, batch = training_step(name)
    found: dict[str, dict[str, list[float]]] = {way: {} for way in WAYS}

    def note(way: str, what: str, start: float, per: int = 1) -> float:
        now = time.perf_counter()
        found[way].setdefault(what, []).append((now - start) * 1000 / per)
        return time.perf_counter()

    running = {}
    for turn in range(rounds):
        for way in list(WAYS)[:: 1 if turn % 2 else -1]:
            jax.clear_caches()
            gc.collect()
            start = time.perf_counter()
            with WAYS[way]():
                traced = make().trace(values, batch)
            start = note(way, "trace", start)
            lowered = traced.lower()
            start = note(way, "lower", start)
            running[way] = lowered.compile()
            note(way, "compile", start)
    for way, compiled in running.items():
        found[way]["instructions"] = [instructions(compiled)]
    for turn in range(rounds):
        for way in list(WAYS)[:: 1 if turn % 2 else -1]:
            current = jax.device_put(values)
            start = time.perf_counter()
            for _ in range(steps):
                current = running[way](current, batch)[0]
            jax.block_until_ready(current)
            note(way, "step", start, steps)
    return {w: {k: statistics.median(v) for k, v in t.items()} for w, t in found.items()}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20, help="steps per round")
    parser.add_argument("--only", default=",".join(MODELS), help="models, by comma")
    chosen = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    print("| model | way | trace ms | lower ms | compile ms | instructions | step ms |")
    print("|---|---|---|---|---|---|---|")
    for name in chosen.only.split(","):
        for way, row in measure(name, chosen.rounds, chosen.steps).items():
            cells = [f"{row[k]:.1f}" for k in ("trace", "lower", "compile")]
            cells += [f"{row['instructions']:.0f}", f"{row['step']:.3f}"]
            print(f"| {name} | {way} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
