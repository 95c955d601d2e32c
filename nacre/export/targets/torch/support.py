"""What of a graph has a form in PyTorch, as TorchScript and as a program of `torch.export`."""

from __future__ import annotations

from nacre.export.graph.opset import OPSET
from nacre.export.targets.support import Support
from nacre.export.targets.torch.program import DTYPES
from nacre.export.targets.torch.rules import (
    SCRIPT_FORMS,
    SCRIPT_LIMITS,
    TRACED_FORMS,
    TRACED_LIMITS,
)

_TEXTS = "PyTorch has no texts: look words up before, and export the model from the numbers on."
_ADVICE = {op: _TEXTS for op in OPSET if op.startswith("text_")}
_INSTEAD = "save as .keras"

SCRIPT_SUPPORT = Support("TorchScript", SCRIPT_FORMS, SCRIPT_LIMITS, DTYPES, _ADVICE, _INSTEAD)
TRACED_SUPPORT = Support("torch.export", TRACED_FORMS, TRACED_LIMITS, DTYPES, _ADVICE, _INSTEAD)

__all__ = ["SCRIPT_SUPPORT", "TRACED_SUPPORT"]
