"""What files of models cost: saving against writing the same bytes, opening against reading them.

python -m bench.files [--megabytes 500] [--rounds 5] [--only "keras,h5"]

Each format in a process of its own. "write": the bytes of the file written by one call beside the
old ones, brought to the disk and renamed, as the old ones must be there until then; "read": read by
one call. Weights are opened by a model that is there. Ratios are of the fastest rounds, as both
wait for one disk; "memory" is the peak above what the process took before, by the size of the
weights. Where a virtual machine has not used its memory yet, the first touch of a page costs ten
times what copying it does, and falls on whoever comes first: memory and the pages of files are
touched before the rounds. What is written takes the place of a file of its size from the first
round on, as to let one go takes a quarter of the time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FORMATS = {
    "keras": "m.keras",
    "h5": "m.h5",
    "weights": "m.weights.h5",
    "safetensors": "m.safetensors",
    "npz": "m.npz",
    "checkpoint": "m",
}
# What each may cost: times of writing and reading, sizes of the weights.
GOALS = {"unverified": 1.2, "verified": 2.3, "open": 1.2, "memory": 1.3}
_JOB = """
import json, os, sys, tempfile, threading, time
import numpy as np
import nacre
from nacre import layers

name, megabytes, rounds = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
count = 8
width = int((megabytes * 1e6 / 4 / count) ** 0.5)

def made():
    dense = [layers.Dense(width, use_bias=False) for _ in range(count)]
    return nacre.Sequential([nacre.Input((width,)), *dense])

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def timed(work):
    before, most, running = resident(), [0], [True]
    def watch():
        while running[0]:
            most[0] = max(most[0], resident() - before)
            time.sleep(0.002)
    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    kept = work()
    seconds = time.perf_counter() - begin
    running[0] = False
    watcher.join()
    del kept
    return seconds, most[0]

model = made()
random = np.random.default_rng(0)
for weight in model.weights:
    weight.assign(random.random(weight.shape, dtype="float32"))
size = sum(w.nbytes for w in model.get_weights())
scratch = tempfile.TemporaryDirectory()  # goes with the process: a gigabyte of files
os.chdir(scratch.name)
whole = name.endswith(".keras") or name == "m.h5"
save = model.save if whole else model.save_weights
found = {key: [] for key in ("write", "unverified", "verified", "read", "open")}
peaks = []

def write(content):
    with open("plain.new", "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace("plain.new", "plain")

def opened(other):
    if whole:
        return nacre.models.load_model(name)
    other.load_weights(name)
    return other

def read(path):
    with open(path, "rb") as file:
        return file.read()

save(name)
touched = np.ones(int(4 * size), np.uint8)
write(touched)
del touched
write(read(name if os.path.isfile(name) else name + ".data-00000-of-00001"))
for _ in range(rounds):
    files = [file for file in os.listdir(".") if ".index" not in file and file != "checkpoint"]
    path = max((file for file in files if file != "plain"), key=os.path.getsize)
    content = read(path)
    # One after another, as what the system has just let go is there for the next.
    found["write"].append(timed(lambda: write(content))[0])
    found["unverified"].append(timed(lambda: save(name, verify=False))[0])
    found["write"].append(timed(lambda: write(content))[0])
    found["unverified"].append(timed(lambda: save(name, verify=False))[0])
    seconds, peak = timed(lambda: save(name))
    found["verified"].append(seconds)
    peaks.append(peak)
    found["write"].append(timed(lambda: write(content))[0])
    del content
    path = max((file for file in os.listdir(".") if file != "plain"), key=os.path.getsize)
    found["read"].append(timed(lambda: read(path))[0])
    other = None if whole else made()
    seconds, peak = timed(lambda: opened(other))
    del other
    found["open"].append(seconds)
    peaks.append(peak)
best = {key: min(values) for key, values in found.items()}
best["memory"] = max(peaks) / size
print(json.dumps(best))
"""


def measured(name: str, megabytes: float, rounds: int) -> dict[str, float]:
    """Seconds of each part, and memory by the size of the weights."""
    command = [sys.executable, "-c", _JOB, name, str(megabytes), str(rounds)]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def ratios(found: dict[str, float]) -> dict[str, float]:
    """What goals are set for."""
    return {
        "unverified": found["unverified"] / found["write"],
        "verified": found["verified"] / found["write"],
        "open": found["open"] / found["read"],
        "memory": found["memory"],
    }


def main() -> None:
    """Measure the formats that the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.files", description=__doc__)
    parser.add_argument("--megabytes", type=float, default=500.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="formats, by comma")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else list(FORMATS)
    print("| format | write s | read s | " + " | ".join(f"{k} ({v})" for k, v in GOALS.items()))
    for kind in only:
        found = measured(FORMATS[kind], options.megabytes, options.rounds)
        row = [f"{value:.2f}" for value in ratios(found).values()]
        print(f"| {kind} | {found['write']:.2f} | {found['read']:.2f} | " + " | ".join(row))


if __name__ == "__main__":
    main()
