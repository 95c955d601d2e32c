"""Symbolic sizes: one form for what means the same, and the numbers they stand for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from nacre.export.graph.sizes import (
    floor_divided,
    larger,
    parse_size,
    product_of,
    same_size,
    size_value,
    symbol,
    symbols_in,
)

B, T = symbol("b"), symbol("t")

EQUAL: list[tuple[Any, Any]] = [
    (B + B, 2 * B),
    (2 * (B + 1) - B, B + 2),
    (B - B, 0),
    (B * T, T * B),
    ((4 * B + 6) // 2, 2 * B + 3),
    ((B * T) // T, B),
    ((B // 2) // 3, B // 6),
    ((B // 2 + 1) // 2, (B + 2) // 4),
    (-((B * -1) // 2), (B + 1) // 2),
    (B % 3, B - 3 * (B // 3)),
    (larger(B - 1, 0), B - 1),
    (larger(B, B + 3), B + 3),
    (parse_size("2*b^2 - floordiv(t + -1, 2)"), 2 * B * B - (T - 1) // 2),
    (parse_size("mod(b, 2)"), B % 2),
    (parse_size("max(b - 5, 0)"), larger(B - 5, 0)),
]


@pytest.mark.parametrize(("left", "right"), EQUAL, ids=str)
def test_sizes_that_mean_the_same_are_the_same(left: Any, right: Any) -> None:
    assert same_size(left, right)


@pytest.mark.parametrize(
    ("left", "right"), [(B, T), (B, B + 1), (B // 2, B), (2 * B, B * B), (B, 7)], ids=str
)
def test_other_sizes_differ(left: Any, right: Any) -> None:
    assert not same_size(left, right)


def test_sizes_that_differ_only_for_long_axes_differ() -> None:
    short, long = (larger((T - window) // 512 + 1, 0) for window in (2048, 4096))
    assert not same_size(short, long)
    assert not same_size(T // 16_000, 0)


def test_an_expression_has_the_numbers_of_python() -> None:
    for b, t in itertools.product((1, 2, 5, 8), (3, 4, 9)):
        known = {"b": b, "t": t}
        expected = (b * t + 3) // 2 % 5 + max(b - t, -1)
        found = floor_divided(B * T + 3, 2) % 5 + larger(B - T, -1)
        assert size_value(found, known) == expected


def test_the_text_of_a_size_is_read_back() -> None:
    for size in (B, 2 * B + 1, B * T - T // 3, larger(B - 9, T), product_of((B, T, 3)) % 7):
        assert parse_size(str(size)) == size


def test_a_size_tells_the_names_in_it() -> None:
    assert symbols_in(larger(B - 9, 4), (T + 1) // 2, 3) == {"b", "t"}
