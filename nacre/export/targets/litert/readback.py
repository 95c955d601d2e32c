"""A file in LiteRT's interpreter."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.export.targets.target import Array, Run


def open_file(path: Path) -> Run:
    """The file as a function of arrays, in the order of its inputs.

    Raises:
        ValueError: The interpreter does not take it.
    """
    interpreter: Any = importlib.import_module("ai_edge_litert.interpreter")
    run = interpreter.Interpreter(model_path=str(path))
    inputs = run.get_input_details()
    outputs = run.get_output_details()

    def call(arrays: Sequence[Array]) -> list[np.ndarray]:
        for place, array in zip(inputs, arrays, strict=True):
            run.resize_tensor_input(place["index"], array.shape)
        run.allocate_tensors()
        for place, array in zip(inputs, arrays, strict=True):
            run.set_tensor(place["index"], np.asarray(array, order="C"))
        run.invoke()
        return [run.get_tensor(place["index"]) for place in outputs]

    return call


__all__ = ["open_file"]
