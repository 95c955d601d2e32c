"""The code speaks of itself alone: no paths of one machine, no notes to self, no stubs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNWANTED = {
    "an absolute path of one machine": r"(?<![\w.])/(?:work|opt/env|home/\w+|root)/",
    "a note to self": r"\b(?:TO[D]O|FI[X]ME|XX[X])\b",
    "a stub": r"raise NotImplemented[E]rror\(\s*\)",
    "a registry host": r"files\.pythonhosted\.[o]rg|pypi\.[o]rg/simple",
}


def sources() -> list[Path]:
    found = [
        path
        for folder in ("nacre", "tests", "examples", ".ci")
        for path in (ROOT / folder).rglob("*")
    ]
    found += ROOT.glob("*.md")
    kinds = {".py", ".md", ".sh", ".toml", ".txt", ""}
    return [p for p in found if p.is_file() and p.suffix in kinds and "__pycache__" not in p.parts]


@pytest.mark.parametrize("kind", list(UNWANTED))
def test_no_unwanted_words(kind: str) -> None:
    pattern = re.compile(UNWANTED[kind])
    hits = []
    for path in sources():
        for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if pattern.search(row):
                hits.append(f"{path.relative_to(ROOT)}:{number}: {row.strip()[:80]}")
    assert not hits, "\n".join(hits)


def test_the_continuous_check_runs_the_command_of_the_readme() -> None:
    command = 'python -m pytest -n auto -m "not network"'
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
