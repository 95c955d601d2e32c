"""The forms of ops in C, a file a family. Importing this fills `FORMS`."""

from nacre.export.targets.c.forms import (
    control,
    convolution,
    elementwise,
    indexing,
    normalization,
    products,
    recurrent,
    reduction,
    shaping,
)
from nacre.export.targets.c.forms._form import FORMS

__all__ = ["FORMS"]
