"""The form of each op, one file a family. Importing this fills `FORMS`."""

from nacre.export.targets.litert.rules import (
    activation,
    control,
    convolution,
    elementwise,
    indexing,
    matrices,
    products,
    random,
    reduction,
    shaping,
)
from nacre.export.targets.litert.rules._rule import FORMS, lower_nodes

__all__ = ["FORMS", "lower_nodes"]
