"""`model.json` of TF.js and the weights beside it.

Source: the types `ModelJSON`, `WeightsManifestConfig` and `WeightsManifestEntry` of
@tensorflow/tfjs-core 4.22.0 (dist/io/types.d.ts); tfjs-converter's quantization: a number is
q * scale + min.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

import numpy as np

from nacre.core import safety
from nacre.core.errors import FileFormatError, message
from nacre.core.file_errors import read_json
from nacre.core.links import foreign

Json: TypeAlias = dict[str, Any]
_DTYPES = {
    "float32": "<f4", "int32": "<i4", "bool": "u1", "uint8": "u1", "uint16": "<u2",
    "float16": "<f2", "complex64": "<c8",
}  # fmt: skip
_MOST_AXES = 32


@dataclass
class Content:
    """A model's two parts.

    Attributes:
        json: What `model.json` says.
        arrays: By name, in the order of the file.
    """

    json: Json
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def is_layers_model(self) -> bool:
        """Whether it is made of layers, not of a graph."""
        topology = self.json.get("modelTopology")
        is_graph = isinstance(topology, dict) and "node" in topology
        return self.json.get("format") != "graph-model" and not is_graph


def read(path: Path, who: str) -> Content:
    """The model at a path.

    Args:
        path: Of `model.json`.
        who: What errors call it.

    Raises:
        FileFormatError: It is damaged, a file of weights is missing, or elsewhere.
    """
    if (found := foreign(path)) is not None:
        raise FileFormatError(message(who, "its files must not be links to elsewhere", found))
    try:
        text = path.read_bytes()
    except OSError as error:
        raise FileFormatError(message(who, "it must be readable", str(error.strerror))) from None
    model = read_json(text, "model.json", who)
    if not isinstance(model, dict) or not isinstance(model.get("modelTopology"), dict):
        rule = "model.json must hold a modelTopology"
        raise FileFormatError(message(who, rule, _keys(model)))
    groups = model.get("weightsManifest") or []
    if not isinstance(groups, list):
        raise _damaged(who, "weightsManifest is no list")
    safety.set_file_size(
        len(text) + sum(_size(p, who) for g in groups for p in _paths(g, path, who))
    )
    content = Content(model)
    for group in groups:
        _read_group(group, path, who, content.arrays)
    return content


def _keys(model: Any) -> str:
    return (
        f"keys {', '.join(map(str, list(model)[:8]))}" if isinstance(model, dict) else "no object"
    )


def _damaged(who: str, what: str) -> FileFormatError:
    return FileFormatError(message(who, "a model of TF.js must be whole", what[:300]))


def _paths(group: Any, path: Path, who: str) -> list[Path]:
    """The files of a group, which lie in the folder of `model.json`."""
    names = group.get("paths") if isinstance(group, dict) else None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise _damaged(who, "a group of weights names no files")
    found = []
    for name in names:
        parts = PurePosixPath(name).parts
        odd = not parts or name.startswith("/") or ".." in parts or set(name) & set("\\:\0")
        if odd:
            rule = "weights must lie in the folder of model.json"
            raise FileFormatError(message(who, rule, repr(name)[:200]))
        file = path.parent.joinpath(*parts)
        for place in (file, *file.parents):
            if place == path.parent:
                break
            if (link := foreign(place)) is not None:
                rule = "weights must lie in the folder of model.json"
                raise FileFormatError(message(who, rule, link))
        found.append(file)
    return found


def _size(path: Path, who: str) -> int:
    try:
        if not path.is_file():
            raise FileNotFoundError
        return path.stat().st_size
    except (OSError, ValueError):
        raise _damaged(who, f"'{path.name}' is not there") from None


def _read_group(group: Json, path: Path, who: str, arrays: dict[str, np.ndarray]) -> None:
    specs = group.get("weights")
    if not isinstance(specs, list):
        raise _damaged(who, "a group of weights has no list of them")
    files = _paths(group, path, who)
    there = sum(_size(file, who) for file in files)
    found = [_spec(spec, who) for spec in specs]
    wanted = sum(math.prod(shape) * kind.itemsize for _, shape, kind, _ in found)
    has_texts = any(kind.kind == "O" for *_, kind, _ in found)
    if has_texts:
        raise _damaged(who, "weights that are texts")
    if wanted != there:
        raise _damaged(who, f"weights of {wanted} bytes, files of {there}")
    data = b"".join(file.read_bytes() for file in files)
    if len(data) != wanted:
        raise _damaged(who, f"weights of {wanted} bytes, files of {len(data)}")
    start = 0
    for name, shape, kind, how in found:
        if name in arrays:
            raise _damaged(who, f"two weights are called '{name}'")
        count = math.prod(shape)
        stored = np.frombuffer(data, kind, count, start).reshape(shape)
        start += count * kind.itemsize
        arrays[name] = _restored(stored, how, who)


def _spec(spec: Any, who: str) -> tuple[str, tuple[int, ...], np.dtype, Json]:
    """Name, shape, dtype in the file, and what becomes of it."""
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise _damaged(who, "a weight without a name")
    name, shape, dtype = spec["name"], spec.get("shape"), spec.get("dtype")
    if (
        not isinstance(shape, list)
        or len(shape) > _MOST_AXES
        or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape)
    ):
        raise _damaged(who, f"weight '{name}' has shape {shape}")
    how = spec.get("quantization") or {}
    if not isinstance(how, dict):
        raise _damaged(who, f"weight '{name}' is quantized in an unknown way")
    stored = how.get("dtype", dtype)
    if not isinstance(dtype, str) or not isinstance(stored, str) or stored not in _DTYPES:
        raise _damaged(who, f"weight '{name}' of dtype {dtype}, {stored} in the file")
    return name, tuple(shape), np.dtype(_DTYPES[stored]), {**how, "own": dtype}


def _restored(stored: np.ndarray, how: Mapping[str, Any], who: str) -> np.ndarray:
    own = how["own"]
    if "scale" in how or "min" in how:
        scale, low = how.get("scale"), how.get("min")
        if not all(isinstance(v, int | float) and math.isfinite(v) for v in (scale, low)):
            raise _damaged(who, f"a scale of {scale} from {low}")
        found = stored.astype("float64") * scale + low
        return (np.round(found) if own == "int32" else found).astype(own)
    if own == "bool":
        return stored != 0
    return stored.astype("float32" if own == "float32" else stored.dtype.newbyteorder("="))


def packed(arrays: Mapping[str, np.ndarray]) -> tuple[list[Json], bytes]:
    """Descriptions and bytes of arrays, for a group of weights."""
    specs = [{"name": n, "shape": list(a.shape), "dtype": a.dtype.name} for n, a in arrays.items()]
    return specs, b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())


__all__ = ["Content", "packed", "read"]
