"""Damaged model files: seeded mutations of small files of each kind, opened one after the other.

What may come out is an error of nacre's that names the file, or a model. Nothing may hang, take
memory, end the process, no exception of a library may come through, and where a file holds
checksums, no other numbers.

    python -m tests.field.damage --cases 2000 --reader h5

runs many in a process of its own, which is ended and started anew when a case takes too long. What
failed is kept in a folder, which is told at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random

from tests.field.damaged_readers import HAS_CHECKSUMS, HAS_NO_NAME, READERS, Case, make_cases

CPU_SECONDS_TO_HANG = 60  # the first case waits for the imports
SECONDS_TO_HANG = 1800  # by the clock of the wall: other programs may want the machine
CPU_SECONDS = 2.0  # of a case, by the process's own clock
MEMORY_BYTES = 500 << 20  # what a case may take beside what the process has
# Room that is asked for, and need not be used: threads and XLA ask for much.
_ROOM_BYTES = 3 << 30


def try_one(reader: str, case: Case, seed: int, folder: Path) -> str:
    """Open one damaged set of files: 'refused', 'opened', or what went wrong."""
    random = Random(f"{reader} {seed}")
    which = random.randrange(len(case.variants))
    target, files = case.variants[which]
    if which not in case.numbers:  # and all programs that it needs are compiled
        _write(files, folder)
        case.numbers[which] = case.open(folder / target)
    damaged = case.damage(files, random)
    _write(damaged, folder)
    memory, began = _peak_bytes(), time.process_time()
    outcome = _opened(reader, case, folder / target, [target, *damaged], case.numbers[which])
    seconds, taken = time.process_time() - began, _peak_bytes() - memory
    if seconds > CPU_SECONDS:
        return f"took {seconds:.1f} s ({outcome})"
    if taken > MEMORY_BYTES:
        return f"took {taken >> 20} MB ({outcome})"
    return outcome


def _opened(reader: str, case: Case, path: Path, names: list[str], own: bytes) -> str:
    from nacre.core.errors import NacreError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            numbers = case.open(path)
    except NacreError as error:
        text = str(error)
        known = {part for name in names for part in (name, name.rpartition("/")[2])}
        if reader not in HAS_NO_NAME and not any(name in text for name in known):
            return f"names no file: {text[:200]}"
        if any(ord(c) < 32 and c not in "\n\t" for c in text):
            return f"control characters: {text!r}"
        return "refused"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-3:]
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(last))
        return f"raw {type(error).__name__}: {str(error)[:120]!r} at {where}"
    if reader in HAS_CHECKSUMS and not case.agree(own, numbers):
        return "other numbers in silence"
    return "opened"


def _write(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit_memory() -> None:
    """Let a case that asks for far too much fail, and not the machine."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def run(todo: list[tuple[str, int]], progress: Path) -> None:
    """Try cases and write an outcome a line to `progress`; the files lie in a folder beside it."""
    folder = _files_beside(progress)
    with tempfile.TemporaryDirectory() as made, open(progress, "a", buffering=1) as out:
        cases = make_cases(Path(made))
        if Path("/proc/self/statm").exists():
            _limit_memory()
        for reader, seed in todo:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            outcome = try_one(reader, cases[reader], seed, folder)
            if not is_allowed(outcome):
                shutil.copytree(folder, progress.with_name(f"{reader}-{seed}"), dirs_exist_ok=True)
            out.write(outcome.replace("\n", " ") + "\n")


def _files_beside(progress: Path) -> Path:
    return progress.with_name(f"{progress.name}-files")


def outcomes(
    readers: list[str], first: int, last: int, keep: Path | None = None
) -> dict[tuple[str, int], str]:
    """Try the cases in a process of their own; one that hangs or ends the process is an outcome.

    Args:
        keep: Where the files of failures are copied to, each to a folder `reader-seed`.
    """
    todo = [(reader, seed) for reader in readers for seed in range(first, last)]
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        while len(found) < len(todo):
            progress = Path(folder) / str(len(found))
            done, ending = _run_part(readers, first, last, len(found), progress)
            found += done
            if len(found) < len(todo):
                reader, seed = todo[len(found)]
                if (files := _files_beside(progress)).is_dir():
                    files.rename(Path(folder) / f"{reader}-{seed}")
                found.append(ending)
        if keep is not None:
            for failed in Path(folder).glob("*-*[0-9]"):
                shutil.copytree(failed, keep / failed.name, dirs_exist_ok=True)
    return dict(zip(todo, found, strict=True))


def _run_part(
    readers: list[str], first: int, last: int, skipped: int, progress: Path
) -> tuple[list[str], str]:
    """The outcomes up to the end, or to a case that did not come back, and what became of that."""
    command = [sys.executable, "-m", "tests.field.damage", "--worker", str(progress)]
    command += [f"--reader={reader}" for reader in readers]
    command += ["--first", str(first), "--cases", str(last - first), "--skip", str(skipped)]
    progress.touch()
    with subprocess.Popen(command, env={**os.environ, "JAX_PLATFORMS": "cpu"}) as process:
        seen, since, worked, waited = 0, time.monotonic(), 0.0, 0.0
        while process.poll() is None:
            time.sleep(0.05)
            size = progress.stat().st_size
            waited = time.monotonic() - since
            if size != seen:
                seen, since, worked = size, time.monotonic(), _cpu_seconds(process.pid)
            elif waited > CPU_SECONDS_TO_HANG and (
                _cpu_seconds(process.pid) - worked > CPU_SECONDS_TO_HANG or waited > SECONDS_TO_HANG
            ):
                process.kill()
    ending = f"the process ended with {process.returncode}"
    if process.returncode == -9:
        ending = f"hung for {waited:.0f} s"
    return progress.read_text().splitlines(), ending


def _cpu_seconds(pid: int) -> float:
    """What a process has worked; without end where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def note(path: Path, reader: str, counts: dict[str, int]) -> None:
    """Put a reader's counts into the file of results, in the place of older ones."""
    known = json.loads(path.read_text()) if path.exists() else {}
    rows = sorted({**known, reader: counts}.items())
    lines = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def is_allowed(outcome: str) -> bool:
    """Whether a damaged file came out as it may."""
    return outcome in ("refused", "opened")


def main() -> int:
    """Count the outcomes and print those that must not be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reader", choices=READERS, action="append")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="folder for the files of failures")
    parser.add_argument("--results", type=Path, help="JSON file to note the counts in")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--skip", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    readers, last = arguments.reader or list(READERS), arguments.first + arguments.cases
    if arguments.worker:
        todo = [(reader, seed) for reader in readers for seed in range(arguments.first, last)]
        run(todo[arguments.skip :], arguments.worker)
        return 0
    bad = 0
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="nacre-damaged-"))
    for reader in readers:
        found = outcomes([reader], arguments.first, last, keep)
        wrong = {seed: text for (_, seed), text in found.items() if not is_allowed(text)}
        refused = sum(text == "refused" for text in found.values())
        if arguments.results:
            counts = {"cases": len(found), "first": arguments.first, "refused": refused}
            note(arguments.results, reader, {**counts, "wrong": len(wrong)})
        print(f"{reader}: {len(found)} files, {refused} refused, {len(wrong)} wrong", flush=True)
        for seed, text in wrong.items():
            print(f"  {seed}: {text}")
        bad += len(wrong)
    print(f"{bad} wrong" + (f"; the files are in {keep}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
