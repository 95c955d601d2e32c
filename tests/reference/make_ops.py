"""Write `ops.npz`: what real Keras answers to the calls of `cases/ops.py`."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pickle
import subprocess
import sys
import tempfile
import types

import oracle  # isort: skip
import keras
import numpy as np
from cases.ops import CASES


def signatures() -> dict[str, str]:
    """Every public op with its signature."""
    found = {}
    for prefix, module in (("", keras.ops), ("image.", keras.ops.image)):
        for name in sorted(dir(module)):
            value = getattr(module, name)
            if not name.startswith("_") and not isinstance(value, types.ModuleType):
                found[prefix + name] = str(inspect.signature(value))
    return found


def classes() -> dict[str, str]:
    """The operation classes configs name, each with its file."""
    found = {}
    for file in ("numpy", "nn", "math", "core", "image", "linalg", "einops"):
        module = importlib.import_module(f"keras.src.ops.{file}")
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, keras.Operation):
                if value.__module__ == module.__name__:
                    found[name] = file
    return found


def answers(backend: str) -> tuple[dict[str, np.ndarray], dict[str, list[str]], dict[str, str]]:
    """Numbers, dtypes, and what Keras refused, of the cases for one backend."""
    arrays: dict[str, np.ndarray] = {}
    dtypes, refused = {}, {}
    for case in CASES:
        if case.backend != backend or case.differs:
            continue
        function = keras.ops
        for part in case.op.split("."):
            function = getattr(function, part)
        args, kwargs = case.arguments()
        try:
            outputs = function(*args, **kwargs)
        except Exception as error:
            refused[case.id] = f"{type(error).__name__}: {str(error)[:120]}"
            continue
        outputs = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
        dtypes[case.id] = [keras.backend.standardize_dtype(x.dtype) for x in outputs]
        for index, value in enumerate(outputs):
            value = np.asarray(value)
            if value.dtype.kind == "V":
                value = value.astype("float32")
            arrays[f"{case.id}/{index}"] = value
    return arrays, dtypes, refused


def main() -> None:
    """All backends: this process has one, a second one runs for the other."""
    if keras.backend.backend() != "jax":
        with open(sys.argv[1], "wb") as file:
            pickle.dump(answers(keras.backend.backend()), file)
        return
    arrays, dtypes, refused = answers("jax")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/more"
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        subprocess.run([sys.executable, __file__, path], check=True, env=environment)
        with open(path, "rb") as file:
            more = pickle.load(file)
    arrays, dtypes, refused = ({**a, **b} for a, b in zip((arrays, dtypes, refused), more))
    facts = {
        "keras": keras.__version__,
        "signatures": signatures(),
        "classes": classes(),
        "dtypes": dtypes,
        "refused": refused,
    }
    oracle.write_arrays("ops", arrays)
    path = oracle.FOLDER / "ops.json"
    path.write_text(json.dumps(facts, indent=0, sort_keys=True) + "\n")
    print(len(CASES), "cases; refused:", json.dumps(refused, indent=1))


if __name__ == "__main__":
    main()
