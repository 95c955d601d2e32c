"""TF.js in Node: one process that answers for all models, begun when the first one is run."""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nacre.export.targets.target import Array, Run, Runtime

_RUNNER = Path(__file__).with_name("runner.js")
PACKAGE = "@tensorflow/tfjs"
# What TF.js has for numbers of fewer bits.
_THERE = {"float16": "float32", **dict.fromkeys(("int8", "uint8", "int16", "uint16"), "int32")}
_lock = threading.Lock()
_processes: list[subprocess.Popen[str]] = []


def open_folder(path: Path) -> Run:
    """What a folder computes.

    Raises:
        RuntimeError: TF.js does not take it.
    """
    place = str(path.resolve())
    described = _description(path)
    _asked({"path": place, "forget": True})  # of a file that was written anew
    _asked({"path": place})

    def run(arrays: Sequence[Array]) -> Sequence[Array]:
        inputs = {}
        for name, array in zip(described, arrays, strict=True):
            dtype = _THERE.get(array.dtype.name, array.dtype.name)
            data = base64.b64encode(np.ascontiguousarray(array, dtype).tobytes()).decode()
            inputs[name] = {"dtype": dtype, "shape": list(array.shape), "data": data}
        said = _asked({"path": place, "inputs": inputs})
        return [_array(output) for output in said["outputs"]]

    return run


def _description(path: Path) -> list[str]:
    """The names of a model's inputs."""
    page = path / "model.js"
    text = page.read_text("utf-8") if page.exists() else (path / "model.json").read_text("utf-8")
    found = json.loads(text[text.index("=") + 1 :].rstrip().rstrip(";") if page.exists() else text)
    if found.get("format") == "layers-model":  # by their order
        config = found["modelTopology"]["model_config"]["config"]
        places = config.get("input_layers") or [""]
        count = len(places) if isinstance(places[0], list) else 1
        return [str(i) for i in range(count)]
    return list(found["signature"]["inputs"])


def _array(output: dict[str, Any]) -> Array:
    data = base64.b64decode(output["data"])
    return np.frombuffer(data, output["dtype"]).reshape(output["shape"])


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    with _lock:
        process = _process()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            _end()
            raise RuntimeError("Node stopped")
    said: dict[str, Any] = json.loads(line)
    if "error" in said:
        raise RuntimeError(said["error"])
    return said


def _process() -> subprocess.Popen[str]:
    if _processes and _processes[0].poll() is None:
        return _processes[0]
    _processes.clear()
    node = shutil.which("node")
    assert node is not None
    _processes.append(
        subprocess.Popen(
            [node, str(_RUNNER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=_environment(),
        )
    )
    return _processes[0]


@atexit.register
def _end() -> None:
    for process in _processes:
        with contextlib.suppress(OSError):
            process.kill()
            process.communicate()
    _processes.clear()


def _environment() -> dict[str, str]:
    return {**os.environ, "NODE_PATH": os.pathsep.join(_places())}


@functools.cache
def _global_packages() -> str:
    npm = shutil.which("npm")
    if npm is None:
        return ""
    found = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _places() -> list[str]:
    """Where packages of Node may be: NODE_PATH, the working folder and those around it, npm's."""
    here = Path.cwd()
    around = [str(folder / "node_modules") for folder in (here, *here.parents)]
    given = [place for place in os.environ.get("NODE_PATH", "").split(os.pathsep) if place]
    found = [place for place in (*given, *around) if Path(place).is_dir()]
    return found or [p for p in [_global_packages()] if p]


def package_folder() -> Path | None:
    """The folder of @tensorflow/tfjs; None where it is not installed."""
    for place in _places():
        if place and (Path(place) / PACKAGE / "package.json").exists():
            return Path(place) / PACKAGE
    return None


def _why_not() -> str:
    """Why TF.js does not run here; '' where it does."""
    if shutil.which("node") is None or package_folder() is None:
        return f"{HOW_TO_INSTALL}, which runs it"
    return ""


HOW_TO_INSTALL = f"install Node and `npm install {PACKAGE}`"
TFJS = Runtime("TF.js", "nacre", PACKAGE, open_folder, _why_not, HOW_TO_INSTALL)
LAYERS = TFJS  # which tells the two kinds of models apart itself

__all__ = ["HOW_TO_INSTALL", "LAYERS", "PACKAGE", "TFJS", "open_folder", "package_folder"]
