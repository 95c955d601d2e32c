"""What runs OpenVINO's files: OpenVINO, on the processor."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.export.targets.target import Array, Run, Runtime

# Without it the plugin chooses 16 bits where the processor is fast in them.
_PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}


def open_in_openvino(path: Path) -> Run:
    """A file, run on the processor in 32 bits."""
    openvino: Any = importlib.import_module("openvino")
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(path)), "CPU", _PRECISION)
    widened = [port.element_type.to_dtype() for port in compiled.inputs]

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        given = [np.asarray(x).astype(d, copy=False) for x, d in zip(arrays, widened, strict=True)]
        found = compiled(given)
        return [np.array(found[port]) for port in compiled.outputs]

    return run


OPENVINO = Runtime("OpenVINO", "openvino", "openvino", open_in_openvino)

__all__ = ["OPENVINO", "open_in_openvino"]
