"""What fewer bits cost: size, error and accuracy of a file, beside those of the file in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nacre.export.targets.target import Target
from nacre.export.verification import Compared


@dataclass(frozen=True)
class Measured:
    """A file as it was measured.

    Attributes:
        size_bytes: How large it is.
        error: The root of the mean square of its differences to the model, of that of the model's
            own numbers.
        largest: The largest difference, of the largest number of its output.
        right: How many of the labelled samples it is right of.
    """

    size_bytes: int
    error: float
    largest: float
    right: int

    @classmethod
    def of(cls, size_bytes: int, compared: Sequence[Compared]) -> Measured:
        """What the calls say that were compared."""
        difference = sum(c.squares for c in compared)
        whole = sum(c.model_squares for c in compared)
        error = (difference / whole if whole else difference) ** 0.5
        largest = max((c.relative for c in compared), default=0.0)
        return cls(size_bytes, error, largest, sum(c.right for c in compared))


@dataclass(frozen=True)
class Precision:
    """A file of fewer bits, and the file that the same options without these would give.

    Attributes:
        options: What was chosen.
        before, after: The file in full, and the one that was written.
        labelled: How many samples had a label.
        model_right: How many of them the model is right of.
    """

    options: Mapping[str, Any]
    before: Measured
    after: Measured
    labelled: int = 0
    model_right: int = 0

    @classmethod
    def of(
        cls,
        options: Mapping[str, Any],
        before: Measured,
        after: Measured,
        calls: Sequence[Compared],
    ) -> Precision:
        """Two files, and what the model gave for the same calls."""
        labelled, right = sum(c.labelled for c in calls), sum(c.model_right for c in calls)
        return cls(options, before, after, labelled, right)

    def __str__(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.options.items())
        sizes = (
            f"{size_text(self.after.size_bytes)} in place of {size_text(self.before.size_bytes)}"
        )
        said = f"{chosen}: {sizes}, error {self.after.error:.1e} in place of "
        said += f"{self.before.error:.1e} of the numbers"
        if self.labelled:
            after, before, model = (
                f"{100 * right / self.labelled:.1f} %"
                for right in (self.after.right, self.before.right, self.model_right)
            )
            said += f"; right on {after} of {self.labelled} samples in place of {before}"
            said += f" (the model: {model})"
        return f"{said}."

    def to_dict(self) -> dict[str, Any]:
        """All of it, for programs."""
        found: dict[str, Any] = {"options": {k: str(v) for k, v in self.options.items()}}
        for name, file in (("before", self.before), ("after", self.after)):
            found[name] = {
                "size_bytes": file.size_bytes,
                "error": file.error,
                "largest_error": file.largest,
            }
            if self.labelled:
                found[name]["accuracy"] = file.right / self.labelled
        if self.labelled:
            found |= {"samples": self.labelled, "model_accuracy": self.model_right / self.labelled}
        return found


def options_that_cost(target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those that trade digits for bytes, without the ones that stand at their defaults."""
    return {
        name: options[name]
        for name, option in target.options.items()
        if option.costs_digits and options[name] != option.default
    }


def size_text(count: int) -> str:
    """So many bytes, for a person."""
    if count < 1_000:
        return f"{count} bytes"
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"


__all__ = ["Measured", "Precision", "options_that_cost", "size_text"]
