"""Expressions that Python may take forever for are told from those that it does not."""

from __future__ import annotations

import pytest

from nacre.export.importers.tensorflow.backtracking import may_take_forever
from nacre.export.importers.tensorflow.ops.strings import expression
from nacre.export.importers.tensorflow.values import GraphError

SLOW = [
    r"(a+)*b", r"(a*)*", r"([a-zA-Z]+)*$", r"(a|aa)+$", r"(a|a?)+", r"(.*)*x", r"(\w+\s?)*$",
    r".*.*.*x", r"(.*a){12}b", r"(x+x+)+y", r"((ab)*)*c", r"([a-z]+\d*)+$",
]  # fmt: skip
FINE = [
    r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']", r"\s+", r"\s+|\d+", r"(\w+)(-\w+)*",
    r"\d{1,3}(,\d{3})*(\.\d+)?", r"^\s+|\s+$", r"https?://\S+|www\.\S+", r"(?:[a-z]|[0-9])+",
    r"'s|'t|'re| ?[a-z]+| ?\d+| ?[^\sa-z\d]+|\s+", r"(ab)*", r"(?i)<br\s*/?>", r"(a|b|cd)*",
    r"<[^>]+>", r".*foo.*", r"(\S+)@(\S+)", r"(\.\d+){1,5}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", SLOW)
def test_repetitions_within_repetitions_are_told(pattern: str) -> None:
    assert may_take_forever(pattern)
    with pytest.raises(GraphError, match="may take Python forever"):
        expression(pattern.encode())


@pytest.mark.parametrize("pattern", FINE)
def test_expressions_of_real_graphs_are_computed(pattern: str) -> None:
    assert not may_take_forever(pattern)
    expression(pattern.encode())


def test_they_are_judged_in_no_time() -> None:
    ranges = "".join(f"{chr(0x4E00 + 9 * i)}-{chr(0x4E03 + 9 * i)}" for i in range(700))
    assert not may_take_forever(f"[{ranges}]+(,[{ranges}]+)*")
