"""Which rows of a table the quick tier runs: the first of each kind. The whole suite runs all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

import pytest

Parameters = type(pytest.param())


def first_of_each_is_quick(rows: Iterable[Any], kind: Callable[[Any], Hashable]) -> list[Any]:
    """The rows as pytest parameters, all but the first of each kind marked `slow`.

    For tables whose rows of one kind keep the same promise with other arguments, and whose every
    row compiles something.

    Args:
        rows: A table's rows, or pytest parameters made of them.
        kind: The kind of a row: the class or function it is about.
    """
    seen: set[Hashable] = set()
    parameters = []
    for row in rows:
        marks = [pytest.mark.slow] if kind(row) in seen else []
        seen.add(kind(row))
        if isinstance(row, Parameters):
            parameters.append(pytest.param(*row.values, id=row.id, marks=[*row.marks, *marks]))
        else:
            parameters.append(pytest.param(row, marks=marks))
    return parameters
