"""Two versions, or nacre and a peer, in interleaved pairs: the ratio, and how sure it is.

python -m bench.pairs --before PATH                      # a checkout of an earlier commit
python -m bench.pairs --peers ~/peers/bin/python         # the goals against Keras on JAX, and JAX

Each job is timed in turn on both sides, A B B A ..., in processes that are started anew several
times. A ratio is the geometric mean of the pairs'; its 95 % bounds come from Student's t on their
logarithms. "slower" means that even the lower bound is above 1.03.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import machine
from bench.runners import OtherLoad

ROOT = Path(__file__).parents[1]
BYTECODE = Path(tempfile.gettempdir()) / "nacre_bench_bytecode"
WORST_RATIO = 1.03
# Student's t, 97.5 %, by degrees of freedom (Abramowitz & Stegun 1964, table 26.10).
T = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 7: 2.365, 9: 2.262, 11: 2.201, 14: 2.145}
T |= {17: 2.110, 19: 2.093, 23: 2.069, 29: 2.045, 39: 2.023, 59: 2.001}

STEPS = ("mlp", "cnn", "lstm", "gru", "transformer", "resnet")
DEEP = tuple(f"deep {name}" for name in ("train_on_batch", "test_on_batch", "fit", "call"))
ROW = ("row predict", "row call")
MANY = ("many predict", "many evaluate")
FRESH = {  # timed as whole processes
    "import": "import nacre; nacre.layers.Dense",
    "first step": (
        "import numpy as np, nacre; from nacre import layers\n"
        "m = nacre.Sequential([nacre.Input((784,)), layers.Dense(128, activation='relu'),"
        " layers.Dense(10, activation='softmax')])\n"
        "m.compile('adam', 'sparse_categorical_crossentropy', ['accuracy'])\n"
        "m.fit(np.ones((32, 784), 'float32'), np.zeros(32, 'int32'), verbose=0)"
    ),
}
# What nacre may take of the other side's time: job -> (side, goal).
GOALS = {
    **{name: ("keras", 0.5) for name in ("mlp", *DEEP)},
    "many predict": ("keras", 0.7),
    # On MobileNetV2 of 96×96; Keras on TensorFlow is faster there than on JAX.
    **dict.fromkeys(("transfer frozen", "transfer unfrozen"), ("keras tensorflow", 1.0)),
    **dict.fromkeys(ROW, ("jax", 1.5)),
}


class Side:
    """A process that answers with timings.

    Args:
        python: Its interpreter.
        name: A checkout's folder, 'keras', 'keras tensorflow' or 'jax'.
    """

    def __init__(self, python: str, name: str) -> None:
        self.python, self.name = python, name
        script = str(Path(__file__).parent / "peers" / "side.py")
        self._process = subprocess.Popen(
            [python, script, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def seconds(self, job: str) -> float:
        """One sample of a job."""
        if job in FRESH:
            return self._fresh(job)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(job + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def _fresh(self, job: str) -> float:
        # As where it is installed: Python's files are compiled once, and not at each start.
        environment = {**os.environ, "PYTHONPATH": self.name, "PYTHONPYCACHEPREFIX": str(BYTECODE)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        start = time.perf_counter()
        subprocess.run(
            [self.python, "-c", FRESH[job]],
            check=True,
            env=environment,
            cwd="/",
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - start

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def ratio_with_bounds(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Geometric mean of second ÷ first, and its 95 % bounds, which one pair does not give."""
    logs = [math.log(b / a) for a, b in pairs]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), 0.0, math.inf
    freedom = max(known for known in T if known <= len(logs) - 1)
    half = T[freedom] * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def measure(
    jobs: Sequence[str | tuple[str, str]],
    first: tuple[str, str],
    second: tuple[str, str],
    pairs: int,
    starts: int,
) -> dict[str, list[tuple[float, float]]]:
    """Pairs of seconds by job; a side is (interpreter, name).

    A job is one name for both sides, or what the first runs and what the second.
    """
    named = {job if isinstance(job, str) else job[1]: job for job in jobs}
    found: dict[str, list[tuple[float, float]]] = {job: [] for job in named}
    for start in range(starts):
        with ExitStack() as stack:
            sides = [Side(*first), Side(*second)]
            for side in sides:
                stack.callback(side.close)
            for job, names in named.items():
                names = (names, names) if isinstance(names, str) else names
                for side, name in zip(sides, names, strict=True):
                    side.seconds(name)  # builds and compiles
                for number in range(pairs // starts):
                    order = (0, 1) if (number + start) % 2 == 0 else (1, 0)
                    times = {side: sides[side].seconds(names[side]) for side in order}
                    found[job].append((times[0], times[1]))
        print(f"{start + 1} of {starts} starts done", flush=True)
    return found


def rows(found: dict[str, list[tuple[float, float]]]) -> list[dict[str, Any]]:
    """One row for each job: medians in ms, the ratio and its bounds."""
    table = []
    for job, pairs in found.items():
        ratio, low, high = ratio_with_bounds(pairs)
        first, second = (1e3 * statistics.median(side) for side in zip(*pairs, strict=True))
        table.append(
            {"job": job, "pairs": len(pairs), "first_ms": first, "second_ms": second}
            | {"ratio": ratio, "low": low, "high": high}
        )
    return table


def markdown(title: str, table: list[dict[str, Any]], sides: tuple[str, str], facts: Any) -> str:
    """The report."""
    lines = [
        f"# {title}",
        "",
        f"- {facts['date']}, commit {facts['commit'] or 'unknown'}; {facts['processor']}, "
        f"{facts['cores_present']} cores",
        f"- other programs kept {facts['other_cores']:.2f} cores busy",
        "",
        f"| job | pairs | {sides[0]}, ms | {sides[1]}, ms | ratio | 95 % bounds | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['job']} | {row['pairs']} | {row['first_ms']:.4g} | {row['second_ms']:.4g} "
        f"| {row['ratio']:.3f} | {row['low']:.3f} to {row['high']:.3f} | {row.get('said', '')} |"
        for row in table
    ]
    return "\n".join(lines) + "\n"


def write(
    title: str, stem: str, table: list[dict[str, Any]], sides: tuple[str, str], load: float
) -> None:
    """Print the report and keep it with the other results."""
    own = machine.versions(sys.executable, "nacre")
    facts = machine.facts(own, own, os.cpu_count() or 1) | {"other_cores": load}
    text = markdown(title, table, sides, facts)
    print(text)
    stem = f"{facts['date'][:10].replace('-', '')}_{stem}"
    folder = ROOT / "bench" / "results"
    (folder / f"{stem}.md").write_text(text, encoding="utf-8")
    result = json.dumps({"machine": facts, "rows": table}, indent=1, ensure_ascii=False)
    (folder / f"{stem}.json").write_text(result + "\n", encoding="utf-8")


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(prog="python -m bench.pairs", description=__doc__)
    parser.add_argument("--before", help="folder of a checkout of an earlier commit")
    parser.add_argument("--peers", help="interpreter that has Keras and JAX")
    parser.add_argument("--only", help="jobs, by comma")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--starts", type=int, default=4, help="times the processes start anew")
    options = parser.parse_args()
    only = options.only.split(",") if options.only else None

    def wanted(*jobs: str) -> tuple[str, ...]:
        return tuple(job for job in jobs if only is None or job in only)

    here = (sys.executable, str(ROOT))
    if options.before:
        jobs = wanted(*STEPS, *MANY, *ROW, *DEEP, *FRESH)
        with OtherLoad() as load:
            found = measure(
                jobs, (sys.executable, options.before), here, options.pairs, options.starts
            )
        table = rows(found)
        for row in table:
            row["said"] = "slower" if row["low"] > WORST_RATIO else ""
        write("Before and after", "before_after", table, ("before", "after"), load.cores)
    if options.peers:
        table, loads = [], []
        for side in ("keras", "keras tensorflow", "jax"):
            jobs = wanted(*(job for job, (peer, _) in GOALS.items() if peer == side))
            if not jobs:
                continue
            python = sys.executable if side == "jax" else options.peers
            with OtherLoad() as load:
                table += rows(measure(jobs, (python, side), here, options.pairs, options.starts))
            loads.append(load.cores)
        for row in table:
            side, goal = GOALS[row["job"]]
            row["said"] = f"{side}; goal {goal}: {'met' if row['ratio'] <= goal else 'missed'}"
        write("nacre and its peers", "peers", table, ("peer", "nacre"), max(loads))


if __name__ == "__main__":
    main()
