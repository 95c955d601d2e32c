"""The format as nacre sees it."""

from __future__ import annotations

from nacre.export.passes import fuse_batch_normalization, widen_floats
from nacre.export.targets.litert.readback import open_file
from nacre.export.targets.litert.rules import FORMS
from nacre.export.targets.litert.support import DTYPES
from nacre.export.targets.litert.write import write
from nacre.export.targets.support import Support
from nacre.export.targets.target import Runtime, Target

SUPPORT = Support("TFLite", FORMS.by_op, FORMS.limits, DTYPES)
LITERT = Runtime("LiteRT", "ai_edge_litert", "ai-edge-litert", open_file)
TARGET = Target(
    name="litert",
    title="TFLite",
    suffix=".tflite",
    support=SUPPORT,
    write=write,
    runtimes=(LITERT,),
    passes=(widen_floats, fuse_batch_normalization),
)

__all__ = ["TARGET"]
