"""What a result must tell about the machine and the versions it comes from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jax", "jaxlib", "numpy", "keras", "tensorflow", "torch")
# `tensorflow` may have been installed as one of its builds for the CPU.
_PROBE = """
import json, platform, sys
from importlib import metadata, util
found = {}
for name in sys.argv[1:]:
    if util.find_spec(name) is None:
        continue
    for package in (name, name + "-cpu"):
        try:
            found[name] = metadata.version(package)
            break
        except metadata.PackageNotFoundError:
            found[name] = "(not installed as a package)"
print(json.dumps({"python": platform.python_version(), "packages": found}))
"""


def versions(python: str, *more: str) -> dict[str, Any]:
    """Python and the packages of an interpreter that matter here; nothing is imported for it."""
    command = [python, "-c", _PROBE, *more, *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {python} does not run:\n{done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def processor() -> str:
    """The model name of the processor."""
    try:
        rows = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak_gflops(threads: int) -> float | None:
    """What the processor can do in float32, measured by `peak.cc`; None without a compiler."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "peak"
        source = str(Path(__file__).with_name("peak.cc"))
        words = [os.environ.get("CXX", "c++"), "-O3", "-march=native", "-std=c++17", "-pthread"]
        try:
            subprocess.run([*words, source, "-o", str(program)], check=True, capture_output=True)
            done = subprocess.run([program, str(threads)], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return float(done.stdout)


def commit() -> str:
    """The short commit of the tree, with a plus sign when it has changes; '' outside git."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        name = git("rev-parse", "--short", "HEAD")
        return name + ("+" if name and git("status", "--porcelain") else "")
    except OSError:
        return ""


def facts(own: dict[str, Any], peers: dict[str, Any], cores: int) -> dict[str, Any]:
    """Everything a reader needs to judge the figures."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor": processor(),
        "cores_used": cores,
        "cores_present": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "own": own,
        "peers": peers,
    }
