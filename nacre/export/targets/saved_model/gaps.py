"""What of a graph has no form in TensorFlow: found before anything is written."""

from __future__ import annotations

from nacre.export.targets.graphdef.rules import FORMS
from nacre.export.targets.support import Support

SUPPORT = Support("TensorFlow", FORMS.by_op, FORMS.limits)

__all__ = ["SUPPORT"]
