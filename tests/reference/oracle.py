"""What the scripts of this folder share: quiet start-up, arrays, weights, writing files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

import numpy as np  # noqa: E402

POSITIVE_NAMES = ("variance", "gamma", "scale", "count")


def weight_values(
    random: np.random.Generator, name: str, shape: tuple[int, ...], dtype: str
) -> np.ndarray:
    """Values for one weight: positive where it stands for a variance or a scale."""
    if dtype.startswith(("int", "uint")):
        return random.integers(0, 5, shape).astype(dtype)
    if any(word in name for word in POSITIVE_NAMES):
        return random.uniform(0.5, 1.5, shape).astype(dtype)
    return random.uniform(-0.6, 0.6, shape).astype(dtype)


def write_arrays(kind: str, arrays: dict[str, Any]) -> None:
    """Write `<kind>.npz`, compressed."""
    path = FOLDER / f"{kind}.npz"
    np.savez_compressed(path, **{key: np.asarray(value) for key, value in arrays.items()})
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size / 1e3:.0f} kB")


def write_facts(kind: str, facts: Any) -> None:
    """Write `<kind>.json`, one entry per line, sorted as given."""
    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'), default=plain)}"
        for key, value in facts.items()
    )
    path = FOLDER / f"{kind}.json"
    path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    print(f"{path.name}: {len(facts)} entries, {path.stat().st_size / 1e3:.0f} kB")


def stable_config(library_object: Any) -> Any:
    """The serialized object without `shared_object_id`, which is a memory address."""
    import keras

    return _without_addresses(keras.saving.serialize_keras_object(library_object))


def _without_addresses(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_addresses(v) for k, v in value.items() if k != "shared_object_id"}
    if isinstance(value, (list, tuple)):
        return [_without_addresses(item) for item in value]
    return value


def plain(value: Any) -> Any:
    """A JSON form for NumPy scalars, arrays and sets."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"no JSON form for {type(value).__name__}: {value!r}")
