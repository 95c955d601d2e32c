"""The forms of ops in ONNX, one file a family. Importing this fills `FORMS`."""

from __future__ import annotations

from nacre.export.targets.onnx.forms import (
    activation,
    control,
    convolution,
    elementwise,
    indexing,
    normalization,
    products,
    random,
    recurrent,
    reduction,
    shaping,
    texts,
)
from nacre.export.targets.onnx.forms._form import FORMS, SINCE, VIEWS, lower_nodes

__all__ = ["FORMS", "SINCE", "VIEWS", "lower_nodes"]
