"""The table in `examples/README.md`, read: which programs there are and what each must reach."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parents[2] / "examples"
_ROW = re.compile(r"^\| \[(\w+\.py)\]\(\1\) \| (.+?) \| (.+?) \| (\d+) \|$", flags=re.MULTILINE)
_CLAIM = re.compile(r"`([^`]+)` (-?[\d.]+) \(([≥≤]) (-?[\d.]+)\)")


class Claim(NamedTuple):
    """A number that a program prints as `name: value`, and its bound."""

    name: str
    stated: float
    sign: str
    bound: float

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.sign == "≥" else value <= self.bound


class Program(NamedTuple):
    """A row of the table."""

    path: Path
    shows: str
    claims: tuple[Claim, ...]
    seconds: int


def table() -> list[Program]:
    """The rows, from top to bottom."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    return [
        Program(FOLDER / name, shows, tuple(_claims(result)), int(seconds))
        for name, shows, result, seconds in _ROW.findall(text)
    ]


def _claims(result: str) -> list[Claim]:
    return [
        Claim(name, float(stated), sign, float(bound))
        for name, stated, sign, bound in _CLAIM.findall(result)
    ]


def printed(output: str, name: str) -> float | None:
    """The last number that was printed after `name: ` at the start of a line."""
    found = re.findall(rf"^{re.escape(name)}: (-?[\d.]+)", output, flags=re.MULTILINE)
    return float(found[-1]) if found else None
