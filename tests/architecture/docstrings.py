"""Compare the `Args:` sections of public docstrings with the signatures they describe.

python -m tests.architecture.docstrings   list what is wrong and what is not described
"""

from __future__ import annotations

import inspect
import re
import sys

from tests.architecture.public_names import public_objects

_ENTRY = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*):(?:\s|$)")
# Described once, on the base classes; every child has them.
_COMMON = {"self", "cls", "name", "dtype", "trainable", "args", "kwargs"}


def described(docstring: str) -> list[str]:
    """The argument names in the `Args:` section."""
    text = inspect.cleandoc(docstring)
    found = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", text, flags=re.MULTILINE)
    if not found:
        return []
    names: list[str] = []
    block = found.group(1).splitlines()
    indent = min((len(row) - len(row.lstrip()) for row in block if row.strip()), default=0)
    for row in block:
        entry = _ENTRY.match(row[indent:]) if row[indent : indent + 1].strip() else None
        if entry:
            names += [part.strip().lstrip("*") for part in entry.group(1).split(",")]
    return names


def problems() -> tuple[list[str], list[str]]:
    """Arguments described but absent, and present but not described, as `object: names`."""
    wrong, silent = [], []
    seen: set[int] = set()
    for name, value in public_objects():
        if id(value) in seen or not str(getattr(value, "__module__", "")).startswith("nacre"):
            continue
        seen.add(id(value))
        if not callable(value) or not value.__doc__:
            continue
        try:
            parameters = inspect.signature(value).parameters
        except (TypeError, ValueError):
            continue
        names = described(value.__doc__) + (
            described(value.__init__.__doc__ or "") if inspect.isclass(value) else []
        )
        open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        extra = [] if open_ended else [n for n in names if n not in parameters]
        missing = [p for p in parameters if p not in names and p not in _COMMON]
        if extra:
            wrong.append(f"{name}: {', '.join(extra)}")
        if missing:
            silent.append(f"{name}: {', '.join(missing)}")
    return wrong, silent


if __name__ == "__main__":
    wrong, silent = problems()
    print("Described, but no such argument:", *wrong, sep="\n  ")
    print("Not described:", *silent, sep="\n  ")
    sys.exit(bool(wrong))
