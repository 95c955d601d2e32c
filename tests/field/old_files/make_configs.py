"""Write `configs.json.gz`: `get_config()` of every class of tf.keras 2.15 that has defaults.

Usage: python make_configs.py, where tf.keras 2.15 is installed.
"""

from __future__ import annotations

import gzip
import inspect
import json
from pathlib import Path
from typing import Any

import tensorflow as tf

K, L = tf.keras, tf.keras.layers
SPACES = (
    "layers optimizers losses metrics initializers regularizers constraints optimizers.schedules"
)
# Arguments that have no default.
GIVEN: dict[str, Any] = {
    "units": 3, "filters": 3, "kernel_size": 3, "input_dim": 5, "output_dim": 3, "rate": 0.25,
    "axes": 1, "dims": (2, 1), "target_shape": (3,), "n": 2, "height": 4, "width": 4, "factor": 0.1,
    "scale": 2.0, "stddev": 0.1, "num_heads": 2, "key_dim": 3, "activation": "relu",
    "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "boundaries": [1, 2],
    "values": [0.1, 0.2, 0.3], "first_decay_steps": 5, "num_classes": 2, "target_class_ids": [0],
    "specificity": 0.5, "sensitivity": 0.5, "precision": 0.5, "recall": 0.5, "num_bins": 3,
    "equation": "ab,bc->ac", "output_shape": 3, "height_factor": 0.1, "width_factor": 0.1,
    "num_tokens": 4, "l2": 0.1,
}  # fmt: skip


def main() -> None:
    given = {
        **GIVEN, "cell": L.LSTMCell(3), "cells": [L.LSTMCell(3)], "layer": L.LSTM(3),
        "inner_optimizer": K.optimizers.SGD(),
    }  # fmt: skip
    found: dict[str, Any] = {}
    for space in SPACES.split():
        module: Any = K
        for part in space.split("."):
            module = getattr(module, part)
        for name in sorted(dir(module)):
            cls = getattr(module, name)
            if not inspect.isclass(cls) or not hasattr(cls, "get_config"):
                continue
            parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
            needed = [
                p.name
                for p in parameters
                if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD
            ]
            if name == "Discretization":
                needed = ["num_bins"]
            if name == "CategoryEncoding":
                needed = ["num_tokens"]
            try:
                config = cls(**{n: given[n] for n in needed}).get_config()
                found[f"{space}.{name}"] = json.loads(json.dumps(config, default=plain))
            except Exception as error:
                print(f"{space}.{name}: {type(error).__name__} {str(error)[:80]}")
    text = json.dumps(found, separators=(",", ":")).encode()
    path = Path(__file__).parent / "configs.json.gz"
    path.write_bytes(gzip.compress(text, 9, mtime=0))
    print(len(found), path.stat().st_size)


def plain(value: Any) -> Any:
    return value.get_config() if hasattr(value, "get_config") else value.tolist()


if __name__ == "__main__":
    main()
