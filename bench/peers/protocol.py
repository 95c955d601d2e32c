"""What a peer says and how it measures. Standard library only: import time is measured too.

A request is a JSON object with `workload`, `quick`, and what the workload needs. The answer is one
line of JSON on stdout, the last line there.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from bench import workloads

Request = dict[str, Any]
Answer = dict[str, Any]


def serve(jobs: dict[str, Callable[[Request], Answer]]) -> None:
    """Read the request, do the job, print the answer."""
    request = json.loads(sys.argv[1])
    answer = jobs[request["workload"]](request)
    print("\n" + json.dumps(answer), flush=True)


def time_epochs(work: workloads.Workload, train: Callable[[int], list[float]]) -> Answer:
    """One epoch to warm up, then the timed ones in one go. `train(n)` gives n mean losses."""
    losses = list(train(1))
    start = time.perf_counter()
    losses += train(work.timed_epochs)
    return training_answer(work, time.perf_counter() - start, losses)


def training_answer(work: workloads.Workload, seconds: float, losses: list[float]) -> Answer:
    """What a peer says of `work.timed_epochs` epochs that took `seconds`."""
    steps = work.steps * work.timed_epochs
    return {
        "steps": steps,
        "seconds": seconds,
        "ms_per_step": 1e3 * seconds / steps,
        "losses": [float(loss) for loss in losses],
        "check": check_losses(losses),
    }


def check_losses(losses: list[float]) -> str:
    """'ok' when the losses are finite and fall; else what is wrong."""
    values = [float(loss) for loss in losses]
    if not all(math.isfinite(value) for value in values):
        return f"loss is not finite: {values}"
    if not values[-1] < values[0]:
        return f"loss does not fall: {values}"
    return "ok"


def best_variant(variants: dict[str, Callable[[], Answer]]) -> Answer:
    """Run every form of the same work and answer with the fastest that learnt."""
    answers: dict[str, Answer] = {}
    notes: dict[str, Any] = {}
    for name, run in variants.items():
        try:
            answers[name] = run()
            notes[name] = answers[name]["ms_per_step"]
        except Exception as error:
            notes[name] = f"left out: {type(error).__name__}: {str(error).splitlines()[:1]}"
    if not answers:
        raise RuntimeError(f"no variant ran: {notes}")
    sound = {name: one for name, one in answers.items() if one["check"] == "ok"} or answers
    best = min(sound, key=lambda name: sound[name]["ms_per_step"])
    return {**sound[best], "variant": best, "variants": notes}


def median_call_ms(call: Callable[[], Any], quick: bool) -> tuple[float, int]:
    """Median milliseconds of one call, and over how many calls; the first ones are not counted."""
    for _ in range(3):
        call()
    wanted = 100 if quick else workloads.PREDICT_CALLS
    times: list[float] = []
    end = time.perf_counter() + workloads.PREDICT_SECONDS
    while len(times) < wanted and time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times), len(times)


def check_probabilities(rows: Any) -> str:
    """'ok' when every row is finite, not negative, and sums to one."""
    import numpy as np

    rows = np.asarray(rows)
    good = np.isfinite(rows).all() and (rows >= 0).all()
    good = good and np.allclose(rows.sum(axis=-1), 1.0, atol=1e-4)
    return "ok" if good else "predictions are not probabilities"


def since_start(request: Request) -> float:
    """Seconds since the driver started this process (both read the wall clock)."""
    return time.time() - request["started"]


def memory_mb() -> dict[str, float]:
    """This process in MB: peak and present resident memory, and the present part not of files."""
    found = {}
    with open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key in ("VmHWM", "VmRSS", "RssAnon"):
                found[key] = int(value.split()[0]) * 1024 / 1e6
    return {"peak": found["VmHWM"], "resident": found["VmRSS"], "anonymous": found["RssAnon"]}


class AnonymousPeak:
    """Highest memory not backed by files while the block runs, looked at 50 times a second.

    Pages of a memory-mapped file count as resident, though the system may drop them at any time;
    this tells what the framework itself took.
    """

    def __enter__(self) -> AnonymousPeak:
        self.peak = memory_mb()["anonymous"]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, memory_mb()["anonymous"])

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.peak = max(self.peak, memory_mb()["anonymous"])
