"""The SavedModels of `tests/reference/saved_models.zip`, and what TensorFlow gave for their calls."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parents[3] / "reference" / "saved_models.zip"
NAMES = sorted({name.split("/")[0] for name in zipfile.ZipFile(FILE).namelist()})


def extracted(name: str, folder: Path) -> Path:
    """A model's folder."""
    with zipfile.ZipFile(FILE) as archive:
        archive.extractall(folder, [n for n in archive.namelist() if n.startswith(f"{name}/")])
    found = folder / name / "graph.pb"
    return found if found.exists() else folder / name


def calls(name: str) -> list[tuple[str, Any, Any, Any]]:
    """Endpoint, arguments by place and by name, and what was given."""
    told = json.loads(zipfile.ZipFile(FILE).read(f"{name}/calls.json"))
    return [(endpoint, *map(value, rest)) for endpoint, *rest in told]


def value(told: Any) -> Any:
    """A structure as it was told."""
    if "dict" in told:
        return {key: value(item) for key, item in told["dict"].items()}
    if "list" in told:
        return [value(item) for item in told["list"]]
    if "value" in told:
        return told["value"]
    if "strings" in told:
        found = np.empty(len(told["strings"]), object)
        found[:] = [text.encode("latin-1") for text in told["strings"]]
        return found.reshape(told["shape"])
    return np.asarray(told["flat"], told["dtype"]).reshape(told["shape"])


def called(program: Any, endpoint: str, args: Any, kwargs: Any) -> Any:
    """What a program gives for a call."""
    if endpoint[0] == "@":
        return program.signatures[endpoint[1:]](*args, **kwargs)
    if endpoint == "__call__":
        return program(*args, **kwargs)
    return program.endpoint(endpoint)(*args, **kwargs)


def compare(found: Any, wanted: Any, where: str = "") -> None:
    """Structures alike, strings equal, numbers within float32's error."""
    if isinstance(wanted, dict):
        assert set(found) == set(wanted), where
        for key in wanted:
            compare(found[key], wanted[key], f"{where}/{key}")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), where
        for index, item in enumerate(wanted):
            compare(found[index], item, f"{where}/{index}")
    else:
        array = np.asarray(found)
        assert array.shape == wanted.shape, (where, array.shape, wanted.shape)
        assert array.dtype == wanted.dtype, (where, array.dtype)
        if wanted.dtype.kind in "fc":
            np.testing.assert_allclose(array, wanted, rtol=2e-5, atol=2e-5, err_msg=where)
        else:
            np.testing.assert_array_equal(array, wanted, err_msg=where)
