"""Write `ops.npz`: what real Keras answers to the calls of `cases/ops.py`."""

from __future__ import annotations

import inspect
import json
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


def main() -> None:
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, object] = {"keras": keras.__version__, "signatures": signatures()}
    dtypes, refused = {}, {}
    for case in CASES:
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
    oracle.write_arrays("ops", arrays)
    facts["dtypes"], facts["refused"] = dtypes, refused
    path = oracle.FOLDER / "ops.json"
    path.write_text(json.dumps(facts, indent=0, sort_keys=True) + "\n")
    print(len(CASES), "cases;", "refused:", json.dumps(refused, indent=1))


if __name__ == "__main__":
    main()
