"""Several functions in one file, each under its name, where a format has that."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nacre.core.errors import ArgumentError, UnsupportedError, message
from nacre.core.regions import as_bytes
from nacre.export.api import Plan
from nacre.export.verification import Compared, write_plainly


def written_together(plans: Mapping[str, Plan]) -> bytes:
    """A file of several functions, each compared with what it was made of.

    Args:
        plans: How each is written, by its name; all of one format.

    Raises:
        UnsupportedError: A file of the format holds one function.
        UnsupportedOpError: Something has no form there; all of it is told.
        FileFormatError: A function computes something else in its runtime.
    """
    first = next(iter(plans.values()))
    target, who = first.target, first.who
    if target.write_together is None:
        rule = f"a file of {target.title} holds one function"
        fix = "Make a file of each, or a SavedModel with ExportArchive, which holds several."
        raise UnsupportedError(message(who, rule, f"{len(plans)}: {', '.join(plans)}", fix))
    unnamed = [repr(key) for key in plans if not key]
    if unnamed:
        raise ArgumentError(message(who, "each function must have a name", unnamed[0]))
    for plan in plans.values():
        plan.warn_of_changes()
    requests = {key: plan.prepared() for key, plan in plans.items()}
    content = target.write_together(requests)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{target.suffix}"
        write_plainly(path, content)
        for key, plan in plans.items():
            _compare(plan, key, path)
    return as_bytes(content[""])


def _compare(plan: Plan, key: str, path: Path) -> list[Compared]:
    runtime, _ = plan.runtime_here()
    request = plan.prepared()
    opened = plan.target.open_function
    if runtime is None or opened is None:
        return []
    own = replace(runtime, open=lambda written: opened(written, request, key))
    verification = plan.verification(request, own, plan.prepared)
    assert verification is not None
    return verification.compare(path, verification.answers(), False)


__all__ = ["written_together"]
