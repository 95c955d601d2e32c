"""The forms of ops in PyTorch, one file a family. Importing this fills `program.FORMS`.

Where TorchScript and `torch.export` need different ones, `script_control` and `traced_control`
hold them, and `SCRIPT_FORMS` and `TRACED_FORMS` are what each of the two has.
"""

from __future__ import annotations

from nacre.export.targets.torch.program import FORMS
from nacre.export.targets.torch.rules import (
    activation,
    convolution,
    elementwise,
    indexing,
    matrices,
    products,
    random,
    reduction,
    shaping,
)
from nacre.export.targets.torch.rules.script_control import SCRIPT_ONLY
from nacre.export.targets.torch.rules.traced_control import TRACED_ONLY

SCRIPT_FORMS = {**FORMS.by_op, **SCRIPT_ONLY.by_op}
SCRIPT_LIMITS = {**FORMS.limits, **SCRIPT_ONLY.limits}
TRACED_FORMS = {**FORMS.by_op, **TRACED_ONLY.by_op}
TRACED_LIMITS = {**FORMS.limits, **TRACED_ONLY.limits}

__all__ = ["SCRIPT_FORMS", "SCRIPT_LIMITS", "TRACED_FORMS", "TRACED_LIMITS"]
