"""Write what TensorFlow prints for the scripts of `scripts/`, for `test_whole_scripts.py` to compare.

`PYTHON tests/tf/record_scripts.py [NAME ...]`, by a Python that has TensorFlow: each script runs in
a process and a folder of its own, and its lines go into `scripts/reference.json` under the version
of TensorFlow. A script that fails is told and left out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
import tempfile
import traceback
from pathlib import Path

HERE = Path(__file__).parent / "scripts"
REFERENCE = HERE / "reference.json"


def lines_of(script: Path) -> list[str]:
    """What a script prints, run in a folder that is made for it."""
    back, words = os.getcwd(), sys.argv
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.argv = [str(script)]
        try:
            with contextlib.redirect_stdout(printed):
                runpy.run_path(str(script), run_name="__main__")
        finally:
            os.chdir(back)
            sys.argv = words
    return printed.getvalue().splitlines()


def _in_a_process(script: Path) -> list[str] | None:
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            text = json.dumps(lines_of(script))
        except BaseException:
            traceback.print_exc()
            text = "null"
        with os.fdopen(writing, "w") as file:
            file.write(text)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(process, 0)
    return json.loads(text or "null")


def main(names: list[str]) -> None:
    """Run the scripts by this Python's TensorFlow and keep what they print."""
    import tensorflow

    version = ".".join(tensorflow.__version__.split(".")[:2])
    scripts = [HERE / f"{name}.py" for name in names] or sorted(HERE.glob("*.py"))
    for script in scripts:
        found = _in_a_process(script)
        print(f"{script.stem}: {'failed' if found is None else 'ran'} ({version})", flush=True)
        _keep(script.stem, version, found)


def _keep(name: str, version: str, found: list[str] | None) -> None:
    known = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    if found is None:
        known.get(name, {}).pop(version, None)
    else:
        known.setdefault(name, {})[version] = found
    REFERENCE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
