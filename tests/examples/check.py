"""Runs the programs of `examples/` at full size and compares what they print with their table.

`python -m tests.examples.check [NAME ...] [--out FOLDER]`; without names all of them. A program
that misses a bound, fails, or takes more than 90 seconds on two cores is told at the end.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from tests.examples.programs import FOLDER, Program, printed, table

MOST_SECONDS = 90
_CORES = 2  # of which there may be more, and others may use them: processor time is what counts


def check(program: Program, out: Path) -> list[str]:
    """What is wrong with a program, an empty list where nothing is."""
    begun, used = time.perf_counter(), _processor_seconds()
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(FOLDER.parent)}
    done = subprocess.run(
        [sys.executable, str(program.path), "--out", str(out)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds, used = time.perf_counter() - begun, _processor_seconds() - used
    wrong = [] if done.returncode == 0 else [f"ended with {done.returncode}\n{done.stdout[-3000:]}"]
    if used > _CORES * MOST_SECONDS:
        wrong.append(f"took {used:.0f} s of processor time, at most {_CORES * MOST_SECONDS}")
    values = []
    for claim in program.claims:
        value = printed(done.stdout, claim.name)
        values.append(f"{claim.name} {value}")
        if value is None or not claim.is_met(value):
            wrong.append(f"{claim.name}: {claim.sign} {claim.bound} is asked for. Got {value}")
    print(
        f"{program.path.name:<28} {seconds:4.0f} s, {used:4.0f} s of processor time: "
        f"{', '.join(values)}{'' if not wrong else '  WRONG'}",
        flush=True,
    )
    return wrong


def _processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def main() -> int:
    """Check the programs that are named, or all; 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="programs, with or without .py")
    parser.add_argument("--out", type=Path, default=Path("build/examples"))
    options = parser.parse_args()
    names = {name.removesuffix(".py") for name in options.names}
    chosen = [p for p in table() if not names or p.path.stem in names]
    if unknown := names - {program.path.stem for program in chosen}:
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    wrong = {program.path.name: check(program, options.out) for program in chosen}
    for name, reasons in wrong.items():
        for reason in reasons:
            print(f"{name}: {reason}", file=sys.stderr)
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
