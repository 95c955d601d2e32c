"""Who runs which workload, and how a process for it is started."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import ROOT

TIMEOUT_SECONDS = 900
WORKLOADS = (
    "mlp",
    "cnn",
    "lstm",
    "gru",
    "transformer",
    "resnet",
    "predict",
    "import",
    "first_step",
    "memory",
)
_TRAINING = ("mlp", "cnn", "lstm", "gru", "transformer", "predict")
# What a user's shell may hold and that would make runs differ.
_CLEARED = ("JAX_COMPILATION_CACHE_DIR", "KERAS_BACKEND", "NACRE_COMPILE_CACHE", "XLA_FLAGS")


@dataclass(frozen=True)
class Runner:
    """One row of a table: a framework, in the form that a workload needs.

    Args:
        name: What the table calls it.
        module: The module of `bench.peers` that does the work; '' when only `code` is timed.
        needs: Packages without which it is left out.
        own: Whether nacre's interpreter runs it (nacre, and JAX, so that both have one jaxlib).
        request: What is added to the request.
        cache: 'shared' compile cache of the whole run, or a 'fresh' one for each process.
        code: For the workload `import`: the statement that is timed.
    """

    name: str
    module: str
    needs: tuple[str, ...]
    own: bool = False
    request: dict[str, str] = field(default_factory=dict)
    cache: str = "shared"
    code: str = ""


NACRE = Runner("nacre", "nacre_peer", ("nacre",), own=True)
KERAS = [
    Runner(f"keras+{label}", "keras_peer", ("keras", package), request={"backend": package})
    for label, package in (("TF", "tensorflow"), ("JAX", "jax"), ("torch", "torch"))
]
TORCH = Runner("PyTorch", "torch_peer", ("torch",))
JAX = Runner("hand-written JAX", "jax_peer", ("jax",), own=True)

IMPORTS = [
    Runner("nacre.layers.Dense", "", ("nacre",), True, code="import nacre; nacre.layers.Dense"),
    Runner("import nacre", "", ("nacre",), True, code="import nacre"),
    *(
        Runner(
            one.name, "", one.needs, request=one.request, code="import keras; keras.layers.Dense"
        )
        for one in KERAS
    ),
    Runner("PyTorch", "", ("torch",), code="import torch"),
    Runner("JAX", "", ("jax",), True, code="import jax"),
]
FIRST_STEPS = [
    Runner("nacre, cold cache", "nacre_peer", ("nacre",), own=True, cache="fresh"),
    Runner("nacre, warm cache", "nacre_peer", ("nacre",), own=True),
    *KERAS,
    TORCH,
]
# The first of each list is what the others are compared with.
PLAN: dict[str, list[Runner]] = {
    **{name: [NACRE, *KERAS, TORCH, JAX] for name in _TRAINING},
    "resnet": [NACRE, *KERAS, TORCH],
    "import": IMPORTS,
    "first_step": FIRST_STEPS,
    "memory": [NACRE, KERAS[1]],
}
_TIMED_IMPORT = (
    "import time; start = time.perf_counter()\n{code}\n"
    "seconds = time.perf_counter() - start\n"
    "import json; print('\\n' + json.dumps({{'seconds': seconds, 'check': 'ok'}}))"
)


@contextmanager
def compile_cache(runner: Runner, scratch: Path) -> Iterator[dict[str, str]]:
    """The variables that give a process its folder of compiled programs."""
    if runner.cache == "shared":
        yield {"NACRE_CACHE": str(scratch / "cache")}
        return
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        yield {"NACRE_CACHE": folder}


class OtherLoad:
    """How many cores other programs kept busy while the block ran, all of the block's length.

    Timings taken beside other work mean little: most of all those of PyTorch, whose threads wait
    for each other by spinning.
    """

    def __enter__(self) -> OtherLoad:
        self._start = (self._busy(), self._children(), time.perf_counter())
        return self

    @staticmethod
    def _busy() -> float:
        try:
            first = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:9]
        except OSError:
            return 0.0
        user, nice, system, _, _, interrupts, soft, stolen = map(int, first)
        ticks = user + nice + system + interrupts + soft + stolen
        return ticks / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _children() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def __exit__(self, *_: object) -> None:
        busy, children, start = self._start
        seconds = time.perf_counter() - start
        others = (self._busy() - busy) - (self._children() - children)
        self.cores = max(0.0, others) / seconds


def command(runner: Runner, python: str, request: dict[str, Any]) -> list[str]:
    """The command line of one process."""
    if runner.code:
        return [python, "-c", _TIMED_IMPORT.format(code=runner.code)]
    return [python, "-m", f"bench.peers.{runner.module}", json.dumps(request)]


def run(runner: Runner, python: str, request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """The answer of one process, or `{"error": ...}`; and how busy the machine was otherwise."""
    with OtherLoad() as load:
        answer = _answer(runner, python, request, scratch)
    return {**answer, "other_cores": round(load.cores, 2)}


def _answer(runner: Runner, python: str, request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if name not in _CLEARED}
    environment |= {
        "CUDA_VISIBLE_DEVICES": "",
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": runner.request.get("backend", ""),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if not environment["KERAS_BACKEND"]:
        del environment["KERAS_BACKEND"]
    with compile_cache(runner, scratch) as variables:
        request = {**request, **runner.request, "started": time.time()}
        try:
            done = subprocess.run(
                command(runner, python, request),
                capture_output=True,
                text=True,
                cwd=ROOT,
                env=environment | variables,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"no answer within {TIMEOUT_SECONDS} s"}
    if done.returncode:
        said = [row for row in done.stderr.splitlines() if row.strip()] or ["nothing on stderr"]
        return {"error": f"exit {done.returncode}: {said[-1][:300]}", "stderr": said[-20:]}
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return {"error": f"no answer in {done.stdout[-200:]!r}"}
