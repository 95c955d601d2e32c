"""Measure nacre and its peers in the same run, each in its own process, one after another.

python -m bench --peer-python PATH [--only mlp,cnn] [--rounds 3] [--quick]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import machine, report, runners, workloads

RESULTS = Path(__file__).parent / "results"
# Timed in fresh processes: the first one also reads files from the disk, and is not counted.
UNCOUNTED_START = ("import", "first_step")


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(runners.WORKLOADS), help="workloads, by comma")
    parser.add_argument("--rounds", type=int, help="rounds of each workload (3; 1 when quick)")
    parser.add_argument("--quick", action="store_true", help="little work: does everything run?")
    parser.add_argument("--cores", type=int, default=2, help="cores that every process may use")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument(
        "--peer-python",
        default=os.environ.get("NACRE_BENCH_PEERS") or sys.executable,
        help="interpreter of Keras, TensorFlow and PyTorch (also NACRE_BENCH_PEERS)",
    )
    options = parser.parse_args(words)
    options.only = [name.strip() for name in options.only.split(",") if name.strip()]
    unknown = sorted(set(options.only) - set(runners.WORKLOADS))
    if unknown:
        parser.error(f"unknown workload {unknown}; there are {', '.join(runners.WORKLOADS)}")
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def keep_to_cores(count: int) -> int:
    """Let this process and all it starts use that many cores; gives how many they really have."""
    present = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, present[:count])
    return len(present[:count])


def installed(own: dict[str, Any], peers: dict[str, Any], only: list[str]) -> tuple[set, list[str]]:
    """Runners that can run, and what is said of those that cannot."""
    ready, missing = set(), {}
    for runner in (one for name in only for one in runners.PLAN[name]):
        packages = (own if runner.own else peers)["packages"]
        absent = [name for name in runner.needs if name not in packages]
        if absent:
            missing[runner.name] = f"{runner.name} (no {', '.join(absent)})"
        else:
            ready.add(runner.name)
    return ready, sorted(missing.values())


def measure(name: str, options: argparse.Namespace, ready: set, scratch: Path) -> report.Answers:
    """All rounds of one workload: every runner once a round, in turning order."""
    request = {"workload": name, "quick": options.quick}
    if name == "memory":
        request["file"] = str(scratch / "rows.f32")
        if not Path(request["file"]).exists():
            workloads.write_memory_file(request["file"], workloads.memory_rows(options.quick))
    able = [runner for runner in runners.PLAN[name] if runner.name in ready]
    answers: report.Answers = {runner.name: [] for runner in able}
    uncounted = name in UNCOUNTED_START and not options.quick
    # A warm cache has to be filled first, quick or not.
    fills = [one for one in able if name == "first_step" and "warm" in one.name]
    for runner in able if uncounted else fills:
        run(runner, options, request, scratch)
    for number in range(options.rounds):
        # Every second round goes backwards, so that a slow drift favours nobody.
        for runner in able if number % 2 == 0 else able[::-1]:
            answer = run(runner, options, request, scratch)
            answers[runner.name].append(answer)
            tell(name, number, runner.name, answer)
    return answers


def run(
    runner: runners.Runner, options: argparse.Namespace, request: dict[str, Any], scratch: Path
) -> dict[str, Any]:
    """One process of a runner."""
    python = sys.executable if runner.own else options.peer_python
    return runners.run(runner, python, request, scratch)


def tell(workload: str, number: int, runner: str, answer: dict[str, Any]) -> None:
    """One line of progress."""
    _, field, unit = report.MAIN[workload]
    if field in answer:
        said = f"{report.figure(answer[field])} {unit}"
        said += "" if answer.get("check") == "ok" else f"  ({answer.get('check')})"
    else:
        said = answer.get("error", "no answer")
    print(f"{workload:<11} round {number + 1}  {runner:<18} {said}", flush=True)


def main(words: list[str] | None = None) -> int:
    """Run everything; gives 1 when nacre failed somewhere, 0 otherwise (goals missed included)."""
    options = parse(words)
    cores = keep_to_cores(options.cores)
    own, peers = machine.versions(sys.executable, "nacre"), machine.versions(options.peer_python)
    ready, left_out = installed(own, peers, options.only)
    facts = machine.facts(own, peers, cores)
    facts |= {"rounds": options.rounds, "quick": options.quick, "left_out": left_out}
    with tempfile.TemporaryDirectory(prefix="nacre-bench-") as scratch:
        answers = {
            name: measure(name, options, ready, Path(scratch))
            for name in runners.WORKLOADS
            if name in options.only
        }
    result = report.finish(facts, answers, options.results)
    report.show(result)
    print("written:", *(os.path.relpath(path) for path in result["paths"]))
    failed = [
        (name, runner, row["check"])
        for name, table in result["tables"].items()
        for runner, row in table["rows"].items()
        if "nacre" in runner and row["check"] != "ok"
    ]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
