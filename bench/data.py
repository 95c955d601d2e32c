"""What feeding a training costs: nacre's pipelines in pairs with what they are to keep up with.

python -m bench.data [--keras ~/peers/bin/python] [--only "cnn pipeline,memory map"]

"cnn pipeline": `fit` of the CNN from `from_tensor_slices.map.shuffle.batch.prefetch`, against `fit`
of the same rows in memory. "pipeline": that pipeline alone, against tf.data. "PyDataset" and
"generator": `fit` of the MLP from batches that take some two milliseconds to make, against making
them. "trivial function": one of Python in `map`, against tf.data's `py_function`. "images": 2,000
JPEG files decoded, resized and batched by `image_dataset_from_directory`, against that of Keras on
TensorFlow. "growth": memory over 50 epochs from the pipeline. "memory map": what shuffling 10
million rows of a file of 4 GB takes. Ratios and bounds as in `bench.pairs`; nothing is kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import machine
from bench.pairs import ROOT, markdown, measure, rows
from bench.peers import data_jobs
from bench.runners import OtherLoad

HERE = (sys.executable, str(ROOT))
# job -> (the other side's process, its job, what nacre may take of its time)
GOALS: dict[str, tuple[str, str, float]] = {
    "cnn pipeline": ("nacre", "cnn arrays", 1 / 0.8),
    "pipeline": ("tf", "pipeline", 1.0),
    "PyDataset": ("nacre", "making", 1.15),
    "generator": ("nacre", "making", 1.15),
    "trivial function": ("tf", "trivial function", 1 / 3),
    "images": ("tf", "images", 1 / 0.8),
}
IMAGES = 2_000
GROWTH_MB = 5.0
MAPPED_MB = 400.0
_MEMORY = """
import numpy as np
import nacre
from nacre import layers
from bench.peers.protocol import memory_mb
Dataset = nacre.data.Dataset
"""
_GROWTH = f"""{_MEMORY}
x = np.random.default_rng(0).random((6_400, 32), dtype="float32")
model = nacre.Sequential([nacre.Input((32,)), layers.Dense(1)])
model.compile("adam", "mse")
data = Dataset.from_tensor_slices((x, x[:, :1])).map(lambda a, b: (2 * a, b))
data = data.shuffle(1_000).batch(32).prefetch(2)
model.fit(data, epochs=10, verbose=0)
before = memory_mb()["resident"]
model.fit(data, epochs=50, verbose=0)
print(memory_mb()["resident"] - before)
"""
_MAPPED = f"""{_MEMORY}
import sys
x = np.memmap(sys.argv[1], np.float32, "r", shape=(10_000_000, 100))
before = memory_mb()["peak"]
data = Dataset.from_tensor_slices(x).shuffle(len(x)).batch(32)
for _ in data.take(2_000):
    pass
print(memory_mb()["peak"] - before)
"""


def printed(code: str, *arguments: str) -> float:
    """The number that a process of its own prints."""
    command = [HERE[0], "-c", code, *arguments]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return float(out)


def mapped_mb(folder: Path) -> float:
    """Peak memory of going over shuffled rows of a mapped file, whose zeros take no room."""
    path = folder / "rows"
    with path.open("wb") as file:
        file.truncate(10_000_000 * 100 * 4)
    try:
        return printed(_MAPPED, str(path))
    finally:
        path.unlink()


def ratios(options: argparse.Namespace, only: list[str], folder: Path) -> None:
    """Measure the pairs, and print them."""
    table: list[dict[str, Any]] = []
    loads = [0.0]
    for job, (side, other, goal) in GOALS.items():
        if job not in only or (side == "tf" and not options.keras):
            continue
        if job == "images":
            data_jobs.write_images(folder / "images", IMAGES)
            os.environ[data_jobs.IMAGES] = str(folder / "images")
        peer = (options.keras, "tf") if side == "tf" else HERE
        with OtherLoad() as load:
            found = measure(((other, job),), peer, HERE, options.pairs, options.starts)
        loads.append(load.cores)
        for row in rows(found):
            met = "met" if row["ratio"] <= goal else "missed"
            table.append({**row, "said": f"{other} of {side}; goal {goal:.3g}: {met}"})
    own = machine.versions(sys.executable, "nacre")
    facts = machine.facts(own, own, os.cpu_count() or 1) | {"other_cores": max(loads)}
    if table:
        print(markdown("What feeding a training costs", table, ("peer", "nacre"), facts))


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.data", description=__doc__)
    parser.add_argument("--keras", help="interpreter that has Keras and TensorFlow")
    parser.add_argument("--only", help="jobs, by comma")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--starts", type=int, default=2, help="times the processes start anew")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else [*GOALS, "growth", "memory map"]
    with tempfile.TemporaryDirectory() as name:
        ratios(options, only, Path(name))
        limits = {
            "growth": ("50 epochs from a pipeline", lambda: printed(_GROWTH), GROWTH_MB),
            "memory map": (
                "10 million shuffled rows of 4 GB", lambda: mapped_mb(Path(name)), MAPPED_MB
            ),
        }  # fmt: skip
        for job, (title, found_mb, goal) in limits.items():
            if job in only:
                found = found_mb()
                met = "met" if found <= goal else "missed"
                print(f"{title}: {found:+.1f} MB (goal {goal:g}: {met})", flush=True)


if __name__ == "__main__":
    main()
