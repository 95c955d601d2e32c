"""The forms of ops in MIL, one file a family."""

from __future__ import annotations

from nacre.export.targets.coreml.forms import (
    control,
    convolution,
    elementwise,
    products,
    recurrent,
    reduction,
    shaping,
)
from nacre.export.targets.coreml.maker import Maker
from nacre.export.targets.coreml.support import FORMS

__all__ = ["FORMS", "Maker"]
