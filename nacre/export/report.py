"""What an export did, for a person, and as JSON beside what was written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nacre.export.precision import Precision, size_text
from nacre.export.verification import Compared


@dataclass(frozen=True)
class Report:
    """What an export did. Printed, it is a line or a few.

    Attributes:
        path: What was written.
        format: Its format, as `format=` calls it.
        size_bytes: How large it is.
        inputs, outputs: Name -> dtype and sizes.
        runtime: What ran it, with its version; '' where nothing did.
        compared: The calls whose numbers were compared with the model's.
        why_not: Why nothing was compared, '' where something was.
        notes: What else is to be known.
        seconds: How long it took.
        options: What was chosen of what the format lets choose.
        precision: Where it is in fewer bits, what that cost; None where nothing was compared.
    """

    path: str
    format: str
    size_bytes: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    runtime: str = ""
    compared: Sequence[Compared] = ()
    why_not: str = ""
    notes: Sequence[str] = ()
    seconds: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    precision: Precision | None = None

    @property
    def is_verified(self) -> bool:
        """Whether numbers were compared."""
        return bool(self.compared)

    @property
    def largest_difference(self) -> float:
        """Of the largest number of its output, over all calls."""
        return max((c.relative for c in self.compared), default=0.0)

    def __str__(self) -> str:
        size = size_text(self.size_bytes)
        if self.is_verified:
            calls = f"{len(self.compared)} call{'s' * (len(self.compared) > 1)}"
            said = f"verified in {self.runtime}: {calls}, differences to "
            said += f"{self.largest_difference:.1e} of the largest number"
        else:
            said = f"written, not verified: {self.why_not}"
        lines = [f"'{self.path}' ({self.format}, {size}), {said}."]
        if self.precision is not None:
            lines.append(f"  {self.precision}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])

    def to_json(self) -> str:
        """All of it, for programs."""
        compared = [
            {"call": c.of, "difference": c.difference, "relative": c.relative}
            for c in self.compared
        ]
        found = {
            "format": self.format,
            "size_bytes": self.size_bytes,
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
            "verified": self.is_verified,
            "runtime": self.runtime,
            "compared": compared,
            "why_not": self.why_not,
            "notes": list(self.notes),
            "options": dict(self.options),
            "precision": None if self.precision is None else self.precision.to_dict(),
            "seconds": round(self.seconds, 3),
        }
        return json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n"


__all__ = ["Report"]
