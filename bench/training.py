"""What training costs beside its arithmetic: nacre's loops in pairs with the least one can do.

python -m bench.training [--keras ~/peers/bin/python] [--only "steps mlp,gan by hand"]

"steps": a `fit` of rows that lie on the device, against hand-written JAX that runs the same model's
`stateless_call` (and so the same kernels), Adam and accuracy in one loop on the device. "tape
step": a `train_step(self, data)` with `GradientTape`, against the built-in step. "function": a loop
over batches by hand, a tape under `nacre.function`, against `train_on_batch`. "gan by hand": the
three `train_on_batch` of a GAN, against Keras. "epoch hooks": `fit` with callbacks that have only
those, against none. Ratios and bounds as in `bench.pairs`, whose processes it uses.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

from bench.pairs import ROOT, measure, rows, write
from bench.runners import OtherLoad

HERE = (sys.executable, str(ROOT))
STEPS = ("mlp", "cnn", "lstm", "transformer")
# job -> (the other side's process, its job, what nacre may take of its time)
GOALS: dict[str, tuple[str, str, float]] = {
    **{f"steps {name}": ("hand", f"steps {name}", 1.05) for name in STEPS},
    "tape step": ("nacre", "built-in step", 1.05),
    "function": ("nacre", "on batch", 1.2),
    "gan by hand": ("keras", "gan by hand", 1.0),
    "epoch hooks": ("nacre", "built-in step", 1.03),
}
GROWTH_MB = 5.0  # of 50 models that were built, trained and dropped
_GROWTH = """
import resource
import numpy as np
import nacre
from nacre import layers

def once():
    hidden = layers.Dense(64, activation="relu")
    model = nacre.Sequential([nacre.Input((32,)), hidden, layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((64, 32), "float32"), np.ones((64, 1), "float32"), verbose=0)

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

def times(number):
    for _ in range(number):
        once()
    return resident_mb()

before = times(10)
print(times(50) - before)
"""


def growth_mb() -> float:
    """Growth of memory over 50 times build, fit and delete, after 10 to warm up."""
    command = [HERE[0], "-c", _GROWTH]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return float(out)


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--keras", help="interpreter that has Keras and JAX")
    parser.add_argument("--only", help="jobs, by comma")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--starts", type=int, default=4, help="times the processes start anew")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else [*GOALS, "growth"]
    table: list[dict[str, Any]] = []
    loads = [0.0]
    for job, (side, other, goal) in GOALS.items():
        if job not in only or (side == "keras" and not options.keras):
            continue
        peer = {"keras": (options.keras, "keras"), "hand": (HERE[0], "hand")}.get(side, HERE)
        with OtherLoad() as load:
            found = measure(((other, job),), peer, HERE, options.pairs, options.starts)
        loads.append(load.cores)
        for row in rows(found):
            met = "met" if row["ratio"] <= goal else "missed"
            table.append({**row, "said": f"{other} of {side}; goal {goal}: {met}"})
    write("What training costs", "training", table, ("peer", "nacre"), max(loads))
    if "growth" in only:
        print(f"50 models built, trained and dropped: {growth_mb():+.1f} MB (goal {GROWTH_MB})")


if __name__ == "__main__":
    main()
