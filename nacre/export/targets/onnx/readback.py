"""What runs ONNX files: onnxruntime."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.export.targets.target import Array, Run, Runtime

_FATAL_ONLY = 4  # ORT_LOGGING_LEVEL_FATAL: what it raises is told anyway


def open_in_onnxruntime(path: Path) -> Run:
    """A file, run on the processor."""
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        feeds = {
            name: array.astype("float32") if array.dtype.name == "bfloat16" else array
            for name, array in zip(names, map(np.asarray, arrays), strict=True)
        }
        return session.run(None, feeds)

    return run


ONNXRUNTIME = Runtime("ONNX Runtime", "onnxruntime", "onnxruntime", open_in_onnxruntime)

__all__ = ["ONNXRUNTIME", "open_in_onnxruntime"]
