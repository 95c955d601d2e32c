"""The list of costly tests names tests that there are: a test under a new name would be quick."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_costly_test_exists() -> None:
    texts: dict[str, str] = {}
    missing: list[str] = []
    for line in (ROOT / "tests/costly.txt").read_text(encoding="utf-8").splitlines():
        file, _, test = line.partition("::")
        path = ROOT / file
        if file not in texts:
            texts[file] = path.read_text(encoding="utf-8") if path.exists() else ""
        # `test_x[parameters]`, `TestX::test_y`, or of an example in a docstring
        # `nacre.module.Class.method`.
        name = test.partition("[")[0].rpartition("::")[2].rpartition(".")[2]
        is_module = test == ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not is_module and not re.search(rf"(?:def|class) {re.escape(name)}\b", texts[file]):
            missing.append(line)
    assert not missing, (
        "tests/costly.txt names tests that are not there: take the lines out, or give them the "
        f"tests' new names: {missing}"
    )
