"""Files for other runtimes beside those of the formats' own converters: sizes, and seconds a call.

python -m bench.exported --peer-python PATH [--files FOLDER]

Eight nets with the same weights are written by nacre, and by TensorFlow's TFLiteConverter and
tf2onnx in the other Python; both files of a net are called in turn in LiteRT and ONNX Runtime, on
one thread, with a batch of one. `results/exported.{json,md}` have sizes, medians of times, and the
largest difference of the two answers. With `--files` what the other Python wrote before is taken.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import nacre
from bench import machine
from bench.peers.exported_nets import NETS, with_weights

FORMATS = {"litert": ".tflite", "onnx": ".onnx"}
# A call takes so long at least, made of as many as that needs.
_LEAST_SECONDS = 0.02
Run: TypeAlias = Callable[[np.ndarray], np.ndarray]


def _lite(path: Path) -> Run:
    interpreter: Any = importlib.import_module("ai_edge_litert.interpreter")
    run = interpreter.Interpreter(model_path=str(path), num_threads=1)
    given, wanted = run.get_input_details()[0]["index"], run.get_output_details()[0]["index"]
    run.allocate_tensors()

    def call(x: np.ndarray) -> np.ndarray:
        run.set_tensor(given, x)
        run.invoke()
        return run.get_tensor(wanted)

    return call


def _onnx(path: Path) -> Run:
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


OPEN: dict[str, Callable[[Path], Run]] = {"litert": _lite, "onnx": _onnx}


def row_of(name: str, format: str, folder: Path, rounds: int) -> dict[str, Any]:
    """What is measured of a net in a format."""
    ending = FORMATS[format]
    own, peer = (folder / f"{name}.{side}{ending}" for side in ("nacre", "peer"))
    net = with_weights(nacre, name)
    report = net.export(own, format=format, verbose=False)
    assert report is not None and report.is_verified
    row: dict[str, Any] = {"net": name, "format": format, "bytes": own.stat().st_size}
    x = np.random.default_rng(0).normal(size=(1, *net.inputs[0].shape[1:])).astype("float32")
    runs = {"nacre": OPEN[format](own)}
    if peer.exists():
        row["peer_bytes"] = peer.stat().st_size
        try:
            runs["peer"] = OPEN[format](peer)
            runs["peer"](x)
        except Exception as error:  # of whatever kind: it is no file for this runtime
            runs.pop("peer", None)
            row["peer_fault"] = str(error).strip().split("\n")[0][:120]
    if "peer" in runs:
        difference = np.abs(runs["nacre"](x) - runs["peer"](x)).max()
        row["difference"] = float(difference)
    return {**row, **_times(runs, x, rounds)}


def _times(runs: dict[str, Run], x: np.ndarray, rounds: int) -> dict[str, float]:
    """Medians of seconds, and that of the ratios of neighbours in time."""
    counts: dict[str, int] = {}
    for name, run in runs.items():
        run(x)
        start = time.perf_counter()
        run(x)
        counts[name] = max(1, int(_LEAST_SECONDS / (time.perf_counter() - start + 1e-9)))
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 if number % 2 == 0 else -1]:
            start = time.perf_counter()
            for _ in range(counts[name]):
                runs[name](x)
            seconds[name].append((time.perf_counter() - start) / counts[name])
    found = {f"{name}_seconds": statistics.median(s) for name, s in seconds.items()}
    if "peer" in runs:
        pairs = zip(seconds["nacre"], seconds["peer"], strict=True)
        found["ratio"] = statistics.median(own / peer for own, peer in pairs)
    return found


def markdown(facts: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The report."""
    lines = [
        "# Exported files",
        "",
        f"`python -m bench.exported --peer-python …`, {facts['date']}, commit {facts['commit']};",
        f"{facts['processor']}, one thread, a batch of one. The other side: TensorFlow's",
        "TFLiteConverter for litert, tf2onnx for onnx, from the same layers of Keras.",
        "",
        "| net | format | nacre, bytes | other | nacre ÷ other "
        "| nacre, µs | other | nacre ÷ other | difference |",
        "|---" * 9 + "|",
    ]
    for row in rows:
        other = row.get("peer_bytes")
        cells = [row["net"], row["format"], str(row["bytes"]), str(other or "—")]
        cells.append(f"{row['bytes'] / other:.3f}" if other else "—")
        cells.append(f"{1e6 * row['nacre_seconds']:.0f}")
        if "ratio" in row:
            cells += [f"{1e6 * row['peer_seconds']:.0f}", f"{row['ratio']:.2f}"]
            cells.append(f"{row['difference']:.1e}")
        else:
            cells += [f"does not run: {row.get('peer_fault', 'no file')}", "—", "—"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write both files."""
    parser = argparse.ArgumentParser(prog="python -m bench.exported")
    parser.add_argument("--peer-python", default=os.environ.get("NACRE_BENCH_PEERS"))
    parser.add_argument("--files", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    peers: dict[str, Any] = {"packages": {}}
    if options.peer_python:
        peers = machine.versions(options.peer_python)
    own = machine.versions(sys.executable, "ai_edge_litert", "onnxruntime")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.files or Path(temporary)
        if options.files is None and options.peer_python:
            command = [options.peer_python, "-m", "bench.peers.tensorflow_exported", str(folder)]
            subprocess.run(command, cwd=machine.ROOT, check=True)
        rows = [row_of(n, f, folder, options.rounds) for n in NETS for f in FORMATS]
    facts = machine.facts(own, peers, 1)
    text = markdown(facts, rows)
    print(text)
    (options.results / "exported.md").write_text(text, encoding="utf-8")
    result = json.dumps({"facts": facts, "rows": rows}, indent=1)
    (options.results / "exported.json").write_text(result + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
