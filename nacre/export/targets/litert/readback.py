"""A file in LiteRT's interpreter."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.interop import optional_import
from nacre.export.targets.target import Array, Request, Run


def open_file(path: Path) -> Run:
    """The file as a function of arrays, in the order of its inputs.

    Raises:
        ValueError: The interpreter does not take it.
    """
    interpreter: Any = importlib.import_module("ai_edge_litert.interpreter")
    run = interpreter.Interpreter(model_path=str(path))
    return lambda arrays: _call(run, arrays)


def open_function(path: Path, request: Request, key: str) -> Run:
    """One function of a file of several, as it was asked for.

    Raises:
        ValueError: The interpreter does not take it.
    """
    interpreter: Any = importlib.import_module("ai_edge_litert.interpreter")
    run = interpreter.Interpreter(model_path=str(path))
    if key not in run.get_signature_list():  # a file of it alone, to look for a fault
        return lambda arrays: _call(run, arrays)
    function = run.get_signature_runner(key)
    names = [value.name for value in request.graph.inputs]
    results = [output.name for output in request.graph.outputs]
    inputs, outputs = function.get_input_details(), function.get_output_details()

    def call(arrays: Sequence[Array]) -> list[np.ndarray]:
        given = {
            name: _quantized(np.asarray(array, order="C"), inputs[name])
            for name, array in zip(names, arrays, strict=True)
        }
        found = function(**given)
        return [_floats(found[name], outputs[name]) for name in results]

    return call


def _call(run: Any, arrays: Sequence[Array]) -> list[np.ndarray]:
    """What an interpreter gives; ends of whole numbers are worked out from and to floats."""
    inputs = run.get_input_details()
    for place, array in zip(inputs, arrays, strict=True):
        run.resize_tensor_input(place["index"], array.shape)
    run.allocate_tensors()
    for place, array in zip(inputs, arrays, strict=True):
        run.set_tensor(place["index"], _quantized(np.asarray(array, order="C"), place))
    run.invoke()
    return [_floats(run.get_tensor(place["index"]), place) for place in run.get_output_details()]


def _quantized(array: np.ndarray, place: Any) -> np.ndarray:
    scale, zero_point = place["quantization"]
    if not scale or array.dtype.kind != "f":
        return array
    limits = np.iinfo(place["dtype"])
    numbers = np.round(array / scale) + zero_point
    return np.clip(numbers, limits.min, limits.max).astype(place["dtype"])


def _floats(array: np.ndarray, place: Any) -> np.ndarray:
    scale, zero_point = place["quantization"]
    return (array.astype("float32") - zero_point) * np.float32(scale) if scale else array


def ranges_of(content: bytes, samples: Sequence[Sequence[Array]]) -> dict[int, tuple[float, float]]:
    """The smallest and the largest number of each tensor of floats of the first subgraph, by its
    place, over samples of the inputs.

    Raises:
        MissingPackageError: The interpreter is not installed.
    """
    who = "representative_dataset"
    interpreter: Any = optional_import("ai_edge_litert.interpreter", extra="tflite", who=who)
    plain = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    run = interpreter.Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,  # else rooms are used twice
        experimental_op_resolver_type=plain,  # delegates keep what they compute to themselves
    )
    found: dict[int, tuple[float, float]] = {}
    for arrays in samples:
        _call(run, arrays)
        for details in run.get_tensor_details():
            if details["dtype"] is not np.float32:
                continue
            numbers = _numbers_of(run, details["index"])
            if numbers is not None:
                low, high = found.get(details["index"], (np.inf, -np.inf))
                found[details["index"]] = (
                    min(low, float(numbers.min())),
                    max(high, float(numbers.max())),
                )
    return found


def _numbers_of(run: Any, index: int) -> np.ndarray | None:
    """The finite numbers of a tensor; None where it has none."""
    try:
        numbers = run.get_tensor(index)
    except ValueError:  # it was not computed
        return None
    numbers = numbers[np.isfinite(numbers)]
    return numbers if numbers.size else None


__all__ = ["open_file", "open_function", "ranges_of"]
