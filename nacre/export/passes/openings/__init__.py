"""How ops are made of simpler ones: one function an op, its body the formula, one file a family."""

from __future__ import annotations

from nacre.export.passes.openings import (
    activation,
    convolution,
    elementwise,
    normalization,
    products,
    recurrent,
    reduction,
    shaping,
)
from nacre.export.passes.openings._term import OPENINGS

__all__ = ["OPENINGS"]
