"""Operators that others take into themselves."""

from __future__ import annotations

from nacre.export.targets.litert.body import Body


def fused(body: Body) -> None:
    """Let operators take in those that follow them."""
