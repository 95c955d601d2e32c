"""Writes tf_functions.json: what TensorFlow gives for the calls of tests/cases/tf_functions.py.

    PYTHON -m tests.reference.make_tf_functions VERSION     e.g. 2.15, with that TensorFlow

Each call has one answer where all versions that ran agree, else one a version.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TARGET = Path(__file__).with_name("tf_functions.json")


def told(part: Any) -> Any:
    """An array as its dtype, shape and numbers."""
    if isinstance(part, bool | int | float | str) or part is None:
        return part
    if isinstance(part, bytes):
        return {"dtype": "string", "shape": [], "values": [part.decode()]}
    array = np.asarray(part)
    flat = array.ravel().tolist()
    if array.dtype.kind == "c":
        flat = [[x.real, x.imag] for x in flat]
    if array.dtype.kind == "O":
        flat = [x.decode() for x in flat]
    if array.dtype.kind == "f":
        flat = [float(f"{x:.7g}") for x in flat]
    name = "string" if array.dtype.kind == "O" else array.dtype.name
    return {"dtype": name, "shape": list(array.shape), "values": flat}


def answer(call: str, scope: dict[str, Any]) -> Any:
    """What a call gives, or that it raises."""
    from tests.cases.tf_functions import parts

    try:
        return [told(part) for part in parts(eval(call, scope))]
    except Exception as error:
        return f"raises {type(error).__name__}"


def main(version: str) -> None:
    """Add the answers of one version."""
    import tensorflow as tf

    from tests.cases.tf_functions import CASES, REFUSED, arguments

    kept = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    for call in [*CASES, *REFUSED]:
        found = {v: a for vs, a in kept.get(call, {}).items() for v in vs.split()}
        found[version] = answer(call, arguments(tf))
        kept[call] = {}
        for v, given in sorted(found.items()):
            same = next((vs for vs, a in kept[call].items() if a == given), None)
            kept[call][v if same is None else f"{same} {v}"] = (
                given if same is None else kept[call].pop(same)
            )
    kept = {call: kept[call] for call in [*CASES, *REFUSED]}
    lines = [f"{json.dumps(call)}: {json.dumps(found)}" for call, found in kept.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
