"""Open the stored reference numbers by case."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

REFERENCE_FOLDER = Path(__file__).parent.parent / "reference"


@cache
def load_reference(kind: str) -> dict[str, dict[str, np.ndarray]]:
    """All arrays of `reference/<kind>.npz` as `{case id: {key: array}}`."""
    cases: dict[str, dict[str, np.ndarray]] = {}
    with np.load(REFERENCE_FOLDER / f"{kind}.npz", allow_pickle=False) as archive:
        for name in archive.files:
            case_id, key = name.split("/", 1)
            cases.setdefault(case_id, {})[key] = archive[name]
    return cases


@cache
def load_facts(kind: str) -> dict[str, Any]:
    """The JSON beside it: `reference/<kind>.json`, by case id."""
    return json.loads((REFERENCE_FOLDER / f"{kind}.json").read_text(encoding="utf-8"))


def numbered(arrays: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    """`[arrays["<prefix>_0"], arrays["<prefix>_1"], ...]` until one is missing."""
    found: list[np.ndarray] = []
    while (key := f"{prefix}_{len(found)}") in arrays:
        found.append(arrays[key])
    return found


def call_arguments(case: Any, arrays: dict[str, np.ndarray]) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of a layer case's call, from the stored arrays."""
    inputs = numbered(arrays, "input")
    together = {"list": list, "tuple": tuple, "dict": lambda given: _named(case, given)}
    form = together.get(case.call_style)
    positional: list[Any] = list(inputs) if form is None else [form(inputs)]
    keywords: dict[str, Any] = {}
    for name, value in case.call_kwargs.items():
        if f"call_{name}" in arrays:
            keywords[name] = arrays[f"call_{name}"]
        elif f"call_{name}_0" in arrays:
            keywords[name] = numbered(arrays, f"call_{name}")
        else:
            keywords[name] = value
    return positional, keywords


def _named(case: Any, inputs: list[Any]) -> dict[str, Any]:
    """The inputs in a dict, by the case's names."""
    found: dict[str, Any] = {}
    for name, value in zip(case.input_names, inputs, strict=True):
        *parents, last = name.split("/")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return found
